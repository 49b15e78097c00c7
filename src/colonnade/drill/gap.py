"""How long nothing succeeded."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class Gap:
    """A time without a success, in seconds since the epoch; ``ended`` is false if none came after it."""

    begin: float
    end: float
    ended: bool = True

    @property
    def seconds(self) -> float:
        """How long it was."""
        return self.end - self.begin


def longest_gap(successes: Iterable[float], begin: float, end: float) -> Gap:
    """Return the longest time between two successes of whoever had one that overlaps ``begin`` to ``end``.

    A gap counts whole, from the last success before it to the first after, even where it reaches out of the window:
    that is what was felt. Without a success before or after, the window's edge stands for it.
    """
    times = sorted(successes)
    before = [time for time in times if time <= begin][-1:] or [begin]
    after = [time for time in times if time >= end][:1]
    inside = [time for time in times if begin < time < end]
    marks = [*before, *inside, *(after or [max(end, before[-1])])]
    first, last = max(pairwise(marks), key=lambda pair: pair[1] - pair[0])
    return Gap(first, last, ended=bool(after) or last != marks[-1])
