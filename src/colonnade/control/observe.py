"""Facts of all machines at once, in one round trip each.

What should be there depends a little on the machine (its system, its memory), which is remembered
from the last time; only if the facts say otherwise are they asked for again.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from colonnade.control.site import Site
from colonnade.errors import ColonnadeError, UnreachableError
from colonnade.facts import Facts, Question, facts_script, parse
from colonnade.ports import Remote
from colonnade.render import Desired, Platform, platform_of
from colonnade.rollout import question_for
from colonnade.topology import Machine

T = TypeVar("T")

FACTS_SECONDS = 150
"""The longest that facts may take: an apply that is under way is waited for."""


@dataclass(frozen=True)
class Observation:
    """What every machine should be and what it is, by machine; and those that could not be asked."""

    desired: dict[str, Desired]
    facts: dict[str, Facts]
    failures: dict[str, ColonnadeError]

    def complete(self) -> "Observation":
        """Return itself if every machine answered.

        Raises:
            UnreachableError: names every machine that did not.

        """
        if not self.failures:
            return self
        if len(self.failures) == 1:
            (error,) = self.failures.values()
            raise type(error)(error.what, where=error.where, do=f"{error.do}\nNothing was changed.".lstrip())
        worst = next((e for e in self.failures.values() if isinstance(e, UnreachableError)), None)
        kind = UnreachableError if worst else ColonnadeError
        raise kind(
            "\n".join(str(error) for error in self.failures.values()),
            where=f"{len(self.failures)} machines",
            do="Nothing was changed.",
        )


async def observe(site: Site, *, wait: bool) -> Observation:
    """Ask every machine; ``wait`` for an apply that is under way rather than look at half of it."""
    remembered = site.private.remembered()
    platforms: dict[str, Platform] = {}
    desired: dict[str, Desired] = {}

    async def one(machine: Machine) -> Facts:
        known = remembered.get(machine.address)
        if known:
            platform = Platform(str(known["system"]), str(known["version"]), int(known["memory"]))
        else:
            platform = platform_of(machine.name, await ask(site.remote, machine, Question()))
        for _ in range(2):
            desired[machine.name] = site.desired(machine, platform)
            question = question_for(site.topology, machine, desired[machine.name], wait=wait)
            facts = await ask(site.remote, machine, question)
            now = platform_of(machine.name, facts)
            platforms[machine.address] = now
            if now == platform:
                break
            platform = now
        return facts

    facts, failures = await everywhere(site.topology.machines, one)
    kept = {
        address: value
        for address, value in remembered.items()
        if address in {m.address for m in site.topology.machines}
    }
    fresh: dict[str, dict[str, str | int]] = {
        a: {"system": p.system, "version": p.version, "memory": p.memory} for a, p in platforms.items()
    }
    site.private.remember({**kept, **fresh})
    return Observation(desired, facts, failures)


async def ask(remote: Remote, machine: Machine, question: Question) -> Facts:
    """Run the facts script on one machine.

    Raises:
        UnreachableError: it could not be reached.
        ColonnadeError: it was reached, and could not say.

    """
    result = await remote.run(machine, "exec sh -s", stdin=facts_script(question).encode(), seconds=FACTS_SECONDS)
    if result.output.startswith("busy") or "\nbusy\n" in result.output:
        raise ColonnadeError(
            "another apply is under way", where=machine.name, do="Wait for it to end, then run the command again."
        )
    if result.code != 0:
        raise ColonnadeError(
            f"the facts script ended with {result.code}: {result.complaint.strip() or 'it said nothing'}",
            where=machine.name,
            do="Log in as root, or as a user that may use sudo without a password.",
        )
    try:
        return parse(result.output)
    except ColonnadeError as error:
        raise type(error)(error.what, where=machine.name, do=error.do) from error


async def everywhere(
    machines: Iterable[Machine], one: Callable[[Machine], Awaitable[T]]
) -> tuple[dict[str, T], dict[str, ColonnadeError]]:
    """Do something with all machines at once; what came of it, and what went wrong, by machine."""
    ordered = list(machines)
    outcomes = await asyncio.gather(*(one(machine) for machine in ordered), return_exceptions=True)
    results: dict[str, T] = {}
    failures: dict[str, ColonnadeError] = {}
    for machine, outcome in zip(ordered, outcomes, strict=True):
        if isinstance(outcome, ColonnadeError):
            failures[machine.name] = outcome
        elif isinstance(outcome, BaseException):
            raise outcome
        else:
            results[machine.name] = outcome
    return results, failures
