"""What a step does, in a few words."""

from colonnade.rollout.steps import (
    ActivateRelease,
    AddMember,
    AddUser,
    ChangeUnit,
    DaemonReload,
    Drain,
    InitialiseDatabase,
    InstallPackages,
    LeaveCluster,
    MakeDirectory,
    Migrate,
    PermitMember,
    PrepareSchema,
    PromoteMember,
    PutFile,
    PutProgram,
    PutRelease,
    Ready,
    RecordManifest,
    RemoveFile,
    RemoveMember,
    RemoveProgram,
    RemoveRelease,
    SealMember,
    SetVariables,
    Step,
    Switchover,
    WaitForPrimary,
    WaitWell,
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
        case PutProgram(program):
            return f"unpack the agent's program {program.identity}"
        case RemoveProgram(identity):
            return f"remove the agent's program {identity}"
        case WaitForPrimary():
            return "wait for a primary"
        case WaitWell():
            return "wait until MySQL has caught up"
        case Switchover():
            return "have another server become the primary"
