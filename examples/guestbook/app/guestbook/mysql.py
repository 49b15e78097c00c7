"""One connection to MySQL, with PyMySQL's errors sorted by what one can do about them.

This module alone imports PyMySQL.
"""

from __future__ import annotations

import select
import ssl
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import pymysql
from pymysql.constants import CR, ER

from guestbook.entries import UnavailableError
from guestbook.pool import SessionError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from guestbook.settings import DatabaseUrl

Row = tuple[Any, ...]

# Not in PyMySQL's lists.
_ER_QUERY_TIMEOUT = 3024
_ER_OFFLINE_MODE = 3032

_PUBLIC_REASONS = {
    CR.CR_CONN_HOST_ERROR: "cannot be reached",
    CR.CR_SERVER_GONE_ERROR: "closed the connection",
    CR.CR_SERVER_LOST: "closed the connection",
    ER.ACCESS_DENIED_ERROR: "refused the login",
    ER.DBACCESS_DENIED_ERROR: "refused access to the schema",
    ER.BAD_DB_ERROR: "has no such schema",
    ER.NO_SUCH_TABLE: "has no table of entries: the migrations have not run",
    ER.BAD_FIELD_ERROR: "lacks a column: the migrations have not run",
    ER.CON_COUNT_ERROR: "has too many connections",
    ER.OPTION_PREVENTS_STATEMENT: "is read-only",
    _ER_QUERY_TIMEOUT: "did not answer in time",
    _ER_OFFLINE_MODE: "is offline",
}
# The statement itself cannot work before the migrations ran; a new connection would not help.
_NOT_MIGRATED = {ER.NO_SUCH_TABLE, ER.BAD_FIELD_ERROR}


class MysqlSession:
    """A connection with autocommit and UTC; `server` is the name of the MySQL that the proxy chose for it."""

    def __init__(self, url: DatabaseUrl, *, connect_timeout: float, answer_timeout: float) -> None:
        """Connect; times are in seconds. Raises SessionError."""
        with _sorted_errors():
            self._connection = pymysql.connect(
                host=url.host,
                port=url.port,
                user=url.user,
                password=url.password.encode(),  # given as str, PyMySQL would make it latin-1
                database=url.name,
                charset="utf8mb4",
                autocommit=True,
                connect_timeout=connect_timeout,
                read_timeout=answer_timeout,
                write_timeout=answer_timeout,
                ssl=_TLS,
            )
        try:
            self.execute(
                "SET time_zone = '+00:00', max_execution_time = %s, innodb_lock_wait_timeout = %s",
                (int(answer_timeout * 1000), max(int(answer_timeout) - 1, 1)),
            )
            # A connection stays with one server until it is cut, so its name needs to be asked once only.
            self.server: str = self.query("SELECT @@hostname", ())[0][0]
        except BaseException:
            self.close()
            raise

    def query(self, statement: str, parameters: Sequence[object]) -> Sequence[Row]:
        """Return all rows of a SELECT. Raises SessionError or UnavailableError."""
        with _sorted_errors(), self._connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            rows: Sequence[Row] = cursor.fetchall()
            return rows

    def execute(self, statement: str, parameters: Sequence[object]) -> tuple[int, int]:
        """Return how many rows it touched, and LAST_INSERT_ID. Raises SessionError or UnavailableError."""
        with _sorted_errors(), self._connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            return cursor.rowcount, cursor.lastrowid

    def is_usable(self) -> bool:
        """Say whether the connection is open and silent: whatever arrives unasked is a goodbye."""
        channel = self._connection._sock  # noqa: SLF001  PyMySQL has no public name for it, and ping costs a round trip
        if channel is None:
            return False
        poll = select.poll()
        poll.register(channel, select.POLLIN | select.POLLPRI | select.POLLRDHUP)
        return not poll.poll(0)

    def close(self) -> None:
        """Close at once; MySQL notices by itself."""
        with suppress(Exception):
            self._connection._force_close()  # noqa: SLF001  close() would send a farewell, which may block


def _encrypted_unverified() -> ssl.SSLContext:
    # TLS makes caching_sha2_password take the password without an exchange of RSA keys. The stack's
    # certificates are MySQL's own, made by itself, so there is nothing yet to verify them against.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


_TLS = _encrypted_unverified()


@contextmanager
def _sorted_errors() -> Iterator[None]:
    try:
        yield
    except (pymysql.err.OperationalError, pymysql.err.InterfaceError, pymysql.err.InternalError) as error:
        code = error.args[0] if error.args else None
        timed_out = code == _ER_QUERY_TIMEOUT or isinstance(error.__context__, TimeoutError)
        if code in _NOT_MIGRATED:
            raise UnavailableError(_PUBLIC_REASONS[code]) from error
        # Everything else is worth a new connection: it may lead to another server, and no write is done
        # twice.
        reason = "did not answer in time" if timed_out else _PUBLIC_REASONS.get(code, f"failed with MySQL error {code}")
        raise SessionError(reason, timed_out=timed_out) from error
    except pymysql.err.ProgrammingError as error:
        if error.args and error.args[0] in _NOT_MIGRATED:
            raise UnavailableError(_PUBLIC_REASONS[error.args[0]]) from error
        raise
