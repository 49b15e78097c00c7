"""The other agents: asked again and again, each on its own; told at once when something of note changes here."""

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any

from colonnade.agent.config import Node
from colonnade.agent.documents import report_of
from colonnade.ha.view import Member, Peer, Report
from colonnade.wire.client import Connection, UnansweredError
from colonnade.wire.tls import Identity

ASK_SECONDS = 0.5
IDLE_SECONDS = 0.4
ALERT_SECONDS = 0.15
DISTANT_SECONDS = 1.0
FEW = 4
HURRY_SECONDS = 0.03
GREETING_SECONDS = 0.5


class Peers:
    """What the others said last; ``changed`` is called when one says something new."""

    def __init__(
        self,
        me: str,
        nodes: Mapping[str, Node],
        port: int,
        identity: Identity,
        *,
        clock: Callable[[], float],
        changed: Callable[[], None],
    ) -> None:
        tls = identity.client()
        others = {name: node for name, node in nodes.items() if name != me}
        self._asking = {name: Connection(node.address, port, tls) for name, node in others.items()}
        self._telling = {name: Connection(node.address, port, tls) for name, node in others.items()}
        self._clock = clock
        self._changed = changed
        self._wake = {name: asyncio.Event() for name in others}
        self._tasks: set[asyncio.Task[None]] = set()
        self.heard: dict[str, Peer] = {}
        self.hurry = False
        self.alert = False
        self.near: frozenset[str] = frozenset()

    def begin(self) -> None:
        """Begin to ask."""
        for name in self._asking:
            self._start(self._ask_for_ever(name))

    def _start(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _ask_for_ever(self, name: str) -> None:
        wake = self._wake[name]
        while True:
            wake.clear()
            await self._ask(name)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._pause(name)):
                    await wake.wait()

    def _pause(self, name: str) -> float:
        if self.hurry:
            return HURRY_SECONDS
        if self.alert:
            return ALERT_SECONDS
        # Of many, those on whom commits depend are asked as often as ever, the others often enough to be heard.
        return IDLE_SECONDS if name in self.near or len(self._asking) <= FEW else DISTANT_SECONDS

    async def _ask(self, name: str) -> None:
        asked = self._clock()
        try:
            # When moments count, the other looks before it answers.
            path = "/report?now" if self.hurry else "/report"
            answer = await self._asking[name].request("GET", path, seconds=ASK_SECONDS)
        except UnansweredError:
            return
        if answer.status == 200:  # noqa: PLR2004  HTTP's OK
            self._take(name, asked, answer.body)

    def _take(self, name: str, asked: float, body: bytes) -> None:
        try:
            report, age = report_of(json.loads(body))
        except (ValueError, KeyError, TypeError):
            return
        # What it says it saw ``age`` seconds before it answered, so at least so long before it was asked.
        at = asked - age
        before = self.heard.get(name)
        if before is not None and before.at > at:
            return
        self.heard[name] = Peer(at, report)
        if before is None or _note(before.report) != _note(report):
            self._changed()

    def ask_now(self, names: Iterable[str] | None = None) -> None:
        """Ask some, or all, without waiting for their turn."""
        for name in self._wake if names is None else names:
            if name in self._wake:
                self._wake[name].set()

    def tell(self) -> None:
        """Have all others ask this agent now."""
        for name in self._telling:
            self._start(self._post(name, "/changed", {}))

    def ask_promise(self, members: Iterable[Member], term: int) -> None:
        """Ask for promises; the answers are reports like any other."""
        for member in members:
            if member.name in self._telling:
                self._start(self._post(member.name, "/promise", {"term": term}))

    async def _post(self, name: str, path: str, document: Mapping[str, Any]) -> None:
        asked = self._clock()
        with suppress(UnansweredError):
            answer = await self._telling[name].request(
                "POST", path, json.dumps(document).encode(), seconds=2 * ASK_SECONDS
            )
            if answer.status == 200:  # noqa: PLR2004  HTTP's OK
                self._take(name, asked, answer.body)

    async def close(self) -> None:
        """Ask no more."""
        for task in self._tasks:
            task.cancel()


def _note(report: Report) -> tuple[object, ...]:
    """Return what of a report is worth looking at once: not positions, which move all the time."""
    return (
        report.member,
        report.revision,
        report.promised,
        report.complete,
        report.following,
        report.acknowledges,
        report.answers,
        report.leads,
        report.serves,
        report.leaving,
        report.reaches_primary,
    )


async def greets(address: str, port: int) -> bool:
    """Say whether a MySQL server greets whoever connects; one that is frozen accepts, and says nothing."""
    try:
        async with asyncio.timeout(GREETING_SECONDS):
            reader, writer = await asyncio.open_connection(address, port)
            try:
                return bool(await reader.readexactly(5))
            finally:
                writer.transport.abort()
    except (OSError, TimeoutError, asyncio.IncompleteReadError):
        return False
