"""What the machines' facts say together about etcd: who is a member, who is up, who leads. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from colonnade.facts import EtcdFact, Facts
from colonnade.paths import ETCD_UNIT
from colonnade.topology import Machine, Topology


@dataclass(frozen=True, slots=True)
class Member:
    """One member of the cluster; ``machine`` is None if none of the stack's has its peer URL."""

    peer: str
    name: str
    learner: bool
    machine: Machine | None
    up: bool
    has_data: bool

    @property
    def started(self) -> bool:
        """Whether it ever was; one that has only been added has no name yet."""
        return bool(self.name)

    @property
    def called(self) -> str:
        """What a person calls it."""
        return self.machine.name if self.machine else self.name or self.peer


@dataclass(frozen=True)
class Cluster:
    """The cluster as those who answer know it."""

    formed: bool
    """Whether it ever was one: then no member starts empty any more, and none of it is made up anew."""
    members: tuple[Member, ...]
    """Empty if nobody answers."""
    leader: str
    """Name of the machine whose member leads; empty if none does, or it did not answer."""
    has_leader: bool
    lost_while_silent: tuple[str, ...] = ()
    """If nobody answers who knows the members: those machines that were some and have no data, if they are too many."""
    relics: frozenset[str] = frozenset()
    """Machines that speak for the cluster that there was before a recovery."""

    @property
    def voters(self) -> tuple[Member, ...]:
        """The members whose votes count."""
        return tuple(member for member in self.members if not member.learner)

    @property
    def majority(self) -> int:
        """How many voters must be up."""
        return majority_of(len(self.voters))

    @property
    def lost(self) -> tuple[Member, ...]:
        """The voters that will not come back by themselves: their data, or their machine, is gone."""
        return tuple(member for member in self.voters if not member.has_data)

    @property
    def majority_is_gone(self) -> bool:
        """Whether no start of whatever is left brings a majority together."""
        if self.lost_while_silent:
            return True
        return bool(self.voters) and not self.has_leader and len(self.voters) - len(self.lost) < self.majority

    @property
    def lost_names(self) -> tuple[str, ...]:
        """What a person calls those whose data is gone."""
        return tuple(member.called for member in self.lost) or self.lost_while_silent

    def member(self, machine: Machine) -> Member | None:
        """Return the member on a machine."""
        return next((member for member in self.members if member.peer == machine.etcd_peer), None)


def members_explained(topology: Topology) -> str:
    """Say who the members should be and how many of them may fail, or why it is only one; a sentence or two."""
    names = [machine.name for machine in topology.etcd_members]
    if len(names) > 1:
        spare = len(names) - majority_of(len(names))
        any_of = {1: "any one", 2: "any two"}[spare]
        return f"etcd runs on {', '.join(names[:-1])} and {names[-1]}, one member each: {any_of} of them may fail."
    said = (
        f"etcd has one member, on {names[0]}: with fewer than three machines nothing can tell a dead machine from a cut"
        " cable, so failover is by hand."
    )
    more = " A [witnesses.NAME] would add a small third machine."
    return said + more if len(topology.servers) > 1 else said


def majority_of(voters: int) -> int:
    """Return how many of so many voters are a majority."""
    return voters // 2 + 1


def cluster_of(topology: Topology, facts: Mapping[str, Facts]) -> Cluster:
    """Put together what the machines say; those without facts could not be asked, and may have data."""
    by_peer = {machine.etcd_peer: machine for machine in topology.machines}
    said = _of_one_cluster(facts)
    answering = [etcd for etcd in said.values() if etcd.answers and etcd.members]
    # A member that is cut off lists what it last knew.
    newest = max(answering, key=lambda etcd: (bool(etcd.leader), etcd.index), default=EtcdFact())
    members = []
    for listed in newest.members:
        machine = by_peer.get(listed.peer)
        known = facts.get(machine.name) if machine else None
        members.append(
            Member(
                peer=listed.peer,
                name=listed.name,
                learner=listed.learner,
                machine=machine,
                up=machine is not None and known is not None and is_up(known) and said[machine.name].answers,
                has_data=machine is not None and (known is None or known.etcd.data),
            )
        )
    leads = [name for name, etcd in said.items() if etcd.answers and etcd.leader and etcd.leader == etcd.member]
    return Cluster(
        formed=any(etcd.joined for etcd in said.values()),
        members=tuple(members),
        leader=leads[0] if leads else "",
        has_leader=any(etcd.answers and etcd.leader for etcd in said.values()),
        relics=frozenset(name for name, fact in facts.items() if fact.etcd.answers and not said[name].answers),
        lost_while_silent=() if members else _lost_while_silent(topology, facts),
    )


def _of_one_cluster(facts: Mapping[str, Facts]) -> dict[str, EtcdFact]:
    """Return what the machines say; after a recovery those that speak for another cluster are taken for silent.

    A machine that was off meanwhile may come back with the old cluster's data, and two of them with a majority of it.
    """
    newest = max((fact.etcd for fact in facts.values()), key=lambda etcd: etcd.recovered_at, default=EtcdFact())
    right = newest.recovered_as
    return {name: _silenced(fact.etcd) if _strange(fact.etcd, right) else fact.etcd for name, fact in facts.items()}


def _strange(etcd: EtcdFact, right: str) -> bool:
    return bool(right) and etcd.answers and etcd.cluster != right


def _silenced(etcd: EtcdFact) -> EtcdFact:
    return replace(etcd, answers=False, leader="", members=())


def _lost_while_silent(topology: Topology, facts: Mapping[str, Facts]) -> tuple[str, ...]:
    """Say whose data is gone, if what is left, and what could not be asked, is no majority of what there was."""
    were = [m for m in topology.machines if m.name not in facts or facts[m.name].etcd.joined or facts[m.name].etcd.data]
    lost = [m.name for m in were if m.name in facts and not facts[m.name].etcd.data]
    return tuple(lost) if lost and len(were) - len(lost) < majority_of(len(were)) else ()


def is_up(facts: Facts) -> bool:
    """Whether the member on a machine runs, answers and knows a leader."""
    return facts.active(ETCD_UNIT) and facts.etcd.answers and bool(facts.etcd.leader)
