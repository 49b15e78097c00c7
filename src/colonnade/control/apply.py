"""Carries a plan out: stage by stage, all machines of a stage at once."""

import base64
import io
import secrets
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field

from colonnade.control.observe import Observation, everywhere
from colonnade.control.site import Site
from colonnade.errors import ColonnadeError, RefusedError, UnreachableError
from colonnade.ports import Progress
from colonnade.rollout import Payload, Plan, Stage, Step, describe, payload
from colonnade.rollout.script import BUSY, OUTDATED, RECEIVE
from colonnade.rollout.steps import ChangeUnit
from colonnade.topology import Machine

STAGE_SECONDS = 1800
"""The longest that one stage may take on a machine; installing on a slow line is what takes long."""


@dataclass
class Report:
    """What was done, by machine, in words."""

    done: dict[str, list[str]] = field(default_factory=dict)

    @property
    def steps(self) -> int:
        """How many steps were done, on all machines."""
        return sum(len(steps) for steps in self.done.values())

    def text(self) -> str:
        """Return a line for each machine that anything was done on."""
        if not any(self.done.values()):
            return "Nothing was changed on any machine."
        return "Done so far: " + "; ".join(
            f"{machine}: {len(steps)} step{'s' if len(steps) != 1 else ''}"
            for machine, steps in self.done.items()
            if steps
        )


async def apply(site: Site, plan: Plan, observation: Observation, progress: Progress, *, interrupt: bool) -> Report:
    """Carry out a plan made from this observation.

    Raises:
        RefusedError: a stage takes away something that has no second, and ``interrupt`` does not insist.
        UnreachableError: a machine was lost; the message says what was done on the others.
        ColonnadeError: a step failed; likewise. The next plan has what is left.

    """
    interrupting = [stage for stage in plan.stages if stage.interrupts]
    if interrupting and not interrupt:
        raise RefusedError(
            f"{interrupting[0].title}: {interrupting[0].interrupts}",
            do="Add --interrupt to do it all the same. Nothing was changed.",
        )
    report = Report({machine.name: [] for machine in site.topology.machines})
    run = _Run(site, plan, progress, report, {m: facts.generation for m, facts in observation.facts.items()})
    for number, stage in enumerate(plan.stages):
        progress.say(stage.title)
        await run.stage(number)
    return report


@dataclass
class _Run:
    """One apply: what it works on, and how far it is."""

    site: Site
    plan: Plan
    progress: Progress
    report: Report
    generations: dict[str, str]
    name: str = field(default_factory=lambda: secrets.token_hex(6))

    async def stage(self, number: int) -> None:
        """Carry out one stage on all of its machines."""
        work = self.plan.stages[number].work
        generation = f"{self.name}-{number}"

        async def one(machine: Machine) -> None:
            steps = work[machine.name]
            later = _later(self.plan.stages[number + 1 :], machine.name)
            expected = self.generations[machine.name]
            await self.send(machine, steps, payload(steps, expected=expected, generation=generation, later=later))
            self.generations[machine.name] = generation

        _, failures = await everywhere([m for m in self.site.topology.machines if m.name in work], one)
        if failures:
            raise _summed_up(failures, self.report)

    async def send(self, machine: Machine, steps: tuple[Step, ...], load: Payload) -> None:
        """Send a payload to a machine and follow what it says."""
        said = _Said(machine.name, steps, self.report.done[machine.name], self.progress)
        result = await self.site.remote.run(
            machine, RECEIVE, stdin=_tar(load), on_line=said.line, seconds=STAGE_SECONDS
        )
        if said.done and result.code == 0:
            return
        if result.code == BUSY:
            what, do = "another apply is under way", "Wait for it, then run this again."
            raise ColonnadeError(what, where=machine.name, do=do)
        if result.code == OUTDATED:
            what, do = "another apply has changed the machine meanwhile", "Run the command again."
            raise ColonnadeError(what, where=machine.name, do=do)
        raise ColonnadeError(
            f"could not {said.doing()} (exit code {result.code})\n{_indented(said.log or result.complaint)}",
            where=machine.name,
            do="What was there is as it was, unless said otherwise above; mend the cause and run the command again.",
        )


@dataclass
class _Said:
    """What a machine's script has said so far."""

    machine: str
    steps: tuple[Step, ...]
    finished: list[str]
    progress: Progress
    at: int = -1
    started: bool = False
    log: str = ""
    done: bool = False

    def line(self, line: str) -> None:
        """Take in one line of its output."""
        match line.split("\t"):
            case ["check", number]:
                self.at = int(number)
                self.progress.machine(self.machine, f"check {self.doing().removeprefix('put ')}")
            case ["step", number]:
                self._end_step()
                self.at, self.started = int(number), True
                self.progress.machine(self.machine, self.doing())
            case ["failed", number, log]:
                self.at, self.log = int(number), base64.b64decode(log).decode(errors="replace")
            case ["done"]:
                self._end_step()
                self.done = True
                self.progress.machine(self.machine, "")

    def _end_step(self) -> None:
        if self.started:
            self.finished.append(self.doing())

    def doing(self) -> str:
        """Say what the script is at."""
        return describe(self.steps[self.at]) if 0 <= self.at < len(self.steps) else "receive the files"


def _later(stages: tuple[Stage, ...], machine: str) -> dict[str, str]:
    """Return the units that later stages reload or restart on a machine: they are marked before their files change."""
    return {
        step.unit.name: step.action
        for stage in stages
        for step in stage.work.get(machine, ())
        if isinstance(step, ChangeUnit) and step.action in {"restart", "reload"}
    }


def _summed_up(failures: Mapping[str, ColonnadeError], report: Report) -> ColonnadeError:
    kind = UnreachableError if any(isinstance(e, UnreachableError) for e in failures.values()) else ColonnadeError
    if len(failures) == 1:
        error = next(iter(failures.values()))
        return kind(error.what, where=error.where, do=f"{error.do}\n{report.text()}")
    what = "\n".join(f"{error.where}: {error.what}" for error in failures.values())
    return kind(what, do=f"{next(iter(failures.values())).do}\n{report.text()}")


def _indented(log: str) -> str:
    return "\n".join(f"    {line}" for line in log.strip().splitlines()[-30:])


def _tar(load: Payload) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in {**load.files, "apply.sh": load.script.encode()}.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            member.mode = 0o600
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()
