"""What the agent makes of MySQL's answers, and how a swap of data directories goes on wherever it was cut off."""

import asyncio
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import pymysql
import pytest

from colonnade.adapters.mysql.look import (
    NO_TERM,
    TERM_BASE,
    UNNAMED,
    Counters,
    Observer,
    connections_of,
    counters_of,
    term_of,
)
from colonnade.adapters.mysql.probe import Prober
from colonnade.adapters.mysql.process import Process, ProgramError
from colonnade.adapters.mysql.provision import Donor, Provision
from colonnade.adapters.mysql.session import OWN, PROGRAM, Row, Session, SilentError, SqlError, quoted
from colonnade.gtid import GtidSet
from colonnade.ha.view import Receiver
from colonnade.secret import Secret

U1, U2 = "10000000-0000-0000-0000-000000000000", "20000000-0000-0000-0000-000000000000"
NAMES = {"repl_web2": "web2", "repl_web3": "web3"}
WAITS = "Waiting for semi-sync ACK from replica"
DUMP = (11, "repl_web2", "Binlog Dump GTID", "Source has sent all binlog to replica", 1, None)


def test_sessions_are_sorted() -> None:
    found = connections_of(
        [
            DUMP,
            (12, b"repl_web3", b"Binlog Dump GTID", b"x", 0, None),
            (13, "app", "Query", WAITS, 0, None),
            (14, "app", "Killed", WAITS, 0, None),
            (15, "root", "Query", WAITS, 0, OWN),
            (16, "root", "Killed", WAITS, 0, f"{PROGRAM}before"),
            (17, "root", "Sleep", None, 0, f"{PROGRAM}before"),
        ],
        NAMES,
    )
    assert found.waiting == 1, "neither those that were killed, nor the agent's own"
    assert found.stuck
    assert found.acknowledgers == {"web2"}
    assert found.dumps == {11: "web2", 12: "web3"}
    assert found.earlier == {17}, "who is killed and waits to be let go is none to end again"
    assert found.own == {15}


def test_a_replica_under_an_unknown_account_is_not_named() -> None:
    assert connections_of([(11, "somebody", "Binlog Dump", "", 1, None)], NAMES).acknowledgers == {UNNAMED}


def test_counters_and_terms() -> None:
    rows = [(b"Rpl_semi_sync_source_status", b"ON"), ("Rpl_semi_sync_source_yes_tx", "7")]
    assert counters_of([*rows, ("Rpl_semi_sync_replica_status", "ON")]) == (Counters(True, 0, 7, 0), True)
    assert counters_of([]) == (Counters(), False)
    assert term_of(TERM_BASE + 7) == 7
    assert [term_of(each) for each in (10, 86400, TERM_BASE, NO_TERM)] == [0, 0, 0, 0]


class Answers:
    """A session that answers from a table: the first entry whose words are in the statement."""

    def __init__(self, **changed: Any) -> None:
        self.told: dict[str, Any] = {
            "executed": f"{U1}:1-9",
            "read_only": 1,
            "clients": 0,
            "yes": 0,
            "sessions": [],
            "status": [],
            "last": "",
            "busy": 0,
            "silence": 0.25,
        } | changed

    async def rows(self, statement: str, *, seconds: float) -> Sequence[Row]:
        del seconds
        told = self.told
        table: dict[str, list[Row]] = {
            "server_uuid": [(U1, told["executed"], told["read_only"], 0, 1, 1, 0, "")],
            "SHOW GLOBAL STATUS": [
                ("Rpl_semi_sync_source_clients", str(told["clients"])),
                ("Rpl_semi_sync_source_yes_tx", str(told["yes"])),
            ],
            "PROCESSLIST": told["sessions"],
            "replication_connection_status": [(told["silence"],)],
            "coordinator": [(told["last"], told["busy"])],
            "account_locked": [("repl_web3",), ("repl_unknown",)],
        }
        return next(rows for words, rows in table.items() if words in statement)

    async def named(self, statement: str, *, seconds: float) -> list[dict[str, Any]]:
        del statement, seconds
        return list(self.told["status"])


FOLLOWS = {
    "Channel_Name": "",
    "Source_Host": "192.0.2.2",
    "Replica_IO_Running": "Yes",
    "Replica_SQL_Running": "Yes",
    "Replica_SQL_Running_State": "Replica has read all relay log; waiting for more updates",
    "Retrieved_Gtid_Set": f"{U1}:5-9",
    "Source_Retry_Count": TERM_BASE + 4,
    "Last_SQL_Errno": 0,
    "Last_SQL_Error": "",
    "Last_IO_Errno": 0,
    "Seconds_Behind_Source": 0,
}


def observer() -> Observer:
    return Observer(dict(NAMES), {"192.0.2.2": "web2"})


def look(eye: Observer, now: float = 1.0, *, left: frozenset[int] = frozenset(), **told: Any) -> Any:
    return asyncio.run(eye.look(cast("Session", Answers(**told)), now=now, left=set(left)))


