"""What one MySQL server looks like at this moment, in few questions.

Sources: MySQL manual, Performance Schema replication tables; measured on 9.7: a replica that acknowledges sets the
user variable ``rpl_semi_sync_replica`` in its dump session, so that the source can name who does, although its status
only counts them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from colonnade.adapters.mysql.session import OWN, PROGRAM, Row, Session, SilentError, SqlError
from colonnade.gtid import GtidSet
from colonnade.ha.view import NOTHING, Mysql, Receiver, Replication, Semisync

SECONDS = 1.0
"""The longest that looking may take; after that MySQL counts as not answering."""
TERM_BASE = 2_000_000_000
"""A source is kept with the term in which it was set, as so many retries and the term: one statement sets both."""
NO_TERM = 4_294_967_295
SEMISYNC_WAIT = "Waiting for semi-sync ACK"
UNNAMED = "?"
"""Stands for an acknowledging replica that could not be named: no acknowledgement proves anything then."""

_VARIABLES = (
    "SELECT @@GLOBAL.server_uuid, @@GLOBAL.gtid_executed, @@GLOBAL.read_only OR @@GLOBAL.super_read_only,"
    " @@GLOBAL.offline_mode, @@GLOBAL.rpl_semi_sync_source_enabled,"
    " @@GLOBAL.rpl_semi_sync_source_wait_for_replica_count,"
    " @@GLOBAL.rpl_semi_sync_replica_enabled, @@GLOBAL.gtid_purged"
)
SESSIONS = (  # states are asked of INFORMATION_SCHEMA: the Performance Schema has none without its stages
    "SELECT p.ID, p.USER, p.COMMAND, p.STATE, v.VARIABLE_VALUE IS NOT NULL, a.ATTR_VALUE"  # noqa: S608
    " FROM information_schema.PROCESSLIST p"
    " LEFT JOIN performance_schema.session_connect_attrs a"
    f" ON a.PROCESSLIST_ID = p.ID AND a.ATTR_NAME = 'program_name' AND a.ATTR_VALUE LIKE '{PROGRAM}%'"
    " LEFT JOIN performance_schema.threads t ON t.PROCESSLIST_ID = p.ID"
    " LEFT JOIN performance_schema.user_variables_by_thread v"
    " ON v.THREAD_ID = t.THREAD_ID AND v.VARIABLE_NAME = 'rpl_semi_sync_replica' AND v.VARIABLE_VALUE = '1'"
    " WHERE p.COMMAND LIKE 'Binlog Dump%'"
    f" OR p.STATE LIKE '{SEMISYNC_WAIT}%' OR a.ATTR_VALUE IS NOT NULL"
)
SEMISYNC = "SHOW GLOBAL STATUS LIKE 'Rpl_semi_sync_%'"
_SILENCE = (
    "SELECT TIMESTAMPDIFF(MICROSECOND, GREATEST(LAST_HEARTBEAT_TIMESTAMP, LAST_QUEUED_TRANSACTION_END_QUEUE_TIMESTAMP,"
    " LAST_QUEUED_TRANSACTION_START_QUEUE_TIMESTAMP), NOW(6)) / 1000000"
    " FROM performance_schema.replication_connection_status WHERE CHANNEL_NAME = ''"
)
_APPLIER = (
    "SELECT (SELECT LAST_PROCESSED_TRANSACTION FROM performance_schema.replication_applier_status_by_coordinator"
    " WHERE CHANNEL_NAME = ''),"
    " (SELECT COUNT(*) FROM performance_schema.replication_applier_status_by_worker"
    " WHERE CHANNEL_NAME = '' AND APPLYING_TRANSACTION <> '')"
)
_LOCKED = "SELECT user FROM mysql.user WHERE account_locked = 'Y' AND user LIKE 'repl\\_%'"
_READ_ALL = "has read all relay log"


@dataclass(frozen=True, slots=True)
class Counters:
    """Semi-sync's own counts on the source."""

    on: bool = False
    clients: int = 0
    yes: int = 0
    no: int = 0


@dataclass(frozen=True, slots=True)
class Seen:
    """The server as its agent sees it, and what only its agent needs."""

    uuid: str
    mysql: Mysql
    counters: Counters
    strangers: frozenset[int] = frozenset()
    purged: GtidSet = NOTHING
    lag: float | None = None
    refused: bool = False
    """The source refuses this replica's password."""


