"""A plan for people and for programs; nothing secret leaves here."""

from difflib import unified_diff as _unified
from typing import Any

from colonnade.rollout.describe import describe
from colonnade.rollout.steps import Plan, PutFile, Step


def unified_diff(step: PutFile) -> str:
    """Return what changes in a file; empty for a secret one, and for one whose present text is not known."""
    if step.file.secret or step.before is None or step.before == step.file.text:
        return ""
    return "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
        for line in _unified(
            step.before.splitlines(keepends=True),
            step.file.text.splitlines(keepends=True),
            f"{step.file.path} (now)",
            f"{step.file.path} (then)",
        )
    )


def _step(step: Step) -> dict[str, Any]:
    document: dict[str, Any] = {"kind": type(step).__name__, "does": describe(step), "why": step.why}
    if isinstance(step, PutFile):
        document |= {"path": step.file.path, "secret": step.file.secret, "diff": unified_diff(step)}
    return document


def as_document(plan: Plan) -> dict[str, Any]:
    """Return the plan as JSON's types."""
    return {
        "stages": [
            {
                "title": stage.title,
                "interrupts": stage.interrupts,
                "machines": {machine: [_step(step) for step in steps] for machine, steps in stage.work.items()},
            }
            for stage in plan.stages
        ],
        "warnings": list(plan.warnings),
        "steps": len(plan.steps),
    }
