"""The store of entries in MySQL: writes go to the primary, reads to a replica."""

from __future__ import annotations

import threading
import time
from datetime import UTC
from typing import TYPE_CHECKING

from guestbook.entries import MAX_ID, DatabaseReport, Draft, Entry, Newest, Saved, UnavailableError
from guestbook.mysql import MysqlSession
from guestbook.pool import Pool, SessionError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from guestbook.mysql import Row
    from guestbook.settings import DatabaseUrl

_CONNECT_TIMEOUT = 2.0
# A commit may wait for a standby's acknowledgement, longer when one is being replaced. Reads wait for nobody.
_WRITE_TIMEOUT = 4.0
_READ_TIMEOUT = 2.0
_PROBE_TIMEOUT = 1.0
_PROBE_DEADLINE = 2.5

# The same key again does not merely find the first entry, it changes that row. A change is a transaction of
# its own, and MySQL says yes to it only when everything before it is as safe as it is. Had we just read the
# row, we might confirm an entry that the primary has but no standby does: one that a failover would lose.
_INSERT = """
INSERT INTO entries (author, text, created, idempotency_key) VALUES (%s, %s, UTC_TIMESTAMP(3), %s)
ON DUPLICATE KEY UPDATE id = LAST_INSERT_ID(id), repeats = repeats + 1
"""
_ONE = "SELECT id, author, text, created FROM entries WHERE id = %s"
_AFTER = "SELECT id, author, text, created FROM entries WHERE id > %s ORDER BY id LIMIT %s"
_BEFORE = "SELECT id, author, text, created FROM entries WHERE id < %s ORDER BY id DESC LIMIT %s"
_PROBE = "SELECT @@global.read_only, (SELECT MAX(id) FROM entries)"


class MysqlEntries:
    """Entries in MySQL, over at most `connections` of this process to each address."""

    def __init__(self, primary: DatabaseUrl, replica: DatabaseUrl, *, connections: int) -> None:
        self._urls = {"primary": primary, "replica": replica}
        self._primary = _pool(primary, connections, _WRITE_TIMEOUT)
        self._replica = _pool(replica, connections, _READ_TIMEOUT)

    def add(self, draft: Draft, key: str) -> Saved:
        """Save on the primary, once per key, however often it is asked."""

        def work(session: MysqlSession) -> Saved:
            touched, entry_id = session.execute(_INSERT, (draft.author, draft.text, key))
            return Saved(_entry(session.query(_ONE, (entry_id,))[0]), new=touched == 1)

        return self._primary.run(work)

    def get(self, entry_id: int) -> Entry | None:
        """Look on a replica, and on the primary for what the replica may not have yet."""
        for pool in (self._replica, self._primary):
            rows = pool.run(lambda session: session.query(_ONE, (entry_id,)))
            if rows:
                return _entry(rows[0])
        return None

    def after(self, entry_id: int, limit: int) -> Sequence[Entry]:
        """Return what a replica has, ascending by id."""
        rows = self._replica.run(lambda session: session.query(_AFTER, (entry_id, limit)))
        return [_entry(row) for row in rows]

    def newest(self, *, before: int | None, limit: int, after_write: bool) -> Newest:
        """Return one page, of the primary if the visitor has just written, of a replica otherwise."""

        def work(session: MysqlSession) -> Newest:
            rows = session.query(_BEFORE, (MAX_ID if before is None else before, limit + 1))
            return Newest([_entry(row) for row in rows[:limit]], older=len(rows) > limit, database=session.server)

        return (self._primary if after_write else self._replica).run(work)

    def writes_go_to(self) -> str:
        """Return the primary's name as known from an open connection to it: mostly without a round trip."""
        return self._primary.run(lambda session: session.server)

    def probe(self) -> Mapping[str, DatabaseReport]:
        """Ask both databases at once over new connections, for at most 2.5 s in all."""
        reports: dict[str, DatabaseReport] = {}
        probes = [
            # Nobody waits for a probe past the deadline; its own time-outs end the thread soon after.
            threading.Thread(target=_probe, args=(role, url, reports), daemon=True)
            for role, url in self._urls.items()
        ]
        deadline = time.monotonic() + _PROBE_DEADLINE
        for probe in probes:
            probe.start()
        for probe in probes:
            probe.join(max(deadline - time.monotonic(), 0))
        late = DatabaseReport(latency=_PROBE_DEADLINE * 1000, error="did not answer in time")
        return {role: reports.get(role, late) for role in self._urls}


def _pool(url: DatabaseUrl, connections: int, answer_timeout: float) -> Pool[MysqlSession]:
    def connect() -> MysqlSession:
        return MysqlSession(url, connect_timeout=_CONNECT_TIMEOUT, answer_timeout=answer_timeout)

    return Pool(connect, size=connections)


def _probe(role: str, url: DatabaseUrl, reports: dict[str, DatabaseReport]) -> None:
    start = time.monotonic()
    server: str | None = None
    read_only: bool | None = None
    error: str | None = None
    try:
        session = MysqlSession(url, connect_timeout=_PROBE_TIMEOUT, answer_timeout=_PROBE_TIMEOUT)
        try:
            server = session.server
            read_only = bool(session.query(_PROBE, ())[0][0])
        finally:
            session.close()
    except (SessionError, UnavailableError) as failure:
        error = str(failure)
    if role == "primary" and read_only:
        error = "is read-only: it takes no writes"
    latency = (time.monotonic() - start) * 1000
    reports[role] = DatabaseReport(latency=latency, database=server, read_only=read_only, error=error)


def _entry(row: Row) -> Entry:
    entry_id, author, text, created = row
    return Entry(id=entry_id, author=author, text=text, created=created.replace(tzinfo=UTC))
