"""Where a server stands, named; the words that status, history and the diagram use."""

from enum import Enum

from colonnade.ha.health import authority_until, serves_until
from colonnade.ha.view import Receiver, View


class Office(Enum):
    """Which half of the rules applies: those of the contract's primary, or the rest."""

    PRIMARY = "primary"
    OTHER = "other"


def office(view: View) -> Office:
    """Return the office that the contract gives to this server's data."""
    contract = view.record.contract
    return Office.PRIMARY if contract is not None and contract.primary == view.me else Office.OTHER


class State(Enum):
    """Where a server stands."""

    DOWN = "down"
    EMPTY = "empty"
    FENCED = "fenced"
    SEPARATE = "separate"
    FOLLOWING = "following"
    STANDBY = "standby"
    PROMISED = "promised"
    CLAIMING = "claiming"
    OPENING = "opening"
    ALONE = "alone"
    PROTECTED = "protected"
    ISOLATED = "isolated"


MEANING = {
    State.DOWN: "its MySQL does not answer",
    State.EMPTY: "has no data yet, or is to be provisioned anew",
    State.FENCED: "was primary, and no client can reach it",
    State.SEPARATE: "follows nobody at the moment",
    State.FOLLOWING: "a replica whose acknowledgement is not waited for",
    State.STANDBY: "a replica that acknowledges, as the contract lists it",
    State.PROMISED: "has promised a term, and receives nothing of an earlier one",
    State.CLAIMING: "holds the claim of a new term, and gathers promises",
    State.OPENING: "the contract's primary, not open to clients yet",
    State.ALONE: "serves; acks = 0, so no failover is possible",
    State.PROTECTED: "serves; every acknowledged write is on a standby too",
    State.ISOLATED: "the contract's primary without authority: it answers nobody",
}


def _in_office(view: View) -> State:
    contract = view.record.contract
    if serves_until(view) > view.now:
        return State.PROTECTED if contract is not None and contract.acks else State.ALONE
    return State.OPENING if authority_until(view) > view.now else State.ISOLATED


def _unlisted(view: View) -> bool:
    """Say whether it is no standby; as long as no contract was read, data that took part in a term may be one."""
    contract = view.record.contract
    return view.me not in contract.standbys if contract is not None else not view.durable.last_term


def state(view: View) -> State:  # noqa: PLR0911  one line per state
    """Return where the server of this view stands."""
    mysql, contract, claim = view.mysql, view.record.contract, view.record.claim
    if mysql is None:
        return State.DOWN
    if contract is not None and office(view) is Office.PRIMARY:
        return _in_office(view)
    if not view.durable.provisioned and _unlisted(view):
        return State.EMPTY
    if contract is None:
        return State.SEPARATE
    if not mysql.read_only or mysql.source.acks:
        return State.FENCED
    if claim is not None and claim.alive and claim.holder == view.me.name and claim.term > contract.term:
        return State.CLAIMING
    replication = mysql.replication
    if replication is not None and replication.receiver is not Receiver.OFF:
        return State.STANDBY if replication.acknowledges else State.FOLLOWING
    return State.PROMISED if view.durable.promised_term > contract.term else State.SEPARATE
