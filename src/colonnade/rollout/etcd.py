"""What brings etcd's cluster from what it is to what it should be, one change of its members at a time.

1. A first start is all members' at once, with the same list. It ends with a mark on each machine that
   it was a member; from the first such mark on nobody starts with empty data without being added.
2. Later: what is down is started; a member whose machine is gone is removed; a member that lost its
   data is removed and added anew; a new one is added as a learner, which cannot cost the majority, and
   promoted when it has caught up; then those that should be no members any more leave; then restarts,
   the leader's last.

When the majority is gone for good nothing is changed: that takes a person, and ``warnings`` says so.
"""

from collections.abc import Iterator, Mapping

from colonnade import paths
from colonnade.etcd import Cluster, cluster_of, is_up, majority_of
from colonnade.facts import Facts
from colonnade.render import Desired, EtcdRole, Unit
from colonnade.rollout.etcd_removal import removal_steps
from colonnade.rollout.steps import (
    AddMember,
    ChangeUnit,
    PermitMember,
    PromoteMember,
    RemoveMember,
    SealMember,
    Stage,
    Step,
)
from colonnade.rollout.units import Need
from colonnade.topology import Machine, Topology

_Needs = Mapping[str, Mapping[str, Need | None]]


def etcd_stages(
    topology: Topology, desired: Mapping[str, Desired], facts: Mapping[str, Facts], needs: _Needs
) -> Iterator[Stage]:
    """Return the stages that etcd needs."""
    cluster = cluster_of(topology, facts)
    wanted = topology.etcd_members
    if not cluster.formed:
        first = _first_start(wanted, desired, facts)
        yield first
        why = "the cluster is made, so that a member which loses its data is added anew"
        yield Stage("etcd's first members are marked", {m.name: (SealMember(why),) for m in wanted})
        yield from _leaves(topology, cluster, desired, facts)
        yield from _restarts(topology, [m for m in wanted if m.name in first.work], desired, facts, needs)
        return
    if cluster.majority_is_gone:
        return
    yield _starts(wanted, cluster, desired, facts)
    if not cluster.members:
        return
    yield _seals(wanted, cluster, facts)
    yield from _forgets(topology, cluster)
    joining = [machine for machine in wanted if _must_join(machine, cluster, facts[machine.name])]
    for machine in joining:
        yield from _join(machine, topology, cluster, desired, facts[machine.name])
    for machine in wanted:
        member = cluster.member(machine)
        if member is not None and member.learner and machine not in joining:
            yield _promotion(machine, topology, cluster)
    yield from _leaves(topology, cluster, desired, facts)
    yield from _restarts(topology, joining, desired, facts, needs)


def _unit(desired: Desired) -> Unit:
    return next(unit for unit in desired.units if unit.name == paths.ETCD_UNIT)


def _role(desired: Desired) -> EtcdRole:
    assert desired.etcd is not None  # noqa: S101  asked of members only
    return desired.etcd


def _first_start(wanted: tuple[Machine, ...], desired: Mapping[str, Desired], facts: Mapping[str, Facts]) -> Stage:
    count = len(wanted)
    why = (
        f"first start; {count} members on the stack's machines, of which {majority_of(count)} must be up"
        if count > 1
        else "first start; one member, for a second without a third would tolerate no loss either"
    )
    work: dict[str, tuple[Step, ...]] = {}
    for machine in wanted:
        role, fact = _role(desired[machine.name]), facts[machine.name]
        permitted = fact.etcd.join == ",".join(f"{name}={peer}" for name, peer in role.cluster)
        if not (permitted and fact.etcd.data and fact.active(paths.ETCD_UNIT)):
            permit = PermitMember(role.name, role.peer, role.cluster, new=True, why=why)
            work[machine.name] = (permit, ChangeUnit(_unit(desired[machine.name]), "start", "it is a new member"))
    return Stage("etcd's members start for the first time", work)


def _starts(
    wanted: tuple[Machine, ...], cluster: Cluster, desired: Mapping[str, Desired], facts: Mapping[str, Facts]
) -> Stage:
    """Start what is down and has its data; who is in the cluster is not known if nobody answers."""
    work: dict[str, tuple[Step, ...]] = {}
    for machine in wanted:
        fact = facts[machine.name]
        listed = not cluster.members or cluster.member(machine) is not None
        if fact.etcd.data and listed and not fact.active(paths.ETCD_UNIT):
            unit = fact.units.get(paths.ETCD_UNIT)
            why = f"it is {unit.active}" if unit else "it is not known to systemd"
            work[machine.name] = (ChangeUnit(_unit(desired[machine.name]), "start", why),)
    return Stage("etcd starts where it is down", work)


def _seals(wanted: tuple[Machine, ...], cluster: Cluster, facts: Mapping[str, Facts]) -> Stage:
    """Mark members whose first start was cut off just before."""
    why = "it is a member, and not marked as one"
    work = {
        machine.name: (SealMember(why),)
        for machine in wanted
        if facts[machine.name].etcd.data
        and cluster.member(machine) is not None
        and (facts[machine.name].etcd.join or not facts[machine.name].etcd.joined)
    }
    return Stage("etcd's members are marked", work)


