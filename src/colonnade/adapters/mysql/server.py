"""The server's verbs: look, the actions that change it, the agent's own write."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from colonnade.accounts import replication_account
from colonnade.adapters.mysql.look import SECONDS, TERM_BASE, Counters, Observer, Seen, plugins
from colonnade.adapters.mysql.probe import Prober
from colonnade.adapters.mysql.process import Process, ProgramError, run
from colonnade.adapters.mysql.session import Session, SilentError, SqlError, quoted
from colonnade.ha import actions as do
from colonnade.ha.view import Member, Probe
from colonnade.secret import Secret

PATIENCE = 2.0
"""Seconds for a statement that changes something."""
RECEIVER_PATIENCE = 4.0
"""Seconds for the receiver to stop: two, measured, if it is just connecting to a frozen source."""
LEAVING_PATIENCE = 10.0
FENCE_PATIENCE = 1.0
"""Seconds for shutting clients out; then the process is killed, which tells nobody anything either."""
UNKNOWN_VARIABLE = 1193
YEAR = 31536000
"""Seconds: the longest that a session may be idle."""
HEARTBEAT_PERIOD = 0.5
THROUGH, NOW_AND_THEN = 1, 10000
"""After how many transactions the relay log is written to disk: by who acknowledges them, and by who does not."""


class FailedError(Exception):
    """An action could not be carried out; nothing is left half done that the next view does not show."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the server is, and what its replication needs to know of the others."""

    node: str
    socket: str
    data: Path
    unit: str
    port: int
    accounts: dict[str, str]
    """Replication account by server."""
    addresses: dict[str, str]
    password: Secret
    """Of this server's own replication account."""


