"""What a machine should look like: plain values, compared with facts by ``rollout``."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property

from colonnade.secret import Secret


class Wave(Enum):
    """Which redundant part of the stack a reload or restart takes away for a moment."""

    NONE = "none"
    BALANCER = "balancer"
    DATABASE = "database"
    SERVER = "server"
    ETCD = "etcd"
    AGENT = "agent"


@dataclass(frozen=True)
class File:
    """A file, whole. A secret one is never shown and never fetched."""

    path: str
    text: str = field(repr=False)
    mode: int = 0o644
    owner: str = "root"
    group: str = "root"
    secret: bool = False
    check: str = ""
    """Shell command that the program which will read the file checks it with; ``{file}`` is the staged copy."""
    after: str = ""
    """Shell command that makes a change of this file known where no unit's reload does."""

    @cached_property
    def sha256(self) -> str:
        """Digest of the content, as sha256sum prints it."""
        return hashlib.sha256(self.text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Directory:
    """A directory with its rights."""

    path: str
    mode: int = 0o755
    owner: str = "root"
    group: str = "root"


@dataclass(frozen=True, slots=True)
class User:
    """A system account without login."""

    name: str
    home: str


@dataclass(frozen=True, slots=True)
class Package:
    """A package; ``suite`` names the release that it and what it needs come from, if not the system's own."""

    name: str
    suite: str = ""


@dataclass(frozen=True, slots=True)
class Unit:
    """A systemd unit that should be enabled and run.

    ``restart`` and ``reload`` map the paths that it reads to digests of what matters to it there: if
    any of ``restart`` is not what it was started with it is restarted, if any of ``reload`` it is reloaded.
    """

    name: str
    restart: Mapping[str, str] = field(default_factory=dict)
    reload: Mapping[str, str] = field(default_factory=dict)
    wave: Wave = Wave.NONE
    runs: bool = True
    """False: a unit that does its work and ends, so that it need not be active."""
    after_release: bool = False
    """True: it can only start when a release of the code base is in place."""
    probe: tuple[str, str] | None = None
    """Path and Host header that the application's socket must answer with 200 before the unit counts as up."""


@dataclass(frozen=True, slots=True)
class CertificateRequest:
    """What a certificate of the stack's own authority is for; a ``server`` one is shown to clients too."""

    name: str
    """Tells it from the stack's others."""
    common_name: str
    hosts: tuple[str, ...]
    """Names and addresses that it is valid for."""
    server: bool


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate, its key, and the certificate of the authority that issued it; all PEM."""

    text: str
    key: Secret
    authority: str


@dataclass(frozen=True, slots=True)
class Account:
    """A MySQL account. ``grants`` are GRANT statements' middle parts: ``SELECT ON `app`.*``."""

    name: str
    password: Secret
    grants: tuple[str, ...]
    tls: bool = False

    @property
    def digest(self) -> str:
        """Names this definition, password included; the password (192 random bits) cannot be found from it."""
        return fingerprint([self.name, self.password.reveal(), *self.grants, str(self.tls)])


@dataclass(frozen=True, slots=True)
class DatabaseRole:
    """What MySQL on this machine should be, whoever is the primary; that one makes the schema and the accounts."""

    schema: str
    accounts: tuple[Account, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    """Dynamic settings: set in the running server when they differ, never restarted for."""


@dataclass(frozen=True, slots=True)
class EtcdRole:
    """The member of etcd on this machine, and the cluster that the stack should have."""

    name: str
    peer: str
    """URL at which the other members reach it."""
    cluster: tuple[tuple[str, str], ...]
    """Name and peer URL of every member that should be."""


@dataclass(frozen=True, slots=True)
class Release:
    """One immutable build of the code base, named by its content."""

    identity: str
    archive: bytes = field(repr=False)
    """An uncompressed tar of its files."""


@dataclass(frozen=True, slots=True)
class Program:
    """One version of the agent's program, named by its content."""

    identity: str
    archive: bytes = field(repr=False)
    """An uncompressed tar of its modules."""


@dataclass(frozen=True, slots=True)
class App:
    """The application server's part of a server."""

    release: Release
    build: str | None
    migrate: str | None


@dataclass(frozen=True, slots=True)
class Desired:
    """All that one machine should be."""

    machine: str
    packages: tuple[Package, ...] = ()
    sources: tuple[File, ...] = ()
    """Files that apt needs before anything is installed."""
    users: tuple[User, ...] = ()
    directories: tuple[Directory, ...] = ()
    files: tuple[File, ...] = ()
    units: tuple[Unit, ...] = ()
    database: DatabaseRole | None = None
    app: App | None = None
    etcd: EtcdRole | None = None
    node: str = ""
    """What agents call it."""
    program: Program | None = None
    """The agent's; None where there is none."""
    ports: tuple[int, ...] = ()
    """TCP ports of ours, in which another program would be in the way."""

    @property
    def all_files(self) -> tuple[File, ...]:
        """Every file, apt's first."""
        return (*self.sources, *self.files)


def fingerprint(parts: Iterable[str]) -> str:
    """Return 16 hex digits that name a sequence of texts."""
    digest = hashlib.sha256()
    for part in parts:
        encoded = part.encode()
        digest.update(f"{len(encoded)}:".encode() + encoded)
    return digest.hexdigest()[:16]
