"""The guestbook's settings, its connections when they break, and its migrations when they are interrupted."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from guestbook.entries import UnavailableError
from guestbook.migrations import MIGRATIONS, MigrationError, migrate
from guestbook.pool import Pool, SessionError
from guestbook.settings import DatabaseUrl, Settings, SettingsError

if TYPE_CHECKING:
    from collections.abc import Sequence

PRIMARY = "mysql://guest%40book:p%40ss%2Fw%3Ard%20%C3%A9@127.0.0.1:3306/guest_book"


def test_urls_are_percent_decoded_and_hide_their_password() -> None:
    settings = Settings.from_environment({"DATABASE_URL": PRIMARY, "SERVER_NAME": "web1", "RELEASE": "3f2a"})
    assert settings.primary == DatabaseUrl("127.0.0.1", 3306, "guest@book", "p@ss/w:rd é", "guest_book")
    assert settings.replica == settings.primary
    assert (settings.workers, settings.threads) == (2, 4)
    assert "p@ss" not in repr(settings)


def test_the_replica_has_an_address_of_its_own() -> None:
    replica = "mysql://u:p@127.0.0.1:3307/g"
    settings = Settings.from_environment({"DATABASE_URL": PRIMARY, "DATABASE_REPLICA_URL": replica})
    assert settings.replica == DatabaseUrl("127.0.0.1", 3307, "u", "p", "g")


@pytest.mark.parametrize(
    "url",
    [
        "postgres://u:hunter2@h/g",
        "mysql://u:hunter2@h",
        "mysql://u:hunter2@h/",
        "mysql://:hunter2@h/g",
        "mysql://u:hunter2@/g",
        "mysql://u:hunter2@h:port/g",
        "mysql://u:hunter2@h/g/h",
        "mysql://u:hunter2@[h/g",
    ],
)
def test_a_url_that_is_none_is_named_and_not_quoted(url: str) -> None:
    with pytest.raises(SettingsError, match="DATABASE_REPLICA_URL must look like") as caught:
        Settings.from_environment({"DATABASE_URL": PRIMARY, "DATABASE_REPLICA_URL": url})
    assert "hunter2" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("DATABASE_URL", ""),
        ("CONCURRENCY", "0"),
        ("CONCURRENCY", "many"),
        ("CONCURRENCY", "1025"),
        ("CONCURRENCY", "٣"),
        ("SERVER_NAME", "web1\r\nSet-Cookie: x"),
        ("RELEASE", "two words"),
    ],
)
def test_a_wrong_variable_is_named(variable: str, value: str) -> None:
    with pytest.raises(SettingsError, match=variable):
        Settings.from_environment({"DATABASE_URL": "memory:", variable: value})


@pytest.mark.parametrize(("concurrency", "split"), [("8", (2, 4)), ("1", (1, 1)), ("7", (1, 7)), ("2", (2, 1))])
def test_workers_times_threads_is_the_concurrency(concurrency: str, split: tuple[int, int]) -> None:
    settings = Settings.from_environment({"DATABASE_URL": "memory:", "CONCURRENCY": concurrency})
    assert (settings.workers, settings.threads) == split
    assert settings.primary is None


class Session:
    """A connection that tests break."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.cut = False
        self.closed = False

    def is_usable(self) -> bool:
        return not self.cut

    def close(self) -> None:
        self.closed = True


class Server:
    """Opens sessions, numbered, and remembers them; time passes when a test says so."""

    def __init__(self, size: int = 2) -> None:
        self.opened: list[Session] = []
        self.refuses: SessionError | None = None
        self.now = 0.0
        self.pool = Pool(self.open, size=size, max_age=300, clock=lambda: self.now)

    def open(self) -> Session:
        if self.refuses:
            raise self.refuses
        self.opened.append(Session(len(self.opened)))
        return self.opened[-1]

    def number(self) -> int:
        return self.pool.run(lambda session: session.number)


def broken(*, timed_out: bool) -> SessionError:
    return SessionError("did not answer in time" if timed_out else "closed the connection", timed_out=timed_out)


def test_nothing_is_opened_before_it_is_needed_and_then_it_is_kept() -> None:
    server = Server()
    assert server.opened == []
    assert [server.number() for _ in range(3)] == [0, 0, 0]


def test_a_cut_connection_is_not_tried() -> None:
    server = Server()
    server.number()
    server.opened[0].cut = True
    assert server.number() == 1
    assert server.opened[0].closed


def test_an_old_connection_is_replaced() -> None:
    server = Server()
    server.number()
    server.now = 299
    assert server.number() == 0
    server.now = 300
    assert server.number() == 1


def test_work_whose_connection_breaks_is_done_once_more_in_a_new_one() -> None:
    server = Server()
    seen: list[int] = []

    def work(session: Session) -> str:
        seen.append(session.number)
        if session.number == 0:
            raise broken(timed_out=False)
        return "done"

    assert server.pool.run(work) == "done"
    assert seen == [0, 1]
    assert server.opened[0].closed
    assert server.number() == 1


