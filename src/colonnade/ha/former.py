"""A server that acted as primary and is none by the record: shut, release, demote; the order acknowledges nothing."""

from colonnade.ha.actions import Decision, Demote, Fence, SetAcks, Wait
from colonnade.ha.view import Mysql


def demotion(mysql: Mysql, successor: str) -> Decision | None:
    """Return the next step away from being primary, or None if nothing of it is left.

    The order is the point: turning semi-sync off, or a stop, would tell waiting clients "committed"; shut out first,
    they are told nothing.
    """
    if mysql.read_only and mysql.source.acks == 0:
        return None
    if not mysql.offline:
        return Decision(Fence(), f"{successor} is the primary: clients out first, so that none is told of a commit")
    if mysql.source.waiting:
        return Decision(Wait(), "sessions that wait in a commit are on their way out")
    if mysql.source.acks:
        return Decision(SetAcks(0), "nobody waits any more; what waited commits here, and is looked at next")
    return Decision(Demote(), f"{successor} is the primary")
