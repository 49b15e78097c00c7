"""What came of a drill: passed or failed, with reasons; and of the same one repeated, median and worst."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from colonnade.drill.fault import Fault, Limits
from colonnade.drill.gap import Gap


@dataclass(frozen=True)
class Verdict:
    """Passed if there is no reason why not. Times in seconds; ``redundant_*`` is None if that was never reached."""

    reasons: tuple[str, ...]
    gap: Gap
    redundant_after_begin: float | None
    redundant_after_end: float | None

    @property
    def passed(self) -> bool:
        """Whether nothing was lost, and nothing took longer than it may."""
        return not self.reasons


def unfit(limits: Limits, gap: Gap, redundant_after_end: float | None) -> Iterable[str]:
    """Yield what took longer than it may."""
    if not gap.ended:
        yield f"no write succeeded any more after the fault, for {gap.seconds:.1f} s until the clients stopped"
    elif limits.gap is not None and gap.seconds > limits.gap:
        yield f"{gap.seconds:.2f} s without a write; at most {limits.gap:g} s is allowed"
    if redundant_after_end is None:
        yield f"full redundancy did not come back within {limits.redundant:g} s"
    elif redundant_after_end > limits.redundant:
        yield f"full redundancy took {redundant_after_end:.0f} s; at most {limits.redundant:g} s is allowed"


@dataclass(frozen=True)
class Series:
    """One fault, several times: the gaps' median and worst in seconds, and what is wrong with them together."""

    fault: str
    runs: int
    median: float
    worst: float
    failed: int
    reasons: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether every run passed, and the median is within its limit."""
        return not self.reasons


def series(fault: Fault, verdicts: Sequence[Verdict]) -> Series:
    """Put several drills of one fault together."""
    gaps = [verdict.gap.seconds for verdict in verdicts]
    median, failed = statistics.median(gaps), sum(not verdict.passed for verdict in verdicts)
    reasons = [f"{failed} of {len(verdicts)} runs failed"] if failed else []
    limit = fault.limits.median
    if limit is not None and median > limit:
        reasons.append(f"the median is {median:.2f} s without a write; at most {limit:g} s is allowed")
    return Series(fault.name, len(verdicts), median, max(gaps), failed, tuple(reasons))
