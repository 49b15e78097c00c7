"""The loop: observe, decide, one action, record; at once again while there is something to do."""

import asyncio
import logging
import time
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import replace
from typing import Any

from colonnade.adapters.etcd import Etcd
from colonnade.adapters.mysql import MysqlServer, Place
from colonnade.adapters.mysql.process import Process
from colonnade.adapters.mysql.server import FailedError
from colonnade.agent.act import Actor
from colonnade.agent.config import Config
from colonnade.agent.disk import Disk, Entry, History
from colonnade.agent.observe import Observer
from colonnade.agent.peers import Peers
from colonnade.agent.routing import Routing
from colonnade.ha import actions as do
from colonnade.ha.decide import decide
from colonnade.ha.errant import written_here
from colonnade.ha.health import NEVER, serves_replica, serves_until
from colonnade.ha.report import report
from colonnade.ha.states import state
from colonnade.ha.view import NOTHING, Memory, Receiver, Report, View
from colonnade.wire.client import UnansweredError

IDLE_SECONDS = 0.4
ALERT_SECONDS = 0.1
"""Between rounds while something may be about to happen."""
BUSY_SECONDS = 0.02
AFTER_FAILURE_SECONDS = 0.2
LEADER_EVERY = 5.0
"""Seconds between looks at whether etcd's leader shares the primary's machine."""
TIDY_EVERY = 30.0
WARN_EVERY = 30.0
QUIET = (do.RenewLease, do.FreshCommit)
"""Actions that are not of note: they happen all the time."""
LONG = (do.SaveErrant, do.Clone)
"""Actions that take minutes: the loop goes on looking meanwhile."""
STALE_SECONDS = 2.0
HURRY_SECONDS = 5.0
LONG_PAUSE = 10.0
"""Seconds until long work that failed is begun again."""

log = logging.getLogger("colonnade.agent")


