"""Carries one action out, and changes the memory by what came of it."""

import asyncio
import json
import time
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from typing import Any, assert_never

from colonnade.adapters.etcd import Etcd, Outcome
from colonnade.adapters.mysql import MysqlServer
from colonnade.adapters.mysql.process import ProgramError
from colonnade.adapters.mysql.provision import Donor, Provision, save_errant
from colonnade.adapters.mysql.server import FailedError
from colonnade.adapters.mysql.session import SilentError, SqlError
from colonnade.agent.config import Config
from colonnade.agent.disk import Disk, write_through
from colonnade.agent.peers import Peers
from colonnade.gtid import GtidSet
from colonnade.ha import actions as do
from colonnade.ha.view import Asked, Durable, Member, Memory, Probe, View

EARLIER_SECONDS = 1.0
"""How long a moment is, for saying that a replica has caught up."""

SWAP_EVERY = 5.0
"""Seconds between tries to complete a swap of data directories."""


@dataclass
class Actor:
    """Acts for one agent; ``memory`` is the agent's, ``nudge`` begins its next round."""

    config: Config
    etcd: Etcd
    server: MysqlServer | None
    peers: Peers
    disk: Disk
    clock: Callable[[], float]
    nudge: Callable[[], None]
    data_replaced: Callable[[], None]
    memory: Memory = field(default_factory=Memory)
    clone_progress: tuple[str, int] | None = None
    long_work: asyncio.Task[str] | None = None
    _probes: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def provision(self) -> Provision | None:
        """What makes data anew; None on a machine without MySQL."""
        if self.server is None:
            return None
        return Provision(self.server.place.data, self.disk.journal, self.server.process)

    async def act(self, decision: do.Decision, view: View) -> str:  # noqa: C901, PLR0911  one case per action
        """Carry it out; return why it failed, or nothing."""
        action, memory = decision.action, self.memory
        match action:
            case do.Wait():
                return ""
            case do.ClaimLease() | do.RenewLease() | do.ReleaseLease() | do.WriteContract():
                return await self._write(action)
            case do.AskPromises(term, revision, of):
                if memory.asked is None or memory.asked.term != term:
                    self.memory = replace(memory, asked=Asked(term, revision, self.clock()))
                self.peers.ask_promise(of, term)
                return ""
            case do.Promise(term):
                durable = self.disk.durable
                self.disk.remember(replace(durable, promised_term=max(term, durable.promised_term)))
                return ""
            case do.FreshCommit():
                self._probe(view)
                return ""
            case do.SaveErrant(transactions):
                self._begin(self._save(transactions, decision.reason))
                return ""
            case do.Clone(donor, term):
                self._begin(self._clone(donor, term))
                return ""
            case do.OpenForWrites(term) | do.StartReceiver(_, term):
                self.disk.record_term(term, leads=isinstance(action, do.OpenForWrites))
                return await self._on_mysql(action)
            case (
                do.EndSessions()
                | do.StopReceiver()
                | do.StartApplier()
                | do.RemoveReplication()
                | do.SetAcknowledging()
                | do.Fence()
                | do.LetClientsIn()
                | do.Demote()
                | do.SetAcks()
                | do.LockAccount()
                | do.UnlockAccount()
            ):
                return await self._on_mysql(action)
            case unknown:
                assert_never(unknown)

    async def _on_mysql(self, action: do.Action) -> str:
        if self.server is None:
            raise AssertionError("there is no MySQL on this machine")
        changes = isinstance(action, do.Fence | do.OpenForWrites | do.SetAcks | do.LockAccount)
        if changes:
            self.memory = replace(self.memory, changed_at=self.clock())
        if isinstance(action, do.SetAcks) and action.acks < self._acks:
            self.memory = replace(self.memory, loosened_at=self.clock())
        try:
            await self.server.act(action)
        except FailedError as error:
            return str(error)
        finally:
            if changes:
                self.memory = replace(self.memory, changed_at=self.clock())
        return ""

    _acks: int = 0
    _swap_at: float = 0.0
    _samples: deque[tuple[float, GtidSet]] = field(default_factory=lambda: deque(maxlen=4))

    def saw(self, view: View) -> None:
        """Take note of what a view shows, before it is acted upon."""
        mysql = view.mysql
        self._acks = mysql.source.acks if mysql is not None else 0
        if mysql is None:
            self._samples.clear()
            self.memory = replace(self.memory, unwritten_since=None)
        elif not self._samples or view.now - self._samples[-1][0] >= EARLIER_SECONDS / 2:
            self._samples.append((view.now, mysql.executed))
        old = [executed for at, executed in self._samples if view.now - at >= EARLIER_SECONDS]
        self.memory = replace(self.memory, earlier=old[-1] if old else None)

    # ---- etcd

    async def _write(self, action: do.ClaimLease | do.RenewLease | do.ReleaseLease | do.WriteContract) -> str:
        began = self.clock()
        outcome = await self.etcd.write(action)
        done = outcome is Outcome.DONE
        match action:
            case do.ClaimLease(term) | do.RenewLease(term):
                if done:
                    self.memory = replace(self.memory, lease_from=began, lease_term=term)
            case do.ReleaseLease():
                self.memory = replace(self.memory, lease_from=None, released_at=self.clock())
            case do.WriteContract():
                if done:
                    self.memory = replace(self.memory, settled=True, floored_at=self.clock())
                elif outcome is Outcome.UNKNOWN:
                    self.memory = replace(self.memory, settled=False)
        return "" if done else f"etcd: {outcome.value}"

    # ---- its own write

    def _probe(self, view: View) -> None:
        if self.server is None or view.mysql is None:
            return
        began, acks, server = self.clock(), view.mysql.source.acks, self.server
        contract = view.record.contract
        # A heartbeat that all is well is not waited for; the answer to a question is.
        awaited = view.mysql.offline or contract is None or bool(contract.barred) or acks != contract.acks
        since = self.memory.unwritten_since
        self.memory = replace(self.memory, probe=Probe(began, acks), unwritten_since=began if since is None else since)

        async def write() -> None:
            try:
                probe = await server.fresh_commit(began=began, acks=acks)
                self.memory = replace(self.memory, unwritten_since=None)
            except FailedError:
                # It ended without an answer: nothing is proven, and another may begin.
                probe = Probe(began, acks, ended=self.clock())
            newest = self.memory.probe
            if newest is None or newest.began <= began or newest.ended is None:
                self.memory = replace(self.memory, probe=probe)
            if awaited:
                self.nudge()

        task = asyncio.get_running_loop().create_task(write())
        self._probes.add(task)
        task.add_done_callback(self._probes.discard)

    # ---- long work, while the loop goes on looking and tells nobody what may not be so any more

    def _begin(self, work: Coroutine[Any, Any, str]) -> None:
        self.long_work = asyncio.get_running_loop().create_task(work)
        self.long_work.add_done_callback(lambda _: self.nudge())

    async def _save(self, transactions: GtidSet, why: str) -> str:
        if self.server is None:
            return ""
        stamp = time.strftime("%Y-%m-%dT%H%M%S", time.gmtime())
        directory = self.disk.errant / f"{stamp}-{self.config.node}"
        self.disk.errant.mkdir(mode=0o700, exist_ok=True)
        try:
            found = await save_errant(self.server.place.data, directory, transactions)
        except (ProgramError, OSError) as error:
            return f"transactions could not be saved: {error}"
        if found < len(transactions):
            return f"only {found} of {len(transactions)} transactions are in the binary log: the data is kept"
        about = {"at": time.time(), "transactions": len(transactions), "gtids": str(transactions), "why": why}
        write_through(directory / "about.json", json.dumps(about, indent=1) + "\n")
        durable = self.disk.durable
        self.disk.remember(replace(durable, saved=durable.saved | transactions))
        return ""

    async def _clone(self, donor: Member, term: int) -> str:
        server, provision = self.server, self.provision
        if server is None or provision is None:
            return ""
        place = server.place
        account = place.accounts[self.config.node]
        where = Donor(place.addresses[donor.name], place.port, account, place.password)
        stamp = time.strftime("%Y-%m-%dT%H%M%S", time.gmtime())
        try:
            term = await provision.clone(place.socket, where, term, stamp, self._told)
        except (SilentError, SqlError, ProgramError, OSError) as error:
            return f"not provisioned: {error}"
        finally:
            self.clone_progress = None
        return await self.after_swap(term)

    def _told(self, stage: str, percent: int) -> None:
        self.clone_progress = (stage, percent)

    def go_on(self) -> None:
        """Complete a swap that failed under way: until then there may be no data in its place at all."""
        provision, now = self.provision, self.clock()
        if self.long_work is None and provision is not None and provision.unfinished and now >= self._swap_at:
            self._swap_at = now + SWAP_EVERY
            self._begin(self.finish_swap())

    async def finish_swap(self) -> str:
        """Complete a swap of data directories that an earlier process began."""
        provision = self.provision
        if provision is None or not provision.unfinished:
            return ""
        try:
            term = await provision.finish()
        except (ProgramError, OSError) as error:
            return f"the new data could not be put in place: {error}"
        return await self.after_swap(term)

    async def after_swap(self, term: int) -> str:
        """Begin with the new data: provisioned, of the term in which it was copied, under an identity of its own."""
        if self.server is not None:
            self.server.drop()
        self.disk.incarnation = ""
        self.disk.remember(Durable(promised_term=self.disk.durable.promised_term, last_term=term))
        self.data_replaced()
        return ""
