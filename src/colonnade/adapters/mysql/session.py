"""Sessions: over the socket, as root, with a name by which a later agent process knows those of an earlier one."""

import asyncio
import secrets
import warnings
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import aiomysql
import pymysql

PROGRAM = "colonnade-agent "
"""What the sessions' program name begins with; the rest is the process's own."""
OWN = f"{PROGRAM}{secrets.token_hex(6)}"
CONNECT_SECONDS = 2.0

ENDED = frozenset({0, 1053, 1152, 3169, 4031})
"""Errors with which the server ends a session: shutdown, aborted, killed, idle for too long; 0: no server's error."""
CLIENT = range(2000, 3000)
"""Errors of the client itself: the connection is lost, or what came over it makes no sense."""

Row = tuple[Any, ...]


class SilentError(Exception):
    """MySQL does not answer, or not in time."""


class SqlError(Exception):
    """MySQL refused a statement; ``number`` is its error number."""

    def __init__(self, number: int, text: str) -> None:
        super().__init__(f"{number}: {text}")
        self.number = number


class Session:
    """One connection; a statement that does not end in time ends it, and MySQL's side of it is killed by others."""

    def __init__(self, connection: Any, identity: int, left: set[int]) -> None:
        self._connection = connection
        self._left = left
        self.identity = identity

    @classmethod
    async def open(cls, socket: str, left: set[int], *, seconds: float = CONNECT_SECONDS) -> "Session":
        """Log in; ``left`` gets the number of a session that is given up with a statement perhaps still running in it.

        Raises:
            SilentError: MySQL does not run, or does not answer in time.

        """
        try:
            async with asyncio.timeout(seconds):
                connection = await aiomysql.connect(
                    unix_socket=socket, user="root", autocommit=True, program_name=OWN, charset="utf8mb4"
                )
        except (OSError, pymysql.err.MySQLError, TimeoutError, EOFError, asyncio.IncompleteReadError) as error:
            raise SilentError(f"MySQL does not answer: {error}") from error
        return cls(connection, int(connection.thread_id()), left)

    async def rows(self, statement: str, *, seconds: float) -> Sequence[Row]:
        """Run one statement and return its rows, if it has any.

        Raises:
            SilentError: no answer in time, or the connection is gone; MySQL may still be at it.
            SqlError: MySQL refused it.

        """
        try:
            async with asyncio.timeout(seconds):
                cursor = await self._connection.cursor()
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # MySQL's notes, such as "already stopped"
                    await cursor.execute(statement)
                found: Sequence[Row] = await cursor.fetchall()
                return found
        except pymysql.err.MySQLError as error:
            number = number_of(error)
            if number in ENDED or number in CLIENT:
                self.drop()
                raise SilentError(str(error)) from error
            raise SqlError(number, str(error.args[-1])) from error
        except (OSError, TimeoutError, EOFError, asyncio.IncompleteReadError, RuntimeError) as error:
            self.drop()
            raise SilentError(str(error) or "no answer in time") from error
        except asyncio.CancelledError:
            self.drop()
            raise

    async def named(self, statement: str, *, seconds: float) -> list[dict[str, Any]]:
        """Run one statement whose columns are asked for by name (SHOW statements have many)."""
        try:
            async with asyncio.timeout(seconds):
                cursor = await self._connection.cursor(aiomysql.DictCursor)
                await cursor.execute(statement)
                return list(await cursor.fetchall())
        except (pymysql.err.MySQLError, OSError, TimeoutError, EOFError, asyncio.IncompleteReadError) as error:
            self.drop()
            raise SilentError(str(error) or "no answer in time") from error

    @property
    def usable(self) -> bool:
        """Whether it has not been dropped."""
        return self._connection is not None and not self._connection.closed

    async def end(self) -> None:
        """Say goodbye, so that MySQL's side is gone at once."""
        with suppress(Exception):
            async with asyncio.timeout(1):
                await self._connection.ensure_closed()
                self._connection = None
        self.drop()

    def drop(self) -> None:
        """Give the connection up without a word: what runs in it may run on."""
        if self._connection is not None:
            self._left.add(self.identity)
            with suppress(Exception):
                self._connection.close()
        self._connection = None


def number_of(error: Exception) -> int:
    """Return the number of an error; 0 if it has none."""
    return error.args[0] if error.args and isinstance(error.args[0], int) else 0


def quoted(value: str) -> str:
    """Quote a text for SQL; NO_BACKSLASH_ESCAPES is not set in our sessions."""
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"
