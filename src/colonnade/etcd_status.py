"""How etcd is, for people and programs, and what is wrong with it. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from colonnade.etcd import Cluster, cluster_of, is_up, majority_of
from colonnade.facts import EtcdFact, Facts
from colonnade.paths import ETCD_UNIT
from colonnade.problem import Problem
from colonnade.topology import Machine, Topology


def etcd_document(topology: Topology, facts: Mapping[str, Facts]) -> dict[str, Any]:
    """Return etcd's part of the document of ``status --json``.

    A member is ``up``, ``down``, a ``learner`` (up, and without a vote yet) or ``unknown`` (not reached).
    """
    cluster = cluster_of(topology, facts)
    return {
        "members": {
            machine.name: {
                "address": machine.address,
                "state": _state(machine, facts.get(machine.name), cluster),
                "leads": machine.name == cluster.leader,
            }
            for machine in topology.etcd_members
        },
        "leader": cluster.leader or None,
        "quorum": cluster.has_leader,
        "tolerates": spare(topology, facts),
    }


def members_document(topology: Topology, facts: Mapping[str, Facts]) -> dict[str, Any]:
    """Return more of each member: what ``etcd status`` shows; sizes in bytes, ``index`` is how far its log has come."""
    document = etcd_document(topology, facts)["members"]
    for name, member in document.items():
        etcd = facts[name].etcd if name in facts else EtcdFact()
        member |= {
            "version": etcd.version or None,
            "bytes": etcd.size if etcd.answers else None,
            "index": etcd.index if etcd.answers else None,
            "has_data": etcd.data if name in facts else None,
        }
    return dict(document)


def spare(topology: Topology, facts: Mapping[str, Facts]) -> int:
    """Return how many more members may fail before the majority is lost."""
    cluster = cluster_of(topology, facts)
    return max(0, sum(member.up for member in cluster.voters) - cluster.majority) if cluster.members else 0


def _state(machine: Machine, facts: Facts | None, cluster: Cluster) -> str:
    if facts is None:
        return "unknown"
    member = cluster.member(machine)
    if member is None or not is_up(facts):
        return "down"
    return "learner" if member.learner else "up"


def etcd_problems(topology: Topology, facts: Mapping[str, Facts]) -> Iterator[Problem]:
    """Yield what is wrong with etcd; a unit that does not run is told of with the other units."""
    cluster = cluster_of(topology, facts)
    if not cluster.formed:
        if all(machine.name in facts for machine in topology.etcd_members):
            yield Problem("etcd", "its members have never formed a cluster", "colonnade apply")
        return
    if not cluster.has_leader and facts:
        yield from _no_majority(topology, cluster, facts)
    for machine in topology.etcd_members:
        fact = facts.get(machine.name)
        if fact is not None:
            yield from _member(machine, cluster, fact)
    unwanted = [member.called for member in cluster.members if member.machine not in topology.etcd_members]
    if unwanted:
        yield Problem("etcd", f"it has members that should be none: {', '.join(unwanted)}", "colonnade apply")


def _no_majority(topology: Topology, cluster: Cluster, facts: Mapping[str, Facts]) -> Iterator[Problem]:
    members = topology.etcd_members
    up = sum(1 for machine in members if machine.name in facts and facts[machine.name].etcd.answers)
    what = f"it has no leader: {up} of {len(members)} members answer, {majority_of(len(members))} must"
    if cluster.majority_is_gone:
        lost = ", ".join(cluster.lost_names)
        yield Problem("etcd", f"{what}; the data of {lost} is gone", "colonnade etcd recover")
        return
    yield Problem("etcd", what, "Bring the machines back that are down, and look at the cables between them.")


def _member(machine: Machine, cluster: Cluster, facts: Facts) -> Iterator[Problem]:
    logs = f"colonnade logs {machine.name} --unit {ETCD_UNIT}"
    etcd, member = facts.etcd, cluster.member(machine)
    if not etcd.data and etcd.joined:
        yield Problem(machine.name, "etcd's data is gone", "colonnade apply adds it to the cluster anew")
    elif cluster.members and member is None:
        yield Problem(machine.name, "it is no member of etcd's cluster yet", "colonnade apply")
    elif member is not None and member.learner:
        yield Problem(machine.name, "its etcd has no vote yet", "colonnade apply")
    elif facts.active(ETCD_UNIT) and not etcd.answers:
        yield Problem(machine.name, "etcd runs, but does not answer", logs)
    elif facts.active(ETCD_UNIT) and cluster.has_leader and not etcd.leader:
        yield Problem(machine.name, "its etcd is cut off from the others", f"Check its cable; {logs}")
    for error in etcd.errors:
        yield Problem(machine.name, f"etcd reports: {error}", logs)
