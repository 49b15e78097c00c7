"""Who may serve: what the health endpoints answer, and until when."""

from colonnade.ha.view import Contract, Receiver, View

NEVER = float("-inf")


def leads(view: View) -> bool:
    """Say whether the record, as last read, names this data as primary and its claim as the current one."""
    claim, contract = view.record.claim, view.record.contract
    return (
        contract is not None
        and contract.primary == view.me
        and claim is not None
        and claim.holder == view.me.name
        and claim.term == contract.term
    )


def stalled(view: View) -> bool:
    """Say whether this primary answers and yet cannot write, and no standby is the reason: a full or broken disk, say.

    One that is merely busy writes late, but it writes.
    """
    contract, mysql, since = view.record.contract, view.mysql, view.memory.unwritten_since
    return (
        contract is not None
        and contract.primary == view.me
        and contract.acks >= 1
        and mysql is not None
        and mysql.source.blocked_since is None
        and since is not None
        and view.now - since >= view.wanted.stalled_after
    )


def _confirmed_until(view: View, contract: Contract) -> float:
    """Return until when the standbys' words carry: none of them has promised a later term (invariant 8)."""
    oldest = view.now
    for standby in contract.standbys:
        peer = view.peers.get(standby.name)
        if peer is None or peer.report.member != standby or not peer.report.answers:
            return NEVER
        # Its receiver is on in this term: had it promised a later one, that would be off.
        if peer.report.following != contract.term or peer.report.promised > contract.term:
            return NEVER
        oldest = min(oldest, peer.at)
    return oldest + view.wanted.ttl


def authority_until(view: View) -> float:
    """Return until when this server may act as primary, by a clock that does not jump; in the past if it may not."""
    contract = view.record.contract
    if contract is None or not leads(view):
        return NEVER
    memory = view.memory
    until = NEVER
    if memory.lease_from is not None and memory.lease_term == contract.term:
        until = memory.lease_from + view.wanted.ttl
    if until > view.now and view.record.current:
        return until
    # etcd does not answer, and what is left of the lease may end before the next round; or it answers again, and
    # nobody is to be cut off before the lease is renewed.
    if contract.acks == 0:
        # Nobody can be promoted over a contract without acknowledgements; but a raise may still be under way to etcd.
        return max(until, view.now + view.wanted.ttl) if memory.settled else until
    return max(until, _confirmed_until(view, contract))


def serves_until(view: View) -> float:
    """Return until when ``/primary`` answers 200."""
    mysql = view.mysql
    if mysql is None or mysql.read_only or mysql.offline:
        return NEVER
    return authority_until(view)


def serves_replica(view: View) -> bool:
    """Say whether ``/replica`` answers 200: it follows the current term, and clients may come in."""
    mysql, contract = view.mysql, view.record.contract
    if mysql is None or contract is None or mysql.offline or mysql.replication is None:
        return False
    replication = mysql.replication
    return contract.primary != view.me and replication.receiver is Receiver.ON and replication.term == contract.term
