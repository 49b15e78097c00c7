"""Who may be promoted, and why the others may not."""

from collections.abc import Mapping
from dataclasses import dataclass

from colonnade.ha.contract import Proof
from colonnade.ha.view import Contract, Member, Report


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why nothing may be promoted, in words for a person."""

    reason: str


def promises(contract: Contract, reports: Mapping[Member, Report], term: int) -> dict[Member, Report]:
    """Return the reports of those standbys that keep a promise of at least this term, and know all that they hold."""
    return {
        standby: reports[standby]
        for standby in contract.standbys
        if standby in reports
        and reports[standby].member == standby
        and reports[standby].answers
        and reports[standby].complete
        and reports[standby].promised >= term
        and not reports[standby].following
    }


def prove(contract: Contract, reports: Mapping[Member, Report], candidate: Report, term: int) -> Proof | Refusal:
    """Return the proof that the candidate holds all that was acknowledged, or what is missing."""
    if contract.acks == 0:
        return Refusal("the contract says acks = 0: only the primary is known to hold what was acknowledged")
    promised = promises(contract, reports, term)
    if len(promised) < contract.promises_needed:
        missing = ", ".join(sorted(each.name for each in contract.standbys if each not in promised))
        return Refusal(
            f"{len(promised)} of {contract.promises_needed} needed promises for term {term}; missing: {missing}"
        )
    if not candidate.complete:
        return Refusal(f"{candidate.member} has not read its relay log to the end yet")
    needs = contract.floor
    for each in promised.values():
        needs |= each.holds
    if lacks := needs - candidate.holds:
        return Refusal(f"{candidate.member} lacks {len(lacks)} transactions that may have been acknowledged")
    return Proof(contract, frozenset(promised), needs, candidate.holds)


def hindrance(  # noqa: PLR0911  one line per hindrance
    contract: Contract, me: Member, heard: Mapping[Member, Report]
) -> str:
    """Say why claiming would be vain for a standby now, before anything is asked; empty if it may succeed."""
    if contract.acks == 0:
        return "the contract says acks = 0, so only the primary itself can go on"
    if me not in contract.standbys:
        return f"{me} is no standby"
    mine = heard.get(me)
    if mine is None or not mine.complete:
        return "what this server holds is not known before its relay log is read to the end"
    answering = [r for s, r in heard.items() if s in contract.standbys and r.answers and r.member == s]
    if len(answering) < contract.promises_needed:
        return f"{len(answering)} standbys answer, and {contract.promises_needed} must promise"
    for other in answering:
        if other.complete and not other.holds <= mine.holds and mine.holds <= other.holds:
            return f"{other.member} holds more"
    if not contract.floor <= mine.holds:
        return "this server lacks transactions that were acknowledged"
    return ""
