"""When what happened in a drill."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Course:
    """Times in seconds since the epoch."""

    began: float
    """The fault's injection began."""
    injected: float
    healed: float
    """It was mended, as far as that takes something to be done."""
    settled: float
    """Full redundancy was seen, or no longer waited for; the clients worked on until after it."""