def term_of(retries: int) -> int:
    """Return the term that a source was set in; 0 for one that no agent has set."""
    return retries - TERM_BASE if TERM_BASE < retries < NO_TERM else 0


@dataclass(frozen=True, slots=True)
class Connections:
    """Sessions of interest on this server."""

    waiting: int
    """Clients in a commit; those that were killed do not count, nor the agent's own."""
    stuck: bool
    """Whether any session at all waits in a commit."""
    acknowledgers: frozenset[str]
    dumps: dict[int, str]
    earlier: frozenset[int]
    """Sessions of earlier agent processes; not those that are killed and only wait to be let go."""
    own: frozenset[int]
    """Sessions of this process, likewise."""


def connections_of(rows: Sequence[Row], names: dict[str, str]) -> Connections:
    """Sort sessions; ``names`` maps replication accounts to servers."""
    waiting, stuck = 0, False
    earlier: set[int] = set()
    own: set[int] = set()
    acknowledgers: set[str] = set()
    dumps: dict[int, str] = {}
    for number, user, command, state, acknowledges, program in rows:
        name = names.get(_plain(user), UNNAMED)
        in_commit = _plain(state).startswith(SEMISYNC_WAIT)
        stuck = stuck or in_commit
        if _plain(command).startswith("Binlog Dump"):
            dumps[int(number)] = name
            if acknowledges:
                acknowledgers.add(name)
        elif program:
            if not (in_commit and _plain(command) == "Killed"):
                (own if _plain(program) == OWN else earlier).add(int(number))
        elif in_commit and _plain(command) != "Killed":
            waiting += 1
    return Connections(waiting, stuck, frozenset(acknowledgers), dumps, frozenset(earlier), frozenset(own))


def _plain(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value or "")


def counters_of(rows: Sequence[Row]) -> tuple[Counters, bool]:
    """Read semi-sync's status: the source's counters, and whether the replica side is on in the running receiver."""
    status = {_plain(name).lower(): _plain(value) for name, value in rows}
    counters = Counters(
        status.get("rpl_semi_sync_source_status") == "ON",
        int(status.get("rpl_semi_sync_source_clients", "0")),
        int(status.get("rpl_semi_sync_source_yes_tx", "0")),
        int(status.get("rpl_semi_sync_source_no_tx", "0")),
    )
    return counters, status.get("rpl_semi_sync_replica_status") == "ON"


