"""What a step changes in the facts of its machine: the plan's own claim, held against reality by the lab's tests."""

from collections.abc import Mapping
from dataclasses import replace
from typing import assert_never

from colonnade.facts import (
    AccountFact,
    AgentFact,
    ClaimFact,
    ContractFact,
    DatabaseFact,
    DirectoryFact,
    EtcdFact,
    EtcdMemberFact,
    Facts,
    FileFact,
    UnitFact,
)
from colonnade.paths import AGENT_UNIT, ETCD_UNIT, MYSQL_UNIT
from colonnade.render import DatabaseRole, Desired
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
    Plan,
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
from colonnade.rollout.units import STATIC, loaded_configuration


def after_plan(facts: Mapping[str, Facts], plan: Plan, desired: Mapping[str, Desired]) -> dict[str, Facts]:
    """Return the facts that a plan to what is desired leaves behind if all goes well."""
    now = dict(facts)
    for machine, step in plan.steps:
        now = after(now, machine, step, desired)
    return now


def after(facts: Mapping[str, Facts], machine: str, step: Step, desired: Mapping[str, Desired]) -> dict[str, Facts]:
    """Return the facts that a step on a machine leaves behind; what the primary or etcd is told is told to all."""
    match step:
        case PrepareSchema():
            return {
                name: _prepared(fact, step) if name in desired and desired[name].database is not None else fact
                for name, fact in facts.items()
            }
        case Switchover():
            return {**facts, **_switched(facts, machine, desired)}
        case AddMember() | PromoteMember() | RemoveMember():
            return {**facts, **_members_changed(facts, machine, step)}
        case _:
            return {**facts, machine: _after_here(facts[machine], step, desired[machine])}


def _after_here(facts: Facts, step: Step, desired: Desired) -> Facts:  # noqa: C901, PLR0911, PLR0912  one branch for each
    match step:
        case InstallPackages(packages):
            return replace(facts, packages={**facts.packages, **dict.fromkeys(packages, "new")}, half_installed=False)
        case AddUser(user):
            return replace(facts, users=facts.users | {user.name})
        case MakeDirectory(d):
            return replace(facts, directories={**facts.directories, d.path: DirectoryFact(d.mode, d.owner, d.group)})
        case PutFile(file):
            fact = FileFact(file.mode, file.owner, file.group, file.sha256)
            return replace(facts, files={**facts.files, file.path: fact})
        case RemoveFile(path):
            return replace(facts, files={p: f for p, f in facts.files.items() if p != path})
        case RecordManifest(entries):
            return replace(facts, manifest=dict(entries))
        case DaemonReload():
            units = {name: replace(unit, needs_daemon_reload=False) for name, unit in facts.units.items()}
            return replace(facts, units=units)
        case InitialiseDatabase():
            return replace(facts, database=replace(facts.database, initialised=True))
        case ChangeUnit():
            return _after_unit(facts, step, desired)
        case SetVariables(settings):
            return replace(facts, database=_set(facts.database, settings))
        case PutRelease(release):
            return replace(facts, releases=facts.releases | {release.identity})
        case Migrate(identity):
            return replace(facts, migrated=facts.migrated | {identity})
        case ActivateRelease(identity):
            return replace(facts, release=identity)
        case RemoveRelease(identity):
            return replace(facts, releases=facts.releases - {identity})
        case Drain(server):
            return replace(facts, drained=facts.drained | {server})
        case Ready(server):
            return replace(facts, drained=facts.drained - {server})
        case PermitMember(cluster=cluster):
            return _stopped(facts, EtcdFact(join=",".join(f"{name}={peer}" for name, peer in cluster)))
        case SealMember():
            return replace(facts, etcd=replace(facts.etcd, joined=True, join=""))
        case LeaveCluster():
            return _stopped(facts, EtcdFact())
        case PutProgram(program):
            return replace(facts, programs=facts.programs | {program.identity})
        case RemoveProgram(identity):
            return replace(facts, programs=facts.programs - {identity})
        case WaitForPrimary():
            return replace(facts, agent=_leads(facts.agent, desired.node))
        case WaitWell() | PrepareSchema() | Switchover() | AddMember() | PromoteMember() | RemoveMember():
            return facts
        case _:
            assert_never(step)


