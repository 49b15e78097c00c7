"""How the database is, for people and programs, and what is wrong with it: the agents' words put together. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from colonnade.database import Database, database_of, primary_of
from colonnade.facts import AgentFact, Facts
from colonnade.paths import AGENT_UNIT
from colonnade.problem import Problem
from colonnade.topology import Machine, Topology

LATE_SECONDS = 30
"""A replica that is later than this is a problem."""
KEPT_OUT = frozenset({"fenced", "isolated", "separate"})
"""States in which a server serves nobody; told of only while another leads, for they are passed through, too."""


def database_document(topology: Topology, facts: Mapping[str, Facts]) -> dict[str, Any]:
    """Return the database's part of the document of ``status --json``."""
    database = database_of(topology, facts)
    claim, contract = database.claim, database.contract
    why = failover_hindrance(topology, facts)
    return {
        "primary": database.primary.server if database.primary is not None and database.led else None,
        "standbys": list(database.standbys),
        "acks": database.acks,
        "term": contract.term if contract else None,
        "claim_alive": claim is not None and claim.alive,
        "etcd_answers": database.etcd,
        "paused": database.paused,
        "failover": {"possible": not why, "why_not": why or None},
    }


def agents_document(topology: Topology, facts: Mapping[str, Facts]) -> dict[str, Any]:
    """Return the agents' part: ``up``, ``down`` or ``unknown`` (not reached), and where its server stands."""
    return {machine.node: _agent(facts.get(machine.name)) for machine in topology.machines}


def _agent(facts: Facts | None) -> dict[str, Any]:
    if facts is None:
        return {"state": "unknown", "stands": None, "reason": None}
    if not facts.agent.answers:
        return {"state": "down", "stands": None, "reason": None}
    return {"state": "up", "stands": facts.agent.state or None, "reason": facts.agent.reason or None}


def mysql_document(topology: Topology, machine: Machine, facts: Mapping[str, Facts]) -> dict[str, Any]:
    """Return how MySQL on one server is: what runs there by the facts, what it is by its agent's word."""
    fact = facts.get(machine.name)
    if fact is None:
        return {"state": "unknown", "role": None, "standby": False, "lag_seconds": None}
    agent, database = fact.agent, database_of(topology, facts)
    state = "up" if agent.mysql or fact.database.answers else "down"
    role = _role(agent)
    return {
        "state": state,
        "role": role,
        "standby": role == "replica" and machine.node in database.standbys,
        "lag_seconds": agent.lag_seconds if role == "replica" else None,
    }


def _role(agent: AgentFact) -> str | None:
    if not agent.answers or not agent.mysql:
        return None
    if agent.serves_primary:
        return "primary"
    return "replica" if agent.replication is not None else None


def failover_hindrance(topology: Topology, facts: Mapping[str, Facts]) -> str:  # noqa: PLR0911  one line per reason
    """Say why no server could take over if the primary were lost now; empty if one could."""
    database = database_of(topology, facts)
    if len(topology.servers) == 1:
        return "there is one server"
    if len(topology.machines) < 3:  # noqa: PLR2004  a majority that may lose one
        return "with fewer than three machines it is by hand"
    if database.paused:
        return "the agents are paused"
    if not database.etcd:
        return "no agent reaches etcd"
    if database.contract is None or not database.led:
        return "no server leads"
    if database.acks == 0:
        return "no standby has all that is acknowledged"
    return ""


def database_problems(topology: Topology, facts: Mapping[str, Facts]) -> Iterator[Problem]:
    """Yield what is wrong with the database; a unit that does not run is told of with the other units."""
    database = database_of(topology, facts)
    for machine in topology.machines:
        if machine.name in facts:
            yield from _machine(machine, facts[machine.name], database)
    if not database.led:
        yield from _nobody_leads(topology, facts)
    else:
        yield from _no_standby(topology, database)
    if database.paused:
        yield Problem("agents", "they are paused: they only watch, and no failover happens", "colonnade db resume")


