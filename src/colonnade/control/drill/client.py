"""The application of a drill: writes, and reads back what it wrote. Runs on a server, as a program of its own.

It connects as the application does, through 127.0.0.1 to wherever the primary is, and writes down in JSON, one object
a line, every attempt before it is made and what came of it. It needs PyMySQL, and nothing else of ours.
"""

import argparse
import json
import os
import shlex
import signal
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from urllib.parse import unquote, urlsplit

ENVIRONMENT = "/etc/colonnade/app.env"
CONNECT_SECONDS = 1.0
WRITE_SECONDS = 2.0
AGAIN_SECONDS = 0.02
"""Between two attempts to connect."""
READ_EVERY = 0.05
READ_BACK = 300
"""Rows before the newest one that are read again: numbers are given in another order than commits are made."""
KINDS = ("row", "rows", "increment")
REFUSALS = {1040, 1205, 1213, 1290, 1836, 3032}
"""Errors that say that nothing was done: too many connections, lock wait, deadlock, read-only (two), offline."""


class Out:
    """Lines of JSON at the end of a file, each written whole and at once."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lock = threading.Lock()

    def line(self, **told: Any) -> None:
        """Write one object."""
        text = json.dumps(told, separators=(",", ":")) + "\n"
        with self._lock:
            os.write(self._descriptor, text.encode())


def credentials(text: str, name: str) -> dict[str, Any]:
    """Return how PyMySQL connects to the URL of that name in the application's environment."""
    values = dict(word.partition("=")[::2] for word in shlex.split(text, comments=True))
    url = urlsplit(values[name])
    return {
        "host": url.hostname,
        "port": url.port,
        "user": unquote(url.username or ""),
        "password": unquote(url.password or "").encode(),
        "database": url.path.lstrip("/"),
    }


def connector(where: dict[str, Any], patience: float) -> Callable[[], Any]:
    """Return what connects: short of patience until it is connected, then as patient as it should be (seconds)."""
    import pymysql  # noqa: PLC0415  it is there on the servers, and not where this is tested

    # TLS makes caching_sha2_password take the password; MySQL's own certificate cannot be verified against anything.
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    tls.check_hostname = False
    tls.verify_mode = ssl.CERT_NONE
    lock_wait = max(1, int(patience) - 1)

    def connect() -> Any:
        connection = pymysql.connect(
            **where,
            charset="utf8mb4",
            autocommit=True,
            connect_timeout=CONNECT_SECONDS,
            read_timeout=CONNECT_SECONDS,
            write_timeout=WRITE_SECONDS,
            init_command=f"SET innodb_lock_wait_timeout = {lock_wait}",
            ssl=tls,
        )
        connection._read_timeout = patience  # noqa: SLF001  PyMySQL has one time for the login and for all answers
        return connection

    return connect


def close(connection: Any) -> None:
    """Close at once; a farewell might block."""
    with suppress(Exception):
        connection._force_close()  # noqa: SLF001


def reason(error: BaseException) -> str:
    """Say in short what went wrong."""
    return " ".join(str(part) for part in error.args)[:160] or type(error).__name__


class Writer:
    """Writes, one after the other: a row, several rows in a transaction, an increment in a transaction."""

    def __init__(self, out: Out, connect: Callable[[], Any], options: argparse.Namespace) -> None:
        self._out = out
        self._connect = connect
        self._options = options
        self.acknowledged = ""
        """The newest write that was; the reader looks for it."""

    def run(self, stop: threading.Event) -> None:
        """Write until told to stop."""
        connection: Any = None
        number, due = 0, time.monotonic()
        while not stop.is_set():
            if connection is None:
                try:
                    connection = self._connect()
                except Exception as error:  # noqa: BLE001  whatever it is, it is tried again
                    self._out.line(lost=reason(error), at=time.time())
                    stop.wait(AGAIN_SECONDS)
                    continue
            number += 1
            if self._one(connection, number) != "acknowledged":
                close(connection)
                connection = None
            due = max(due + self._options.every, time.monotonic())
            stop.wait(due - time.monotonic())

    def _one(self, connection: Any, number: int) -> str:
        kind, name = KINDS[number % len(KINDS)], f"{self._options.name}:{number}"
        self._out.line(**{"try": number}, kind=kind, at=time.time())
        outcome, error = self.attempt(connection, kind, name)
        self._out.line(done=number, outcome=outcome, at=time.time(), **({"error": error} if error else {}))
        if outcome == "acknowledged":
            self.acknowledged = name
        return outcome

    def attempt(self, connection: Any, kind: str, name: str) -> tuple[str, str]:
        """Write once; return what is known of it, and the error."""
        # Whether whatever goes wrong now leaves it open if the write is done.
        committing = kind == "row"
        try:
            with connection.cursor() as cursor:
                insert = f"INSERT INTO {self._options.writes} (id, part) VALUES (%s, %s)"  # noqa: S608  our own name
                if kind == "row":
                    cursor.execute(insert, (name, 0))
                    return "acknowledged", ""
                connection.begin()
                if kind == "increment":
                    cursor.execute(f"UPDATE {self._options.counter} SET value = value + 1")  # noqa: S608  same
                for part in range(self._options.parts if kind == "rows" else 1):
                    cursor.execute(insert, (name, part))
                committing = True
                connection.commit()
        except Exception as error:  # noqa: BLE001  each is an outcome
            code = error.args[0] if error.args else None
            refused = not committing or (kind == "row" and code in REFUSALS)
            return "refused" if refused else "unknown", reason(error)
        return "acknowledged", ""


