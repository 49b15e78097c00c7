"""Connections kept open, and what happens when one of them breaks.

The database's address is a proxy that may move to another server at any time and cuts connections when it
does. Three things keep that from the visitor:

- a kept connection is looked at before it is used again, without a round trip: one that was cut is not tried;
- work whose connection breaks is done once more, in a new connection. *All work must therefore be safe to
repeat*:
  reads are, and a write is because it carries a key under which it can happen once only;
- after a time-out (the database does not even refuse) one caller at a time tries, and the others are told at
once,
  so that a hanging database cannot take every thread, and with them the health check, for long.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from guestbook.entries import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_WAIT_FOR_CONNECTION = 2.0
# Who has waited this long is told so, rather than made to wait for a second attempt.
_PATIENCE = 2.0


class SessionError(Exception):
    """The session can no longer be used; `timed_out` if that is because no answer came in time."""

    def __init__(self, reason: str, *, timed_out: bool = False) -> None:
        super().__init__(reason)
        self.timed_out = timed_out


class PooledSession(Protocol):
    """What a pool needs to know of a connection."""

    def is_usable(self) -> bool:
        """Say, without a round trip, whether the other side has kept the connection open."""

    def close(self) -> None:
        """Give the connection up; never raises and never waits."""


S = TypeVar("S", bound=PooledSession)
T = TypeVar("T")


class Pool(Generic[S]):
    """At most `size` connections of one process to one database, opened when they are first needed.

    `max_age` (seconds) bounds how long a connection is kept: one that never breaks would otherwise stay for
    ever with the replica it once got. `clock` returns monotonic seconds.
    """

    def __init__(
        self,
        connect: Callable[[], S],
        *,
        size: int,
        max_age: float = 300.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connect = connect
        self._max_age = max_age
        self._clock = clock
        self._places = threading.BoundedSemaphore(size)
        # The one used last is used next, so that those not needed any more grow old and are closed.
        self._idle: deque[tuple[S, float]] = deque()
        self._breaker = Breaker()

    def run(self, work: Callable[[S], T]) -> T:
        """Do the work in a session, twice if the first one breaks, and return its result.

        Raises UnavailableError if that did not help. What the work itself raises goes through, and costs the
        connection.
        """
        give_up = self._clock() + _PATIENCE
        with self._breaker.attempt():
            try:
                return self._once(work, new=False)
            except SessionError as error:
                if error.timed_out or self._clock() > give_up:
                    raise
            return self._once(work, new=True)

    def _once(self, work: Callable[[S], T], *, new: bool) -> T:
        if not self._places.acquire(timeout=_WAIT_FOR_CONNECTION):
            raise UnavailableError("every connection of the pool is in use")
        try:
            if new:
                self._close_idle()
            session, opened = self._idle_session() or (self._connect(), self._clock())
            try:
                result = work(session)
            except BaseException:
                # Whatever went wrong, an answer may still be under way in this connection.
                session.close()
                raise
            self._idle.append((session, opened))
            return result
        finally:
            self._places.release()

    def _idle_session(self) -> tuple[S, float] | None:
        while True:
            try:
                session, opened = self._idle.pop()
            except IndexError:
                return None
            if session.is_usable() and self._clock() - opened < self._max_age:
                return session, opened
            session.close()

    def _close_idle(self) -> None:
        # One broken connection makes the others to the same place suspect.
        while True:
            try:
                self._idle.pop()[0].close()
            except IndexError:
                return


class Breaker:
    """Lets everybody try until someone's time runs out; then one at a time, until one of them succeeds."""

    def __init__(self) -> None:
        self._suspect = False
        self._trial = threading.Lock()

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Wrap one attempt; raises UnavailableError for a SessionError, or at once if another one tries."""
        is_trial = self._suspect
        if is_trial and not self._trial.acquire(blocking=False):
            raise UnavailableError("the database did not answer in time, and another request is trying it again")
        try:
            yield
            self._suspect = False
        except SessionError as error:
            self._suspect = self._suspect or error.timed_out
            raise UnavailableError(str(error)) from error
        finally:
            if is_trial:
                self._trial.release()
