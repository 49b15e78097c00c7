"""etcd in the world of the property tests: what happens to it, and what is wrong, judged without the planner."""

from collections.abc import Mapping
from dataclasses import replace

from colonnade.etcd import majority_of
from colonnade.facts import EtcdFact, EtcdMemberFact, Facts
from colonnade.render import Desired
from colonnade.topology import Topology

AllFacts = Mapping[str, Facts]


def furthest(facts: AllFacts) -> EtcdFact:
    """Return the member that has come furthest: it knows who is in the cluster."""
    return max((fact.etcd for fact in facts.values()), key=lambda etcd: (bool(etcd.members), etcd.index))


def caught_up(facts: AllFacts, name: str) -> Facts:
    """Return a machine whose member knows what the others know: one that is asked for a change does."""
    known = furthest(facts)
    return replace(facts[name], etcd=replace(facts[name].etcd, members=known.members, index=known.index))


def faults(desired: Desired, facts: AllFacts) -> list[str]:
    """Say what is wrong with etcd on a machine."""
    etcd = facts[desired.machine].etcd
    if desired.etcd is None:
        return ["etcd's data is still there"] if etcd.data or etcd.joined or etcd.join else []
    found = []
    listed = furthest(facts).members
    if {(member.name, member.peer) for member in listed} != set(desired.etcd.cluster):
        found.append(f"etcd's members are {listed}")
    if any(member.learner for member in listed):
        found.append("a member of etcd is a learner still")
    if not etcd.data or not etcd.joined or etcd.join:
        found.append(f"etcd is no marked member: {etcd}")
    return found


def wiped(topology: Topology, facts: AllFacts, name: str, *, all_of_it: bool) -> Facts:
    """Return a machine whose member lost its data, or whose mark, too, is gone; as it is if that costs the majority."""
    voters = {member.peer for member in furthest(facts).members if not member.learner}
    others = [facts[m.name].etcd for m in topology.machines if m.etcd_peer in voters and m.name != name]
    if sum(etcd.data for etcd in others) < majority_of(len(voters)) or not any(etcd.joined for etcd in others):
        return facts[name]
    units = {unit: fact for unit, fact in facts[name].units.items() if unit != "etcd.service"}
    return replace(facts[name], etcd=EtcdFact(joined=facts[name].etcd.joined and not all_of_it), units=units)


def with_a_stranger(facts: AllFacts, name: str, number: int) -> Facts:
    """Return a machine whose etcd lists a member that no machine of the stack is: one was taken out of the file."""
    etcd, known = facts[name].etcd, furthest(facts)
    if not etcd.joined or not etcd.members or not known.members:
        return facts[name]
    stranger = EtcdMemberFact(f"gone{number}", f"https://192.0.2.{number}:2380", learner=bool(number % 2))
    return replace(facts[name], etcd=replace(etcd, members=(*known.members, stranger), index=known.index + 1))


def unmarked(facts: AllFacts, name: str) -> Facts:
    """Return a machine whose mark, that it was a member, was deleted; others have theirs."""
    if any(fact.etcd.joined for machine, fact in facts.items() if machine != name):
        return replace(facts[name], etcd=replace(facts[name].etcd, joined=False))
    return facts[name]
