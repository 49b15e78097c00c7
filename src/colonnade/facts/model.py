"""What a machine looked like at the moment it was asked; plain values."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class FileFact:
    """A file as it is; ``text`` only if it differs from what is wanted and may be shown."""

    mode: int
    owner: str
    group: str
    sha256: str
    text: str | None = None


@dataclass(frozen=True, slots=True)
class DirectoryFact:
    """A directory as it is."""

    mode: int
    owner: str
    group: str


@dataclass(frozen=True, slots=True)
class UnitFact:
    """A systemd unit as systemd sees it."""

    load: str
    active: str
    sub: str
    enabled: str
    needs_daemon_reload: bool = False

    @property
    def is_active(self) -> bool:
        """Whether it runs; a unit that systemd is reloading runs too."""
        return self.active in {"active", "reloading", "refreshing"}


@dataclass(frozen=True, slots=True)
class LoadedConfiguration:
    """Fingerprints of the files that a running unit was last restarted and last reloaded with."""

    restart: str
    reload: str


@dataclass(frozen=True, slots=True)
class AccountFact:
    """A MySQL account and the digest of the definition it was made from."""

    name: str
    digest: str


@dataclass(frozen=True, slots=True)
class ReplicaFact:
    """Replication as the replica tells it; ``lag_seconds`` is None while it is not known."""

    source: str
    account: str
    receiver: str
    applier: str
    lag_seconds: float | None
    error: str
    retrieved: str = ""


@dataclass(frozen=True, slots=True)
class DatabaseFact:
    """MySQL on this machine; ``answers`` is False if it is down or does not answer within its deadline."""

    initialised: bool = False
    aside: tuple[str, ...] = ()
    """Other data directories beside its own."""
    answers: bool = False
    version: str = ""
    server_uuid: str = ""
    read_only: bool = True
    executed: str = ""
    purged: str = ""
    schemas: frozenset[str] = frozenset()
    accounts: Mapping[str, AccountFact] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    replica: ReplicaFact | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class ProxyServer:
    """One server of one backend as HAProxy on this machine sees it."""

    backend: str
    server: str
    status: str
    sessions: int
    check: str = ""
    weight: int = 1
    queued: int = 0


@dataclass(frozen=True, slots=True)
class EtcdMemberFact:
    """One member as a cluster's list has it; one that has never started has no name yet."""

    name: str
    peer: str
    learner: bool = False


@dataclass(frozen=True, slots=True)
class EtcdFact:
    """etcd on this machine; ``answers`` is False if it is down, or does not answer within its deadline."""

    data: bool = False
    """Whether a member has written anything here."""
    joined: bool = False
    """Whether this machine was a member once."""
    join: str = ""
    """The cluster for which a member may start here with empty data; such a leave is taken back when it has."""
    recovered_at: int = 0
    """When the cluster was made anew because its majority was gone, in seconds since 1970; 0: not that is known."""
    recovered_as: str = ""
    """The identity that the cluster has since then."""
    answers: bool = False
    cluster: str = ""
    member: str = ""
    leader: str = ""
    """Identity of the member that leads; empty if this one knows of none."""
    index: int = 0
    """How far the log of changes has come here: whoever is furthest has the newest list."""
    version: str = ""
    size: int = 0
    """Bytes of its database."""
    members: tuple[EtcdMemberFact, ...] = ()
    errors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ClaimFact:
    """The claim in etcd as an agent last read it: who may act as the primary, and whether its time to live runs."""

    holder: str
    term: int
    alive: bool


@dataclass(frozen=True, slots=True)
class ContractFact:
    """The contract in etcd as an agent last read it; ``revision`` tells which of two is newer."""

    primary: str
    term: int
    standbys: tuple[str, ...] = ()
    acks: int = 0
    revision: int = 0


@dataclass(frozen=True, slots=True)
class ReplicationFact:
    """A server's replication as its agent sees it; ``receiver`` is ``on``, ``off`` or ``connecting``."""

    source: str
    term: int
    receiver: str
    applying: bool
    error: str = ""


@dataclass(frozen=True, slots=True)
class SavedFact:
    """Transactions that were saved as readable SQL before a server was provisioned anew."""

    directory: str
    transactions: int


@dataclass(frozen=True, slots=True)
class AgentFact:
    """The agent on this machine, and what it says; ``answers`` is False if it is down, or not within its deadline."""

    ran: bool = False
    """Whether an agent has ever kept anything here."""
    answers: bool = False
    node: str = ""
    state: str = ""
    """Where its server stands, in the words of ``colonnade.ha``; ``witness`` without MySQL."""
    reason: str = ""
    serves_primary: bool = False
    serves_replica: bool = False
    paused: bool = False
    etcd: bool = False
    """Whether its last read of etcd succeeded."""
    claim: ClaimFact | None = None
    contract: ContractFact | None = None
    mysql: bool = False
    """Whether its MySQL answers it."""
    replication: ReplicationFact | None = None
    lag_seconds: float | None = None
    clone: tuple[str, int] | None = None
    """Stage and percent of the copy that provisions its server."""
    saved: tuple[SavedFact, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Facts:
    """One machine's answer."""

    system: str = ""
    version: str = ""
    codename: str = ""
    architecture: str = ""
    init: str = ""
    memory: int = 0
    packages: Mapping[str, str] = field(default_factory=dict)
    users: frozenset[str] = frozenset()
    directories: Mapping[str, DirectoryFact] = field(default_factory=dict)
    files: Mapping[str, FileFact] = field(default_factory=dict)
    units: Mapping[str, UnitFact] = field(default_factory=dict)
    loaded: Mapping[str, LoadedConfiguration] = field(default_factory=dict)
    manifest: Mapping[str, str] = field(default_factory=dict)
    """Digest that each managed file was last put with, by path."""
    releases: frozenset[str] = frozenset()
    release: str = ""
    migrated: frozenset[str] = frozenset()
    half_installed: bool = False
    database: DatabaseFact = field(default_factory=DatabaseFact)
    etcd: EtcdFact = field(default_factory=EtcdFact)
    agent: AgentFact = field(default_factory=AgentFact)
    programs: frozenset[str] = frozenset()
    """Versions of the agent's program that are unpacked."""
    proxy: tuple[ProxyServer, ...] = ()
    probes: Mapping[str, int] = field(default_factory=dict)
    """HTTP status by what was asked (``nginx``, ``app``); 0 if nothing answered."""
    listeners: tuple[tuple[str, int, str], ...] = ()
    """Address, TCP port and program of whatever listens on the ports that were asked about."""
    drained: frozenset[str] = frozenset()
    """Servers that an apply drained on this balancer and has not put back yet."""
    generation: str = ""
    """Names the last apply that touched the machine."""

    def active(self, unit: str) -> bool:
        """Whether the unit runs."""
        fact = self.units.get(unit)
        return fact is not None and fact.is_active
