"""A standby that has evidence of the primary's loss: claim, promises, proof, and one swap (invariants 2 and 3)."""

from colonnade.ha.actions import AskPromises, ClaimLease, Decision, Promise, ReleaseLease, Wait, WriteContract
from colonnade.ha.candidates import Refusal, hindrance, prove
from colonnade.ha.contract import forced, succession, taken_over
from colonnade.ha.report import report
from colonnade.ha.view import Contract, How, Member, Receiver, Report, View


def _heard(view: View, within: float) -> dict[Member, Report]:
    found = {view.me: report(view)}
    for name, peer in view.peers.items():
        if name != view.me.name and view.now - peer.at < within:
            found[peer.report.member] = peer.report
    return found


def evidence(view: View, contract: Contract) -> str:
    """Say why the primary may be taken for lost; empty if it may not.

    Wrong evidence costs a moment and never data, so there is no need to be certain.
    """
    replication, claim = view.mysql.replication if view.mysql else None, view.record.claim
    request = view.record.request
    over = claim is None or not claim.alive
    if over and request is not None and request.target == view.me.name:
        return f"{contract.primary} gave way to this server"
    if (
        replication is not None
        and replication.source == contract.primary.name
        and replication.receiver is Receiver.ON
        and replication.silence < view.wanted.silent_after
    ):
        return _given_up(view, contract) if over else ""
    if over and not view.reaches_primary:
        return f"this server's receiver has lost {contract.primary}, and the lease is over"
    voters = [p.report for p in view.peers.values() if view.now - p.at < view.wanted.silent_after]
    against = sum(not each.reaches_primary for each in voters) + (not view.reaches_primary)
    if against > view.wanted.agents // 2:
        lost = f"this server's receiver has lost {contract.primary}"
        return f"{lost}, and {against} of {view.wanted.agents} agents do not reach it"
    return ""


def _given_up(view: View, contract: Contract) -> str:
    """Say why a primary whose lease is over is lost although its binary log still flows; empty if it goes on.

    As long as its agent speaks, it may serve without etcd by its standbys' word; a shutdown ends clients first and
    replication last.
    """
    said = view.heard(contract.primary.name, view.wanted.silent_after)
    if said is None:
        return f"the lease is over, and the agent of {contract.primary} is silent"
    return "" if said.answers else f"the lease is over, and {contract.primary} says that its MySQL does not answer"


def is_forced(view: View) -> bool:
    """Say whether a person accepted what may be lost, for this server to be primary."""
    request = view.record.request
    return request is not None and request.forced and request.target == view.me.name


def consider(view: View, contract: Contract) -> Decision | None:
    """Return the claim, if there is evidence and a chance; None if there is no reason to think of it."""
    by_force = is_forced(view)
    why = "a person wished it by force" if by_force else evidence(view, contract)
    if not why:
        return None
    claim = view.record.claim
    if claim is not None and claim.alive and claim.holder not in {contract.primary.name, view.me.name}:
        return Decision(Wait(), f"{claim.holder} has claimed term {claim.term}, and is waited for")
    released = view.memory.released_at
    if released is not None and view.now - released < view.wanted.back_off:
        return Decision(Wait(), f"{why}; this server gave its claim up a moment ago and lets others try")
    if not by_force and (vain := hindrance(contract, view.me, _heard(view, view.wanted.silent_after))):
        return Decision(Wait(), f"{why}; but {vain}")
    term = max(claim.term if claim else 0, contract.term, view.durable.promised_term) + 1
    return Decision(ClaimLease(term, claim.revision if claim else 0), why)


def claiming(  # noqa: PLR0911  one line per stage
    view: View, contract: Contract
) -> Decision:
    """Return the next step of a server that holds the claim and is not the contract's primary yet."""
    claim, asked = view.record.claim, view.memory.asked
    if claim is None or claim.term <= contract.term:
        return Decision(Wait(), "the claim is older than the contract")
    if view.durable.promised_term < claim.term:
        return Decision(Promise(claim.term), f"the claimant of term {claim.term} promises like everybody else")
    if asked is None or asked.term != claim.term:
        return Decision(
            AskPromises(claim.term, contract.revision, contract.standbys - {view.me}),
            f"term {claim.term} is claimed; {contract.promises_needed} of {len(contract.standbys)} must promise",
        )
    if asked.revision != contract.revision:
        return Decision(ReleaseLease(claim.term, claim.revision), "the contract changed after promises were asked for")
    heard = _heard(view, view.now - asked.since)
    proof = prove(contract, heard, heard[view.me], claim.term)
    if isinstance(proof, Refusal) and is_forced(view) and view.now - asked.since > view.wanted.silent_after:
        new = forced(contract, view.me, heard[view.me].holds, claim.term)
        begins = succession(new, contract, How.FORCED, frozenset(s for s, r in heard.items() if r.promised))
        return Decision(
            WriteContract(new, asked.revision, claim.term, begins, done=view.me.name),
            f"by force, as a person wished: {proof.reason}",
        )
    if isinstance(proof, Refusal):
        if view.now - asked.since > view.wanted.patience:
            return Decision(ReleaseLease(claim.term, claim.revision), f"given up: {proof.reason}")
        silent = contract.standbys - {s for s, r in heard.items() if r.promised >= claim.term}
        if silent - {view.me}:
            return Decision(AskPromises(claim.term, contract.revision, silent - {view.me}), proof.reason)
        return Decision(Wait(), proof.reason)
    new = taken_over(proof, view.me, claim.term)
    return Decision(
        WriteContract(
            new,
            asked.revision,
            claim.term,
            succession(new, contract, How.PROMOTED, proof.promised),
            done=view.me.name,
        ),
        f"{len(proof.promised)} standbys promised term {claim.term}, and this server holds all that they hold",
    )
