"""What a unit needs: the comparison of what it was started with and what it should run with."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from colonnade.facts import Facts, LoadedConfiguration
from colonnade.render import Unit, fingerprint
from colonnade.rollout.steps import PutFile, Step

STATIC = frozenset({"static", "indirect", "generated", "alias"})
"""States of a unit file that has nothing to enable."""

PENDING = "-"
"""Stands in the record of a unit whose files an apply has changed, until it was reloaded or restarted."""


@dataclass(frozen=True, slots=True)
class Need:
    """A unit must be reloaded or restarted, and why."""

    action: Literal["restart", "reload"]
    why: str


def loaded_configuration(unit: Unit) -> LoadedConfiguration:
    """Return the record of a unit that runs with what it should."""
    return LoadedConfiguration(_named(unit.restart), _named(unit.reload))


def _named(parts: Mapping[str, str]) -> str:
    return fingerprint(text for item in sorted(parts.items()) for text in item)


def need_of(unit: Unit, facts: Facts, steps: tuple[Step, ...]) -> Need | None:
    """Say whether a running unit must be reloaded or restarted; ``steps`` are those that come before.

    A unit that does not run is started, which is no need in this sense.
    """
    if unit.runs and not facts.active(unit.name):
        return None
    record = facts.loaded.get(unit.name, LoadedConfiguration(PENDING, PENDING))
    wanted = loaded_configuration(unit)
    put = {step.file.path for step in steps if isinstance(step, PutFile)}
    drifted = {step.file.path for step in steps if isinstance(step, PutFile) and step.drift}
    if record.restart != wanted.restart or drifted & unit.restart.keys():
        return Need("restart", _why(unit.restart.keys() & put, record.restart))
    if record.reload != wanted.reload or drifted & unit.reload.keys():
        return Need("reload", _why(unit.reload.keys() & put, record.reload))
    return None


def _why(changed: set[str], record: str) -> str:
    if changed:
        return f"{', '.join(sorted(changed))} changed"
    if record == PENDING:
        return "it has not been since its files were put, as far as is known"
    return "it was started with an older configuration"
