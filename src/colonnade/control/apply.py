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
    generations = {machine: facts.generation for machine, facts in observation.facts.items()}
    run = secrets.token_hex(6)
    for number, stage in enumerate(plan.stages):
        progress.say(stage.title)
        await _stage(site, plan, number, f"{run}-{number}", generations, report, progress)
    return report


async def _stage(
    site: Site,
    plan: Plan,
    number: int,
    generation: str,
    generations: dict[str, str],
    report: Report,
    progress: Progress,
) -> None:
    stage = plan.stages[number]

    async def one(machine: Machine) -> None:
        steps = stage.work[machine.name]
        load = payload(
            steps,
            expected=generations[machine.name],
            generation=generation,
            later=_later(plan.stages[number + 1 :], machine.name),
        )
        await _send(site, machine, steps, load, report, progress)
        generations[machine.name] = generation

    machines = [machine for machine in site.topology.machines if machine.name in stage.work]
    _, failures = await everywhere(machines, one)
    if failures:
        raise _summed_up(failures, report)


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


async def _send(
    site: Site, machine: Machine, steps: tuple[Step, ...], load: Payload, report: Report, progress: Progress
) -> None:
    at = -1
    failure: tuple[int, str] | None = None
    done = False

    def on_line(line: str) -> None:
        nonlocal at, failure, done
        kind, *rest = line.split("\t")
        if kind == "step":
            now = int(rest[0])
            if now > at:
                if at >= 0:
                    report.done[machine.name].append(describe(steps[at]))
                at = now
            progress.machine(machine.name, describe(steps[now]))
        elif kind == "check":
            progress.machine(machine.name, f"check {describe(steps[int(rest[0])]).removeprefix('put ')}")
        elif kind == "failed":
            failure = (int(rest[0]), base64.b64decode(rest[1]).decode(errors="replace") if len(rest) > 1 else "")
        elif kind == "done":
            done = True

    result = await site.remote.run(machine, RECEIVE, stdin=_tar(load), on_line=on_line, seconds=STAGE_SECONDS)
    if done and result.code == 0:
        report.done[machine.name] += [describe(steps[at])] if at >= 0 else []
        progress.machine(machine.name, "")
        return
    if result.code == BUSY:
        raise ColonnadeError("another apply is under way", where=machine.name, do="Wait for it, then run this again.")
    if result.code == OUTDATED:
        raise ColonnadeError(
            "another apply has changed the machine meanwhile", where=machine.name, do="Run the command again."
        )
    number, log = failure or (at, result.complaint)
    step = describe(steps[number]) if 0 <= number < len(steps) else "receive the files"
    raise ColonnadeError(
        f"could not {step} (exit code {result.code})\n{_indented(log or result.complaint)}",
        where=machine.name,
        do="What was there is as it was, unless said otherwise above; mend the cause and run the command again.",
    )


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
