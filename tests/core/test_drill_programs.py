"""The programs that run on the machines: what they write down of what befalls them."""

import json
import os
import subprocess
import sys
import threading
import types
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from shlex import split
from typing import Any, Self

import pytest

from colonnade.control.drill import client, load, sampler, watch
from colonnade.drill import Load
from colonnade.drill.database import Kind, Outcome, parse_events, parse_samples
from colonnade.drill.database.rows import COUNTER, PARTS, WRITES
from colonnade.topology import Machine

WEB1 = Machine("web1", "192.0.2.2", None, "web1", 1, None)
REQUIRED = ["--name", "web1.0", "--writes", WRITES, "--counter", COUNTER, "--parts", str(PARTS), "--seconds", "5"]


class Cursor:
    """Answers from a table in memory, or fails at the statement that it is told to."""

    def __init__(self, server: "Server") -> None:
        self._server = server
        self._answer: list[tuple[Any, ...]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def execute(self, statement: str, parameters: Sequence[Any] = ()) -> None:
        self._server.said(statement)
        verb = statement.split(maxsplit=1)[0]
        if verb == "INSERT":
            self._server.rows.append((len(self._server.rows) + 1, *parameters))
        elif "SELECT 1" in statement:
            self._answer = [(1,)] if parameters[0] in {row[1] for row in self._server.rows} else []
        elif "SELECT number" in statement:
            self._answer = [row[:2] for row in self._server.rows if row[0] > parameters[0]]
        elif "SELECT value" in statement:
            self._answer = [(7,)]

    def fetchall(self) -> list[tuple[Any, ...]]:
        return self._answer

    def fetchone(self) -> tuple[Any, ...] | None:
        return self._answer[0] if self._answer else None


class Server:
    """A server, and every connection to it."""

    def __init__(self, failing: Mapping[str, BaseException] | None = None) -> None:
        self.failing = dict(failing or {})
        self.statements: list[str] = []
        self.rows: list[tuple[Any, ...]] = []
        self.closed = 0

    def said(self, statement: str) -> None:
        self.statements.append(statement)
        for part, error in self.failing.items():
            if part in statement:
                raise error

    def cursor(self) -> Cursor:
        return Cursor(self)

    def begin(self) -> None:
        self.said("BEGIN")

    def commit(self) -> None:
        self.said("COMMIT")

    def _force_close(self) -> None:
        self.closed += 1


@pytest.fixture
def out(tmp_path: Path) -> Iterator[tuple[client.Out, Path]]:
    path = tmp_path / "events.jsonl"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    yield client.Out(descriptor), path
    os.close(descriptor)


def options() -> Any:
    return client.arguments().parse_args([*REQUIRED, "--output", "x", "--every", "0"])


LOST = RuntimeError(2013, "Lost connection")
READ_ONLY = RuntimeError(1290, "read-only")


@pytest.mark.parametrize(
    ("kind", "failing", "outcome"),
    [
        ("row", {}, "acknowledged"),
        ("rows", {}, "acknowledged"),
        ("increment", {}, "acknowledged"),
        ("row", {"INSERT": LOST}, "unknown"),
        ("row", {"INSERT": READ_ONLY}, "refused"),
        ("rows", {"INSERT": LOST}, "refused"),
        ("rows", {"COMMIT": LOST}, "unknown"),
        ("rows", {"COMMIT": READ_ONLY}, "unknown"),
        ("increment", {"UPDATE": LOST}, "refused"),
        ("increment", {"COMMIT": TimeoutError("timed out")}, "unknown"),
    ],
)
def test_an_outcome_is_known_only_if_nothing_was_left_to_be_done(
    out: tuple[client.Out, Path], kind: str, failing: dict[str, BaseException], outcome: str
) -> None:
    server = Server(failing)
    writer = client.Writer(out[0], lambda: server, options())
    found, error = writer.attempt(server, kind, "web1.0:1")
    assert (found, bool(error)) == (outcome, bool(failing))


def test_every_kind_and_outcome_is_one_that_the_checker_knows() -> None:
    assert {Kind(kind) for kind in client.KINDS} == set(Kind)
    assert {outcome.value for outcome in Outcome} == {"acknowledged", "refused", "unknown"}


def test_a_client_writes_down_what_it_does_and_connects_anew_after_an_error(out: tuple[client.Out, Path]) -> None:
    servers: Iterator[Server | Exception] = iter([RuntimeError(2003, "refused"), Server(), Server()])
    stop = threading.Event()
    seen: list[Server] = []

    def connect() -> Any:
        server = next(servers, None)
        if isinstance(server, Exception):
            raise server
        if server is None:
            stop.set()
            raise RuntimeError(2003, "refused")
        seen.append(server)
        if len(seen) == 1:
            server.failing = {"COMMIT": LOST}
        else:
            stop.set()
        return server

    out[0].line(client="web1.0", at=0.5)
    client.Writer(out[0], connect, options()).run(stop)
    found = parse_events(out[1].read_text())
    assert [each.outcome for each in found.writes] == [Outcome.UNKNOWN, Outcome.ACKNOWLEDGED]
    assert seen[0].closed == 1
    assert [text for _, text in found.errors] == ["2003 refused", "2013 Lost connection"]


def test_a_reader_tells_of_what_it_sees_and_misses(out: tuple[client.Out, Path]) -> None:
    server = Server()
    server.rows = [(1, "web1.0:1"), (2, "web2.0:1")]
    writer = client.Writer(out[0], lambda: server, options())
    writer.acknowledged = "web1.0:2"
    reader = client.Reader(out[0], lambda: server, options(), writer)
    reader._look(server.cursor())  # noqa: SLF001  one look of a loop
    server.rows.append((3, "web1.0:2"))
    reader._look(server.cursor())  # noqa: SLF001
    found = parse_events(out[1].read_text())
    assert list(found.seen) == ["web1.0:1", "web2.0:1", "web1.0:2"]
    assert [id_ for _, id_ in found.stale] == ["web1.0:2"]
    assert [value for _, value in found.counters] == [7, 7]


def test_the_application_s_own_url_is_used() -> None:
    text = "# Written by Colonnade\nCONCURRENCY=8\nDATABASE_URL='mysql://app:a%2Fb%27c@127.0.0.1:3306/shop'\n"
    assert client.credentials(text, "DATABASE_URL") == {
        "host": "127.0.0.1",
        "port": 3306,
        "user": "app",
        "password": b"a/b'c",
        "database": "shop",
    }


def test_it_connects_with_short_times_and_then_has_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {}
    module = types.ModuleType("pymysql")
    module.connect = lambda **words: given.update(words) or types.SimpleNamespace()  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pymysql", module)
    connection = client.connector({"host": "h"}, 30.0)()
    assert (given["connect_timeout"], given["read_timeout"], connection._read_timeout) == (1.0, 1.0, 30.0)  # noqa: SLF001
    assert given["init_command"] == "SET innodb_lock_wait_timeout = 29"


@pytest.mark.parametrize("program", [client, sampler])
def test_a_program_stands_alone(program: types.ModuleType) -> None:
    assert program.__file__
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-", "--help"],
        input=Path(program.__file__).read_text(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert "usage:" in done.stdout


def test_the_command_of_a_client_gives_what_the_program_takes() -> None:
    command = load.start_command("web1", Load(every=0.5, patience=30))
    done = subprocess.run(["sh", "-n"], input=command, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    words = split(command.replace("\\\n", " "))
    given = words[words.index(load.PROGRAM) + 1 :]
    parsed = client.arguments().parse_args([word.replace('"', "") for word in given])
    assert (parsed.every, parsed.patience, parsed.writes) == (0.5, 30.0, WRITES)
    assert parsed.name.startswith("web1.")


def test_the_command_of_a_sampler_gives_what_the_program_takes() -> None:
    words = split(watch.sampler_command(WEB1))
    parsed = sampler.arguments().parse_args(words[words.index("-") + 1 :])
    assert (parsed.node, parsed.port, parsed.every) == ("web1", 2382, 0.2)


def test_a_sampler_prints_what_a_drill_reads() -> None:
    status = {
        "node": "web1",
        "state": "standby",
        "reason": "follows",
        "serves": {"primary": False, "replica": True},
        "claim": None,
        "contract": {"primary": "web2", "term": 4, "standbys": ["web1"], "acks": 1, "floor": "long"},
        "mysql": {"answers": True, "executed": "long", "replication": {"receiver": "on", "applying": True}},
        "clone": None,
        "warnings": ["app may too much"],
        "history": [{"at": 1}],
    }
    line = json.dumps({"node": "web1", "at": 2.5, "status": sampler.condensed(status)})
    (found,) = parse_samples(line)
    assert (found.state, found.term, found.acks, found.standbys) == ("standby", 4, 1, ("web1",))
    assert (found.receiver, found.applying, found.mysql, found.cloning) == ("on", True, True, False)
    assert found.warnings == ("app may too much",)
    assert "long" not in line


def test_a_sampler_of_an_agent_that_is_not_there_says_so() -> None:
    nobody = sampler.Agent.__new__(sampler.Agent)
    nobody._connection, nobody._port, nobody._tls = None, 9, None  # type: ignore[assignment]  # noqa: SLF001
    assert nobody.status() is None