class Reader:
    """Reads back what all clients wrote, what the counter is, and whether the newest acknowledged write is there."""

    def __init__(self, out: Out, connect: Callable[[], Any], options: argparse.Namespace, writer: Writer) -> None:
        self._out = out
        self._connect = connect
        self._options = options
        self._writer = writer
        self._last = 0
        self._seen: dict[str, None] = {}

    def run(self, stop: threading.Event) -> None:
        """Read until told to stop."""
        connection: Any = None
        while not stop.is_set():
            try:
                connection = connection or self._connect()
                with connection.cursor() as cursor:
                    self._look(cursor)
            except Exception as error:  # noqa: BLE001  whatever it is, it is tried again
                self._out.line(lost=f"read: {reason(error)}", at=time.time())
                if connection is not None:
                    close(connection)
                connection = None
            stop.wait(READ_EVERY)

    def _look(self, cursor: Any) -> None:
        wanted = self._writer.acknowledged
        if wanted:
            cursor.execute(f"SELECT 1 FROM {self._options.writes} WHERE id = %s LIMIT 1", (wanted,))  # noqa: S608
            if cursor.fetchone() is None:
                self._out.line(stale=wanted, at=time.time())
        select = f"SELECT number, id FROM {self._options.writes} WHERE number > %s ORDER BY number"  # noqa: S608
        cursor.execute(select, (self._last - READ_BACK,))
        rows = cursor.fetchall()
        fresh = dict.fromkeys(name for _, name in rows if name not in self._seen)
        if rows:
            self._last = max(self._last, rows[-1][0])
            self._seen = dict.fromkeys(name for _, name in rows)
        if fresh:
            self._out.line(seen=list(fresh), at=time.time())
        cursor.execute(f"SELECT value FROM {self._options.counter}")  # noqa: S608
        found = cursor.fetchone()
        if found:
            self._out.line(counter=int(found[0]), at=time.time())


def arguments() -> argparse.ArgumentParser:
    """Return the parser of what it is told."""
    parser = argparse.ArgumentParser(description="Writes into the drill's tables and reads back.")
    parser.add_argument("--name", required=True, help="who it is; part of the id of every write")
    parser.add_argument("--output", required=True, help="the file that it appends to")
    parser.add_argument("--writes", required=True, metavar="TABLE")
    parser.add_argument("--counter", required=True, metavar="TABLE")
    parser.add_argument("--parts", type=int, required=True, help="rows of a write that consists of several")
    parser.add_argument("--seconds", type=float, required=True, help="after which it ends by itself")
    parser.add_argument("--every", type=float, default=0.01, help="seconds from one write to the next")
    parser.add_argument("--patience", type=float, default=3.0, help="seconds after which an answer is given up")
    return parser


def main() -> None:
    """Work until the time is over or somebody ends it, then say so."""
    options = arguments().parse_args()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    out = Out(os.open(options.output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))
    out.line(client=options.name, at=time.time())
    with open(ENVIRONMENT) as file:  # noqa: PTH123  a program of few parts
        where = credentials(file.read(), "DATABASE_URL")
    writer = Writer(out, connector(where, options.patience), options)
    reader = Reader(out, connector(where, min(options.patience, 3.0)), options, writer)
    threads = [threading.Thread(target=each.run, args=(stop,), daemon=True) for each in (writer, reader)]
    for thread in threads:
        thread.start()
    stop.wait(options.seconds)
    stop.set()
    for thread in threads:
        thread.join(timeout=options.patience + CONNECT_SECONDS)
    out.line(end=True, at=time.time())


if __name__ == "__main__":
    main()
