"""One change each, as data, with its reason: ``script`` does it, ``effects`` and ``describe`` say what it does."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from colonnade.render import Account, Directory, File, Program, Release, Unit, User


@dataclass(frozen=True, slots=True)
class InstallPackages:
    """Install packages, from ``suite`` if it is not the system's own; finishes an installation that was cut off."""

    packages: tuple[str, ...]
    suite: str
    why: str


@dataclass(frozen=True, slots=True)
class AddUser:
    """Add a system account without login."""

    user: User
    why: str


@dataclass(frozen=True, slots=True)
class MakeDirectory:
    """Make a directory, or give it its owner and rights."""

    directory: Directory
    why: str


@dataclass(frozen=True, slots=True)
class PutFile:
    """Put a file in place, whole.

    ``before`` is the text that it replaces, if that is known and may be shown; ``drift`` says that
    somebody else changed it, so that whatever reads it may have read that.
    """

    file: File
    why: str
    before: str | None = None
    drift: bool = False


@dataclass(frozen=True, slots=True)
class RemoveFile:
    """Take away a file that an earlier apply put there."""

    path: str
    why: str


@dataclass(frozen=True, slots=True)
class RecordManifest:
    """Write down which files are managed, and as what they were put."""

    entries: Mapping[str, str]
    why: str


@dataclass(frozen=True, slots=True)
class DaemonReload:
    """Have systemd read its units again."""

    why: str


@dataclass(frozen=True, slots=True)
class InitialiseDatabase:
    """Make an empty data directory for MySQL."""

    why: str


UnitAction = Literal["enable", "start", "restart", "reload"]


@dataclass(frozen=True, slots=True)
class ChangeUnit:
    """Enable, start, restart or reload a unit, and wait until it answers."""

    unit: Unit
    action: UnitAction
    why: str


@dataclass(frozen=True, slots=True)
class SetVariables:
    """Set MySQL's dynamic settings in the running server."""

    settings: Mapping[str, str]
    why: str


@dataclass(frozen=True, slots=True)
class PrepareSchema:
    """Make the application's schema and the accounts on the primary; replicas get them from there."""

    schema: str
    accounts: tuple[Account, ...]
    why: str


@dataclass(frozen=True, slots=True)
class PutRelease:
    """Unpack a release of the code base, and build it if it is built."""

    release: Release
    build: str | None
    why: str


@dataclass(frozen=True, slots=True)
class Migrate:
    """Run the release's migration against the primary."""

    release: str
    command: str
    why: str


@dataclass(frozen=True, slots=True)
class ActivateRelease:
    """Turn the server to a release."""

    release: str
    why: str


@dataclass(frozen=True, slots=True)
class RemoveRelease:
    """Take away a release that is too old to go back to."""

    release: str
    why: str


@dataclass(frozen=True, slots=True)
class Drain:
    """On a balancer: send a server no new requests and wait until it has none."""

    server: str
    backends: tuple[str, ...]
    seconds: int
    why: str


@dataclass(frozen=True, slots=True)
class Ready:
    """On a balancer: send a server requests again, once its checks pass."""

    server: str
    backends: tuple[str, ...]
    seconds: int
    why: str


@dataclass(frozen=True, slots=True)
class PermitMember:
    """Give a machine leave to start etcd with empty data, once.

    ``new``: as one of the first members, which are ``cluster``; else as a learner of the cluster that
    ``cluster`` has the members of now.
    """

    name: str
    peer: str
    cluster: tuple[tuple[str, str], ...]
    new: bool
    why: str


@dataclass(frozen=True, slots=True)
class SealMember:
    """Take that leave back: the machine is a member, and if its data is lost it must be added anew."""

    why: str


@dataclass(frozen=True, slots=True)
class AddMember:
    """Add a member to etcd's cluster as a learner, which has no vote; done on any other member's machine."""

    name: str
    peer: str
    why: str


@dataclass(frozen=True, slots=True)
class PromoteMember:
    """Give a learner its vote once it has caught up; done on any other member's machine."""

    name: str
    peer: str
    why: str


@dataclass(frozen=True, slots=True)
class RemoveMember:
    """Take a member out of etcd's cluster; done on any other member's machine."""

    name: str
    peer: str
    why: str


@dataclass(frozen=True, slots=True)
class LeaveCluster:
    """Stop etcd on a machine that is no member any more, and throw its copy away."""

    why: str


@dataclass(frozen=True, slots=True)
class PutProgram:
    """Unpack a version of the agent's program."""

    program: Program
    why: str


@dataclass(frozen=True, slots=True)
class RemoveProgram:
    """Take away a version of the agent's program that no agent runs any more."""

    program: str
    why: str


@dataclass(frozen=True, slots=True)
class WaitForPrimary:
    """Wait until a server leads and its clients are in; asked on any machine."""

    seconds: int
    why: str


@dataclass(frozen=True, slots=True)
class WaitWell:
    """Wait until the machine's server is as good as it will be: it follows, has caught up, and is waited for."""

    seconds: int
    why: str


@dataclass(frozen=True, slots=True)
class Switchover:
    """Have another server become the primary; done on the primary's machine, whose agent knows who may."""

    seconds: int
    why: str


Step = (
    InstallPackages
    | AddUser
    | MakeDirectory
    | PutFile
    | RemoveFile
    | RecordManifest
    | DaemonReload
    | InitialiseDatabase
    | ChangeUnit
    | SetVariables
    | PrepareSchema
    | PutRelease
    | Migrate
    | ActivateRelease
    | RemoveRelease
    | Drain
    | Ready
    | PermitMember
    | SealMember
    | AddMember
    | PromoteMember
    | RemoveMember
    | LeaveCluster
    | PutProgram
    | RemoveProgram
    | WaitForPrimary
    | WaitWell
    | Switchover
)


@dataclass(frozen=True)
class Stage:
    """Steps that run on their machines at once; the next stage begins when all of them are done and well."""

    title: str
    work: Mapping[str, tuple[Step, ...]]
    interrupts: str = ""
    """What stops answering meanwhile, if there is no second one to take over; such a stage wants to be insisted on."""


@dataclass(frozen=True)
class Plan:
    """The ordered difference between what is and what should be."""

    stages: tuple[Stage, ...] = ()
    warnings: tuple[str, ...] = field(default=())

    def __bool__(self) -> bool:
        return bool(self.stages)

    @property
    def steps(self) -> tuple[tuple[str, Step], ...]:
        """Every step with its machine, in order."""
        return tuple(
            (machine, step) for stage in self.stages for machine, steps in stage.work.items() for step in steps
        )
