"""A model of one MySQL server: binary log, semi-sync as measured, relay log, crash, freeze, late statements."""

from collections.abc import Callable
from dataclasses import dataclass, field

from colonnade.gtid import GtidSet
from colonnade.ha.view import Member, Mysql, Receiver, Replication, Semisync

from .world import World

Gtid = tuple[str, int]
CONNECTION_LOST = 4.0  # replica_net_timeout


def grown(held: GtidSet, gtid: Gtid) -> GtidSet:
    """Return the set with one more transaction."""
    uuid, number = gtid
    intervals = held.intervals.get(uuid)
    if intervals and intervals[-1][1] == number - 1:
        new = (*intervals[:-1], (intervals[-1][0], number))
    elif not intervals:
        new = ((number, number),)
    else:
        return held | GtidSet({uuid: ((number, number),)})
    return GtidSet({**held.intervals, uuid: new})


@dataclass
class Waiter:
    """A session in a commit that waits for acknowledgements."""

    position: int
    tell: Callable[[bool], None]  # True: OK; False: the connection is gone
    ours: bool = False  # the agent's own, which survives offline_mode
    killed: bool = False


@dataclass
class Link:
    """One replica's connection to its source."""

    source: "Server"
    replica: "Server"
    epoch: int
    acknowledges: bool
    sent: int = 0  # position in the source's binary log
    due: int = 0  # position whose acknowledgement is on its way


@dataclass
class Statement:
    """A statement of an agent on its way into MySQL, or stuck in it."""

    run: Callable[[], None]
    epoch: int
    orphan: bool = False
    cancelled: bool = False


