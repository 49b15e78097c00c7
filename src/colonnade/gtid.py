"""Sets of MySQL's global transaction ids, as values."""

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

Interval = tuple[int, int]

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TAG = re.compile(r"[a-z_][a-z0-9_]{0,31}")
_INTERVAL = re.compile(r"[0-9]{1,19}(-[0-9]{1,19})?", re.ASCII)


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
            uuid, *rest = part.lower().split(":")
            if not _UUID.fullmatch(uuid) or not rest or not _INTERVAL.fullmatch(rest[-1]):
                raise ValueError(f"no set of transactions: {part!r}")
            source = uuid
            for piece in rest:
                if _INTERVAL.fullmatch(piece):
                    first, _, last = piece.partition("-")
                    found[source].append((int(first), int(last or first)))
                elif _TAG.fullmatch(piece):
                    source = f"{uuid}:{piece}"
                else:
                    raise ValueError(f"no interval of transactions: {piece!r}")
            if any(first > last or not first for first, last in found[source]):
                raise ValueError(f"an interval of transactions ends before it begins: {part!r}")
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

    def without_source(self, uuid: str) -> "GtidSet":
        """Return the set without the transactions that began on one server, whatever their tags."""
        return GtidSet({s: intervals for s, intervals in self.intervals.items() if s.partition(":")[0] != uuid.lower()})

    def __le__(self, other: "GtidSet") -> bool:
        return not self - other
