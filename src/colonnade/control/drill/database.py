"""A drill of the database, from a cluster that is well to a verdict."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from colonnade.adapters.private import PrivateDirectory
from colonnade.control.drill import load as clients
from colonnade.control.drill.carry_out import Stage
from colonnade.control.drill.engine import rehearse
from colonnade.control.drill.records import directory_for, write_raw, write_result
from colonnade.control.drill.rows import Tables
from colonnade.control.drill.watch import Watch, node_of
from colonnade.control.observe import ask, everywhere
from colonnade.drill import Cast, Fault, Load, Part
from colonnade.drill.database import Evidence, Result, Wanted, judge, parse_events
from colonnade.drill.database.events import Log
from colonnade.drill.fault import obstacles
from colonnade.errors import ColonnadeError, UsageError
from colonnade.etcd import cluster_of, majority_of
from colonnade.facts import Question
from colonnade.ports import Hardware, Progress, Remote
from colonnade.topology import Machine, Topology

WELL_SECONDS = 60.0
FIRST_SECONDS = 5.0
CLOCK_SECONDS = 0.1
"""Clocks that differ by more than this make the figures less exact than they look."""


@dataclass(frozen=True)
class Ground:
    """The stack that drills take place on; ``hardware`` is None where cables and power are out of reach."""

    topology: Topology
    remote: Remote
    private: PrivateDirectory
    hardware: Hardware | None

    def obstacle(self, fault: Fault) -> str:
        """Say why a fault can never be rehearsed here, whoever is the primary; empty if it can."""
        topology = self.topology
        cast = {
            Part.PRIMARY: topology.servers,
            Part.STANDBY: topology.servers[1:],
            Part.SERVERS: topology.servers,
            Part.ETCD_LEADER: topology.etcd_members,
            Part.ETCD_MAJORITY: topology.etcd_members,
        }
        names = {part: tuple(machine.name for machine in machines) for part, machines in cast.items()}
        return obstacles(fault, names, in_lab=self.hardware is not None)

    @property
    def wanted(self) -> Wanted:
        """What the cluster is when it is whole."""
        servers = tuple(node_of(machine) for machine in self.topology.servers)
        nodes = tuple(node_of(machine) for machine in self.topology.machines)
        return Wanted(nodes, servers, acks=min(1, len(servers) - 1), standbys=min(2, len(servers) - 1))


@dataclass(frozen=True)
class Drilled:
    """A drill that took place, and the directory where all of it is."""

    result: Result
    directory: Path


class Clients:
    """The clients on all servers, and what is seen of the cluster, as the engine wants them."""

    def __init__(self, ground: Ground, watch: Watch) -> None:
        self._ground = ground
        self._watch = watch
        self._load = Load()

    async def start_load(self, load: Load) -> None:
        """Let a client work on every server."""
        self._load = load
        await self._each(lambda machine: clients.start(self._ground.remote, machine, load))

    async def resume_load(self) -> None:
        """Let those work again that ended with their machine."""
        await self._each(lambda machine: clients.start_again(self._ground.remote, machine, self._load))

    async def stop_load(self) -> None:
        """End all of them, as far as their machines are reached."""
        await everywhere(self._ground.topology.servers, lambda machine: clients.stop(self._ground.remote, machine))

    def whole(self) -> bool:
        """Whether nothing is wrong with the cluster."""
        return not self._watch.troubles

    async def _each(self, do: Callable[[Machine], Awaitable[None]]) -> None:
        _, failures = await everywhere(self._ground.topology.servers, do)
        for error in failures.values():
            raise error


async def drill(ground: Ground, fault: Fault, told: Progress) -> Drilled:
    """Rehearse one fault and judge what came of it; everything is written down.

    Raises:
        UsageError: the fault cannot be rehearsed on these machines.
        ColonnadeError: the cluster is not well to begin with, or the drill could not be carried out.

    """
    async with Watch(ground.remote, ground.topology.machines, ground.wanted) as watch:
        told.say("looking whether the stack is well")
        await _well(watch)
        cast = await cast_of(ground, watch)
        obstacle = obstacles(fault, cast, in_lab=ground.hardware is not None)
        if obstacle:
            raise UsageError(
                f"{fault.name}: {obstacle}", do="See what can be rehearsed: colonnade drill database --list"
            )
        notes = await _clocks(ground)
        primary = ground.topology.machine(cast[Part.PRIMARY][0])
        tables = Tables(ground.remote, ground.topology)
        await tables.make(primary)
        try:
            await _installed(ground)
            stage = Stage(
                ground.topology,
                ground.remote,
                ground.hardware,
                cast,
                told,
                lambda what, name: watch.holds(what, ground.topology.machine(name)),
            )
            course, failed = await rehearse(fault, stage, Clients(ground, watch), told)
            told.say("comparing what was acknowledged with what is there")
            directory = directory_for(ground.private, fault.name, datetime.now(UTC))
            evidence, unread = await _evidence(ground, watch, tables, directory)
        finally:
            await _cleared(ground, watch, tables)
        result = judge(fault, cast, course, evidence, [*notes, *failed, *unread])
        write_result(directory, result)
        return Drilled(result, directory)


async def _well(watch: Watch) -> None:
    wrong = await watch.until_whole(WELL_SECONDS)
    if wrong:
        raise ColonnadeError(
            "the database is not well, so a drill would show nothing:\n  " + "\n  ".join(wrong),
            do="See what is wrong: colonnade status. Nothing was done.",
        )


async def cast_of(ground: Ground, watch: Watch) -> Cast:
    """Return who plays which part, as the agents and etcd say."""
    topology, now = ground.topology, watch.now
    primary = next(machine for machine in topology.servers if now[node_of(machine)].leads)
    listed = now[node_of(primary)].standbys
    others = sorted(
        (machine for machine in topology.servers if machine != primary),
        key=lambda machine: node_of(machine) not in listed,
    )
    facts, _ = await everywhere(topology.etcd_members, lambda machine: ask(ground.remote, machine, Question(etcd=True)))
    leader = cluster_of(topology, facts).leader
    members = sorted((machine.name for machine in topology.etcd_members), key=lambda name: name != leader)
    cast = {
        Part.PRIMARY: (primary.name,),
        Part.STANDBY: tuple(machine.name for machine in others[:1]),
        Part.SERVERS: tuple(machine.name for machine in topology.servers),
        Part.ETCD_LEADER: (leader,) if leader else (),
        Part.ETCD_MAJORITY: tuple(members[: majority_of(len(members))]),
    }
    return {part: machines for part, machines in cast.items() if machines}


async def _clocks(ground: Ground) -> list[str]:
    """Say which machines' clocks differ from ours: times of events come from there."""

    async def differs(machine: Machine) -> float:
        before = time.time()
        result = await ground.remote.run(machine, "date +%s.%N", seconds=FIRST_SECONDS)
        return float(result.output) - (before + time.time()) / 2

    found, _ = await everywhere(ground.topology.machines, differs)
    return [
        f"the clock of {name} is {seconds:+.2f} s from this machine's: its times are that inexact"
        for name, seconds in found.items()
        if abs(seconds) > CLOCK_SECONDS
    ]