def clock() -> float:
    """Return seconds of a clock that does not jump, and goes on while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Agent:
    """One machine's agent."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.disk = Disk(config.state)
        self.history = History(config.state / "history.jsonl")
        self.etcd = Etcd(config.node, config.etcd, config.identity)
        self._event = asyncio.Event()
        self._rounds = asyncio.Condition()
        self.peers = Peers(config.node, config.nodes, config.port, config.identity, clock=clock, changed=self.nudge)
        self.server = self._mysql(config)
        self.observer = Observer(config, self.etcd, self.server, self.peers, self.disk, clock)
        self.actor = Actor(
            config, self.etcd, self.server, self.peers, self.disk, clock, self.nudge, self.observer.data_replaced
        )
        self.actor.memory = Memory(changed_at=clock())
        self.routing = Routing(config.proxy, config.wanted.servers) if config.proxy is not None else None
        self.started = time.time()
        self.alive_at = clock()
        self._privileged: list[str] = []
        self.view: View | None = None
        self.told: Report | None = None
        self.decision = do.Decision(do.Wait(), "starting")
        self.failure = ""
        self.serving_until = NEVER
        self.serving_replica = False
        self._last: tuple[str, str, str] = ("", "", "")
        self._leader_at = 0.0
        self._leader_turn = 0
        self._long_failed_at = float("-inf")
        self._tidied_at = clock()
        self._warned_at = clock() - WARN_EVERY
        self.tasks: set[asyncio.Task[None]] = set()

    def _mysql(self, config: Config) -> MysqlServer | None:
        if config.mysql is None:
            return None
        mysql = config.mysql
        place = Place(
            config.node,
            mysql.socket,
            mysql.data,
            mysql.unit,
            mysql.port,
            dict(mysql.accounts),
            {name: node.address for name, node in config.nodes.items() if node.server},
            config.password,
        )
        return MysqlServer(place, clock, Process(mysql.unit, self._mysqld_ended))

    def _mysqld_ended(self) -> None:
        self.serving_until = NEVER
        self.observer.gone = True
        self.nudge()

    def nudge(self) -> None:
        """Begin the next round now, or right after the one under way."""
        self._event.set()

    def asked_to_promise(self, term: int) -> None:
        """Take note that a claimant asks for a promise; the next round gives it, if nothing speaks against it."""
        memory = self.actor.memory
        self.actor.memory = replace(memory, asked_of_me=max(memory.asked_of_me, term))
        self.nudge()

    @property
    def serves(self) -> bool:
        """Whether clients may write here at this moment."""
        return clock() < self.serving_until

    @property
    def serves_reads(self) -> bool:
        """Whether clients may read here as from a replica."""
        fresh = self.view is not None and clock() - self.view.now < STALE_SECONDS
        return fresh and self.serving_replica

    async def after_round(self, seconds: float) -> None:
        """Wait until the round under way has ended, or so long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, seconds)), self._rounds:
                await self._rounds.wait()

    def provision_anew(self) -> None:
        """Have this server's data made anew from the primary's; it leaves the standbys first."""
        self.disk.remember(replace(self.disk.durable, provisioned=False))
        self.nudge()

    async def run(self) -> None:
        """Go on for ever."""
        self.peers.begin()
        failed = await self.actor.finish_swap()
        if failed:
            log.error(failed)
        while True:
            pause = await self.round()
            async with self._rounds:
                self._rounds.notify_all()
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._event.wait()

    async def round(self) -> float:
        """Observe, decide, act; return how many seconds the next round may wait if nothing happens."""
        self._event.clear()
        self.alive_at = clock()
        actor = self.actor
        view, actor.memory = await self.observer.view(lambda: actor.memory)
        actor.saw(view)
        actor.go_on()
        if actor.long_work is not None:
            return self._long_work(view, actor.long_work)
        self._show(view, view)
        contract = view.record.contract
        if contract is not None:
            self.peers.near = frozenset({contract.primary.name, *(each.name for each in contract.standbys)})
        if self.server is None:
            self.peers.alert = not view.record.current or not view.reaches_primary
            self.decision = do.Decision(do.Wait(), "a witness: it votes on who reaches the primary")
            return IDLE_SECONDS
        if contract is not None:
            self.server.know(self.peers.near | contract.barred)
        decision = decide(view)
        if isinstance(decision.action, LONG) and view.now - self._long_failed_at < LONG_PAUSE:
            return IDLE_SECONDS
        return await self._act(view, decision)

    def _long_work(self, view: View, work: asyncio.Task[str]) -> float:
        """Look while long work goes on, and tell nobody what may not be so any more; then take note of its end."""
        if not work.done():
            self._show(replace(view, mysql=None), view)
            return IDLE_SECONDS
        self.actor.long_work = None
        self._note(view, self.decision, self._ended(work))
        self._long_failed_at = view.now if self.failure else float("-inf")
        return 0.0

    async def _act(self, view: View, decision: do.Decision) -> float:
        self.decision = decision
        failure = await self.actor.act(decision, view)
        self._note(view, decision, failure)
        hurried, self.peers.hurry = self.peers.hurry, self._hurries(view, decision)
        if self.peers.hurry and not hurried:
            self.peers.ask_now()
        if isinstance(decision.action, do.Wait):
            self._keep_leader_away(view)
            self._tidy(view)
            self._warn(view)
            self.peers.alert = _alerted(view)
            return BUSY_SECONDS if self.peers.hurry else ALERT_SECONDS if self.peers.alert else IDLE_SECONDS
        if isinstance(decision.action, do.AskPromises):
            return BUSY_SECONDS
        if isinstance(decision.action, QUIET):
            return IDLE_SECONDS  # what a write of its own shows begins a round when it is there
        return AFTER_FAILURE_SECONDS if failure else 0.0

    def _ended(self, work: asyncio.Task[str]) -> str:
        error = work.exception()
        return work.result() if error is None else f"{type(error).__name__}: {error}"

    @staticmethod
    def _hurries(view: View, decision: do.Decision) -> bool:
        """Say whether the next moments count: a claim is under way, or the first write is awaited."""
        claim, contract, mysql = view.record.claim, view.record.contract, view.mysql
        ahead = claim is not None and contract is not None and claim.term > contract.term
        # In office and shut: handing over, or waiting for the first write; but not for ever.
        shut = (
            mysql is not None
            and mysql.offline
            and contract is not None
            and contract.primary == view.me
            and view.record.current
            and not isinstance(decision.action, do.Fence)
            and view.now - view.memory.changed_at < HURRY_SECONDS
        )
        return ahead or shut

    def _show(self, told_of: View, view: View) -> None:
        """Let the endpoints, the others and HAProxy know what was seen."""
        before = self.told, self.serves
        self.view = view
        self.serving_until = serves_until(told_of)
        self.serving_replica = serves_replica(told_of)
        self.told = replace(report(told_of), serves=self.serves)
        if self.routing is not None:
            self.routing.update(
                self.config.node, view.peers, leads=self.serves, now=view.now, fresh=view.wanted.silent_after
            )
        old = before[0]
        if old is None or before[1] != self.serves or _turn(old) != _turn(self.told):
            self.peers.tell()

    def _note(self, view: View, decision: do.Decision, failure: str) -> None:
        """Keep and log a decision that is another than the last one of note."""
        self.failure = failure
        if isinstance(decision.action, QUIET) and not failure:
            return
        name = type(decision.action).__name__
        reason = f"{decision.reason} (failed: {failure})" if failure else decision.reason
        entry = (state(view).value, name, reason)
        if entry == self._last or (name == "Wait" and self._last[1:] == entry[1:]):
            return
        self._last = entry
        self.history.add(Entry(time.time(), self.config.node, *entry))
        log.info("%s: %s: %s", *entry)

    def _tidy(self, view: View) -> None:
        """Remove data that was set aside, once what replaced it follows and has caught up."""
        provision, seen = self.actor.provision, self.observer.seen
        replication = view.mysql.replication if view.mysql is not None else None
        if provision is None or seen is None or replication is None or view.now - self._tidied_at < TIDY_EVERY:
            return
        self._tidied_at = view.now
        if seen.lag == 0 and replication.receiver is Receiver.ON and provision.asides():
            self._start(asyncio.to_thread(provision.forget_asides))

    def _warn(self, view: View) -> None:
        if self.server is None or view.mysql is None or view.now - self._warned_at < WARN_EVERY:
            return
        self._warned_at = view.now
        self._start(self._look_for_privileged())

    @property
    def warnings(self) -> list[str]:
        """What endangers the agents' promises and is not theirs to mend."""
        strays = written_here(self.view) if self.view is not None else NOTHING
        if not strays:
            return self._privileged
        return [
            (
                f"{len(strays)} transactions were written here and not on the primary ({strays}): this server would"
                f" bring them along if it took over; colonnade db rebuild {self.config.node}"
            ),
            *self._privileged,
        ]

    async def _look_for_privileged(self) -> None:
        """Whoever may pass offline_mode is not shut out by a fence, and may be told of a commit that is lost."""
        if self.server is not None:
            with suppress(FailedError):
                self._privileged = [
                    f"account {name} has {privilege}: it is not shut out when this server is fenced, and may be told"
                    f" of commits that a failover loses; revoke it"
                    for name, privilege in await self.server.privileged()
                ]

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def _keep_leader_away(self, view: View) -> None:
        """Have etcd led from another machine than the primary's, so that one loss is not two elections."""
        contract = view.record.contract
        mine = contract is not None and contract.primary == view.me and self.config.has_member
        if not mine or not view.record.current or view.now - self._leader_at < LEADER_EVERY:
            return
        self._leader_at = view.now
        self._start(self._move_leader())

    async def _move_leader(self) -> None:
        # Tried again in a moment: it is a matter of speed alone.
        with suppress(UnansweredError, ValueError, KeyError):
            leads, others = await self.etcd.leads()
            if leads and others:
                # Another one each time: the first may be down.
                self._leader_turn += 1
                await self.etcd.move_leader(others[self._leader_turn % len(others)])


def _alerted(view: View) -> bool:
    """Say whether there is a first sign of trouble: then it is looked at more often, until it is clear."""
    mysql = view.mysql
    if mysql is None or not view.record.current or mysql.source.blocked_since is not None:
        return True
    replication = mysql.replication
    return replication is not None and (
        replication.receiver is not Receiver.ON or replication.silence > view.wanted.silent_after / 2
    )


def _turn(report: Report) -> tuple[object, ...]:
    """Return what the others must know at once."""
    return (report.member, report.promised, report.answers, report.leads, report.following, report.revision)
