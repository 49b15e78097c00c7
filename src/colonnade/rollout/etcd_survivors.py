"""Whether etcd's majority is really gone, and where a new cluster begins; refused as long as it may come back."""

from collections.abc import Mapping
from dataclasses import dataclass

from colonnade import paths
from colonnade.errors import RefusedError, UsageError
from colonnade.etcd import Cluster, cluster_of, majority_of
from colonnade.facts import Facts
from colonnade.topology import Machine, Topology


@dataclass(frozen=True, slots=True)
class Beginning:
    """Where the new cluster begins, and what becomes of the old one's members.

    ``survives``: the machine has a copy that says how earlier terms began. ``emptied`` are the machines where the old
    data goes. ``silent`` were members and could not be reached; if they are a ``danger``, they could elect a leader
    among themselves with the old data.
    """

    machine: Machine
    survives: bool
    emptied: tuple[Machine, ...]
    silent: tuple[str, ...]
    danger: bool


def beginning(topology: Topology, facts: Mapping[str, Facts], off: tuple[str, ...] = ()) -> Beginning:
    """Return where etcd begins anew; ``off`` are machines that a person says are off, by name.

    Raises:
        RefusedError: there is a leader, or a majority may still come together.
        UsageError: a machine that was said to be off answers.

    """
    answering = sorted(set(off) & set(facts))
    if answering:
        raise UsageError(f"{', '.join(answering)} can be reached, and is not off")
    cluster = cluster_of(topology, facts)
    if cluster.has_leader:
        raise RefusedError("etcd has a leader: nothing is lost", do="colonnade etcd status shows its members.")
    were = _members(topology, facts, cluster)
    kept = [m for m in were if m.name in facts and facts[m.name].etcd.data]
    silent = tuple(m.name for m in were if m.name not in facts)
    gone = sum(member.machine is None for member in cluster.voters)
    needed = majority_of(len(were) + gone)
    _refuse_early([m.name for m in kept], [name for name in silent if name not in off], len(were) + gone, needed)
    machine = _first(topology, facts, kept)
    return Beginning(
        machine,
        survives=facts[machine.name].etcd.data,
        emptied=tuple(m for m in topology.machines if m.name in facts and m != machine and _has_been(facts[m.name])),
        silent=silent,
        danger=len(silent) >= needed,
    )


def _members(topology: Topology, facts: Mapping[str, Facts], cluster: Cluster) -> list[Machine]:
    """Return the machines of those who vote; if nobody answers who knows, those that look like it, or should be it."""
    voters = [member.machine for member in cluster.voters if member.machine is not None]
    if voters:
        return voters
    marked = [m for m in topology.machines if m.name in facts and _has_been(facts[m.name])]
    unknown = [m for m in topology.etcd_members if m.name not in facts]
    return [*marked, *unknown] if marked else list(topology.etcd_members)


def _has_been(facts: Facts) -> bool:
    return facts.etcd.data or facts.etcd.joined or bool(facts.etcd.join)


def _refuse_early(kept: list[str], unknown: list[str], members: int, needed: int) -> None:
    if len(kept) >= needed:
        raise RefusedError(
            f"{len(kept)} of {members} members have their data ({', '.join(kept)}): that is a majority",
            do="colonnade apply starts them. If the data of one is damaged, remove it there"
            f" (systemctl stop etcd; rm -rf {paths.ETCD_DATA}) and run this again. Nothing was changed.",
        )
    if len(kept) + len(unknown) >= needed:
        raise RefusedError(
            f"{', '.join(unknown)} cannot be reached, and may have etcd's data: the majority may come back",
            do="Bring the machines back. If they are off and will not come back as they were: "
            + " ".join(f"--members-are-off {name}" for name in unknown)
            + ". Nothing was changed.",
        )


def _first(topology: Topology, facts: Mapping[str, Facts], kept: list[Machine]) -> Machine:
    """Return the machine to begin on: a survivor that has come far, else the first that etcd is set up on."""
    ready = [m for m in topology.etcd_members if m.name in facts and paths.ETCD_CONFIG in facts[m.name].files]
    if not ready:
        raise RefusedError(
            "etcd is set up on no machine that can be reached", do="colonnade apply sets it up; then run this again."
        )
    order = {machine.name: -number for number, machine in enumerate(ready)}
    return max(ready, key=lambda m: (m in kept, facts[m.name].etcd.index, order[m.name]))
