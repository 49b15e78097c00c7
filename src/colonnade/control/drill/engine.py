"""The course of every drill: prepare, work, break, hold, mend (whatever happens), wait until all is whole, end."""

import asyncio
import time
from typing import Protocol

from colonnade.control.drill.carry_out import Stage, all_of, mend
from colonnade.drill import Fault, Load
from colonnade.drill.course import Course
from colonnade.ports import Progress

LEAD_IN_SECONDS = 3.0
LEAD_OUT_SECONDS = 1.0
WHOLE_SECONDS = 2.0
"""For so long it must have been whole without a break to count."""
LOOK_SECONDS = 0.1


class Subject(Protocol):
    """What a drill is about."""

    async def start_load(self, load: Load) -> None:
        """Let clients work; return when they do."""
        ...

    async def resume_load(self) -> None:
        """Let those work again that ended with their machine."""
        ...

    async def stop_load(self) -> None:
        """End all clients; what they wrote down stays where it is."""
        ...

    def whole(self) -> bool:
        """Whether everything is as redundant as it should be, as far as is known now."""
        ...


async def rehearse(fault: Fault, stage: Stage, subject: Subject, told: Progress) -> tuple[Course, list[str]]:
    """Carry a fault out while clients work; return when what happened, and what could not be mended.

    Raises:
        ColonnadeError: it could not be carried out; what was done is undone.

    """
    notes: list[str] = []
    try:
        if fault.prepare:
            told.say("preparing")
            await all_of(stage, fault.prepare)
        try:
            told.say("clients begin to work")
            await subject.start_load(fault.load)
            await asyncio.sleep(LEAD_IN_SECONDS)
            course = await _fault(fault, stage, subject, told, notes)
            await asyncio.sleep(LEAD_OUT_SECONDS)
        finally:
            told.say("clients end")
            await subject.stop_load()
    finally:
        for task in stage.background:
            task.cancel()
        if fault.restore:
            told.say("putting back what was prepared")
            notes += await mend(stage, fault.restore)
    return course, notes


async def _fault(fault: Fault, stage: Stage, subject: Subject, told: Progress, notes: list[str]) -> Course:
    told.say(fault.words)
    began = time.time()
    try:
        await all_of(stage, fault.inject)
        injected = time.time()
        await asyncio.sleep(fault.hold)
    finally:
        if fault.heal:
            told.say("mending")
        notes += await mend(stage, fault.heal)
        healed = time.time()
    told.say("waiting for full redundancy")
    await subject.resume_load()
    await _until_whole(subject, fault.limits.redundant)
    return Course(began, injected, healed, time.time())


async def _until_whole(subject: Subject, seconds: float) -> None:
    """Wait until it has been whole for a moment, or for ``seconds``; which of both, the samples tell."""
    loop = asyncio.get_running_loop()
    deadline, since = loop.time() + seconds + WHOLE_SECONDS, loop.time()
    while loop.time() - since < WHOLE_SECONDS and loop.time() < deadline:
        await asyncio.sleep(LOOK_SECONDS)
        if not subject.whole():
            since = loop.time()
