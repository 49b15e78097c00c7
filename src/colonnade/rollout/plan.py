"""Facts and what should be, to a plan: ordered stages of steps, each with its reason.

The order: everything that disturbs nobody, on all machines at once; etcd's members; the agents, until a server leads;
the ways to MySQL; schema, accounts and settings; then what reloads or restarts a redundant part, one machine after the
other, each well before the next: MySQL's replicas before the primary, which hands over first, and after the migration
servers (drained first) before balancers.
"""

from collections.abc import Iterable, Iterator, Mapping

from colonnade.database import primary_of
from colonnade.facts import Facts
from colonnade.render import Desired, Unit, Wave
from colonnade.rollout.agents import agent_stages
from colonnade.rollout.base import base_steps, manifest
from colonnade.rollout.database import database_stages
from colonnade.rollout.etcd import etcd_stages
from colonnade.rollout.safety import check, warnings
from colonnade.rollout.steps import ActivateRelease, ChangeUnit, Drain, Migrate, Plan, Ready, Stage, Step
from colonnade.rollout.units import Need, need_of
from colonnade.topology import Machine, Topology

__all__ = ["manifest", "plan"]

BACKENDS = ("app", "static")
READY_SECONDS = 60
HAPROXY = "haproxy.service"


def plan(topology: Topology, desired: Mapping[str, Desired], facts: Mapping[str, Facts]) -> Plan:
    """Return what must be done, in order; both maps are by machine.

    Raises:
        RefusedError: it could lose data.
        ColonnadeError: a machine cannot be managed as it is.

    """
    check(topology, desired, facts)
    everything = {machine.name: base_steps(desired[machine.name], facts[machine.name]) for machine in topology.machines}
    needs = {
        machine.name: {
            unit.name: need_of(unit, facts[machine.name], everything[machine.name])
            for unit in desired[machine.name].units
        }
        for machine in topology.machines
    }
    later = _later(needs, topology)
    stages = [
        Stage("everything that disturbs nobody", everything),
        *etcd_stages(topology, desired, facts, needs),
        *agent_stages(topology, desired, facts, needs),
        *_ways_to_mysql(topology, needs, desired),
        *database_stages(topology, desired, facts, needs),
        *_migration(topology, desired, facts),
        *_servers(topology, desired, facts, later),
        *_balancers(topology, desired, later),
    ]
    work = (Stage(s.title, {m: steps for m, steps in s.work.items() if steps}, s.interrupts) for s in stages)
    return Plan(tuple(stage for stage in work if stage.work), warnings(topology, facts))


_Needs = Mapping[str, Mapping[str, Need | None]]


def _unit_steps(units: Iterable[Unit], needs: Mapping[str, Need | None]) -> Iterator[ChangeUnit]:
    for unit in units:
        need = needs[unit.name]
        if need is not None:
            yield ChangeUnit(unit, need.action, need.why)


def _in_wave(desired: Desired, *waves: Wave) -> tuple[Unit, ...]:
    return tuple(unit for unit in desired.units if unit.wave in waves)


def _ways_to_mysql(topology: Topology, needs: _Needs, desired: Mapping[str, Desired]) -> Iterator[Stage]:
    """Have each server's HAProxy know of all servers before the primary moves; a reload costs no connection."""
    for machine in topology.servers:
        step = tuple(step for step in _haproxy(desired[machine.name], needs[machine.name]) if step.action == "reload")
        yield Stage(f"the way to MySQL on {machine.server}", {machine.name: step})


def _haproxy(desired: Desired, needs: Mapping[str, Need | None]) -> Iterator[ChangeUnit]:
    return _unit_steps((unit for unit in desired.units if unit.name == HAPROXY), needs)


def _later(needs: _Needs, topology: Topology) -> _Needs:
    """Leave out the reloads that come before MySQL's stages."""
    early = {machine.name for machine in topology.servers}
    return {
        machine: {
            unit: None if machine in early and unit == HAPROXY and need and need.action == "reload" else need
            for unit, need in units.items()
        }
        for machine, units in needs.items()
    }


