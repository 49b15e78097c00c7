"""What the environment tells the guestbook, read once and checked."""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

IN_MEMORY = "memory:"

_DEFAULT_CONCURRENCY = 8
_MAX_CONCURRENCY = 1024
_DEFAULT_MYSQL_PORT = 3306
# Both end up in response headers and in log lines.
_PRINTABLE_NAME = re.compile(r"[A-Za-z0-9._:@+-]{1,100}")


class SettingsError(ValueError):
    """A variable of the environment is missing or wrong; the message names it and never quotes a secret."""


@dataclass(frozen=True, slots=True)
class DatabaseUrl:
    """Where one MySQL is reached and as whom."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    name: str

    @classmethod
    def parse(cls, variable: str, value: str) -> DatabaseUrl:
        """Read `mysql://user:password@host:port/name`, its parts percent-encoded.

        Raises SettingsError, which names the variable but does not repeat the value: it holds a password.
        """
        wrong = SettingsError(
            f"{variable} must look like mysql://user:password@host:port/name, percent-encoded where needed"
        )
        try:
            parts = urlsplit(value)
            port = parts.port or _DEFAULT_MYSQL_PORT
        except ValueError:
            raise wrong from None
        name = unquote(parts.path.removeprefix("/"))
        if parts.scheme != "mysql" or not parts.hostname or not parts.username or not name or "/" in name:
            raise wrong
        return cls(
            host=parts.hostname,
            port=port,
            user=unquote(parts.username),
            password=unquote(parts.password or ""),
            name=name,
        )


@dataclass(frozen=True, slots=True)
class Settings:
    """The guestbook's whole configuration; `primary` is None when entries are kept in memory only."""

    primary: DatabaseUrl | None
    replica: DatabaseUrl | None
    server: str
    release: str
    workers: int
    threads: int

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Settings:
        """Read the variables that README.md lists; raises SettingsError naming the first wrong one."""
        workers, threads = split_concurrency(environment.get("CONCURRENCY", str(_DEFAULT_CONCURRENCY)))
        primary, replica = _databases(environment)
        return cls(
            primary=primary,
            replica=replica,
            server=_name("SERVER_NAME", environment.get("SERVER_NAME") or socket.gethostname()),
            release=_name("RELEASE", environment.get("RELEASE") or "development"),
            workers=workers,
            threads=threads,
        )


def split_concurrency(value: str) -> tuple[int, int]:
    """Split the number of requests served at once into (workers, threads of each), whose product it is.

    Two workers are enough for one to answer while the other is replaced; the rest are threads, because
    requests mostly wait for MySQL. Raises SettingsError if the value is no number from 1 to 1024.
    """
    concurrency = int(value) if re.fullmatch(r"[0-9]{1,4}", value) else 0
    if not 1 <= concurrency <= _MAX_CONCURRENCY:
        raise SettingsError(f"CONCURRENCY must be a number from 1 to {_MAX_CONCURRENCY}, not {value!r}")
    workers = 2 if concurrency % 2 == 0 else 1
    return workers, concurrency // workers


def _databases(environment: Mapping[str, str]) -> tuple[DatabaseUrl | None, DatabaseUrl | None]:
    value = environment.get("DATABASE_URL", "")
    if value == IN_MEMORY:
        return None, None
    if not value:
        raise SettingsError("DATABASE_URL is not set: mysql://user:password@host:port/name")
    primary = DatabaseUrl.parse("DATABASE_URL", value)
    replica = environment.get("DATABASE_REPLICA_URL")
    return primary, DatabaseUrl.parse("DATABASE_REPLICA_URL", replica) if replica else primary


def _name(variable: str, value: str) -> str:
    if not _PRINTABLE_NAME.fullmatch(value):
        raise SettingsError(f"{variable} must be 1 to 100 letters, digits or any of ._:@+-, not {value!r}")
    return value