class Observer:
    """Looks through one kept session; knows whether all that was received in this life of MySQL is named."""

    def __init__(self, names: dict[str, str], servers: dict[str, str]) -> None:
        self._names = names  # servers by account
        self._servers = servers  # by address
        self._received_known = False
        self._yes = -1
        self._blocked_since: float | None = None

    def begin(self) -> None:
        """Begin with another session: MySQL may have restarted, and then does not name what its relay log holds."""
        self._received_known = False
        self._yes = -1
        self._blocked_since = None

    def replaced(self) -> None:
        """Forget what was known of the relay log, because it was thrown away or begun anew."""
        self._received_known = True

    async def look(self, session: Session, *, now: float, left: set[int]) -> Seen:
        """Look at the server; ``now`` is the agent's clock, ``left`` are sessions that it gave up.

        Raises:
            SilentError: it does not answer in time.
            SqlError: it cannot be asked; the semi-sync plug-ins are not loaded, for one.

        """
        rows = await session.rows(_VARIABLES, seconds=SECONDS)
        uuid, executed, read_only, offline, enabled, count, acknowledging, purged = rows[0]
        done = GtidSet.parse(_plain(executed))
        counters, acknowledges = counters_of(await session.rows(SEMISYNC, seconds=SECONDS))
        sessions = connections_of(await session.rows(SESSIONS, seconds=SECONDS), self._names)
        replication, received, relay_read, lag, refused = await self._replica(session, done, acknowledges=acknowledges)
        locked: frozenset[str] = frozenset()
        if not read_only or sessions.dumps:
            locked = frozenset(
                self._names.get(_plain(user), UNNAMED) for (user,) in await session.rows(_LOCKED, seconds=SECONDS)
            )
        if replication is None or relay_read:
            self._received_known = True
        acknowledgers = sessions.acknowledgers
        if counters.clients > len(acknowledgers):
            acknowledgers |= {UNNAMED}
        if not sessions.stuck:
            self._blocked_since = None
        elif counters.yes != self._yes or self._blocked_since is None:
            self._blocked_since = now
        self._yes = counters.yes
        strangers = sessions.earlier | (sessions.own & left)
        mysql = Mysql(
            executed=done,
            received=received,
            received_known=self._received_known,
            relay_read=relay_read,
            read_only=bool(read_only),
            offline=bool(offline),
            source=Semisync(int(count) if enabled else 0, sessions.waiting, acknowledgers, self._blocked_since),
            replication=replication,
            acknowledging=bool(acknowledging),
            dumps=frozenset(sessions.dumps.values()),
            locked=locked - {UNNAMED},
            strangers=bool(strangers),
        )
        return Seen(_plain(uuid), mysql, counters, strangers, GtidSet.parse(_plain(purged)), lag, refused)

    async def _replica(
        self, session: Session, executed: GtidSet, *, acknowledges: bool
    ) -> tuple[Replication | None, GtidSet, bool, float | None, bool]:
        found = await session.named("SHOW REPLICA STATUS", seconds=SECONDS)
        status = next((row for row in found if not row.get("Channel_Name")), None)
        if status is None or not status.get("Source_Host"):
            return None, NOTHING, True, None, False
        receiver = {"Yes": Receiver.ON, "No": Receiver.OFF}.get(str(status["Replica_IO_Running"]), Receiver.CONNECTING)
        silence = 1e9
        for (value,) in await session.rows(_SILENCE, seconds=SECONDS):
            silence = float(value) if value is not None and float(value) < 1e9 else 1e9  # noqa: PLR2004  never heard
        ((last, busy),) = await session.rows(_APPLIER, seconds=SECONDS)
        last = _plain(last)
        applying = status["Replica_SQL_Running"] == "Yes"
        received = GtidSet.parse(_plain(status["Retrieved_Gtid_Set"]))
        # The coordinator has handed out all that is in the relay log, and its last transaction, the last to be
        # committed (the order is preserved), is committed.
        relay_read = (
            applying
            and _READ_ALL in str(status["Replica_SQL_Running_State"])
            and not busy
            and (not last or _parsed(last) <= executed)
            and received <= executed
        )
        host = str(status["Source_Host"])
        replication = Replication(
            self._servers.get(host, host),
            term_of(int(status["Source_Retry_Count"])),
            receiver,
            silence,
            acknowledges if receiver is not Receiver.OFF else False,
            applying,
            _plain(status["Last_SQL_Error"])[:500] if int(status["Last_SQL_Errno"] or 0) else "",
        )
        behind = status["Seconds_Behind_Source"]
        lag = 0.0 if relay_read and receiver is Receiver.ON else float(behind) if behind is not None else None
        return replication, received, relay_read, lag, int(status["Last_IO_Errno"] or 0) == REFUSED


REFUSED = 1045
LOADED = frozenset({1125, 1968})
"""Errors that say that a plug-in is there already."""


def _parsed(transaction: str) -> GtidSet:
    """Read one transaction's id; an anonymous one counts as none."""
    try:
        return GtidSet.parse(transaction)
    except ValueError:
        return NOTHING


async def plugins(session: Session) -> None:
    """Load the semi-sync plug-ins into a running server that was started without them.

    Raises:
        SilentError, SqlError: that did not succeed.

    """
    ((closed,),) = await session.rows("SELECT @@GLOBAL.super_read_only", seconds=SECONDS)
    if closed:  # which refuses it; read_only stays on meanwhile
        await session.rows("SET GLOBAL super_read_only = OFF", seconds=5)
    try:
        for side in ("source", "replica"):
            try:
                await session.rows(f"INSTALL PLUGIN rpl_semi_sync_{side} SONAME 'semisync_{side}.so'", seconds=5)
            except SqlError as error:
                if error.number not in LOADED:
                    raise
    finally:
        if closed:
            await session.rows("SET GLOBAL super_read_only = ON", seconds=5)
    for setting in ("timeout = 4294967295", "wait_no_replica = ON", "wait_point = AFTER_SYNC"):
        await session.rows(f"SET GLOBAL rpl_semi_sync_source_{setting}", seconds=5)


__all__ = ["Counters", "Observer", "Seen", "SilentError", "plugins"]
