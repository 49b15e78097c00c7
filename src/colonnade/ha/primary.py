"""What the contract's primary does: hold its claim, then open, then protect (invariants 1, 4, 6 and 8)."""

from dataclasses import replace

from colonnade.ha.actions import ClaimLease, Decision, Fence, FreshCommit, ReleaseLease, RenewLease, Wait, WriteContract
from colonnade.ha.contract import renewed, succession
from colonnade.ha.health import authority_until, stalled
from colonnade.ha.opening import opening
from colonnade.ha.probing import due
from colonnade.ha.protection import protection
from colonnade.ha.view import Claim, Contract, How, Mysql, View


def without_mysql(view: View) -> Decision:
    """Give the lease up at once when MySQL is down, instead of letting the others wait for its time to live."""
    claim, silent = view.record.claim, view.memory.silent_since
    mine = view.record.current and claim is not None and claim.alive and claim.holder == view.me.name
    certain = view.gone or (silent is not None and view.now - silent >= view.wanted.hold_off / 2)
    if mine and claim is not None and certain:
        return Decision(
            ReleaseLease(claim.term, claim.revision), "its own MySQL does not answer: a standby may take over"
        )
    return Decision(Wait(), "its own MySQL does not answer")


def watching(view: View) -> Decision:
    """Do nothing but keep the lease that is held: a person works on the database, and clients go on."""
    claim, contract = view.record.claim, view.record.contract
    mine = claim is not None and contract is not None and claim.holder == view.me.name and claim.term == contract.term
    since = view.memory.lease_from if claim is not None and view.memory.lease_term == claim.term else None
    due_now = since is None or view.now - since >= view.wanted.renew_every
    if mine and claim is not None and view.record.current and view.mysql is not None and due_now:
        return Decision(RenewLease(claim.term, claim.revision), "paused by a person: only the lease is kept")
    return Decision(Wait(), "paused by a person: the agent only watches")


def _shut(mysql: Mysql, why: str) -> Decision:
    if not mysql.offline and not mysql.read_only:
        return Decision(Fence(), why)
    return Decision(Wait(), why)


def _without_record(view: View, mysql: Mysql) -> Decision:
    if authority_until(view) <= view.now:
        return _shut(mysql, "etcd does not answer, and not every standby confirms this term")
    if not mysql.read_only and mysql.source.blocked_since is not None and due(view, mysql):
        # Only if it can be of use: on a primary that is cut off it would be one more transaction that nobody else has.
        return Decision(FreshCommit(), "heartbeat: frees a commit whose acknowledgement was lost")
    return Decision(Wait(), "etcd does not answer; the primary serves on, and changes nothing of the contract")


def _hold_claim(  # noqa: PLR0911  one line per case
    view: View, contract: Contract, mysql: Mysql, claim: Claim | None
) -> Decision | None:
    """Return what it takes to hold the claim in the contract's term, or None if it is held."""
    if claim is None or claim.holder != view.me.name:
        if claim is not None and claim.alive:
            return _shut(mysql, f"{claim.holder} has claimed term {claim.term}")
        if _gives_way(view):
            return _shut(mysql, "gives way, as a person wished")
        last = max(claim.term if claim else 0, contract.term, view.durable.promised_term)
        return Decision(
            ClaimLease(last + 1, claim.revision if claim else 0),
            "nobody holds the claim, and this is the primary still",
        )
    if claim.term > contract.term:
        new = renewed(contract, claim.term)
        record = succession(new, contract, How.RENEWED, frozenset())
        return Decision(
            WriteContract(new, contract.revision, claim.term, record), "the primary is the same, in a new term"
        )
    since = view.memory.lease_from if view.memory.lease_term == claim.term else None
    if not claim.alive and _gives_way(view):
        return _shut(mysql, "gives way, as a person wished")
    if not claim.alive or since is None or view.now - since >= view.wanted.renew_every:
        return Decision(RenewLease(claim.term, claim.revision), "the lease is renewed")
    return None


def _gives_way(view: View) -> bool:
    request = view.record.request
    return (
        request is not None
        and not request.forced
        and request.target != view.me.name
        and view.now - request.since < view.wanted.patience
    )


def _hand_over(view: View, contract: Contract, mysql: Mysql, claim: Claim) -> Decision | None:
    """Return the next step of a switchover: clients out, the target has everything, the lease is released.

    The target then claims, and proves, like everybody else.
    """
    request = view.record.request
    if request is None or not _gives_way(view) or contract.acks == 0:
        return None
    target = next((each for each in contract.standbys if each.name == request.target), None)
    said = view.heard(request.target, view.wanted.silent_after)
    if target is None or said is None or said.member != target or said.following != contract.term:
        return None
    if not mysql.offline:
        return Decision(Fence(), f"a person wished {request.target} to be primary")
    if mysql.executed <= said.holds:
        return Decision(ReleaseLease(claim.term, claim.revision), f"{request.target} holds everything and may claim")
    return Decision(Wait(), f"{request.target} fetches the last transactions")


def _give_way(view: View, mysql: Mysql, claim: Claim | None) -> Decision:
    """Return the next step of a primary that cannot write: a standby can, if it is let."""
    why = f"its own writes do not end for {view.wanted.stalled_after:g} s, and no standby is the reason"
    if not mysql.offline:
        return Decision(Fence(), f"{why}: clients out")
    if claim is not None and claim.alive and claim.holder == view.me.name:
        return Decision(ReleaseLease(claim.term, claim.revision), f"{why}: a standby may take over")
    if not mysql.read_only and (claim is None or not claim.alive) and due(view, mysql):
        return Decision(FreshCommit(), f"{why}; nobody has taken over: can it write again?")
    return Decision(Wait(), why)


def in_office(view: View, contract: Contract, mysql: Mysql) -> Decision:
    """Return the next step of the contract's primary."""
    if not view.record.current:
        return _without_record(view, mysql)
    claim = view.record.claim
    if stalled(view):
        return _give_way(view, mysql, claim)
    if step := _hold_claim(view, contract, mysql, claim):
        return step
    if not view.memory.settled:
        return Decision(
            WriteContract(replace(contract), contract.revision, contract.term),
            "a write to etcd may still be under way; this one makes it fail",
        )
    if claim is not None and (step := _hand_over(view, contract, mysql, claim)):
        return step
    return (
        opening(view, contract, mysql)
        or protection(view, contract, mysql)
        or Decision(Wait(), f"primary of term {contract.term}, acks = {contract.acks}")
    )
