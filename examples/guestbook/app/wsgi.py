"""What gunicorn loads: `app`, put together from the environment. Nothing is connected to here."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from guestbook.application import Guestbook
from guestbook.memory_entries import MemoryEntries
from guestbook.settings import Settings

if TYPE_CHECKING:
    from guestbook.entries import Entries


def _store(settings: Settings) -> Entries:
    if settings.primary is None or settings.replica is None:
        return MemoryEntries()
    # Here, so that looking at the page needs no PyMySQL.
    from guestbook.mysql_entries import MysqlEntries  # noqa: PLC0415  see above

    return MysqlEntries(settings.primary, settings.replica, connections=settings.threads)


_settings = Settings.from_environment(os.environ)
app = Guestbook(_store(_settings), server=_settings.server, release=_settings.release)
