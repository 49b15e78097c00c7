"""The legal changes of the contract, each with what must be true before it; whoever asks without that is refused.

The arithmetic: a commit acknowledged under ``s`` standbys and ``acks = k`` is on at least ``k`` of them. If
``s - k + 1`` of them have promised to receive no more, at most ``k - 1`` can still acknowledge, so nothing new is
acknowledged; and any ``k`` of ``s`` share at least one member with any ``s - k + 1``, so whatever was acknowledged is
held by one that promised.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from colonnade.gtid import GtidSet
from colonnade.ha.view import Contract, How, Member, Probe, Succession

UNSEEN = "no fresh commit was seen acknowledged"


class UnprovenError(ValueError):
    """A change of the contract was asked for without what it takes."""


@dataclass(frozen=True, slots=True)
class Proof:
    """Why a candidate may be promoted: who promised, under which contract, and what the candidate holds."""

    under: Contract
    promised: frozenset[Member]
    needs: GtidSet  # all that those who promised hold, and the floor
    holds: GtidSet


def _demand(condition: bool, otherwise: str) -> None:  # noqa: FBT001  the condition is the point
    if not condition:
        raise UnprovenError(otherwise)


def acknowledged(probe: Probe | None, *, acks: int, among: frozenset[Member], since: float) -> bool:
    """Say whether a write begun after ``since`` was seen acknowledged by ``acks`` of ``among`` and by nobody else."""
    return (
        probe is not None
        and probe.ended is not None
        and probe.began > since
        and probe.acks >= acks
        and (acks == 0 or (probe.clean and probe.acknowledgers <= {each.name for each in among}))
    )


def founded(primary: Member, term: int, others: Iterable[str]) -> Contract:
    """Begin: one copy, and whoever else exists is barred until it says that it acknowledges nothing."""
    return Contract(primary, term, barred=frozenset(others) - {primary.name})


def renewed(contract: Contract, term: int) -> Contract:
    """Carry the contract into a later term of the same primary, which holds all that it ever acknowledged."""
    _demand(term > contract.term, "a term only grows")
    return replace(contract, term=term)


def taken_over(proof: Proof, candidate: Member, term: int) -> Contract:
    """Begin anew with a proven candidate: nothing is inherited but whom to distrust, and the floor."""
    old = proof.under
    _demand(term > old.term, "a term only grows")
    _demand(old.acks >= 1, "with acks = 0 nobody but the primary is known to hold what was acknowledged")
    _demand(proof.promised <= old.standbys, "only a standby's promise counts")
    _demand(len(proof.promised) >= old.promises_needed, "too few standbys promised")
    _demand(proof.needs | old.floor <= proof.holds, "the candidate lacks what may have been acknowledged")
    known = {each.name for each in old.standbys} | old.barred | {old.primary.name}
    return Contract(candidate, term, floor=proof.holds, barred=frozenset(known - {candidate.name}))


def forced(old: Contract, candidate: Member, holds: GtidSet, term: int) -> Contract:
    """Begin anew without proof, because a person accepted what may be lost: only whom to distrust is inherited."""
    _demand(term > old.term, "a term only grows")
    known = {each.name for each in old.standbys} | old.barred | {old.primary.name}
    return Contract(candidate, term, floor=holds, barred=frozenset(known - {candidate.name}))


def added(contract: Contract, member: Member) -> Contract:
    """List one more standby: what was acknowledged by ``acks`` of some was acknowledged by ``acks`` of more."""
    _demand(member.name not in contract.barred, f"{member} may still acknowledge in its old place")
    _demand(member.name != contract.primary.name, "a primary is not its own standby")
    _demand(all(each.name != member.name for each in contract.standbys), f"{member} is listed")
    return replace(contract, standbys=contract.standbys | {member})


def barring(contract: Contract, name: str) -> Contract:
    """Announce that a server is to be kept from acknowledging; its account is locked next."""
    return replace(contract, barred=contract.barred | {name})


def unbarred(contract: Contract, name: str, *, quiet_at: int) -> Contract:
    """Let a server connect again that read a contract without itself and has its replica side off."""
    _demand(quiet_at >= contract.revision, f"{name} may not have read that it is no standby")
    _demand(all(each.name != name for each in contract.standbys), f"{name} is listed")
    return replace(contract, barred=contract.barred - {name})


def pardoned(contract: Contract, member: Member) -> Contract:
    """Take back that a standby is to go: it is listed still, so its acknowledgement counts as it always did."""
    _demand(member in contract.standbys, f"{member} is no standby any more")
    return replace(contract, barred=contract.barred - {member.name})


def removed(contract: Contract, member: Member, probe: Probe | None, *, since: float) -> Contract:
    """Take a barred standby off the list, once a fresh commit was acknowledged without it."""
    rest = contract.standbys - {member}
    _demand(member.name in contract.barred, f"{member} is not barred yet")
    _demand(len(rest) >= contract.acks, "the remaining standbys are fewer than acks")
    _demand(acknowledged(probe, acks=contract.acks, among=rest, since=since), UNSEEN)
    return replace(contract, standbys=rest, floor=contract.floor | (probe.holds if probe else GtidSet()))


def raised(contract: Contract, acks: int, probe: Probe | None, *, since: float) -> Contract:
    """Promise more copies, once MySQL was seen to keep that."""
    _demand(contract.acks < acks <= len(contract.standbys), "no such number of acknowledgements")
    _demand(acknowledged(probe, acks=acks, among=contract.standbys, since=since), UNSEEN)
    return replace(contract, acks=acks, floor=contract.floor | (probe.holds if probe else GtidSet()))


def lowered(contract: Contract, acks: int) -> Contract:
    """Promise fewer copies; MySQL follows after this is written."""
    _demand(0 <= acks < contract.acks, "no such number of acknowledgements")
    return replace(contract, acks=acks)


def refreshed(contract: Contract, probe: Probe | None, *, since: float) -> Contract:
    """Move the floor up to what the last fresh commit has proven."""
    _demand(acknowledged(probe, acks=contract.acks, among=contract.standbys, since=since), UNSEEN)
    return replace(contract, floor=contract.floor | (probe.holds if probe else GtidSet()))


def succession(contract: Contract, before: Contract | None, how: How, promised: frozenset[Member]) -> Succession:
    """Return the record that is written together with the first contract of a term."""
    return Succession(contract.term, before.term if before else 0, contract.primary, how, promised, contract.floor)
