"""Plans in words, and facts that differ in one thing: what the tests of single plans have in common."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from colonnade.facts import Facts
from colonnade.rollout import Plan, Step, describe
from colonnade.rollout.steps import ChangeUnit


def titles(plan: Plan) -> list[str]:
    return [stage.title for stage in plan.stages]


def told(plan: Plan) -> list[str]:
    """Every step as ``machine: what it does (why)``."""
    return [f"{machine}: {describe(step)} ({step.why})" for machine, step in plan.steps]


def of_kind(plan: Plan, *kinds: type[Step]) -> list[tuple[str, Step]]:
    return [(machine, step) for machine, step in plan.steps if isinstance(step, kinds)]


def units_changed(plan: Plan) -> list[str]:
    """Which units are reloaded, restarted and so on, in order."""
    return [f"{machine}: {describe(step)}" for machine, step in plan.steps if isinstance(step, ChangeUnit)]


def edited(facts: Mapping[str, Facts], machine: str, path: str, text: str = "edited\n") -> dict[str, Facts]:
    """Somebody has changed a file."""
    file = replace(facts[machine].files[path], sha256="0" * 64, text=text)
    return {**facts, machine: replace(facts[machine], files={**facts[machine].files, path: file})}


def unit(facts: Mapping[str, Facts], machine: str, name: str, **changes: Any) -> dict[str, Facts]:
    """A unit is in another state."""
    now = replace(facts[machine].units[name], **changes)
    return {**facts, machine: replace(facts[machine], units={**facts[machine].units, name: now})}


def with_database(facts: dict[str, Facts], machine: str, **changes: Any) -> dict[str, Facts]:
    database = replace(facts[machine].database, **changes)
    return {**facts, machine: replace(facts[machine], database=database)}