async def _installed(ground: Ground) -> None:
    _, failures = await everywhere(ground.topology.servers, lambda machine: clients.install(ground.remote, machine))
    for error in failures.values():
        raise error


async def _evidence(ground: Ground, watch: Watch, tables: Tables, directory: Path) -> tuple[Evidence, list[str]]:
    events = await clients.of_all(ground.remote, ground.topology.servers)
    write_raw(directory, events, watch.text)
    primary = _leading(ground, watch)
    if primary is None:
        raise ColonnadeError(
            "no server leads after the drill, so nobody can say what was lost",
            do=f"All that was seen is in {directory}; colonnade status",
        )
    rows, replicas, unread = await tables.read(primary)
    log = Log(())
    for text in events.values():
        log |= parse_events(text)
    return Evidence(log, watch.samples, ground.wanted, rows, replicas), unread


def _leading(ground: Ground, watch: Watch) -> Machine | None:
    now = watch.now
    leading = [
        machine for machine in ground.topology.servers if node_of(machine) in now and now[node_of(machine)].leads
    ]
    return leading[0] if len(leading) == 1 else None


async def _cleared(ground: Ground, watch: Watch, tables: Tables) -> None:
    """Take the drill's tables and files away, as far as that is possible now; the next drill takes what is left."""
    primary = _leading(ground, watch)
    if primary is not None:
        await everywhere((primary,), tables.drop)
    await everywhere(ground.topology.servers, lambda machine: clients.remove(ground.remote, machine))
