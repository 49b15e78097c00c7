"""Facts and files to a plan, and a plan's steps to the script that carries them out."""

from colonnade.rollout.describe import describe
from colonnade.rollout.plan import plan
from colonnade.rollout.question import question_for
from colonnade.rollout.script import Payload, payload
from colonnade.rollout.show import as_document, unified_diff
from colonnade.rollout.steps import Plan, Stage, Step

__all__ = [
    "Payload",
    "Plan",
    "Stage",
    "Step",
    "as_document",
    "describe",
    "payload",
    "plan",
    "question_for",
    "unified_diff",
]
