"""What the clients on the servers wrote down while they worked, as values.

A client writes one JSON object a line: that it begins (``client``), each write before it is tried and after it
ended (``try``, ``done``), what it read back (``seen``, ``counter``, ``stale``), and that it could not connect
(``lost``). A client that was killed may have left half a line at the end of its file.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any


class Kind(Enum):
    """What one write consists of."""

    ROW = "row"
    ROWS = "rows"
    """Several rows in one transaction."""
    INCREMENT = "increment"
    """A row, and one added to the counter, in one transaction."""


class Outcome(Enum):
    """What the client was told of a write."""

    ACKNOWLEDGED = "acknowledged"
    REFUSED = "refused"
    """An error that says that nothing was done."""
    UNKNOWN = "unknown"
    """The connection was lost, or no answer came in time: it may have been done or not."""


@dataclass(frozen=True, slots=True)
class Write:
    """One write: ``id`` is ``CLIENT:NUMBER``; times in seconds since the epoch."""

    id: str
    kind: Kind
    began: float
    ended: float
    outcome: Outcome
    error: str = ""


@dataclass(frozen=True)
class Log:
    """All that the clients wrote down."""

    writes: tuple[Write, ...]
    seen: Mapping[str, float] = field(default_factory=dict)
    """Writes that some client read, and when it first did."""
    counters: tuple[tuple[float, int], ...] = ()
    """When the counter was read, and what it was."""
    stale: tuple[tuple[float, str], ...] = ()
    """When an acknowledged write was looked for and not found: read from a server that had been deposed."""
    errors: tuple[tuple[float, str], ...] = ()
    """When somebody could not connect, write or read, and why."""

    @property
    def acknowledged(self) -> list[float]:
        """When a client was told that its write is done."""
        return [write.ended for write in self.writes if write.outcome is Outcome.ACKNOWLEDGED]

    def __or__(self, other: "Log") -> "Log":
        both = {**other.seen, **self.seen}
        return Log(
            writes=self.writes + other.writes,
            seen={id_: min(log.seen[id_] for log in (self, other) if id_ in log.seen) for id_ in both},
            counters=self.counters + other.counters,
            stale=self.stale + other.stale,
            errors=self.errors + other.errors,
        )


def parse_events(text: str) -> Log:
    """Read what the clients of one machine wrote, one after the other; a line that is cut off is left out.

    A write that was tried and of which no end is known, is of unknown outcome: its client was killed meanwhile.
    """
    reader = _Reader()
    for document in documents(text):
        reader.take(document)
    return reader.log()


def documents(text: str) -> Iterator[dict[str, Any]]:
    """Yield the JSON objects that stand one a line, without those that are no whole ones."""
    for line in text.splitlines():
        try:
            document = json.loads(line)
        except ValueError:
            continue
        if isinstance(document, dict):
            yield document


class _Reader:
    """Puts a machine's lines together."""

    def __init__(self) -> None:
        self._client = ""
        self._open: dict[str, tuple[Kind, float]] = {}
        self._writes: list[Write] = []
        self._seen: dict[str, float] = {}
        self._counters: list[tuple[float, int]] = []
        self._stale: list[tuple[float, str]] = []
        self._errors: list[tuple[float, str]] = []

    def take(self, document: dict[str, Any]) -> None:
        match document:
            case {"client": str(client)}:
                self._client = client
            case {"try": int(number), "kind": str(kind), "at": float(at)}:
                self._open[f"{self._client}:{number}"] = (Kind(kind), at)
            case {"done": int(number), "outcome": str(outcome), "at": float(at)}:
                self._done(f"{self._client}:{number}", Outcome(outcome), at, str(document.get("error", "")))
            case {"seen": list(ids), "at": float(at)}:
                self._saw(ids, at)
            case {"counter": int(value), "at": float(at)}:
                self._counters.append((at, value))
            case {"stale": str(id_), "at": float(at)}:
                self._stale.append((at, id_))
            case {"lost": str(error), "at": float(at)}:
                self._errors.append((at, error))
            case _:
                pass

    def _done(self, id_: str, outcome: Outcome, at: float, error: str) -> None:
        kind, began = self._open.pop(id_, (Kind.ROW, at))
        self._writes.append(Write(id_, kind, began, at, outcome, error))
        if outcome is not Outcome.ACKNOWLEDGED:
            self._errors.append((at, error))

    def _saw(self, ids: Iterable[Any], at: float) -> None:
        for id_ in ids:
            self._seen.setdefault(str(id_), at)

    def log(self) -> Log:
        cut_off = (
            Write(id_, kind, began, began, Outcome.UNKNOWN, "the client was killed")
            for id_, (kind, began) in self._open.items()
        )
        return Log(
            tuple(sorted((*self._writes, *cut_off), key=lambda write: write.began)),
            self._seen,
            tuple(self._counters),
            tuple(self._stale),
            tuple(self._errors),
        )
