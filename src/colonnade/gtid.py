"""Sets of MySQL's global transaction ids, as values."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

Interval = tuple[int, int]


def _merged(intervals: list[Interval]) -> tuple[Interval, ...]:
    merged: list[Interval] = []
    for first, last in sorted(intervals):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return tuple(merged)


@dataclass(frozen=True)
class GtidSet:
    """Transactions by where they began: per source (a UUID, with its tag if it has one) inclusive intervals."""

    intervals: Mapping[str, tuple[Interval, ...]] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> "GtidSet":
        """Read MySQL's notation, ``UUID:1-5:7,UUID:tag:1-3``.

        Raises:
            ValueError: it is not that notation.

        """
        found: dict[str, list[Interval]] = defaultdict(list)
        for part in "".join(text.split()).split(","):
            if not part:
                continue
            uuid, *rest = part.split(":")
            source = uuid.lower()
            for piece in rest:
                first, _, last = piece.partition("-")
                if first.isdigit():
                    found[source].append((int(first), int(last or first)))
                else:
                    source = f"{uuid.lower()}:{piece}"
        return cls({source: _merged(intervals) for source, intervals in sorted(found.items())})

    def __str__(self) -> str:
        return ",".join(
            ":".join([source, *(f"{a}" if a == b else f"{a}-{b}" for a, b in intervals)])
            for source, intervals in self.intervals.items()
        )

    def __bool__(self) -> bool:
        return bool(self.intervals)

    def __len__(self) -> int:
        return sum(b - a + 1 for intervals in self.intervals.values() for a, b in intervals)

    def __sub__(self, other: "GtidSet") -> "GtidSet":
        left: dict[str, tuple[Interval, ...]] = {}
        for source, intervals in self.intervals.items():
            remaining = list(intervals)
            for low, high in other.intervals.get(source, ()):
                remaining = [
                    piece
                    for a, b in remaining
                    for piece in ((a, min(b, low - 1)), (max(a, high + 1), b))
                    if piece[0] <= piece[1]
                ]
            if remaining:
                left[source] = tuple(remaining)
        return GtidSet(left)

    def __or__(self, other: "GtidSet") -> "GtidSet":
        found: dict[str, list[Interval]] = defaultdict(list)
        for each in (self, other):
            for source, intervals in each.intervals.items():
                found[source].extend(intervals)
        return GtidSet({source: _merged(intervals) for source, intervals in sorted(found.items())})

    def __le__(self, other: "GtidSet") -> bool:
        return not self - other