def test_commits_are_blocked_since_the_last_acknowledgement() -> None:
    eye, waits = observer(), [(13, "app", "Query", WAITS, 0, None)]

    def since(now: float, yes: int, sessions: list[Row]) -> float | None:
        found: float | None = look(eye, now, yes=yes, sessions=sessions).mysql.source.blocked_since
        return found

    assert since(1, 5, []) is None
    assert since(2, 5, waits) == 2
    assert since(3, 5, waits) == 2
    assert since(4, 6, waits) == 4, "one was acknowledged meanwhile"
    assert since(5, 6, []) is None
    eye.begin()
    assert since(6, 6, waits) == 6


def test_an_acknowledger_that_only_counts_is_there_without_a_name() -> None:
    assert look(observer(), clients=1, sessions=[DUMP]).mysql.source.acknowledgers == {"web2"}
    assert look(observer(), clients=2, sessions=[DUMP]).mysql.source.acknowledgers == {"web2", UNNAMED}


def test_locks_are_those_of_known_accounts() -> None:
    assert look(observer(), read_only=0).mysql.locked == {"web3"}


def test_sessions_given_up_are_strangers_as_those_of_earlier_processes() -> None:
    own = [(15, "root", "Query", "", 0, OWN), (16, "root", "Query", "", 0, OWN)]
    assert look(observer(), sessions=own).strangers == set()
    assert look(observer(), sessions=own, left=frozenset({16, 99})).strangers == {16}
    assert look(observer(), sessions=[(9, "root", "Query", "", 0, f"{PROGRAM}x")]).mysql.strangers


def test_a_replica_is_seen_with_its_term() -> None:
    seen = look(observer(), status=[FOLLOWS])
    replication = seen.mysql.replication
    assert (replication.source, replication.term, replication.receiver) == ("web2", 4, Receiver.ON)
    assert (seen.mysql.relay_read, seen.lag, seen.refused) == (True, 0.0, False)
    assert look(observer(), status=[{**FOLLOWS, "Last_IO_Errno": 1045}]).refused
    assert look(observer(), status=[{**FOLLOWS, "Channel_Name": "other"}]).mysql.replication is None
    assert look(observer(), status=[FOLLOWS], silence=None).mysql.replication.silence == 1e9


@pytest.mark.parametrize(
    "told",
    [
        {"status": [{**FOLLOWS, "Replica_SQL_Running": "No"}]},
        {"status": [{**FOLLOWS, "Replica_SQL_Running_State": "Waiting for dependent transaction to commit"}]},
        {"busy": 1},
        {"last": f"{U1}:10"},
        {"status": [{**FOLLOWS, "Retrieved_Gtid_Set": f"{U1}:5-10"}]},
    ],
)
def test_the_relay_log_is_read_only_when_all_of_it_is_executed(told: dict[str, Any]) -> None:
    eye = observer()
    mysql = look(eye, **({"status": [FOLLOWS]} | told)).mysql
    assert not mysql.relay_read
    assert not mysql.received_known, "what a restarted server holds is not named"
    read = look(eye, status=[FOLLOWS], last="ANONYMOUS").mysql
    assert read.relay_read
    assert read.received_known
    again = look(eye, **({"status": [FOLLOWS]} | told)).mysql
    assert again.received_known, "from then on it is, as long as the server lives"


class Broken:
    """A driver's connection on which every statement ends with an error."""

    def __init__(self, error: Exception) -> None:
        self._error = error
        self.closed = False

    async def cursor(self, *_: object) -> "Broken":
        return self

    async def execute(self, _: str) -> None:
        raise self._error

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize(
    ("error", "silent"),
    [
        (pymysql.err.OperationalError(2013, "lost"), True),
        (pymysql.err.OperationalError(1053, "shutdown"), True),
        (pymysql.err.OperationalError(4031, "idle for too long"), True),
        (pymysql.err.OperationalError(), True),
        (pymysql.err.InternalError("Packet sequence number wrong"), True),
        (pymysql.err.InterfaceError(0, "closed"), True),
        (TimeoutError(), True),
        (ConnectionResetError(), True),
        (pymysql.err.OperationalError(1205, "lock wait"), False),
        (pymysql.err.ProgrammingError(1146, "no table"), False),
    ],
)
def test_an_error_says_whether_the_session_is_gone(error: Exception, *, silent: bool) -> None:
    left: set[int] = set()
    connection = Broken(error)
    session = Session(connection, 5, left)
    with pytest.raises(SilentError if silent else SqlError) as raised:
        asyncio.run(session.rows("SELECT 1", seconds=1))
    assert session.usable is not silent
    assert connection.closed is silent
    assert left == ({5} if silent else set()), "what may still run in it is known by its number"
    if isinstance(raised.value, SqlError):
        assert raised.value.number == error.args[0]


def test_quoting() -> None:
    assert quoted("it's a \\") == "'it''s a \\\\'"


