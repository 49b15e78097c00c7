"""One view: MySQL and etcd asked at once, what the others said last, what is on disk and in memory."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace

from colonnade.adapters.etcd import Etcd, Stored
from colonnade.adapters.mysql import MysqlServer, Seen
from colonnade.adapters.mysql.session import SilentError
from colonnade.agent.config import Config
from colonnade.agent.disk import Disk, incarnation_of
from colonnade.agent.peers import Peers, greets
from colonnade.agent.wishes import wish_of
from colonnade.ha.view import Member, Memory, Mysql, Record, Request, View
from colonnade.wire.client import UnansweredError

FRESH_SECONDS = 1.0
"""How old another agent's word may be that its MySQL answers."""
GREET_EVERY = 0.5


@dataclass
class Observer:
    """Takes views, and keeps what the last one needs for the next."""

    config: Config
    etcd: Etcd
    server: MysqlServer | None
    peers: Peers
    disk: Disk
    clock: Callable[[], float]
    seen: Seen | None = None
    why_silent: str = ""
    gone: bool = False
    stored: Stored | None = None
    record: Record = field(default_factory=lambda: Record(current=False))
    wished: tuple[str, int] | None = None
    """The wish that was read last, and its revision: the same one again is another."""
    _member: Member | None = None
    _reached_at: float = -1e9
    _greeting: asyncio.Task[None] | None = None

    async def view(self, remembered: Callable[[], Memory]) -> tuple[View, Memory]:
        """Return the view of this moment, and the memory with what it tells; that is read when all else is known."""
        mysql, _ = await asyncio.gather(self._look(), self._read())
        now, memory = self.clock(), remembered()
        silent = None if mysql is not None else memory.silent_since if memory.silent_since is not None else now
        memory = replace(memory, silent_since=silent)
        reaches = self._reaches_primary(now, answers=mysql is not None)
        view = View(
            now,
            self._me(mysql),
            mysql,
            self.record,
            self.config.wanted,
            self.disk.durable,
            memory,
            dict(self.peers.heard),
            reaches,
            paused=self.stored is not None and self.stored.paused,
            gone=mysql is None and self.gone,
        )
        return view, memory

    async def _look(self) -> Mysql | None:
        if self.server is None:
            return None
        try:
            self.seen = await self.server.look()
        except SilentError as error:
            self.seen, self.why_silent = None, str(error)
            self.gone = not self.server.process.pid()
            return None
        self.gone, self.why_silent = False, ""
        return self.seen.mysql

    async def _read(self) -> None:
        try:
            stored = await self.etcd.read()
        except UnansweredError:
            self.record = replace(self.record, current=False)
            return
        self.stored = stored
        self.record = Record(True, stored.claim, stored.contract, stored.successions, self._request(stored))

    def _request(self, stored: Stored) -> Request | None:
        wish = wish_of(stored.wish)
        if wish is None:
            return None
        before = self.record.request
        if before is not None and stored.wish == self.wished:
            return before
        self.wished = stored.wish
        return Request(wish.target, self.clock(), forced=wish.forced)

    def _me(self, mysql: Mysql | None) -> Member:
        if self.server is None:
            return Member(self.config.node, "")
        if mysql is None or self.seen is None:
            return self._member or Member(self.config.node, self.disk.incarnation)
        if self._member is None or self._member.uuid != self.seen.uuid:
            incarnation = incarnation_of(self.server.place.data, self.seen.uuid)
            if incarnation != self.disk.incarnation and not self.record.current:
                return Member(self.config.node, incarnation)  # whether it is empty on purpose, etcd has to say
            # Empty data that meets a contract of others has to be provisioned; where there is none, it may begin one.
            contract = self.record.contract
            fresh = bool(mysql.executed) or contract is None
            self.disk.belongs_to(incarnation, provisioned=fresh)
            self._member = Member(self.config.node, incarnation)
        return self._member

    def data_replaced(self) -> None:
        """Forget which data there was."""
        self._member = None

    def _reaches_primary(self, now: float, *, answers: bool) -> bool:
        contract = self.record.contract
        if contract is None:
            return False
        name = contract.primary.name
        if name == self.config.node:
            return answers
        peer = self.peers.heard.get(name)
        if peer is not None and now - peer.at < FRESH_SECONDS:
            if peer.report.answers:
                self._reached_at = peer.at
            return peer.report.answers
        self._greet(name)
        return now - self._reached_at < FRESH_SECONDS

    def _greet(self, name: str) -> None:
        """Ask the primary's MySQL itself: its agent may be the one that is gone."""
        node, mysql = self.config.nodes.get(name), self.config.mysql
        if node is None or (self._greeting is not None and not self._greeting.done()):
            return

        async def greet() -> None:
            if await greets(node.address, mysql.port if mysql else 3306):
                self._reached_at = self.clock()
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(GREET_EVERY)

        self._greeting = asyncio.get_running_loop().create_task(greet())