@dataclass
class MysqlServer:
    """One server; a look and an action may run at the same time, two actions may not."""

    place: Place
    clock: Callable[[], float]
    process: Process
    _observing: Session | None = None
    _acting: Session | None = None
    _instance: int = 0
    _left: set[int] = field(default_factory=set)
    _names: dict[str, str] = field(init=False)
    _observer: Observer = field(init=False)
    _prober: Prober = field(init=False)
    _strangers: frozenset[int] = frozenset()

    def __post_init__(self) -> None:
        """Make what looks and what writes."""
        self._names = {account: server for server, account in self.place.accounts.items()}
        self._observer = Observer(self._names, {a: s for s, a in self.place.addresses.items()})
        self._prober = Prober(self.place.socket, self.place.node, self._names, self._left)

    def know(self, servers: Iterable[str]) -> None:
        """Take note of servers that the record names and the stack file may not any more: their accounts are there."""
        for server in servers:
            if server not in self.place.accounts:
                self.place.accounts[server] = replication_account(server)
                self._names[self.place.accounts[server]] = server

    def drop(self) -> None:
        """Give up all sessions; the server is gone, or about to be."""
        for each in (self._observing, self._acting):
            if each is not None:
                each.drop()
        self._observing = self._acting = None
        self._prober.drop()

    # ---- looking

    async def look(self) -> Seen:
        """Return what the server looks like.

        Raises:
            SilentError: it does not answer in time.

        """
        if self._observing is None or not self._observing.usable:
            self._observing = await Session.open(self.place.socket, self._left, seconds=SECONDS)
            self._observer.begin()
            # It may have restarted, and then all other sessions are gone too.
            if self._acting is not None:
                self._acting.drop()
            self._prober.drop_idle()
            if self.process.pid() != self._instance:
                # Another life of MySQL: the numbers of its sessions begin anew.
                self._instance = self.process.pid()
                self._left.clear()
            self.process.watch()
        try:
            try:
                seen = await self._look(self._observing)
            except SqlError as error:
                if error.number != UNKNOWN_VARIABLE:
                    raise
                await plugins(self._observing)
                seen = await self._look(self._observing)
        except (SilentError, SqlError) as error:
            self._observing.drop()
            raise SilentError(str(error)) from error
        self._strangers = seen.strangers
        return seen

    async def _look(self, session: Session) -> Seen:
        return await self._observer.look(session, now=self.clock(), left=self._left)

    # ---- acting

    async def _session(self) -> Session:
        if self._acting is None or not self._acting.usable:
            self._acting = await Session.open(self.place.socket, self._left)
            # While all is well nothing is done in it for days, and MySQL would end it after eight hours of that.
            await self._acting.rows(f"SET SESSION lock_wait_timeout = 2, wait_timeout = {YEAR}", seconds=PATIENCE)
        return self._acting

    async def _run(self, *statements: str, seconds: float = PATIENCE) -> None:
        session = await self._session()
        for statement in statements:
            await session.rows(statement, seconds=seconds)

    async def act(self, action: do.Action) -> None:  # noqa: C901, PLR0912  one line or two for each action
        """Carry one action out, and return when its effect was seen.

        Raises:
            FailedError: it could not be; a session that may still be at it counts as a stranger from now on.

        """
        try:
            match action:
                case do.EndSessions():
                    await self._end_sessions()
                case do.StopReceiver():
                    await self._run("STOP REPLICA IO_THREAD", seconds=RECEIVER_PATIENCE)
                case do.StartReceiver(source, term):
                    await self._start_receiver(source, term)
                case do.StartApplier():
                    await self._run("START REPLICA SQL_THREAD")
                case do.RemoveReplication():
                    await self._run(
                        "STOP REPLICA",
                        "RESET REPLICA ALL",
                        "SET GLOBAL rpl_semi_sync_replica_enabled = OFF",
                        seconds=LEAVING_PATIENCE,
                    )
                    self._observer.replaced()
                case do.SetAcknowledging(on):
                    await self._set_acknowledging(on=on)
                case do.Fence():
                    await self._fence()
                case do.LetClientsIn():
                    await self._run("SET GLOBAL offline_mode = OFF")
                case do.Demote():
                    await self._run("SET GLOBAL super_read_only = ON")
                case do.OpenForWrites():
                    await self._run("SET GLOBAL super_read_only = OFF", "SET GLOBAL read_only = OFF")
                case do.SetAcks(0):
                    await self._run("SET GLOBAL rpl_semi_sync_source_enabled = OFF")
                case do.SetAcks(acks):
                    await self._run(
                        f"SET GLOBAL rpl_semi_sync_source_wait_for_replica_count = {acks}",
                        "SET GLOBAL rpl_semi_sync_source_enabled = ON",
                    )
                case do.LockAccount(name):
                    await self._lock(name)
                case do.UnlockAccount(name):
                    await self._alter(name, "UNLOCK")
                case _:
                    raise AssertionError(f"not an action on MySQL: {action}")
        except (SilentError, SqlError, ProgramError) as error:
            raise FailedError(str(error)) from error

    async def _fence(self) -> None:
        try:
            await self._run("SET GLOBAL offline_mode = ON", seconds=FENCE_PATIENCE)
        except (SilentError, SqlError):
            self.process.kill()
            raise

    async def _end_sessions(self) -> None:
        """Kill what was left behind, and see it gone: each look names who is still there."""
        for number in self._strangers:
            with suppress(SqlError):  # it has ended meanwhile
                await self._run(f"KILL CONNECTION {number}")

    async def _alter(self, name: str, what: str) -> None:
        account = quoted(self.place.accounts[name])
        # A session of its own, so that none of the others can be left without a binary log.
        session = await Session.open(self.place.socket, self._left)
        try:
            await session.rows("SET SESSION sql_log_bin = 0", seconds=PATIENCE)
            await session.rows("SET SESSION lock_wait_timeout = 2", seconds=PATIENCE)
            await session.rows(f"ALTER USER IF EXISTS {account}@'%' ACCOUNT {what}", seconds=PATIENCE)
        finally:
            await session.end()

    async def _lock(self, name: str) -> None:
        """Lock the account, and end the session in which it fetches the binary log; the next look sees it gone."""
        await self._alter(name, "LOCK")
        session = await self._session()
        account = quoted(self.place.accounts[name])
        dumps = await session.rows(
            "SELECT PROCESSLIST_ID FROM performance_schema.threads"  # noqa: S608  quoted
            f" WHERE PROCESSLIST_USER = {account} AND PROCESSLIST_COMMAND LIKE 'Binlog Dump%'",
            seconds=PATIENCE,
        )
        for (number,) in dumps:
            with suppress(SqlError):  # it has ended meanwhile
                await session.rows(f"KILL CONNECTION {int(number)}", seconds=PATIENCE)

    async def _set_acknowledging(self, *, on: bool) -> None:
        """Turn the replica side on or off; an acknowledgement means "on disk", so the relay log is, before it begins.

        Who acknowledges writes every transaction through; who only catches up need not, and is several times as fast.
        """
        await self._run("STOP REPLICA IO_THREAD", seconds=RECEIVER_PATIENCE)
        if on:
            await self._run(f"SET GLOBAL sync_relay_log = {THROUGH}")
            await run("sync", "-f", str(self.place.data))
            await self._run("SET GLOBAL rpl_semi_sync_replica_enabled = ON")
        else:
            await self._run(
                "SET GLOBAL rpl_semi_sync_replica_enabled = OFF", f"SET GLOBAL sync_relay_log = {NOW_AND_THEN}"
            )

    async def _start_receiver(self, source: Member, term: int) -> None:
        """Point the receiver, in the form that keeps the relay log, while the applier runs.

        With both stopped, any CHANGE throws away what was received and not yet applied (measured).
        """
        where = (
            f"SOURCE_HOST = {quoted(self.place.addresses[source.name])}, SOURCE_PORT = {self.place.port},"
            f" SOURCE_USER = {quoted(self.place.accounts[self.place.node])},"
            f" SOURCE_PASSWORD = {quoted(self.place.password.reveal())}, SOURCE_SSL = 1, SOURCE_CONNECT_RETRY = 1,"
            f" SOURCE_RETRY_COUNT = {TERM_BASE + term}, SOURCE_HEARTBEAT_PERIOD = {HEARTBEAT_PERIOD}"
        )
        session = await self._session()
        await session.rows(
            f"SET GLOBAL sync_relay_log = IF(@@GLOBAL.rpl_semi_sync_replica_enabled, {THROUGH}, {NOW_AND_THEN})",
            seconds=PATIENCE,
        )
        known = await session.rows(
            "SELECT AUTO_POSITION FROM performance_schema.replication_connection_configuration"
            " WHERE CHANNEL_NAME = '' AND HOST <> ''",
            seconds=PATIENCE,
        )
        if not known:
            await self._run(f"CHANGE REPLICATION SOURCE TO {where}, SOURCE_AUTO_POSITION = 1", "START REPLICA")
            self._observer.replaced()
            return
        ((running,),) = await session.rows(
            "SELECT SERVICE_STATE FROM performance_schema.replication_applier_status WHERE CHANNEL_NAME = ''",
            seconds=PATIENCE,
        )
        if running != "ON":
            # Looked at again in the next round: one that stops at once would leave both stopped.
            await session.rows("START REPLICA SQL_THREAD", seconds=PATIENCE)
            raise FailedError("its applier did not run, and pointing it anew would lose what it has received")
        await session.rows("STOP REPLICA IO_THREAD", seconds=RECEIVER_PATIENCE)
        await self._run(f"CHANGE REPLICATION SOURCE TO {where}", "START REPLICA IO_THREAD")

    async def privileged(self) -> list[tuple[str, str]]:
        """Return the accounts that offline_mode does not shut out, besides root's and those of replication.

        Raises:
            FailedError: it could not be asked.

        """
        session = None
        try:
            session = await Session.open(self.place.socket, self._left)
            rows = await session.rows(
                "SELECT DISTINCT GRANTEE, PRIVILEGE_TYPE FROM information_schema.USER_PRIVILEGES"
                " WHERE PRIVILEGE_TYPE IN ('CONNECTION_ADMIN', 'SUPER')",
                seconds=PATIENCE,
            )
        except (SilentError, SqlError) as error:
            raise FailedError(str(error)) from error
        finally:
            if session is not None:
                await session.end()
        own = {"root", "mysql.session", "mysql.sys", "mysql.infoschema", *self.place.accounts.values()}
        found = [(grantee.split("@")[0].strip("'"), privilege) for grantee, privilege in rows]
        return sorted({name: privilege for name, privilege in found if name not in own}.items())

    # ---- the agent's own write

    async def fresh_commit(self, *, began: float, acks: int) -> Probe:
        """Write, and see what that is worth; returns when the commit did.

        Raises:
            FailedError: it did not succeed.

        """
        try:
            found = await self._prober.write()
        except (SilentError, SqlError) as error:
            raise FailedError(str(error)) from error
        return Probe(began, acks, self.clock(), clean=found.clean, acknowledgers=found.acknowledgers, holds=found.holds)


__all__ = ["Counters", "FailedError", "MysqlServer", "Place"]