class Writes:
    """A session in which the agent writes; ``after`` is what semi-sync says when it has."""

    def __init__(self, before: tuple[str, int, int], after: tuple[str, int, int], sessions: list[Row]) -> None:
        self._status = [before, after]
        self._sessions = sessions

    async def rows(self, statement: str, *, seconds: float) -> Sequence[Row]:
        del seconds
        if "SHOW GLOBAL STATUS" in statement:
            on, yes, no = self._status.pop(0)
            return [
                ("Rpl_semi_sync_source_status", on),
                ("Rpl_semi_sync_source_clients", "1"),
                ("Rpl_semi_sync_source_yes_tx", str(yes)),
                ("Rpl_semi_sync_source_no_tx", str(no)),
            ]
        if "PROCESSLIST" in statement:
            return self._sessions
        return [(f"{U1}:1-10",)] if "gtid_executed" in statement else []


@pytest.mark.parametrize(
    ("before", "after", "sessions", "clean"),
    [
        (("ON", 1, 0), ("ON", 2, 0), [DUMP], True),
        (("ON", 1, 0), ("ON", 1, 0), [DUMP], False),
        (("ON", 1, 0), ("ON", 2, 1), [DUMP], False),
        (("OFF", 1, 0), ("ON", 2, 0), [DUMP], False),
        (("ON", 1, 0), ("OFF", 2, 0), [DUMP], False),
        (("ON", 1, 0), ("ON", 2, 0), [], False),
    ],
)
def test_a_write_proves_something_only_if_semi_sync_was_on_and_everybody_named(
    before: tuple[str, int, int], after: tuple[str, int, int], sessions: list[Row], *, clean: bool
) -> None:
    prober = Prober("/nowhere", "web1", NAMES, set())
    written = asyncio.run(prober._write(cast("Session", Writes(before, after, sessions)), 0))  # noqa: SLF001  no socket
    assert written.clean is clean
    assert written.holds == GtidSet.parse(f"{U1}:1-10")


# ---- the swap of data directories


class Unit:
    """A process that is stopped and started, and may refuse either, or see the machine die at that moment."""

    def __init__(self, fails: str = "") -> None:
        self.done: list[str] = []
        self.fails = fails

    def _do(self, what: str) -> None:
        if what == self.fails:
            raise ProgramError(f"{what} failed")
        self.done.append(what)

    async def stop(self) -> None:
        self._do("stop")

    async def start(self) -> None:
        self._do("start")


class Swapping:
    """A directory with old data, a copy that is complete, and a swap that was written down."""

    def __init__(self, place: Path) -> None:
        self.data, self.aside, self.room = place / "mysql", place / "mysql.aside-now", place / "mysql.clone"
        self.journal = place / "swap.json"
        self.unit = Unit()
        self.provision = Provision(self.data, self.journal, cast("Process", self.unit))
        self._mark(self.data, "old")
        self._mark(self.room / "data", "new")
        told = {"new": str(self.room / "data"), "data": str(self.data), "aside": str(self.aside), "term": "4"}
        self.journal.write_text(json.dumps(told))

    @staticmethod
    def _mark(directory: Path, what: str) -> None:
        directory.mkdir(parents=True)
        (directory / "which").write_text(what)

    def finish(self) -> None:
        assert asyncio.run(self.provision.finish()) == 4

    def assert_done(self) -> None:
        assert (self.data / "which").read_text() == "new"
        assert not self.provision.unfinished
        assert not self.room.exists()
        assert self.unit.done[-1] == "start"
        assert "old" in [(aside / "which").read_text() for aside in self.provision.asides()]


def _nothing(_: Swapping) -> None:
    pass


def _set_aside(swap: Swapping) -> None:
    swap.data.rename(swap.aside)


def _in_place(swap: Swapping) -> None:
    swap.data.rename(swap.aside)
    (swap.room / "data").rename(swap.data)


def _made_anew_meanwhile(swap: Swapping) -> None:
    swap.data.rename(swap.aside)
    swap.data.mkdir()
    (swap.data / "which").write_text("made by a start of the unit")


@pytest.mark.parametrize("cut_off", [_nothing, _set_aside, _in_place, _made_anew_meanwhile])
def test_a_swap_goes_on_wherever_it_was_cut_off(cut_off: Callable[[Swapping], None], tmp_path: Path) -> None:
    swap = Swapping(tmp_path)
    cut_off(swap)
    assert swap.provision.unfinished
    swap.finish()
    swap.assert_done()


@pytest.mark.parametrize("fails", ["stop", "start"])
def test_a_swap_whose_server_does_not_obey_is_tried_again(fails: str, tmp_path: Path) -> None:
    swap = Swapping(tmp_path)
    swap.unit.fails = fails
    with pytest.raises(ProgramError):
        swap.finish()
    assert swap.provision.unfinished
    swap.unit.fails = ""
    swap.finish()
    swap.assert_done()


def test_another_copy_is_not_begun_over_one_that_is_complete(tmp_path: Path) -> None:
    swap = Swapping(tmp_path)
    donor = Donor("192.0.2.1", 3306, "repl_web2", Secret("x"))
    assert asyncio.run(swap.provision.clone("/nowhere", donor, 9, "later", lambda *_: None)) == 4
    swap.assert_done()


def test_what_was_set_aside_is_removed_in_the_end(tmp_path: Path) -> None:
    swap = Swapping(tmp_path)
    swap.finish()
    swap.provision.forget_asides()
    assert [each.name for each in tmp_path.iterdir()] == ["mysql"]