def _nobody_leads(topology: Topology, facts: Mapping[str, Facts]) -> Iterator[Problem]:
    machine = primary_of(topology, facts)
    if machine.name in facts:
        reason = facts[machine.name].agent.reason
        what = "no MySQL server takes writes" + (f": {reason}" if reason else "")
        yield Problem(machine.name, what, f"colonnade apply; colonnade logs {machine.name} --unit {AGENT_UNIT}")


def _no_standby(topology: Topology, database: Database) -> Iterator[Problem]:
    do = "Look at the replicas below, or wait: the agents add them when they can."
    if database.acks < topology.acks and database.acks == 0:
        yield Problem("database", "no failover is possible: no standby has all that is acknowledged", do)
    elif database.acks < topology.acks:
        yield Problem("database", f"a commit waits for {database.acks} standbys, not for {topology.acks}", do)
    elif len(database.standbys) < topology.standbys:
        names = ", ".join(database.standbys)
        yield Problem("database", f"it has {len(database.standbys)} of {topology.standbys} standbys: {names}", do)


def _machine(machine: Machine, facts: Facts, database: Database) -> Iterator[Problem]:
    agent = facts.agent
    logs = f"colonnade logs {machine.name} --unit {AGENT_UNIT}"
    if not agent.answers:
        if facts.active(AGENT_UNIT):
            yield Problem(machine.name, "its agent runs, but does not answer", logs)
    else:
        if not agent.etcd:
            yield Problem(
                machine.name, "its agent does not reach etcd", "Look at etcd above, and at the machine's cable."
            )
        for warning in agent.warnings:
            yield Problem(machine.name, warning, logs)
    if machine.server:
        yield from _server(machine, facts, database)


def database_notes(topology: Topology, facts: Mapping[str, Facts]) -> Iterator[Problem]:
    """Yield what is not wrong, and waits for somebody to look at it."""
    for machine in topology.machines:
        for saved in facts[machine.name].agent.saved if machine.name in facts else ():
            yield Problem(
                machine.name,
                f"{saved.transactions} transactions that nobody was told of were saved as SQL: {saved.directory}",
                "Look whether any of it is wanted, then remove the directory.",
            )


def _server(machine: Machine, facts: Facts, database: Database) -> Iterator[Problem]:
    agent = facts.agent
    if not (agent.mysql or facts.database.answers):
        if facts.database.initialised and facts.database.error:
            yield Problem(
                machine.name,
                f"MySQL does not answer: {facts.database.error[:200]}",
                f"colonnade logs {machine.name} --unit mysql",
            )
        return
    if not agent.answers or not database.led or agent.serves_primary:
        return
    replication = agent.replication
    if agent.clone is not None:
        stage, percent = agent.clone
        yield Problem(machine.name, f"its data is being copied from another server: {stage}, {percent} %", "Wait.")
    elif agent.state in KEPT_OUT or replication is None:
        yield Problem(
            machine.name,
            f"its MySQL follows nobody: {agent.reason or agent.state}",
            f"If it stays so and what only it has is not wanted: colonnade db rebuild {machine.server}",
        )
    elif replication.receiver == "off" or not replication.applying:
        stopped = "the receiver" if replication.receiver == "off" else "the applier"
        yield Problem(
            machine.name,
            f"replication does not run ({stopped}: {replication.error or 'stopped'})"[:300],
            f"The agent starts it; if it stops again, the reason is above. Last resort: colonnade db rebuild"
            f" {machine.server}",
        )
    elif replication.receiver == "connecting":
        said = f": {replication.error}" if replication.error else ""
        yield Problem(machine.name, f"it does not reach the primary{said}"[:300], "Check the network between them.")
    elif agent.lag_seconds is not None and agent.lag_seconds > LATE_SECONDS:
        yield Problem(
            machine.name,
            f"replication is {agent.lag_seconds:.0f} s late",
            "Wait, or look for a long write: colonnade db console",
        )
