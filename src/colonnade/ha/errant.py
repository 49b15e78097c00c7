"""Transactions that the primary lacks: which they are, and whether it is certain that no client was told of them."""

from colonnade.gtid import GtidSet
from colonnade.ha.view import NOTHING, How, Member, Succession, View

_LOSSLESS = (How.PROMOTED, How.RENEWED)


def errant(holds: GtidSet, primary: Member, executed: GtidSet) -> GtidSet:
    """Return what is held and the primary has not executed; its own newest commits may wait there still."""
    return (holds - executed).without_source(primary.uuid)


def written_here(view: View) -> GtidSet:
    """Return what this replica holds although its primary never had it: somebody wrote on it, past everybody.

    Only what began elsewhere than on the primary: that is older, so the primary's word may be too.
    """
    contract, mysql = view.record.contract, view.mysql
    if contract is None or mysql is None or mysql.replication is None or contract.primary == view.me:
        return NOTHING
    said = view.heard(contract.primary.name, view.wanted.silent_after)
    if said is None or said.member != contract.primary or said.leads != contract.term:
        return NOTHING
    return errant(mysql.holds, contract.primary, said.executed)


def certainly_unacknowledged(
    transactions: GtidSet, last_term: int, current_term: int, successions: tuple[Succession, ...]
) -> bool:
    """Say whether errant transactions are proven to have been acknowledged to nobody.

    They are, if every term since the one in which this data last took part began without loss (each promotion proved
    that it held all that was acknowledged), and they began on the primary of that last term.
    """
    by_term = {each.term: each for each in successions}
    term = current_term
    while term > last_term:
        step = by_term.get(term)
        if step is None or step.how not in _LOSSLESS or step.previous >= term:
            return False
        term = step.previous
    origin = by_term.get(term)
    # Older than ``last_term`` only if that term was claimed and never begun.
    return origin is not None and not transactions.without_source(origin.primary.uuid)
