"""Brings the primary's schema up to date: `python3 migrate.py`, once per deploy, as often as one likes.

Reads the same environment as the application. Exit code 0: the schema is up to date; 1: it is not, and stderr
says why.
"""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

from guestbook.entries import UnavailableError
from guestbook.migrations import MigrationError, migrate
from guestbook.mysql import MysqlSession
from guestbook.pool import SessionError
from guestbook.settings import Settings, SettingsError

if TYPE_CHECKING:
    from guestbook.settings import DatabaseUrl

_WAIT_FOR_PRIMARY = 30.0
_PAUSE = 0.5
_CONNECT_TIMEOUT = 3.0
# An index over many entries takes minutes.
_STATEMENT_TIMEOUT = 1800.0
# An ALTER that waits for a table makes every later query wait behind it; rather give up, and be run again.
_TABLE_LOCK_WAIT = 5


def main() -> int:
    """Migrate, and return the exit code."""
    try:
        settings = Settings.from_environment(os.environ)
        if settings.primary is None:
            _say("entries are kept in memory: no schema")
            return 0
        session = _connect(settings.primary)
        try:
            session.execute("SET lock_wait_timeout = %s", (_TABLE_LOCK_WAIT,))
            migrate(session, _say)
        finally:
            session.close()
    except (SettingsError, MigrationError) as error:
        reason = str(error)
    except (SessionError, UnavailableError) as error:
        cause = f" ({error.__cause__})" if error.__cause__ else ""
        reason = f"the primary {error}{cause}; what was done stays done: run this again"
    else:
        return 0
    sys.stderr.write(f"migrate: {reason}\n")
    return 1


def _connect(url: DatabaseUrl) -> MysqlSession:
    # On a stack's first day, or during a switchover, the primary is there a moment later.
    deadline = time.monotonic() + _WAIT_FOR_PRIMARY
    waiting = False
    while True:
        try:
            return MysqlSession(url, connect_timeout=_CONNECT_TIMEOUT, answer_timeout=_STATEMENT_TIMEOUT)
        except SessionError as error:
            if time.monotonic() > deadline:
                raise
            if not waiting:
                _say(f"the primary {error}; trying again for {_WAIT_FOR_PRIMARY:.0f} s")
                waiting = True
            time.sleep(_PAUSE)


def _say(line: str) -> None:
    sys.stdout.write(f"migrate: {line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
