"""Locks between processes, for what several stacks of one host share; a lock dies with its holder."""

import asyncio
import fcntl
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from colonnade.errors import ColonnadeError

_RETRY_SECONDS = 0.05


@asynccontextmanager
async def held(path: Path, *, seconds: float, waiting: Callable[[], None] = lambda: None) -> AsyncIterator[None]:
    """Hold the lock at ``path``; call ``waiting`` once if another process has it.

    Raises ColonnadeError if it is not ours within ``seconds``. The file may be removed by whoever holds it.
    """
    deadline = time.monotonic() + seconds
    said = False
    while (lock := _try(path)) is None:
        if time.monotonic() > deadline:
            raise ColonnadeError(
                f"another colonnade has held {path} for over {seconds:.0f} seconds",
                do="Let it finish, or end it, and run this command again.",
            )
        if not said:
            waiting()
            said = True
        await asyncio.sleep(_RETRY_SECONDS)
    try:
        yield
    finally:
        os.close(lock)


def _try(path: Path) -> int | None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except FileNotFoundError:
        return None  # somebody tidies up, and has just removed the directory
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # The last holder may have removed the file: then a lock on it keeps nobody out.
        if path.stat().st_ino == os.fstat(lock).st_ino:
            return lock
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(lock)
    return None
