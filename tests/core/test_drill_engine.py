"""The course of a drill on machines that are only told what to do."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import pytest
from tests.core.drilled import CAST

from colonnade.control.drill import carry_out, engine
from colonnade.control.drill.carry_out import Stage
from colonnade.drill import Act, Await, Cable, Do, Fault, Limits, Load, Part, Pause, Power
from colonnade.errors import ColonnadeError, UnreachableError
from colonnade.ports import Result
from colonnade.spec import parse
from colonnade.topology import Machine, Topology, resolve

STACK = """name = "shop"
domain = "shop.example"
[app]
path = "."
start = "run"
[balancers.lb1]
address = "192.0.2.1"
[servers.web1]
address = "192.0.2.2"
[servers.web2]
address = "192.0.2.3"
"""


def topology() -> Topology:
    return resolve(parse(STACK, filename="colonnade.toml"), {})


@dataclass
class World:
    """Remembers what is done to it, in order; some of it fails."""

    done: list[str] = field(default_factory=list)
    failing: dict[str, ColonnadeError] = field(default_factory=dict)
    times: dict[str, int] = field(default_factory=dict)
    troubled: bool = False
    broken: asyncio.Event = field(default_factory=asyncio.Event)
    said: list[str] = field(default_factory=list)

    def _do(self, what: str) -> None:
        self.done.append(what)
        if what == "web2: break":
            self.broken.set()
        for part, error in self.failing.items():
            if part in what and self.times.setdefault(part, 1_000_000) > 0:
                self.times[part] -= 1
                raise error

    async def run(
        self,
        machine: Machine,
        command: str,
        *,
        stdin: bytes = b"",
        on_line: Callable[[str], None] | None = None,
        seconds: float | None = None,
    ) -> Result:
        del command, on_line, seconds
        script = stdin.decode().strip().splitlines()[-1]
        self._do(f"{machine.name}: {script}")
        return Result(1, "", "it said\nno") if "false" in script else Result(0, "")

    async def close(self) -> None:
        return

    async def cut(self, name: str) -> None:
        self._do(f"cut {name}")

    async def heal(self, name: str) -> None:
        self._do(f"heal {name}")

    async def kill(self, name: str) -> None:
        self._do(f"kill {name}")

    async def start(self, name: str) -> None:
        self._do(f"start {name}")

    async def start_load(self, load: Load) -> None:
        self._do(f"load {load.every:g}")

    async def resume_load(self) -> None:
        self._do("load again")

    async def stop_load(self) -> None:
        self._do("load ends")

    def whole(self) -> bool:
        return not self.troubled

    def say(self, text: str) -> None:
        self.said.append(text)

    def machine(self, machine: str, text: str) -> None:
        self.said.append(f"{machine}: {text}")


def stage(world: World, *, in_lab: bool = True, seen: Callable[[str, str], bool] = lambda *_: True) -> Stage:
    return Stage(topology(), world, world if in_lab else None, CAST, world, seen)


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name in (
        (engine, "LEAD_IN_SECONDS"),
        (engine, "LEAD_OUT_SECONDS"),
        (engine, "WHOLE_SECONDS"),
        (carry_out, "AGAIN_SECONDS"),
    ):
        monkeypatch.setattr(module, name, 0.01)


FAULT = Fault(
    "test",
    "something is broken on purpose",
    prepare=(Do(Part.STANDBY, "prepare"),),
    inject=(Cable(Part.PRIMARY, carries=False), Do(Part.STANDBY, "break")),
    heal=(Cable(Part.PRIMARY, carries=True), Do(Part.STANDBY, "mend")),
    restore=(Do(Part.STANDBY, "restore"),),
    hold=0.0,
    limits=Limits(redundant=0.05),
)


def test_a_drill_goes_its_course() -> None:
    world = World()
    course, notes = asyncio.run(engine.rehearse(FAULT, stage(world), world, world))
    assert world.done == [
        "web2: prepare",
        "load 0.01",
        "cut web1",
        "web2: break",
        "heal web1",
        "web2: mend",
        "load again",
        "load ends",
        "web2: restore",
    ]
    assert notes == []
    assert course.began <= course.injected <= course.healed <= course.settled


@pytest.mark.parametrize("part", ["prepare", "break", "cut", "load 0.01", "load again"])
def test_whatever_fails_all_is_mended(part: str) -> None:
    world = World(failing={part: ColonnadeError("no")})
    with pytest.raises(ColonnadeError, match="no"):
        asyncio.run(engine.rehearse(FAULT, stage(world), world, world))
    assert world.done[-1] == "web2: restore"
    if part in {"break", "cut"}:
        assert {"heal web1", "web2: mend", "load ends"} <= set(world.done)


def test_a_drill_that_is_interrupted_is_mended() -> None:
    world = World()

    async def interrupted() -> None:
        drill = asyncio.create_task(engine.rehearse(_held(), stage(world), world, world))
        await world.broken.wait()
        drill.cancel()
        await drill

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(interrupted())
    assert world.done[-4:] == ["heal web1", "web2: mend", "load ends", "web2: restore"]


def _held() -> Fault:
    return Fault("held", FAULT.words, FAULT.inject, FAULT.heal, hold=60.0, restore=FAULT.restore)


def test_what_cannot_be_mended_is_said_and_the_rest_is_done() -> None:
    world = World(failing={"heal web1": ColonnadeError("it is stuck")})
    _, notes = asyncio.run(engine.rehearse(FAULT, stage(world), world, world))
    assert notes == ["cable of the primary back: it is stuck"]
    assert "web2: mend" in world.done


def test_a_machine_on_its_way_back_is_waited_for() -> None:
    world = World(failing={"mend": UnreachableError("not yet")}, times={"mend": 3})
    _, notes = asyncio.run(engine.rehearse(FAULT, stage(world), world, world))
    assert notes == []
    assert world.done.count("web2: mend") == 4


def test_a_stack_that_does_not_become_whole_is_not_waited_for_forever() -> None:
    world = World(troubled=True)
    course, _ = asyncio.run(engine.rehearse(FAULT, stage(world), world, world))
    assert course.settled - course.healed < 2


def act(world: World, *acts: Act, **options: object) -> None:
    asyncio.run(_acts(world, acts, options))


async def _acts(world: World, acts: tuple[Act, ...], options: dict[str, object]) -> None:
    await carry_out.all_of(stage(world, **options), acts)  # type: ignore[arg-type]


def test_acts_are_for_whoever_plays_the_part() -> None:
    world = World()
    act(world, Power(Part.SERVERS, runs=False), Do(Part.ETCD_MAJORITY, "x"), Pause(0), Power(Part.SERVERS, runs=True))
    assert world.done == ["kill web1", "kill web2", "lb1: x", "web2: x", "start web1", "start web2"]


def test_scripts_know_who_is_who() -> None:
    lines = stage(World()).names.splitlines()
    assert lines == [
        "SCHEMA=shop",
        "PRIMARY=192.0.2.2",
        "PRIMARY_NODE=web1",
        "STANDBY=192.0.2.3",
        "STANDBY_NODE=web2",
    ]


def test_a_script_that_fails_calls_the_drill_off() -> None:
    with pytest.raises(ColonnadeError, match="web1: a part of the drill failed \\(1\\): no"):
        act(World(), Do(Part.PRIMARY, "false"))


def test_without_hardware_no_cable_is_pulled() -> None:
    with pytest.raises(ColonnadeError, match="in the lab only"):
        act(World(), Cable(Part.PRIMARY, carries=False), in_lab=False)


def test_what_is_awaited_comes_or_not() -> None:
    looked = []

    def seen(what: str, machine: str) -> bool:
        looked.append((what, machine))
        return len(looked) > 2

    act(World(), Await(Part.STANDBY, "there", seconds=5), seen=seen)
    assert looked == [("there", "web2")] * 3
    with pytest.raises(ColonnadeError, match="web2: it was not there within 0 s"):
        act(World(), Await(Part.STANDBY, "there", seconds=0), seen=lambda *_: False)
    act(World(), Await(Part.STANDBY, "there", seconds=0, optional=True), seen=lambda *_: False)


def test_what_runs_in_the_background_may_fail() -> None:
    world = World()

    async def both() -> None:
        where = stage(world)
        await carry_out.one(where, Do(Part.PRIMARY, "false", background=True))
        await asyncio.gather(*where.background)

    started: Awaitable[None] = both()
    asyncio.run(_awaited(started))
    assert world.done == ["web1: false"]


async def _awaited(work: Awaitable[None]) -> None:
    await work
