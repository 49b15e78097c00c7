"""A store of entries in this process's memory: for tests, and for looking at the page without a database."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from guestbook.entries import DatabaseReport, Draft, Entry, Newest, Saved

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


def _now() -> datetime:
    return datetime.now(UTC)


class MemoryEntries:
    """Entries that live as long as the process; `clock` returns the time in UTC."""

    def __init__(self, clock: Callable[[], datetime] = _now) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._entries: list[Entry] = []
        self._by_key: dict[str, Entry] = {}

    def add(self, draft: Draft, key: str) -> Saved:
        """Save the draft unless its key was used before."""
        with self._lock:
            if key in self._by_key:
                return Saved(self._by_key[key], new=False)
            entry = Entry(len(self._entries) + 1, draft.author, draft.text, self._clock())
            self._entries.append(entry)
            self._by_key[key] = entry
            return Saved(entry, new=True)

    def get(self, entry_id: int) -> Entry | None:
        """Return the entry with this id, if there is one."""
        with self._lock:
            return self._entries[entry_id - 1] if 1 <= entry_id <= len(self._entries) else None

    def after(self, entry_id: int, limit: int) -> Sequence[Entry]:
        """Return the entries that follow, ascending by id."""
        with self._lock:
            return self._entries[entry_id : entry_id + limit]

    def newest(self, *, before: int | None, limit: int, after_write: bool) -> Newest:  # noqa: ARG002  one copy, never behind
        """Return one page, newest first."""
        with self._lock:
            end = len(self._entries) if before is None else min(max(before - 1, 0), len(self._entries))
            start = max(end - limit, 0)
            return Newest(self._entries[start:end][::-1], older=start > 0, database="memory")

    def writes_go_to(self) -> str:
        """Return the name that stands for this process's memory."""
        return "memory"

    def probe(self) -> Mapping[str, DatabaseReport]:
        """Report the one copy that there is."""
        return {"primary": DatabaseReport(latency=0.0, database="memory", read_only=False)}