def _migration(topology: Topology, desired: Mapping[str, Desired], facts: Mapping[str, Facts]) -> Iterator[Stage]:
    """Run it where the primary is, or was when the plan was made: the machine's HAProxy knows the way."""
    machine = primary_of(topology, facts)
    app = desired[machine.name].app
    migrated = {release for server in topology.servers for release in facts[server.name].migrated}
    if app is not None and app.migrate and app.release.identity not in migrated:
        why = "once for each release, before any server turns to it"
        yield Stage("the migration", {machine.name: (Migrate(app.release.identity, app.migrate, why),)})


def _servers(
    topology: Topology, desired: Mapping[str, Desired], facts: Mapping[str, Facts], needs: _Needs
) -> Iterator[Stage]:
    """Servers that do not run the application yet start at once; the others one by one."""
    fresh: dict[str, tuple[Step, ...]] = {}
    running: list[tuple[Machine, tuple[Step, ...]]] = []
    for machine in topology.servers:
        steps = tuple(_server_steps(desired[machine.name], facts[machine.name], needs[machine.name]))
        if facts[machine.name].active(_app_unit(desired[machine.name])):
            running.append((machine, steps))
        else:
            fresh[machine.name] = steps
    yield Stage("the application", fresh)
    names = [machine.server or machine.name for machine in topology.servers if machine.name in fresh]
    yield Stage("put back what was left drained", _left_drained(topology, names, facts))
    for machine, steps in running:
        yield from _one_server(topology, machine, steps, facts)


def _app_unit(desired: Desired) -> str:
    return next(unit.name for unit in desired.units if unit.after_release)


def _server_steps(desired: Desired, facts: Facts, needs: Mapping[str, Need | None]) -> Iterator[Step]:
    app = desired.app
    if app is not None and facts.release != app.release.identity:
        why = f"it runs {facts.release}" if facts.release else "it has none yet"
        yield ActivateRelease(app.release.identity, why)
    yield from _unit_steps(_in_wave(desired, Wave.SERVER), needs)
    for unit in desired.units:
        if unit.after_release and not facts.active(unit.name):
            fact = facts.units.get(unit.name)
            yield ChangeUnit(unit, "start", f"it is {fact.active if fact else 'new'}")


def _one_server(
    topology: Topology, machine: Machine, steps: tuple[Step, ...], facts: Mapping[str, Facts]
) -> Iterator[Stage]:
    name = machine.server or machine.name
    disturbs = any(isinstance(step, ChangeUnit) and step.action != "reload" for step in steps)
    others = len(topology.servers) > 1
    if disturbs and others:
        wait = topology.stack.app.timeout + 5
        drain = Drain(name, BACKENDS, wait, "its requests finish before it is touched")
        ready = Ready(name, BACKENDS, READY_SECONDS, "it is well again")
        balancers = [m.name for m in topology.balancers]
        yield Stage(f"drain {name}", dict.fromkeys(balancers, (drain,)))
        yield Stage(f"server {name}", {machine.name: steps})
        yield Stage(f"put {name} back", dict.fromkeys(balancers, (ready,)))
        return
    alone = "the only server restarts its application or Nginx" if disturbs else ""
    yield Stage(f"server {name}", {machine.name: steps}, alone)
    yield Stage(f"put {name} back", _left_drained(topology, [name], facts))


def _left_drained(topology: Topology, names: list[str], facts: Mapping[str, Facts]) -> dict[str, tuple[Step, ...]]:
    """Return what puts servers back that an interrupted apply drained, by balancer."""
    why = "an interrupted apply left it drained"
    return {
        balancer.name: tuple(
            Ready(name, BACKENDS, READY_SECONDS, why) for name in names if name in facts[balancer.name].drained
        )
        for balancer in topology.balancers
    }


def _balancers(topology: Topology, desired: Mapping[str, Desired], needs: _Needs) -> Iterator[Stage]:
    for machine in topology.balancers:
        steps = tuple(_unit_steps(_in_wave(desired[machine.name], Wave.BALANCER), needs[machine.name]))
        restarts = any(isinstance(step, ChangeUnit) and step.action == "restart" for step in steps)
        alone = "the only balancer restarts" if restarts and len(topology.balancers) == 1 else ""
        yield Stage(f"balancer {machine.balancer}", {machine.name: steps}, alone)
