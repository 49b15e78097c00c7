"""One change each, as data, with the reason for it; ``script`` carries them out, ``effects`` says what they change."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from colonnade.render import Account, Directory, File, Release, Source, Unit, User


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
class FollowSource:
    """Have MySQL replicate from the primary; ``clone`` copies the primary's data first, if the server is empty."""

    source: Source
    why: str
    clone: bool = False
    only_start: bool = False


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
    | FollowSource
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


def describe(step: Step) -> str:  # noqa: PLR0911, PLR0912, C901  one line for each kind of step
    """Say in a few words what a step does."""
    match step:
        case InstallPackages(packages, suite):
            what = " ".join(packages) or "what an interrupted installation left"
            return f"install {what}{f' from {suite}' if suite else ''}"
        case AddUser(user):
            return f"add user {user.name}"
        case MakeDirectory(directory):
            return f"make {directory.path}"
        case PutFile(file):
            return f"put {file.path}{' (its content is secret)' if file.secret else ''}"
        case RemoveFile(path):
            return f"remove {path}"
        case RecordManifest(entries):
            return f"record {len(entries)} managed files"
        case DaemonReload():
            return "have systemd read its units"
        case InitialiseDatabase():
            return "make MySQL's data directory"
        case ChangeUnit(unit, action):
            return f"{action} {unit.name}"
        case SetVariables(settings):
            return f"set {', '.join(f'{name} = {value}' for name, value in settings.items())} in MySQL"
        case PrepareSchema(schema, accounts):
            names = ", ".join(account.name for account in accounts)
            return f"make schema {schema}" + (f" and accounts {names}" if names else "")
        case FollowSource(source, _, clone, only_start):
            if only_start:
                return f"start replication from {source.server}"
            return f"replicate from {source.server}{', whose data is copied first if there is none' if clone else ''}"
        case PutRelease(release, build):
            return f"{'build' if build else 'unpack'} release {release.identity}"
        case Migrate(release):
            return f"migrate the database for release {release}"
        case ActivateRelease(release):
            return f"turn to release {release}"
        case RemoveRelease(release):
            return f"remove release {release}"
        case Drain(server):
            return f"drain {server}"
        case Ready(server):
            return f"put {server} back"
        case PermitMember(_, _, cluster, new):
            names = ", ".join(name for name, _ in cluster)
            return f"let etcd start as {'one of the first members' if new else 'a new member'} with {names}"
        case SealMember():
            return "take back the leave to start etcd with empty data"
        case AddMember(name):
            return f"add {name} to etcd, without a vote yet"
        case PromoteMember(name):
            return f"give {name} its vote in etcd"
        case RemoveMember(name):
            return f"remove {name} from etcd"
        case LeaveCluster():
            return "stop etcd and remove its data"
