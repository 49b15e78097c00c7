"""The agents in the world of the property tests: what happens to them, and what is wrong, without the planner."""

from collections.abc import Mapping
from dataclasses import replace

from colonnade.database import database_of
from colonnade.facts import AgentFact, ClaimFact, ContractFact, Facts, ReplicationFact
from colonnade.render import Desired
from colonnade.topology import Topology

AllFacts = Mapping[str, Facts]


def faults(topology: Topology, desired: Desired, facts: AllFacts) -> list[str]:
    """Say what is wrong with the agent of a machine, and with all of them together."""
    fact = facts[desired.machine]
    assert desired.program is not None
    found = []
    if fact.programs != {desired.program.identity}:
        found.append(f"the agent's programs are {set(fact.programs)}")
    if not fact.agent.answers:
        found.append("the agent does not answer")
    database = database_of(topology, facts)
    if not database.led:
        found.append("nobody leads")
    return found


def down(fact: Facts) -> Facts:
    """Return a machine whose agent does not answer."""
    return replace(fact, agent=AgentFact(ran=fact.agent.ran))


def deposed(fact: Facts) -> Facts:
    """Return a machine whose server does not lead any more."""
    return replace(fact, agent=replace(fact.agent, serves_primary=False))


def moved(topology: Topology, facts: AllFacts, machine: str, *, acks: int = 1) -> dict[str, Facts]:
    """Return machines of which another server has become the primary, as its agent says; nothing else has changed."""
    before = database_of(topology, facts).contract
    node = topology.machine(machine).node
    if before is None or not facts[machine].agent.answers:
        return dict(facts)
    others = tuple(sorted(server.node for server in topology.servers if server.node != node))
    contract = ContractFact(node, before.term + 1, others[:2], min(acks, len(others)), before.revision + 1)
    claim = ClaimFact(node, before.term + 1, alive=True)
    old = database_of(topology, facts).primary
    database = facts[old.name].database if old is not None else facts[machine].database
    now = {name: deposed(fact) for name, fact in facts.items()}
    agent = replace(facts[machine].agent, serves_primary=True, etcd=True, contract=contract, claim=claim)
    copied = replace(facts[machine].database, schemas=database.schemas, accounts=database.accounts)
    return {**now, machine: replace(facts[machine], agent=agent, database=copied)}


def well(topology: Topology, facts: AllFacts) -> dict[str, Facts]:
    """Return machines of which all agents are content: the first server leads, the next two stand by."""
    primary, others = topology.primary, topology.replicas
    standbys = tuple(sorted(server.node for server in others[: topology.standbys]))
    contract = ContractFact(primary.node, 1, standbys, topology.acks, 9)
    claim = ClaimFact(primary.node, 1, alive=True)
    now = dict(facts)
    for machine in topology.machines:
        agent = AgentFact(ran=True, answers=True, node=machine.node, state="witness", etcd=True)
        agent = replace(agent, claim=claim, contract=contract)
        if machine == primary:
            agent = replace(agent, state="protected", serves_primary=True, mysql=True)
        elif machine.server:
            following = ReplicationFact(primary.node, 1, "on", applying=True)
            state = "standby" if machine.node in standbys else "following"
            agent = replace(agent, state=state, serves_replica=True, mysql=True, replication=following, lag_seconds=0.0)
        now[machine.name] = replace(facts[machine.name], agent=agent)
    return now