def _after_unit(facts: Facts, step: ChangeUnit, desired: Desired) -> Facts:
    unit = step.unit
    before = facts.units.get(unit.name, UnitFact("loaded", "inactive", "dead", "disabled"))
    if step.action == "enable":
        enabled = before.enabled if before.enabled in STATIC else "enabled"
        return replace(facts, units={**facts.units, unit.name: replace(before, enabled=enabled)})
    active = ("active", "running") if unit.runs else (before.active, before.sub)
    now = replace(before, load="loaded", active=active[0], sub=active[1])
    changed = replace(
        facts,
        units={**facts.units, unit.name: now},
        loaded={**facts.loaded, unit.name: loaded_configuration(unit)},
    )
    if unit.name == MYSQL_UNIT and step.action in {"start", "restart"}:
        return replace(changed, database=_started(facts.database, desired.database))
    if unit.name == AGENT_UNIT:
        return replace(changed, agent=replace(facts.agent, ran=True, answers=True, node=desired.node))
    if unit.name == ETCD_UNIT:
        cluster = desired.etcd.cluster if desired.etcd else ()
        listed = facts.etcd.members or tuple(EtcdMemberFact(name, peer) for name, peer in cluster)
        return replace(changed, etcd=replace(facts.etcd, data=True, answers=True, leader="known", members=listed))
    return changed


def _prepared(facts: Facts, step: PrepareSchema) -> Facts:
    made = {account.name: AccountFact(account.name, account.digest) for account in step.accounts}
    database = facts.database
    schemas, accounts = database.schemas | {step.schema}, {**database.accounts, **made}
    return replace(facts, database=replace(database, schemas=schemas, accounts=accounts))


def _leads(agent: AgentFact, node: str) -> AgentFact:
    """Lead, as the contract says, in a later term."""
    before = agent.contract
    term, revision = (before.term + 1, before.revision + 1) if before else (1, 1)
    contract = ContractFact(node, term, revision=revision)
    claim = ClaimFact(node, term, alive=True)
    return replace(agent, answers=True, node=node, serves_primary=True, etcd=True, contract=contract, claim=claim)


def _switched(facts: Mapping[str, Facts], machine: str, desired: Mapping[str, Desired]) -> dict[str, Facts]:
    """Lead on another server; which one the agents say, so that this is one that may be."""
    old = facts[machine]
    name = next(name for name, each in desired.items() if each.database is not None and name != machine)
    new = facts[name]
    agent = _leads(replace(new.agent, contract=old.agent.contract), desired[name].node)
    copied = replace(new.database, schemas=old.database.schemas, accounts=old.database.accounts)
    return {
        machine: replace(old, agent=replace(old.agent, serves_primary=False)),
        name: replace(new, agent=agent, database=copied),
    }


def _stopped(facts: Facts, etcd: EtcdFact) -> Facts:
    stopped = replace(facts.units.get(ETCD_UNIT, UnitFact("loaded", "", "", "enabled")), active="inactive", sub="dead")
    return replace(facts, etcd=etcd, units={**facts.units, ETCD_UNIT: stopped})


def _members_changed(
    facts: Mapping[str, Facts], machine: str, step: AddMember | PromoteMember | RemoveMember
) -> dict[str, Facts]:
    """Change the list of whoever has one: it is one list, of which the newest copy was changed."""
    copies = {name: fact.etcd for name, fact in facts.items() if fact.etcd.members or name == machine}
    newest = _changed(max(copies.values(), key=lambda etcd: (bool(etcd.members), etcd.index)), step)
    return {
        name: replace(facts[name], etcd=replace(etcd, members=newest.members, index=newest.index))
        for name, etcd in copies.items()
    }


def _changed(etcd: EtcdFact, step: AddMember | PromoteMember | RemoveMember) -> EtcdFact:
    others = tuple(member for member in etcd.members if member.peer != step.peer)
    match step:
        case AddMember():
            others += (EtcdMemberFact("", step.peer, learner=True),)
        case PromoteMember():
            others += (EtcdMemberFact(step.name, step.peer),)
        case RemoveMember():
            pass
    return replace(etcd, members=others, index=etcd.index + 1)


def _started(database: DatabaseFact, role: DatabaseRole | None) -> DatabaseFact:
    """Answer, with the settings of the file."""
    return _set(replace(database, answers=True), role.settings if role else {})


def _set(database: DatabaseFact, settings: Mapping[str, str]) -> DatabaseFact:
    variables = {**database.variables, **settings}
    return replace(database, variables=variables, read_only=variables.get("read_only", "ON") == "ON")
