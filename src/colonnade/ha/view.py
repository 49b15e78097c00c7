"""What one agent knows at one moment, as values; time is a field, in seconds of a clock that does not jump."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from colonnade.gtid import GtidSet

NOTHING = GtidSet()


@dataclass(frozen=True, slots=True, order=True)
class Member:
    """A server's data: its name, and the ``server_uuid`` and id written when it was provisioned (``uuid/id``)."""

    name: str
    incarnation: str

    @property
    def uuid(self) -> str:
        """The ``server_uuid`` under which its transactions begin."""
        return self.incarnation.partition("/")[0]

    def __str__(self) -> str:
        return self.name


class Receiver(Enum):
    """What the thread that fetches the primary's binary log does."""

    OFF = "off"
    CONNECTING = "connecting"
    ON = "on"


@dataclass(frozen=True, slots=True)
class Replication:
    """A MySQL server's replica side: whom it follows, since which term, and how that goes."""

    source: str
    term: int
    receiver: Receiver
    silence: float  # seconds since anything, if only a heartbeat, came from the source
    acknowledges: bool  # the receiver was started with semi-sync on
    applying: bool
    applier_error: str = ""


@dataclass(frozen=True, slots=True)
class Semisync:
    """A MySQL server's source side: how many acknowledgements a commit waits for (0: off), and how that goes.

    ``acknowledgers`` are the connected replicas that have semi-sync on, by the name of their account.
    ``blocked_since`` is the moment since which commits wait and none was acknowledged.
    """

    acks: int = 0
    waiting: int = 0  # sessions of clients in a commit; those already killed do not count
    acknowledgers: frozenset[str] = frozenset()
    blocked_since: float | None = None


@dataclass(frozen=True, slots=True)
class Mysql:
    """A MySQL server that answers, as its agent sees it.

    ``relay_read``: the applier has read all that was received. After a restart MySQL does not name what waits in the
    relay log, so ``received`` is the whole truth only then, or while the server has run since it was received
    (``received_known``).
    """

    executed: GtidSet
    received: GtidSet = NOTHING
    received_known: bool = True
    relay_read: bool = True
    read_only: bool = True
    offline: bool = False
    source: Semisync = field(default_factory=Semisync)
    replication: Replication | None = None
    acknowledging: bool = False  # the replica side's variable, which the receiver reads when it starts
    dumps: frozenset[str] = frozenset()  # replicas that fetch its binary log, by the name of their account
    locked: frozenset[str] = frozenset()  # accounts of replicas that are locked
    strangers: bool = False  # sessions of an earlier agent process are still there

    @property
    def holds(self) -> GtidSet:
        """All transactions that it has executed or at least received."""
        return self.executed | self.received if self.received.intervals else self.executed


@dataclass(frozen=True, slots=True)
class Claim:
    """Who may act as primary; ``term`` only grows, ``alive`` ends with the time to live."""

    holder: str
    term: int
    revision: int
    alive: bool


class How(Enum):
    """How a term began."""

    FOUNDED = "founded"
    PROMOTED = "promoted"
    RENEWED = "renewed"
    FORCED = "forced"


@dataclass(frozen=True, slots=True)
class Succession:
    """The record of one term's beginning, written with its contract: the proof that a promotion lost nothing."""

    term: int
    previous: int
    primary: Member
    how: How
    promised: frozenset[Member] = frozenset()
    holds: GtidSet = NOTHING


@dataclass(frozen=True, slots=True)
class Contract:
    """What an acknowledgement is worth. ``revision`` is etcd's, 0 before it was written; changes: ``ha.contract``."""

    primary: Member
    term: int
    standbys: frozenset[Member] = frozenset()
    acks: int = 0
    floor: GtidSet = NOTHING
    barred: frozenset[str] = frozenset()  # servers that may still have semi-sync on although they must not
    revision: int = 0

    @property
    def promises_needed(self) -> int:
        """How many standbys must promise before it is certain that none of the rest can complete an acknowledgement."""
        return len(self.standbys) - self.acks + 1

    def lists(self, member: Member) -> bool:
        """Say whether the member's acknowledgement is wanted."""
        return member in self.standbys and member.name not in self.barred


@dataclass(frozen=True, slots=True)
class Request:
    """A person's wish that another server be primary; ``since`` is when this agent first read it.

    ``forced``: without the proof that it holds everything, because a person accepted what may be lost.
    """

    target: str
    since: float
    forced: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """etcd as last read. ``current``: read in this very round, linearizably; otherwise it did not answer."""

    current: bool
    claim: Claim | None = None
    contract: Contract | None = None
    successions: tuple[Succession, ...] = ()
    request: Request | None = None


