"""The schema, as numbered steps that were once taken and are never edited.

A step only *expands* the schema (new table, new column that may stay empty, new index): the previous release
runs on while and after it is taken. What shrinks comes a release after the last one that needs it.

DDL in MySQL commits by itself, so "take the step" and "write down that it was taken" cannot be one
transaction. Each step therefore says how to see whether its work is already in the schema; one interrupted in
between is recognised.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

LOCK = "guestbook.migrate"


@dataclass(frozen=True, slots=True)
class Migration:
    """One step; `present` selects a number that is 0 as long as its work is not there."""

    number: int
    name: str
    present: str
    statement: str


MIGRATIONS = (
    Migration(
        number=1,
        name="create entries",
        present="""
            SELECT COUNT(*) FROM information_schema.tables
            WHERE table_schema = DATABASE() AND table_name = 'entries'
        """,
        statement="""
            CREATE TABLE entries (
                id      BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
                author  VARCHAR(80) NOT NULL,
                text    VARCHAR(2000) NOT NULL,
                created DATETIME(3) NOT NULL COMMENT 'UTC'
            ) ENGINE = InnoDB CHARACTER SET utf8mb4
        """,
    ),
    Migration(
        number=2,
        name="entries: idempotency key, and how often it came again",
        present="""
            SELECT COUNT(*) FROM information_schema.columns
            WHERE table_schema = DATABASE() AND table_name = 'entries' AND column_name = 'idempotency_key'
        """,
        statement="""
            ALTER TABLE entries
                ADD COLUMN idempotency_key VARCHAR(100) CHARACTER SET ascii COLLATE ascii_bin NULL,
                ADD COLUMN repeats INT UNSIGNED NOT NULL DEFAULT 0,
                ALGORITHM = INSTANT
        """,
    ),
    Migration(
        number=3,
        name="entries: no two with the same idempotency key",
        present="""
            SELECT COUNT(*) FROM information_schema.statistics
            WHERE table_schema = DATABASE() AND table_name = 'entries' AND index_name = 'one_per_key'
        """,
        statement="""
            ALTER TABLE entries ADD UNIQUE KEY one_per_key (idempotency_key), ALGORITHM = INPLACE, LOCK = NONE
        """,
    ),
)

_RECORDS = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    number  INT UNSIGNED NOT NULL PRIMARY KEY,
    name    VARCHAR(200) NOT NULL,
    applied DATETIME(3) NOT NULL COMMENT 'UTC'
) ENGINE = InnoDB CHARACTER SET utf8mb4
"""


class MigrationError(Exception):
    """The schema could not be brought up to date; the message says why and what to do."""


class SchemaSession(Protocol):
    """What migrating needs of a connection."""

    def query(self, statement: str, parameters: Sequence[object]) -> Sequence[tuple[object, ...]]:
        """Return the rows of a SELECT."""

    def execute(self, statement: str, parameters: Sequence[object]) -> tuple[int, int]:
        """Run a statement."""


def migrate(
    session: SchemaSession,
    say: Callable[[str], None],
    *,
    migrations: Sequence[Migration] = MIGRATIONS,
    lock_wait: int = 60,
) -> int:
    """Take the steps that were not yet taken, in order, and return how many that were.

    Of several that run at once one works and the others wait for it, up to `lock_wait` seconds, and then find
    nothing to do. The lock belongs to the connection, so one that dies does not leave it behind. Raises
    MigrationError.
    """
    if session.query("SELECT GET_LOCK(%s, %s)", (LOCK, lock_wait))[0][0] != 1:
        raise MigrationError(
            f"another migration has held the lock {LOCK!r} for {lock_wait} s; wait for it to end and run this again"
        )
    try:
        session.execute(_RECORDS, ())
        recorded = {int(str(number)) for (number,) in session.query("SELECT number FROM schema_migrations", ())}
        missing = [migration for migration in migrations if migration.number not in recorded]
        for migration in missing:
            _take(session, migration, say)
        if not missing:
            say(f"schema is up to date at {max(recorded, default=0)}")
        return len(missing)
    finally:
        session.query("SELECT RELEASE_LOCK(%s)", (LOCK,))


def _take(session: SchemaSession, migration: Migration, say: Callable[[str], None]) -> None:
    if session.query(migration.present, ())[0][0]:
        say(f"{migration.number} {migration.name}: found done by an interrupted run, recorded")
    else:
        session.execute(migration.statement, ())
        say(f"{migration.number} {migration.name}: done")
    session.execute(
        "INSERT INTO schema_migrations (number, name, applied) VALUES (%s, %s, UTC_TIMESTAMP(3))",
        (migration.number, migration.name),
    )
