"""The agent's own small write: a row of its own, and what semi-sync said before and after it.

Any later write frees a commit whose acknowledgement was lost, also if the commit that waits is the agent's own: so
there may be a second write while the first still waits, in another session and to another row.
"""

from dataclasses import dataclass

from colonnade.adapters.mysql.look import SECONDS, SEMISYNC, SESSIONS, connections_of, counters_of
from colonnade.adapters.mysql.session import Session, SilentError, SqlError, quoted
from colonnade.gtid import GtidSet

SLOTS = 3
"""Writes at once: one, and two that may have to free it."""
FOREVER = 3600.0
"""Seconds that a commit may wait; what ends it earlier is an acknowledgement, a kill or the end of the session."""
NO_TABLE = frozenset({1049, 1146})
MAKE = (
    "CREATE DATABASE IF NOT EXISTS colonnade",
    (
        "CREATE TABLE IF NOT EXISTS colonnade.heartbeat (node VARCHAR(64) NOT NULL, slot TINYINT NOT NULL,"
        " beat BIGINT NOT NULL, at TIMESTAMP(6) NOT NULL, PRIMARY KEY (node, slot)) COMMENT 'written by the agents'"
    ),
)


@dataclass(frozen=True, slots=True)
class Written:
    """What was seen of a write that ended."""

    clean: bool
    acknowledgers: frozenset[str]
    holds: GtidSet


class Prober:
    """Sessions that write, each to a row of its own."""

    def __init__(self, socket: str, node: str, names: dict[str, str], left: set[int]) -> None:
        self._socket = socket
        self._left = left
        self._node = node
        self._names = names
        self._free: dict[int, Session | None] = dict.fromkeys(range(SLOTS))
        self._busy: dict[int, Session] = {}

    def drop_idle(self) -> None:
        """Give those up in which nothing is written."""
        for each in self._free.values():
            if each is not None:
                each.drop()

    def drop(self) -> None:
        """Give them up."""
        for each in (*self._free.values(), *self._busy.values()):
            if each is not None:
                each.drop()

    async def write(self) -> Written:
        """Write and return when it is committed.

        Raises:
            SilentError: all slots are waiting, or the session is gone.
            SqlError: MySQL refused it.

        """
        if not self._free:
            raise SilentError("all of its writes are waiting")
        slot, session = next(iter(self._free.items()))
        del self._free[slot]
        try:
            if session is None or not session.usable:
                session = await Session.open(self._socket, self._left)
                await session.rows("SET SESSION innodb_lock_wait_timeout = 2, lock_wait_timeout = 2", seconds=SECONDS)
            self._busy[slot] = session
            return await self._write(session, slot)
        finally:
            self._busy.pop(slot, None)
            self._free[slot] = session if session is not None and session.usable else None

    async def _write(self, session: Session, slot: int) -> Written:
        before, _ = counters_of(await session.rows(SEMISYNC, seconds=SECONDS))
        first = connections_of(await session.rows(SESSIONS, seconds=SECONDS), self._names)
        beat = (
            f"INSERT INTO colonnade.heartbeat VALUES ({quoted(self._node)}, {slot}, 1, NOW(6))"  # noqa: S608  our own name
            " ON DUPLICATE KEY UPDATE beat = beat + 1, at = NOW(6)"
        )
        try:
            await session.rows(beat, seconds=FOREVER)
        except SqlError as error:
            if error.number not in NO_TABLE:
                raise
            for statement in MAKE:
                await session.rows(statement, seconds=FOREVER)
            await session.rows(beat, seconds=FOREVER)
        ((executed,),) = await session.rows("SELECT @@GLOBAL.gtid_executed", seconds=SECONDS)
        after, _ = counters_of(await session.rows(SEMISYNC, seconds=SECONDS))
        last = connections_of(await session.rows(SESSIONS, seconds=SECONDS), self._names)
        named = max(before.clients - len(first.acknowledgers), after.clients - len(last.acknowledgers)) <= 0
        clean = before.on and after.on and after.yes > before.yes and after.no == before.no and named
        return Written(clean, first.acknowledgers | last.acknowledgers, GtidSet.parse(executed))