@dataclass(frozen=True, slots=True)
class Durable:
    """What the agent has on its own disk."""

    promised_term: int = 0
    last_term: int = 0  # the last term in which this data followed or led
    provisioned: bool = True
    saved: GtidSet = NOTHING  # errant transactions that were saved as readable SQL


@dataclass(frozen=True, slots=True)
class Probe:
    """The agent's own small write. ``clean``: semi-sync was on throughout, ``yes_tx`` grew and ``no_tx`` did not."""

    began: float
    acks: int
    ended: float | None = None
    clean: bool = False
    acknowledgers: frozenset[str] = frozenset()
    holds: GtidSet = NOTHING  # executed when it had ended


@dataclass(frozen=True, slots=True)
class Asked:
    """Promises that were asked for: in which term, under which revision of the contract, since when."""

    term: int
    revision: int
    since: float


@dataclass(frozen=True, slots=True)
class Memory:
    """What the agent process remembers; all of it is lost with the process, and nothing unsafe follows from that."""

    lease_from: float | None = None  # before the last successful claim or renewal was sent
    lease_term: int = 0
    changed_at: float = 0.0  # the last change to whom or what a commit waits for, or to who may come in
    loosened_at: float | None = None  # the last time commits were made to wait for fewer
    probe: Probe | None = None
    settled: bool = False  # no write to the contract with an unknown outcome may still land
    asked: Asked | None = None
    asked_of_me: int = 0  # the highest term in which a claimant asked for a promise
    released_at: float | None = None
    silent_since: float | None = None  # since when its own MySQL does not answer
    unwritten_since: float | None = None  # since when none of its own writes has succeeded, though one was begun
    floored_at: float = float("-inf")  # the last time the floor was moved up
    earlier: GtidSet | None = None  # what was executed here a moment ago: who holds that has caught up


@dataclass(frozen=True, slots=True)
class Report:
    """What an agent tells the others about its server, made from a view by ``ha.report``."""

    member: Member
    revision: int = 0  # of the contract it acts upon: all that it did under an older one is finished
    promised: int = 0  # the term it promised *and* keeps: its receiver is off, or follows that term or a later one
    complete: bool = False  # ``holds`` is the whole truth
    holds: GtidSet = NOTHING
    following: int = 0  # the term of the primary from which it receives at this moment, or 0
    acknowledges: bool = True  # its replica side is on, or may be
    reaches_primary: bool = False
    answers: bool = False  # its MySQL answers
    leads: int = 0  # the term in which it has opened as primary, or 0
    executed: GtidSet = NOTHING
    last_term: int = 0  # the last term in which its data took part; 0: it is new
    leaving: bool = False  # its data is to be made anew, so it must not be counted on
    serves: bool = False  # clients may write there; for routing only, no decision rests on it


@dataclass(frozen=True, slots=True)
class Peer:
    """Another agent's last answer; ``at`` is when it was *asked*, and None if it never answered."""

    at: float
    report: Report


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the stack file asks for; times in seconds."""

    servers: tuple[str, ...]
    agents: int  # on servers, balancers and witnesses: who may vote on whether the primary is reachable
    founder: str  # the server that begins when etcd knows of no contract
    standbys: int = 1
    acks: int = 1
    strict: bool = False
    ttl: float = 2.0
    renew_every: float = 0.6
    hold_off: float = 1.0  # commits blocked for so long: the contract may be loosened
    silent_after: float = 1.5  # no heartbeat from the primary for so long: its receiver has lost it
    lost_after: float = 5.0  # a standby out of reach for so long is removed
    patience: float = 3.0  # a claimant gives up after so long, and a switchover
    back_off: float = 2.0  # after giving up, and before raising again
    heartbeat: float = 1.0
    stalled_after: float = 6.0  # a primary that cannot write for so long, and waits for no standby, gives way
    refresh_floor: float = 10.0
    lag: int = 100  # transactions by which a new standby may be behind


@dataclass(frozen=True, slots=True)
class View:
    """Everything a decision may depend on."""

    now: float
    me: Member
    mysql: Mysql | None  # None: it does not run, or does not answer
    record: Record
    wanted: Wanted
    durable: Durable = field(default_factory=Durable)
    memory: Memory = field(default_factory=Memory)
    peers: Mapping[str, Peer] = field(default_factory=dict)
    reaches_primary: bool = False
    paused: bool = False
    gone: bool = False  # its own MySQL is certain not to run, rather than silent

    def heard(self, name: str, within: float) -> Report | None:
        """Return what another agent said, if it was asked less than so many seconds ago."""
        peer = self.peers.get(name)
        return peer.report if peer is not None and self.now - peer.at < within else None