def test_the_second_attempt_does_not_use_another_connection_of_the_same_age() -> None:
    server = Server()
    both_open = threading.Barrier(2, timeout=10)

    def meet(session: Session) -> int:
        both_open.wait()
        return session.number

    threads = [threading.Thread(target=server.pool.run, args=(meet,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=10)
    assert len(server.opened) == 2

    def work(session: Session) -> int:
        if session.number < 2:
            raise broken(timed_out=False)
        return session.number

    assert server.pool.run(work) == 2
    assert [session.closed for session in server.opened] == [True, True, False]


def test_what_breaks_twice_is_unavailable() -> None:
    server = Server()
    attempts: list[int] = []

    def work(session: Session) -> None:
        attempts.append(session.number)
        raise broken(timed_out=False)

    with pytest.raises(UnavailableError, match="closed the connection"):
        server.pool.run(work)
    assert attempts == [0, 1]


def test_after_a_long_wait_there_is_no_second_attempt() -> None:
    server = Server()

    def work(_session: Session) -> None:
        server.now += 2.1
        raise broken(timed_out=False)

    with pytest.raises(UnavailableError):
        server.pool.run(work)
    assert len(server.opened) == 1


def test_the_works_own_error_goes_through_and_costs_the_connection() -> None:
    server = Server()

    def work(session: Session) -> None:
        raise ZeroDivisionError(session.number)

    with pytest.raises(ZeroDivisionError):
        server.pool.run(work)
    assert server.opened[0].closed
    assert server.number() == 1


def test_places_are_given_back_whatever_happens() -> None:
    server = Server(size=1)
    server.refuses = broken(timed_out=False)
    for _ in range(3):
        with pytest.raises(UnavailableError, match="closed the connection"):
            server.number()
    server.refuses = None
    assert server.number() == 0


def test_after_a_time_out_one_at_a_time_tries_and_a_success_opens_the_way() -> None:
    server = Server()
    server.refuses = broken(timed_out=True)
    with pytest.raises(UnavailableError, match="did not answer in time"):
        server.number()
    server.refuses = None

    def try_while_trying(session: Session) -> int:
        with pytest.raises(UnavailableError, match="another request is trying it"):
            server.number()
        return session.number

    assert server.pool.run(try_while_trying) == 0
    assert server.pool.run(lambda _session: server.number()) == 1


def test_a_refusal_does_not_make_the_others_wait() -> None:
    server = Server()
    server.refuses = broken(timed_out=False)
    with pytest.raises(UnavailableError):
        server.number()
    server.refuses = None
    assert server.pool.run(lambda _session: server.number()) == 1


class Power(Exception):  # noqa: N818  what fails here is the power, not the program
    """The machine goes away."""


class Schema:
    """A database as far as migrations look at it: what was done, what was recorded, who holds the lock."""

    def __init__(self) -> None:
        self.done: list[int] = []
        self.recorded: list[int] = []
        self.lock: int | None = 1
        self.released = 0
        self.fail_before_recording: int | None = None

    def query(self, statement: str, parameters: object) -> list[tuple[object, ...]]:
        if "GET_LOCK" in statement:
            return [(self.lock,)]
        if "RELEASE_LOCK" in statement:
            self.released += 1
            return [(1,)]
        if "FROM schema_migrations" in statement:
            return [(number,) for number in self.recorded]
        (migration,) = [migration for migration in MIGRATIONS if migration.present == statement]
        assert parameters == ()
        return [(int(migration.number in self.done),)]

    def execute(self, statement: str, parameters: Sequence[object]) -> tuple[int, int]:
        if "INSERT INTO schema_migrations" in statement:
            number = int(str(parameters[0]))
            if number == self.fail_before_recording:
                raise Power
            assert number not in self.recorded
            self.recorded.append(number)
        elif "CREATE TABLE IF NOT EXISTS schema_migrations" not in statement:
            (migration,) = [migration for migration in MIGRATIONS if migration.statement == statement]
            assert migration.number not in self.done
            self.done.append(migration.number)
        return 0, 0


def test_migrations_are_numbered_in_order() -> None:
    assert [migration.number for migration in MIGRATIONS] == list(range(1, len(MIGRATIONS) + 1))


def test_each_migration_is_taken_once() -> None:
    schema, said = Schema(), list[str]()
    assert migrate(schema, said.append) == 3
    assert migrate(schema, said.append) == 0
    assert schema.done == schema.recorded == [1, 2, 3]
    assert said[0] == "1 create entries: done"
    assert said[-1] == "schema is up to date at 3"
    assert schema.released == 2


@pytest.mark.parametrize("number", [1, 2, 3])
def test_an_interrupted_migration_is_recognised_and_the_rest_is_done(number: int) -> None:
    schema, said = Schema(), list[str]()
    schema.fail_before_recording = number
    with pytest.raises(Power):
        migrate(schema, said.append)
    assert schema.recorded == list(range(1, number))
    schema.fail_before_recording = None
    said.clear()
    assert migrate(schema, said.append) == 4 - number
    assert schema.done == schema.recorded == [1, 2, 3]
    assert "found done by an interrupted run" in said[0]


@pytest.mark.parametrize("answer", [0, None])
def test_who_does_not_get_the_lock_touches_nothing(answer: int | None) -> None:
    schema = Schema()
    schema.lock = answer  # None: GET_LOCK's NULL
    with pytest.raises(MigrationError, match=r"has held the lock .* for 60 s"):
        migrate(schema, print)
    assert (schema.done, schema.recorded, schema.released) == ([], [], 0)


def test_migrations_only_expand() -> None:
    for migration in MIGRATIONS:
        words = set(migration.statement.upper().split())
        assert not words & {"DROP", "RENAME", "MODIFY", "CHANGE", "DELETE", "TRUNCATE"}, migration.name
