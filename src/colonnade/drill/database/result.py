"""What one drill of the database came to: verdict, document for programs, picture."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from colonnade.drill.act import Cast
from colonnade.drill.course import Course
from colonnade.drill.database.check import Check, check
from colonnade.drill.database.cluster import SILENT, Sample, Wanted, redundant_since, warned
from colonnade.drill.database.events import Log, Outcome
from colonnade.drill.database.rows import Rows
from colonnade.drill.fault import Fault
from colonnade.drill.gap import longest_gap
from colonnade.drill.picture import Bar, Lane, Picture, Span
from colonnade.drill.verdict import Verdict, unfit

BAR_SECONDS = 0.1
LEAD_SECONDS = 3.0
"""How much of the time before the fault the picture shows."""
SILENCE_SECONDS = 1.0
"""A node of which nothing is known for longer than this is shown as silent."""


@dataclass(frozen=True)
class Result:
    """One drill: everything that its verdict rests on."""

    fault: Fault
    cast: Cast
    course: Course
    log: Log
    samples: tuple[Sample, ...]
    found: Check
    verdict: Verdict
    notes: tuple[str, ...] = ()
    """What did not go as it should in carrying the drill out, without spoiling it."""

    @property
    def title(self) -> str:
        """One line over the picture."""
        outcome = "passed" if self.verdict.passed else "failed"
        return f"{self.fault.name}: {outcome}, {self.verdict.gap.seconds:.2f} s without a write"


@dataclass(frozen=True)
class Evidence:
    """What a verdict rests on: what clients wrote down, what agents said, and what is there at the end."""

    log: Log
    samples: tuple[Sample, ...]
    wanted: Wanted
    primary: Rows
    replicas: Mapping[str, Rows]


def judge(fault: Fault, cast: Cast, course: Course, evidence: Evidence, notes: Sequence[str] = ()) -> Result:
    """Put everything together and say whether the drill was passed."""
    log, samples = evidence.log, evidence.samples
    found = check(log, evidence.primary, evidence.replicas)
    gap = longest_gap(log.acknowledged, course.began, course.settled)
    until = [each for each in samples if each.at <= course.settled]
    since = redundant_since(until, evidence.wanted, course.began)
    after_end = None if since is None else max(0.0, since - course.healed)
    reasons = [*found.reasons, *unfit(fault.limits, gap, after_end)]
    if fault.warns and not warned(samples, fault.warns, course.began):
        reasons.append(f"no agent warned of {fault.warns}")
    verdict = Verdict(tuple(reasons), gap, None if since is None else since - course.began, after_end)
    return Result(fault, cast, course, log, samples, found, verdict, tuple(notes))


def document(result: Result) -> dict[str, Any]:
    """Return all of it for programs; times are seconds since the epoch, lengths are seconds."""
    verdict, found, course, fault = result.verdict, result.found, result.course, result.fault
    limits = fault.limits
    return {
        "fault": {"name": fault.name, "words": fault.words, "hold": fault.hold},
        "passed": verdict.passed,
        "reasons": list(verdict.reasons),
        "notes": list(result.notes),
        "primary": _primary_at(result),
        "cast": {part.value: list(machines) for part, machines in result.cast.items()},
        "gap": {
            "seconds": round(verdict.gap.seconds, 4),
            "begin": verdict.gap.begin,
            "end": verdict.gap.end,
            "ended": verdict.gap.ended,
        },
        "gap_by_client": {
            name: round(longest_gap(times, course.began, course.settled).seconds, 4)
            for name, times in _acknowledged_by_machine(result.log).items()
        },
        "redundant": {"after_begin": verdict.redundant_after_begin, "after_end": verdict.redundant_after_end},
        "limits": {"gap": limits.gap, "median": limits.median, "redundant": limits.redundant},
        "course": {
            "began": course.began,
            "injected": course.injected,
            "healed": course.healed,
            "settled": course.settled,
        },
        "writes": {
            "acknowledged": found.acknowledged,
            "refused": found.refused,
            "unknown": found.unknown,
            "lost": list(found.lost),
            "unacknowledged_present": list(found.unacknowledged_present),
            "refused_present": list(found.refused_present),
            "duplicated": list(found.duplicated),
            "torn": list(found.torn),
            "unexplained": list(found.unexplained),
        },
        "reads": {"seen": len(result.log.seen), "vanished": list(found.vanished), "stale": found.stale},
        "counter": {
            "value": found.counter,
            "acknowledged": found.counter_least,
            "tried": found.counter_most,
            "read": found.counter_read,
        },
        "differing": {name: list(ids) for name, ids in found.differing.items()},
        "errors": [{"at": at, "error": text} for at, text in sorted(result.log.errors)],
        "bars": [
            {"at": bar.at, "acknowledged": bar.good, "failed": bar.bad}
            for bar in bars(result.log)
            if bar.good or bar.bad
        ],
        "roles": {
            lane.name: [{"begin": span.begin, "end": span.end, "state": span.text} for span in lane.spans]
            for lane in lanes(result.samples)
        },
        "warnings": sorted({warning for each in result.samples for warning in each.warnings}),
    }


def _primary_at(result: Result) -> str | None:
    """Return who served as the primary when the fault began; preparing it may have changed that."""
    before = [each for each in result.samples if each.leads and each.at <= result.course.began]
    return max(before, key=lambda each: each.at).node if before else None


def _acknowledged_by_machine(log: Log) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for write in log.writes:
        if write.outcome is Outcome.ACKNOWLEDGED:
            found.setdefault(write.id.partition(".")[0], []).append(write.ended)
    return dict(sorted(found.items()))


def bars(log: Log) -> Iterator[Bar]:
    """Yield how many writes were acknowledged, and how many attempts failed, in every tenth of a second."""
    good: dict[int, int] = {}
    bad: dict[int, int] = {}
    for times, counts in ((log.acknowledged, good), ([at for at, _ in log.errors], bad)):
        for at in times:
            counts[int(at / BAR_SECONDS)] = counts.get(int(at / BAR_SECONDS), 0) + 1
    for slot in sorted({*good, *bad}):
        yield Bar(slot * BAR_SECONDS, good.get(slot, 0), bad.get(slot, 0))


def lanes(samples: Iterable[Sample]) -> Iterator[Lane]:
    """Yield every node's states one after the other, equal ones joined; where nothing is known it is silent."""
    by_node: dict[str, list[Sample]] = {}
    for each in samples:
        by_node.setdefault(each.node, []).append(each)
    for node, own in sorted(by_node.items()):
        yield Lane(node, tuple(_spans(sorted(own, key=lambda each: each.at))))


def _spans(own: Sequence[Sample]) -> Iterator[Span]:
    begin, text, last = own[0].at, own[0].state or SILENT, own[0].at
    for each in own[1:]:
        state = each.state or SILENT
        if each.at - last > SILENCE_SECONDS and text != SILENT:
            yield Span(begin, last, text)
            begin, text = last, SILENT
        if state != text:
            yield Span(begin, each.at, text)
            begin, text = each.at, state
        last = each.at
    yield Span(begin, last, text)


def picture(result: Result) -> Picture:
    """Return what is drawn of it."""
    course, gap = result.course, result.verdict.gap
    begin = course.began - LEAD_SECONDS
    return Picture(
        title=result.title,
        subtitle=result.fault.words,
        begin=begin,
        end=course.settled + 1.0,
        fault=(course.began, course.healed),
        bar_seconds=BAR_SECONDS,
        bars=tuple(bars(result.log)),
        lanes=tuple(lanes(result.samples)),
        gap=gap,
        redundant=None
        if result.verdict.redundant_after_begin is None
        else course.began + result.verdict.redundant_after_begin,
        good=f"acknowledged writes per {BAR_SECONDS * 1000:.0f} ms",
        bad="attempts that failed",
    )