@dataclass(eq=False)
class Server:
    """One server's MySQL and its data."""

    world: World
    name: str
    member: Member
    keeps_relay_log: bool = True
    starts_shut: bool = True
    running: bool = True
    powered: bool = True
    frozen: bool = False
    epoch: int = 1
    binlog: list[Gtid] = field(default_factory=list)
    committed: int = 0
    executed: GtidSet = field(default_factory=GtidSet)
    physical: set[Gtid] = field(default_factory=set)
    relay: list[Gtid] = field(default_factory=list)
    received: GtidSet = field(default_factory=GtidSet)
    received_known: bool = True
    read_only: bool = True
    offline: bool = True
    acks: int = 0
    acked: dict[str, int] = field(default_factory=dict)
    waiters: list[Waiter] = field(default_factory=list)
    yes: int = 0
    progress_at: float = 0.0
    links: dict[str, Link] = field(default_factory=dict)
    locked: set[str] = field(default_factory=set)
    source: "Server | None" = None
    term: int = 0
    receiving: bool = False
    latched: bool = False
    link: Link | None = None
    heard_at: float = 0.0
    applying: bool = False
    stalled_until: float = 0.0  # the applier waits, for a lock or a slow disk
    acknowledging: bool = False
    statements: list[Statement] = field(default_factory=list)
    numbers: int = 0

    # ---- the server process

    @property
    def answers(self) -> bool:
        return self.running and not self.frozen

    def crash(self, *, power: bool = False) -> None:
        if not self.running:
            self.powered = self.powered and not power
            return
        self.running, self.frozen, self.powered = False, False, not power
        self.epoch += 1
        waiters, self.waiters = self.waiters, []
        for waiter in waiters:
            if not waiter.killed:
                waiter.tell(False)
        self._drop_receiver()
        self.links.clear()
        self.statements.clear()

    def terminate(self) -> None:
        """SIGTERM: whoever waits in a commit is told OK, as MySQL does."""
        if self.running and not self.frozen:
            self._release(len(self.binlog))
        self.crash()

    def start(self) -> None:
        """Start again: recovery commits all of the binary log, and every variable is the file's."""
        if self.running:
            return
        self.running = self.powered = True
        while self.committed < len(self.binlog):
            self._commit_next()
        self.read_only, self.offline, self.acks, self.acknowledging = True, self.starts_shut, 0, False
        self.receiving = self.applying = False
        self.acked.clear()
        self.received, self.received_known = GtidSet(), not self.relay
        if not self.keeps_relay_log:
            self.relay.clear()
            self.physical = set(self.binlog)
            self.received_known = True
        self.progress_at = self.world.now

    def become(self, other: "Server", member: Member) -> None:
        """Take the place of a clone of another server: its committed data and its accounts, under a new identity."""
        self.crash()
        self.member, self.numbers = member, 0
        self.binlog = other.binlog[: other.committed]
        self.committed, self.executed = len(self.binlog), other.executed
        self.physical, self.relay = set(self.binlog), []
        self.source, self.term = None, 0
        self.locked = set(other.locked)
        self.start()

    # ---- commits

    def write(self, tell: Callable[[bool], None], *, ours: bool = False) -> Gtid:
        self.numbers += 1
        gtid = (self.member.uuid, self.numbers)
        self.binlog.append(gtid)
        self.physical.add(gtid)
        if not self.waiters:
            self.progress_at = self.world.now
        self.waiters.append(Waiter(len(self.binlog), tell, ours))
        if not self.acks:
            self._release(len(self.binlog))
        return gtid

    def _commit_next(self) -> None:
        self.executed = grown(self.executed, self.binlog[self.committed])
        self.committed += 1

    def _release(self, upto: int) -> None:
        while self.committed < upto:
            self._commit_next()
        while self.waiters and self.waiters[0].position <= upto:
            waiter = self.waiters.pop(0)
            self.progress_at = self.world.now
            if not waiter.killed:
                waiter.tell(True)

    def acknowledge(self, name: str, position: int) -> None:
        self.acked[name] = max(self.acked.get(name, 0), position)
        self._count_acks()

    def _count_acks(self) -> None:
        if self.acks and len(self.acked) >= self.acks:
            position = sorted(self.acked.values(), reverse=True)[self.acks - 1]
            if position > self.committed or (self.waiters and self.waiters[0].position <= position):
                self.yes += 1
                self._release(min(position, len(self.binlog)))

    def set_acks(self, acks: int) -> None:
        self.acks = acks
        if acks == 0:
            self.acked.clear()
            self._release(len(self.binlog))
        else:
            self._count_acks()

    def fence(self) -> None:
        self.offline = True
        for waiter in self.waiters:
            if not waiter.killed and not waiter.ours:
                waiter.killed = True
                waiter.tell(False)

    # ---- replication

    def _drop_receiver(self) -> None:
        link, self.link = self.link, None
        self.receiving = False
        if (
            link is not None
            and self.world.path(self.name, link.source.name)
            and link.source.links.get(self.name) is link
        ):
            del link.source.links[self.name]

    def stop_receiver(self) -> None:
        self._drop_receiver()

    def start_receiver(self, source: "Server", term: int, *, purge: bool = False) -> None:
        if self.receiving and self.source is source and self.latched == self.acknowledging and not purge:
            self.term = term
            return
        self._drop_receiver()
        if purge:
            self.relay.clear()
            self.received = GtidSet()
            self.physical = set(self.binlog)
        self.source, self.term, self.receiving, self.applying = source, term, True, True
        self.latched, self.heard_at = self.acknowledging, self.world.now

    def lock(self, name: str) -> None:
        self.locked.add(name)
        self.links.pop(name, None)

    def step(self) -> None:
        """Let the receiver and the applier go on for a moment."""
        if not self.answers:
            return
        if self.receiving and self.source is not None:
            self._receive(self.source)
        if self.applying and self.relay and self.world.now >= self.stalled_until:
            self._apply()

    def _apply(self) -> None:
        some = self.world.chance.randint(1, 8)
        for gtid in self.relay[:some]:
            self.binlog.append(gtid)
        del self.relay[:some]
        if not self.acks:
            while self.committed < len(self.binlog):
                self._commit_next()
        if not self.relay:
            self.received_known = True

    def _receive(self, source: "Server") -> None:  # noqa: C901  one connection, in one place
        world = self.world
        link = self.link
        if link is not None and (link.epoch != source.epoch or source.links.get(self.name) is not link):
            if source.powered and world.talk(self.name, source.name):
                link = self.link = None  # the other side says that this connection is gone
            elif world.now - self.heard_at > CONNECTION_LOST:
                link = self.link = None
        if link is None:
            if not source.answers or not world.talk(self.name, source.name) or self.name in source.locked:
                return
            link = self.link = source.links[self.name] = Link(source, self, source.epoch, self.latched)
            self.heard_at = world.now
        if link.epoch != source.epoch or source.links.get(self.name) is not link or not source.answers:
            return
        if world.path(source.name, self.name):
            self.heard_at = world.now
            self._fetch(source, link)
        elif world.now - self.heard_at > CONNECTION_LOST:
            self.link = None
            return
        if link.due and link.acknowledges and world.path(self.name, source.name):
            position, link.due = link.due, 0
            if world.chance.random() < 0.01:
                self.link = None  # the connection breaks after the events came and before the acknowledgement went
                source.links.pop(self.name, None)
                return
            world.after(world.chance.uniform(0.0005, 0.01), lambda: self._deliver(source, link, position))

    def _deliver(self, source: "Server", link: Link, position: int) -> None:
        if source.links.get(self.name) is not link or link.epoch != source.epoch or not source.running:
            return
        if source.frozen or not self.world.path(self.name, source.name):
            self.world.after(0.05, lambda: self._deliver(source, link, position))
            return
        source.acknowledge(self.name, position)

    def _fetch(self, source: "Server", link: Link) -> None:
        fresh = False
        while link.sent < len(source.binlog):
            gtid = source.binlog[link.sent]
            link.sent += 1
            if gtid not in self.physical:
                self.physical.add(gtid)
                self.relay.append(gtid)
                self.received = grown(self.received, gtid)
                fresh = True
        if fresh:
            link.due = link.sent  # nothing is acknowledged that was there before the connection

    # ---- what the agent sees

    def observed(self) -> Mysql:
        now = self.world.now
        replication = None
        if self.source is not None:
            receiver = (
                Receiver.OFF if not self.receiving else Receiver.ON if self.link is not None else Receiver.CONNECTING
            )
            replication = Replication(
                self.source.name,
                self.term,
                receiver,
                now - self.heard_at,
                self.receiving and self.latched,
                self.applying,
            )
        return Mysql(
            self.executed,
            self.received,
            self.received_known,
            not self.relay,
            self.read_only,
            self.offline,
            Semisync(
                self.acks,
                sum(not w.killed and not w.ours for w in self.waiters),
                frozenset(n for n, link in self.links.items() if link.acknowledges),
                self.progress_at if self.waiters else None,
            ),
            replication,
            self.acknowledging,
            frozenset(self.links),
            frozenset(self.locked),
            any(s.orphan for s in self.statements),
        )
