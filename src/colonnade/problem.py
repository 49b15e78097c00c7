"""What is wrong with a stack, as status says it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, where, and what to do."""

    where: str
    what: str
    do: str
