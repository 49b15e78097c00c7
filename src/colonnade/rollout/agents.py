"""What starts and restarts the agents, and waits until they have a primary.

An agent that restarts changes nothing about its MySQL: it finds its place again. Yet the primary's is the last, so
that not all of them are new at once. Old programs go when no agent runs them any more.
"""

from collections.abc import Iterator, Mapping

from colonnade import paths
from colonnade.database import database_of, primary_of
from colonnade.facts import Facts
from colonnade.render import Desired, Unit
from colonnade.rollout.steps import ChangeUnit, RemoveProgram, Stage, Step, WaitForPrimary
from colonnade.rollout.units import Need
from colonnade.topology import Machine, Topology

PRIMARY_SECONDS = 180
"""How long a primary may take: after a crash MySQL first finds out what it had committed."""


def agent_stages(
    topology: Topology,
    desired: Mapping[str, Desired],
    facts: Mapping[str, Facts],
    needs: Mapping[str, Mapping[str, Need | None]],
) -> Iterator[Stage]:
    """Return the stages after which agents run everywhere, as they should, and a server leads."""
    primary = primary_of(topology, facts)
    down = {m.name: _start(desired[m.name], facts[m.name]) for m in topology.machines if not _runs(facts[m.name])}
    yield Stage("the agents start", down)
    steps = {
        machine.name: _restart(desired[machine.name], needs[machine.name])
        for machine in topology.machines
        if machine.name not in down
    }
    others = {name: each for name, each in steps.items() if name != primary.name}
    yield Stage("the agents restart, but for the primary's", others)
    yield Stage("the primary's agent", {primary.name: steps.get(primary.name, ())})
    restarted = any(steps.values())
    if not database_of(topology, facts).led or not _mysql_runs(primary, facts) or restarted:
        why = "the agents are new" if down or restarted else "nobody is known to lead"
        yield Stage("a primary", {primary.name: (WaitForPrimary(PRIMARY_SECONDS, why),)})
    old = {m.name: tuple(_old_programs(desired[m.name], facts[m.name])) for m in topology.machines}
    yield Stage("old programs of the agent", old)


def _unit(desired: Desired) -> Unit:
    return next(unit for unit in desired.units if unit.name == paths.AGENT_UNIT)


def _runs(facts: Facts) -> bool:
    return facts.active(paths.AGENT_UNIT)


def _mysql_runs(machine: Machine, facts: Mapping[str, Facts]) -> bool:
    return facts[machine.name].active(paths.MYSQL_UNIT)


def _start(desired: Desired, facts: Facts) -> tuple[Step, ...]:
    fact = facts.units.get(paths.AGENT_UNIT)
    return (ChangeUnit(_unit(desired), "start", f"it is {fact.active if fact else 'new'}"),)


def _restart(desired: Desired, needs: Mapping[str, Need | None]) -> tuple[Step, ...]:
    need = needs[paths.AGENT_UNIT]
    return () if need is None else (ChangeUnit(_unit(desired), need.action, need.why),)


def _old_programs(desired: Desired, facts: Facts) -> Iterator[Step]:
    wanted = {desired.program.identity} if desired.program is not None else set()
    for name in sorted(facts.programs - wanted):
        yield RemoveProgram(name, "another one runs")
