"""What is done about MySQL: schema and accounts on the primary, settings everywhere, and restarts.

Who is the primary, and who follows whom, is the agents' business. A restart takes the replicas first, each well
before the next; then the primary hands over, if it can, and restarts as a replica.
"""

from collections.abc import Iterator, Mapping

from colonnade import paths
from colonnade.database import database_of, primary_of
from colonnade.errors import RefusedError
from colonnade.facts import DatabaseFact, Facts
from colonnade.render import DatabaseRole, Desired
from colonnade.rollout.steps import ChangeUnit, PrepareSchema, SetVariables, Stage, Step, Switchover, WaitWell
from colonnade.rollout.units import Need
from colonnade.topology import Machine, Topology

WELL_SECONDS = 600
"""How long a server may take to catch up after its restart."""
SWITCHOVER_SECONDS = 60


def database_stages(
    topology: Topology,
    desired: Mapping[str, Desired],
    facts: Mapping[str, Facts],
    needs: Mapping[str, Mapping[str, Need | None]],
) -> Iterator[Stage]:
    """Return the stages that MySQL needs.

    Raises:
        RefusedError: MySQL would restart while the agents only watch.

    """
    primary = primary_of(topology, facts)
    yield Stage("the primary", {primary.name: tuple(_schema(desired[primary.name], facts[primary.name]))})
    settings = {m.name: tuple(_settings(desired[m.name].database, facts[m.name].database)) for m in topology.servers}
    yield Stage("MySQL's settings", settings)
    restarts = {
        m.name: step
        for m in topology.servers
        if (step := _restart(desired[m.name], needs[m.name][paths.MYSQL_UNIT])) is not None
    }
    if restarts and database_of(topology, facts).paused:
        raise RefusedError(
            "MySQL must restart, but the agents are paused: nobody would open it again",
            do="colonnade db resume, then run the command again. Nothing was changed.",
        )
    well = WaitWell(WELL_SECONDS, "it is well again before the next one restarts")
    for machine in topology.servers:
        if machine != primary and machine.name in restarts:
            alone = "writes wait for it, because durability is strict" if _all_wait(topology, machine, facts) else ""
            yield Stage(f"MySQL on {machine.name}", {machine.name: (restarts[machine.name], well)}, alone)
    if primary.name in restarts:
        yield from _primary_restarts(topology, primary, restarts[primary.name], facts)


def _primary_restarts(
    topology: Topology, primary: Machine, restart: Step, facts: Mapping[str, Facts]
) -> Iterator[Stage]:
    title = f"MySQL on {primary.name}"
    if not _others_can_lead(topology, facts):
        alone = "MySQL's primary takes no writes for some seconds"
        yield Stage(title, {primary.name: (restart,)}, alone)
        return
    ready = WaitWell(WELL_SECONDS, "a standby is there to take over")
    switchover = Switchover(SWITCHOVER_SECONDS, "its MySQL restarts, and writes go on elsewhere meanwhile")
    yield Stage("another primary", {primary.name: (ready, switchover)})
    yield Stage(title, {primary.name: (restart, WaitWell(WELL_SECONDS, "it follows the new primary"))})


def _all_wait(topology: Topology, machine: Machine, facts: Mapping[str, Facts]) -> bool:
    """Say whether no commit succeeds while a replica restarts: it is needed, and the contract is never loosened."""
    if topology.stack.database.durability != "strict":
        return False
    contract = database_of(topology, facts).contract
    if contract is None:
        return topology.standbys <= topology.acks
    return machine.node in contract.standbys and len(contract.standbys) <= contract.acks


def _others_can_lead(topology: Topology, facts: Mapping[str, Facts]) -> bool:
    """Say whether a standby will be there by then; before there is a contract, whether one is wanted."""
    contract = database_of(topology, facts).contract
    return topology.acks > 0 if contract is None else contract.acks > 0 and len(topology.servers) > 1


def _restart(desired: Desired, need: Need | None) -> Step | None:
    if need is None:
        return None
    unit = next(unit for unit in desired.units if unit.name == paths.MYSQL_UNIT)
    return ChangeUnit(unit, need.action, need.why)


def _schema(desired: Desired, facts: Facts) -> Iterator[Step]:
    role = desired.database
    if role is None:
        return
    schema_missing = role.schema not in facts.database.schemas
    accounts = tuple(
        account
        for account in role.accounts
        if account.name not in facts.database.accounts or facts.database.accounts[account.name].digest != account.digest
    )
    if schema_missing or accounts:
        why = "the schema is not there" if schema_missing else "missing, or made from another definition"
        if facts.database.initialised and not facts.database.answers:
            why = "MySQL does not answer yet, so it is made sure of"
        yield PrepareSchema(role.schema, accounts, why)


def _settings(role: DatabaseRole | None, facts: DatabaseFact) -> Iterator[Step]:
    """Set what differs; a server that does not answer yet starts with the file's settings."""
    if role is None or not facts.answers:
        return
    different = {name: value for name, value in role.settings.items() if facts.variables.get(name) != value}
    if different:
        was = ", ".join(f"{name} is {facts.variables.get(name)}" for name in different)
        yield SetVariables(different, was)