def _speaker(topology: Topology, cluster: Cluster, other_than: Machine | None = None) -> Machine:
    """Return the machine that a change of members is asked on: never its subject, and one that stays if possible."""

    def rank(machine: Machine) -> int:
        member = cluster.member(machine)
        if member is None or member.learner or not member.has_data:
            return 3  # joined a moment ago: if all present members leave, it speaks for the last
        if machine not in topology.etcd_members:
            return 2
        return 0 if member.up else 1

    return min((machine for machine in _possible(topology, cluster) if machine != other_than), key=rank)


def _possible(topology: Topology, cluster: Cluster) -> tuple[Machine, ...]:
    leaving = (m.machine for m in cluster.voters if m.machine is not None and m.up)
    return tuple(dict.fromkeys((*topology.etcd_members, *leaving)))


def _forgets(topology: Topology, cluster: Cluster) -> Iterator[Stage]:
    """Remove members that no machine of the stack is: dead, as a rule, they only raise what a majority takes."""
    for member in cluster.members:
        if member.machine is None:
            why = "no machine of the stack is this member"
            step = RemoveMember(member.called, member.peer, why)
            yield Stage(f"etcd forgets {member.called}", {_speaker(topology, cluster).name: (step,)})


def _must_join(machine: Machine, cluster: Cluster, facts: Facts) -> bool:
    return cluster.member(machine) is None or not facts.etcd.data or machine.name in cluster.relics


def _join(
    machine: Machine, topology: Topology, cluster: Cluster, desired: Mapping[str, Desired], facts: Facts
) -> Iterator[Stage]:
    member, name = cluster.member(machine), machine.name
    role, speaker = _role(desired[name]), _speaker(topology, cluster, machine)
    why = f"it is one of the {len(role.cluster)} machines that etcd runs on"
    change: tuple[Step, ...] = (AddMember(name, role.peer, why),)
    if member is not None and member.learner and not member.started:
        change = ()  # added by an apply that was cut off, and never started
    elif member is not None:
        lost = (
            "its data is of the cluster that there was before the recovery"
            if facts.etcd.data
            else "its data is gone: empty, under its old identity, it could vote twice"
        )
        change = (RemoveMember(name, role.peer, lost), AddMember(name, role.peer, "in its place, with a new identity"))
    if change:
        yield Stage(f"etcd takes {name} in", {speaker.name: change})
    others = tuple((m.called, m.peer) for m in cluster.voters if m.has_data and m.peer != role.peer)
    permit = PermitMember(name, role.peer, others, new=False, why=_emptied(facts))
    started = ChangeUnit(_unit(desired[name]), "start", "it joins the cluster")
    yield Stage(f"etcd on {name} copies the others' data", {name: (permit, started, SealMember("it has started"))})
    yield _promotion(machine, topology, cluster)


def _emptied(facts: Facts) -> str:
    return "what it has is an earlier member's, and of no use to this cluster" if facts.etcd.data else "it has no data"


def _promotion(machine: Machine, topology: Topology, cluster: Cluster) -> Stage:
    step = PromoteMember(machine.name, machine.etcd_peer, "it has a vote when it has caught up")
    return Stage(f"etcd gives {machine.name} its vote", {_speaker(topology, cluster, machine).name: (step,)})


def _leaves(
    topology: Topology, cluster: Cluster, desired: Mapping[str, Desired], facts: Mapping[str, Facts]
) -> Iterator[Stage]:
    """Take out those that should be no members any more, one after the other."""
    why = f"etcd runs on {', '.join(m.name for m in topology.etcd_members)}"
    for machine in topology.machines:
        if machine in topology.etcd_members:
            continue
        if cluster.formed and cluster.member(machine) is not None:
            step = RemoveMember(machine.name, machine.etcd_peer, why)
            yield Stage(f"etcd lets {machine.name} go", {_speaker(topology, cluster, machine).name: (step,)})
        etcd = facts[machine.name].etcd
        if etcd.data or etcd.joined or etcd.join:
            steps = tuple(removal_steps(desired[machine.name], facts[machine.name], why))
            yield Stage(f"etcd leaves {machine.name}", {machine.name: steps})


def _restarts(
    topology: Topology,
    joining: list[Machine],
    desired: Mapping[str, Desired],
    facts: Mapping[str, Facts],
    needs: _Needs,
) -> Iterator[Stage]:
    members = topology.etcd_members
    up = {m.name for m in members if m in joining or is_up(facts[m.name]) or not facts[m.name].active(paths.ETCD_UNIT)}
    leader = cluster_of(topology, facts).leader
    for machine in sorted(members, key=lambda m: m.name == leader):
        need = needs[machine.name][paths.ETCD_UNIT]
        if need is None or machine in joining:
            continue
        step = ChangeUnit(_unit(desired[machine.name]), need.action, need.why)
        # What is down was started by an earlier stage, or this one is not reached.
        alone = (
            "etcd loses its majority for some seconds" if len(up - {machine.name}) < majority_of(len(members)) else ""
        )
        yield Stage(f"etcd on {machine.name}", {machine.name: (step,)}, alone)
