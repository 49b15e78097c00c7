"""A simulated agent: the real decision, in a loop that may crash, freeze or be late between any two of its steps."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import assert_never

from colonnade.agent.wishes import why_not_anew
from colonnade.gtid import GtidSet
from colonnade.ha import actions as do
from colonnade.ha.decide import decide
from colonnade.ha.health import NEVER, serves_until
from colonnade.ha.report import report
from colonnade.ha.states import State, state
from colonnade.ha.view import Asked, Durable, Member, Memory, Peer, Probe, Record, Report, Request, View, Wanted

from .mutation import Faithful
from .server import Server, Statement
from .store import Store
from .world import World

IDLE = 0.25
DEADLINE = 0.5  # for etcd's answer
PATIENCE = 1.0  # for MySQL's
EARLIER = 1.0
RETRANSMITTED = 5.0


@dataclass(eq=False)
class Agent:
    """The agent of one server, or of a witness (which has none, and only votes)."""

    world: World
    store: Store
    wanted: Wanted
    name: str
    server: Server | None
    mutation: Faithful
    after_action: Callable[["Agent", do.Action], None]
    moved: Callable[["Agent", State, State], None]
    others: dict[str, "Agent"] = field(default_factory=dict)
    alive: bool = True
    frozen: bool = False
    epoch: int = 1
    durable: Durable = field(default_factory=Durable)
    memory: Memory = field(default_factory=Memory)
    record: Record = field(default_factory=lambda: Record(current=False))
    heard: dict[str, Peer] = field(default_factory=dict)
    asked: dict[str, Peer] = field(default_factory=dict)
    told: Report | None = None
    serving_until: float = NEVER
    was: State = State.SEPARATE
    paused: bool = False
    reason: str = ""
    _samples: list[tuple[float, GtidSet]] = field(default_factory=list)
    _round: int = 0
    _acting: bool = False
    _thawed: list[Callable[[], None]] = field(default_factory=list)

    # ---- life

    def begin(self) -> None:
        self.alive = True
        self.memory = Memory(changed_at=self.world.now, settled=not self.mutation.settles)
        self.record, self.heard, self.asked, self.told = Record(current=False), {}, {}, None
        self.serving_until, self.paused, self._samples = NEVER, False, []
        self.wake()

    def crash(self) -> None:
        self.alive, self.epoch, self.told = False, self.epoch + 1, None
        self._thawed.clear()
        self.frozen = False
        if self.server is not None:
            for statement in self.server.statements:
                statement.orphan = True

    def freeze(self) -> None:
        self.frozen = True

    def thaw(self) -> None:
        if self.frozen:
            self.frozen = False
            waiting, self._thawed = self._thawed, []
            for go in waiting:
                go()

    def wake(self, delay: float = 0.0) -> None:
        """Begin the next round after a delay, instead of the one that was to come."""
        self._acting = False
        self._round += 1
        mine, epoch = self._round, self.epoch

        def tick() -> None:
            if self.alive and epoch == self.epoch and mine == self._round:
                self._when_running(self.tick)

        self.world.after(delay, tick)

    def nudge(self) -> None:
        """Begin the next round early, unless an action is under way: there is never more than one."""
        if not self._acting:
            self.wake(0.002)

    def _when_running(self, go: Callable[[], None]) -> None:
        if self.frozen:
            epoch = self.epoch
            self._thawed.append(lambda: go() if epoch == self.epoch else None)
        else:
            go()

    # ---- observe

    def _ask_peers(self) -> None:
        world, now = self.world, self.world.now
        for name, other in self.others.items():
            if other.alive and not other.frozen and other.told is not None and world.talk(self.name, name):
                self.asked[name] = Peer(now, other.told)

    def _reaches_primary(self) -> bool:
        contract = self.record.contract
        if contract is None:
            return False
        other = self if contract.primary.name == self.name else self.others.get(contract.primary.name)
        server = other.server if other else None
        return server is not None and server.answers and self.world.talk(self.name, server.name)

    def observe(self) -> View:
        now, store = self.world.now, self.store
        self.heard.update(self.asked)
        self._ask_peers()
        if store.reachable(self.name):
            request = self.record.request
            if not store.wish:
                request = None
            elif request is None or (request.target, request.forced) != (store.wish, store.forced):
                request = Request(store.wish, now, store.forced)
            self.paused = store.paused
            self.record = Record(True, store.claim(), store.contract, tuple(store.successions), request)
        elif self.record.current:
            self.record = replace(self.record, current=False)
        server = self.server
        self._sample(server)
        memory = self.memory
        if server is not None:
            silent = None if server.answers else (memory.silent_since if memory.silent_since is not None else now)
            if silent != memory.silent_since:
                self.memory = memory = replace(memory, silent_since=silent)
        return View(
            now,
            server.member if server is not None else Member(self.name, ""),
            server.observed() if server is not None and server.answers else None,
            self.record,
            self.wanted,
            self.durable,
            memory,
            self.heard,
            self._reaches_primary(),
            paused=self.paused,
            gone=server is not None and not server.running,
        )

    def _sample(self, server: Server | None) -> None:
        """Keep what was executed a moment ago, as the agent does."""
        now = self.world.now
        if server is None or not server.answers:
            self._samples = []
            self.memory = replace(self.memory, unwritten_since=None)
        else:
            self._samples = [*self._samples[-7:], (now, server.executed)]
        old = [executed for at, executed in self._samples if now - at >= EARLIER]
        self.memory = replace(self.memory, earlier=old[-1] if old else None)

    def provision_anew(self) -> bool:
        """Do as a person wishes, if nothing speaks against it by the last view."""
        refused = self.server is None or self.frozen or not self.alive or bool(why_not_anew(self.observe()))
        if not refused:
            self._remember(replace(self.durable, provisioned=False))
        return not refused

    # ---- decide

    def tick(self) -> None:
        view = self.mutation.view(self.observe())
        told = self.mutation.report(view, report(view))
        if self.server is None:
            self.told = told
            self.wake(IDLE)
            return
        now_is = state(view)
        if now_is is not self.was:
            self.moved(self, self.was, now_is)
            self.was = now_is
        self.serving_until = serves_until(view)
        decision = self.mutation.decision(view, decide(view))
        self.told = told
        if isinstance(decision.action, do.Wait):
            if decision.reason != self.reason:
                self.world.note(self.name, f"waits: {decision.reason}")
            self.reason = decision.reason
            self.wake(IDLE * self.world.chance.uniform(0.6, 1.4) if not self._busy(view) else 0.05)
            return
        self.reason = decision.reason
        self.world.note(self.name, f"{_short(decision.action)}: {decision.reason}")
        self.act(decision.action)

    @staticmethod
    def _busy(view: View) -> bool:
        claim, contract, probe = view.record.claim, view.record.contract, view.memory.probe
        ahead = claim is not None and contract is not None and claim.term > contract.term
        return ahead or (probe is not None and probe.ended is None)

    # ---- act

    def _changed(self) -> None:
        self.memory = replace(self.memory, changed_at=self.world.now)

    def act(self, action: do.Action) -> None:  # noqa: C901, PLR0912, PLR0915  one line or two per action
        server, memory, now = self.server, self.memory, self.world.now
        if server is None:
            return
        self._acting = True
        match action:
            case do.ClaimLease() | do.RenewLease() | do.ReleaseLease() | do.WriteContract():
                self._write(action)
            case do.AskPromises(term, revision, of):
                if memory.asked is None or memory.asked.term != term:
                    self.memory = replace(memory, asked=Asked(term, revision, now))
                for member in of:
                    self._send_ask(member.name, term)
                self.wake(0.03)
            case do.Promise(term):
                self._local(
                    lambda: self._remember(replace(self.durable, promised_term=max(term, self.durable.promised_term))),
                    action,
                )
            case do.SaveErrant(transactions):
                self._local(
                    lambda: self._remember(replace(self.durable, saved=self.durable.saved | transactions)), action
                )
            case do.EndSessions():
                self._local(lambda: self._end_sessions(server), action)
            case do.Clone(donor, term):
                self._local(
                    lambda: self._clone(server, donor.name, term), action, takes=self.world.chance.uniform(0.3, 2.0)
                )
            case do.StopReceiver():
                self._sql(server, server.stop_receiver, action)
            case do.StartReceiver(source, term):
                self._remember(replace(self.durable, last_term=term))
                other = self.others[source.name].server
                full = self.mutation.repoints_in_full
                if other is not None:
                    server.acknowledging = server.acknowledging or self.mutation.all_acknowledge
                    self._sql(server, lambda: server.start_receiver(other, term, purge=full), action)
            case do.StartApplier():
                self._sql(server, lambda: setattr(server, "applying", True), action)
            case do.RemoveReplication():
                self._sql(server, lambda: _leave(server), action)
            case do.SetAcknowledging(on):
                self._sql(server, lambda: _acknowledging(server, on), action)
            case do.Fence():
                self._sql(server, server.fence, action, changes=True)
            case do.LetClientsIn():
                self._sql(server, lambda: setattr(server, "offline", False), action)
            case do.Demote():
                self._sql(server, lambda: setattr(server, "read_only", True), action)
            case do.OpenForWrites(term):
                self._remember(replace(self.durable, last_term=term, provisioned=True))
                self._sql(server, lambda: setattr(server, "read_only", False), action, changes=True)
            case do.SetAcks(acks):
                if acks < server.acks:
                    self.memory = replace(memory, loosened_at=now)
                self._sql(server, lambda: server.set_acks(acks), action, changes=True)
            case do.FreshCommit():
                self._probe(server)
                self.wake(0.03)
            case do.LockAccount(name):
                self._sql(server, lambda: server.lock(name), action, changes=True)
            case do.UnlockAccount(name):
                self._sql(server, lambda: server.locked.discard(name), action)
            case do.Wait():
                self.wake(IDLE)
            case unknown:
                assert_never(unknown)

    def _remember(self, durable: Durable) -> None:
        self.durable = durable

    def _done(self, action: do.Action, *, changes: bool = False) -> None:
        if changes:
            self._changed()
        self.after_action(self, action)
        self.wake(self.world.chance.uniform(0.001, 0.01))

    def _latency(self) -> float:
        chance = self.world.chance
        return chance.uniform(0.002, 0.02) if chance.random() < 0.98 else chance.uniform(0.1, 0.6)

    def _local(self, do_it: Callable[[], None], action: do.Action, takes: float = 0.0) -> None:
        epoch = self.epoch

        def run() -> None:
            if self.alive and epoch == self.epoch:
                do_it()
                self._done(action)

        self.world.after(takes + self._latency(), lambda: self._when_running(run))

    def _sql(  # noqa: C901  what may happen to one statement, in one place
        self, server: Server, do_it: Callable[[], None], action: do.Action, *, changes: bool = False
    ) -> None:
        """Send a statement: it runs even if the agent is gone by then, unless the server is, or somebody killed it."""
        if changes:
            self._changed()
        statement = Statement(do_it, server.epoch)
        server.statements.append(statement)
        epoch, began = self.epoch, self.world.now

        unsent = self.world.chance.random() < 0.5

        def arrive() -> None:
            if unsent and self.frozen and epoch == self.epoch:
                self._thawed.append(arrive)  # decided before it froze, and sent when it goes on
                return
            if statement.cancelled or server.epoch != statement.epoch:
                if self.alive and epoch == self.epoch:
                    self.wake(0.02)
                return
            if server.frozen:
                if not statement.orphan and self.world.now - began > PATIENCE:
                    statement.orphan = True
                    if self.alive and epoch == self.epoch:
                        self._when_running(lambda: self.wake(0.02))
                self.world.after(0.05, arrive)
                return
            server.statements.remove(statement)
            statement.run()
            if statement.orphan:
                self.world.note(self.name, f"a statement of an earlier process ran: {_short(action)}")
            self.after_action(self, action)
            if self.alive and epoch == self.epoch and not statement.orphan:
                self._when_running(lambda: self._done(action, changes=changes))

        late = self.world.chance.random() < 0.01
        self.world.after(self.world.chance.uniform(0.5, 2.0) if late else self._latency(), arrive)

    def _end_sessions(self, server: Server) -> None:
        for statement in server.statements:
            statement.cancelled = statement.cancelled or statement.orphan
        server.statements = [each for each in server.statements if not each.orphan]

    def _clone(self, server: Server, donor: str, term: int) -> None:
        other = self.others[donor].server
        if other is None or not other.answers or not self.world.talk(self.name, donor):
            return
        serial = int(server.member.incarnation.partition("/")[2]) + 1
        member = Member(self.name, f"{self.name}-{serial}/{serial}")
        server.become(other, member)
        self.durable = Durable(promised_term=self.durable.promised_term, last_term=term)
        self.world.note(self.name, f"is provisioned anew from {donor} as {member.incarnation}")

    def _probe(self, server: Server) -> None:
        if server.read_only or not server.answers:
            return
        epoch, began, acks, life = self.epoch, self.world.now, server.acks, server.epoch
        since = self.memory.unwritten_since
        self.memory = replace(self.memory, probe=Probe(began, acks), unwritten_since=began if since is None else since)
        before = server.yes

        def told(ok: bool) -> None:  # noqa: FBT001  the answer itself
            names = frozenset(n for n, link in server.links.items() if link.acknowledges)
            clean = ok and server.acks >= acks and life == server.epoch and (acks == 0 or server.yes > before)
            ended = Probe(began, acks, self.world.now, clean=clean, acknowledgers=names, holds=server.executed)

            def record() -> None:
                if self.alive and epoch == self.epoch:
                    self.memory = replace(self.memory, probe=ended)
                    if ok:
                        self.memory = replace(self.memory, unwritten_since=None)
                    self.nudge()

            self._when_running(record)

        server.write(told, ours=True)

    def _send_ask(self, name: str, term: int) -> None:
        def arrive() -> None:
            other = self.others[name]
            if other.alive and self.world.path(self.name, name) and self.world.chance.random() > 0.03:
                other.memory = replace(other.memory, asked_of_me=max(other.memory.asked_of_me, term))
                other.nudge()

        late = self.world.chance.random() < 0.03
        self.world.after(
            self.world.chance.uniform(0.5, 3.0) if late else self.world.chance.uniform(0.001, 0.02), arrive
        )

    def _write(  # noqa: C901  what may happen to one request, in one place
        self, action: do.ClaimLease | do.RenewLease | do.ReleaseLease | do.WriteContract
    ) -> None:
        """Send one transaction to etcd: it may land late, and its answer may be lost."""
        world, epoch, began = self.world, self.epoch, self.world.now
        answered: list[bool] = []
        resends = world.chance.random() < 0.5

        unsent = world.chance.random() < 0.5

        def land() -> None:
            if unsent and self.frozen and epoch == self.epoch:
                self._thawed.append(land)
                return
            if not self.store.stalled and world.path(self.name, "etcd"):
                done = self.store.write(self.name, action)
                if done:
                    self.after_action(self, action)
                if world.path("etcd", self.name):
                    world.after(world.chance.uniform(0.001, 0.01), lambda: self._when_running(lambda: finish(done)))
            elif self.store.stalled or (resends and world.now - began < RETRANSMITTED):
                world.after(0.2, land)  # the kernel sends it again, whether or not anybody still waits for the answer

        def finish(done: bool) -> None:  # noqa: FBT001  the answer itself
            if answered or not self.alive or epoch != self.epoch:
                return
            answered.append(done)
            self._answered(action, done=done, began=began)
            self.wake(0.002)

        def give_up() -> None:
            if not answered and self.alive and epoch == self.epoch:
                answered.append(False)
                if isinstance(action, do.WriteContract) and self.mutation.settles:
                    self.memory = replace(self.memory, settled=False)
                self.wake(0.002)

        late = world.chance.random() < 0.02
        world.after(world.chance.uniform(0.5, 3.0) if late else world.chance.uniform(0.002, 0.02), land)
        world.after(DEADLINE, lambda: self._when_running(give_up))

    def _answered(self, action: do.Action, *, done: bool, began: float) -> None:
        match action:
            case do.ClaimLease(term) | do.RenewLease(term):
                if done:
                    self.memory = replace(self.memory, lease_from=began, lease_term=term)
            case do.ReleaseLease():
                self.memory = replace(self.memory, lease_from=None, released_at=self.world.now)
            case do.WriteContract():
                if done:
                    self.memory = replace(self.memory, settled=True, floored_at=self.world.now)
            case _:
                pass


def _leave(server: Server) -> None:
    server.stop_receiver()
    server.source, server.applying, server.acknowledging = None, False, False
    server.term = 0


def _acknowledging(server: Server, on: bool) -> None:  # noqa: FBT001  as in the action
    server.stop_receiver()
    server.acknowledging = on


def _short(action: do.Action) -> str:  # noqa: PLR0911  one line per action
    name = type(action).__name__
    match action:
        case do.WriteContract(contract, expected):
            names = ",".join(sorted(map(str, contract.standbys)))
            barred = ",".join(sorted(contract.barred))
            what = f"{contract.primary} term {contract.term} standbys {names or '-'} acks {contract.acks}"
            return f"{name}[{what} barred {barred or '-'} over {expected}]"
        case (
            do.ClaimLease(term)
            | do.RenewLease(term)
            | do.ReleaseLease(term)
            | do.Promise(term)
            | do.OpenForWrites(term)
        ):
            return f"{name}[{term}]"
        case do.SetAcks(acks):
            return f"{name}[{acks}]"
        case do.StartReceiver(source, term):
            return f"{name}[{source} term {term}]"
        case do.LockAccount(who) | do.UnlockAccount(who):
            return f"{name}[{who}]"
        case do.AskPromises(term, _, of):
            return f"{name}[{term} of {','.join(sorted(map(str, of)))}]"
        case do.SetAcknowledging(on):
            return f"{name}[{'on' if on else 'off'}]"
        case _:
            return name
