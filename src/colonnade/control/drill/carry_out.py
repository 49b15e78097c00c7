"""Acts carried out on the machines: over SSH as root, or by whoever can pull cables and power."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from shlex import quote
from typing import assert_never

from colonnade.drill import Act, Await, Cable, Cast, Do, Part, Pause, Power
from colonnade.drill.act import describe
from colonnade.errors import ColonnadeError, UnreachableError
from colonnade.ports import Hardware, Progress, Remote
from colonnade.topology import Machine, Topology

ACT_SECONDS = 90.0
BACK_SECONDS = 60.0
"""How long a machine that was out of reach may take until it is reached again to be mended."""
AGAIN_SECONDS = 0.5
LOOK_SECONDS = 0.05


@dataclass
class Stage:
    """Where a drill takes place, and who plays which part; ``seen`` says whether something is seen of a machine."""

    topology: Topology
    remote: Remote
    hardware: Hardware | None
    cast: Cast
    told: Progress
    seen: Callable[[str, str], bool]
    background: list[asyncio.Task[object]] = field(default_factory=list)

    def machines(self, part: Part) -> list[Machine]:
        """Return who plays a part."""
        return [self.topology.machine(name) for name in self.cast[part]]

    @property
    def names(self) -> str:
        """What scripts may name, as shell."""
        values = {"SCHEMA": self.topology.stack.database_name}
        for name, part in (("PRIMARY", Part.PRIMARY), ("STANDBY", Part.STANDBY)):
            for machine in self.machines(part)[:1] if part in self.cast else ():
                values |= {name: machine.address, f"{name}_NODE": machine.server or machine.name}
        return "".join(f"{name}={quote(value)}\n" for name, value in values.items())


async def all_of(stage: Stage, acts: Sequence[Act]) -> None:
    """Carry out one act after the other.

    Raises:
        ColonnadeError: one could not be; those after it are not tried.

    """
    for act in acts:
        await one(stage, act)


async def mend(stage: Stage, acts: Sequence[Act]) -> list[str]:
    """Carry out every act whatever comes of the others; a machine that is still on its way is waited for.

    Return what could not be done, in words.
    """
    failed = []
    loop = asyncio.get_running_loop()
    for act in acts:
        deadline = loop.time() + BACK_SECONDS
        while True:
            try:
                await one(stage, act)
            except UnreachableError as error:
                if loop.time() < deadline:
                    await asyncio.sleep(AGAIN_SECONDS)
                    continue
                failed.append(f"{describe(act)}: {error}")
            except ColonnadeError as error:
                failed.append(f"{describe(act)}: {error}")
            break
    return failed


async def one(stage: Stage, act: Act) -> None:
    """Carry out one act.

    Raises:
        ColonnadeError: it could not be.

    """
    match act:
        case Do(on, script, background):
            work = _each(stage.machines(on), lambda machine: _run(stage, machine, script))
            if background:
                stage.background.append(asyncio.create_task(_quietly(work)))
            else:
                await work
        case Cable(on, carries):
            hardware = _hardware(stage)
            await _each(stage.machines(on), lambda machine: (hardware.heal if carries else hardware.cut)(machine.name))
        case Power(on, runs):
            hardware = _hardware(stage)
            await _each(stage.machines(on), lambda machine: (hardware.start if runs else hardware.kill)(machine.name))
        case Pause(seconds):
            await asyncio.sleep(seconds)
        case Await():
            await _await(stage, act)
        case _:
            assert_never(act)


def _hardware(stage: Stage) -> Hardware:
    if stage.hardware is None:
        raise ColonnadeError("cables and power can be pulled in the lab only", do="Nothing was done.")
    return stage.hardware


async def _each(machines: Iterable[Machine], do: Callable[[Machine], Awaitable[None]]) -> None:
    outcomes = await asyncio.gather(*(do(machine) for machine in machines), return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome


async def _run(stage: Stage, machine: Machine, script: str) -> None:
    result = await stage.remote.run(
        machine, "exec sh -s", stdin=(stage.names + script + "\n").encode(), seconds=ACT_SECONDS
    )
    if result.code:
        said = (result.complaint.strip() or result.output.strip() or "it said nothing").splitlines()[-1]
        raise ColonnadeError(f"a part of the drill failed ({result.code}): {said}", where=machine.name)


async def _quietly(work: Awaitable[None]) -> None:
    """Do what is left to itself: that it fails is part of the drill."""
    try:
        await work
    except ColonnadeError:
        return


async def _await(stage: Stage, act: Await) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + act.seconds
    waiting = [machine.name for machine in stage.machines(act.on)]
    while waiting := [name for name in waiting if not stage.seen(act.what, name)]:
        if loop.time() > deadline:
            if act.optional:
                return
            raise ColonnadeError(f"it was not {act.what} within {act.seconds:g} s", where=", ".join(waiting))
        await asyncio.sleep(LOOK_SECONDS)
