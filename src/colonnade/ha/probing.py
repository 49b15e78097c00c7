"""When the agent makes its own small write, which shows what an acknowledgement is worth at this moment."""

from colonnade.ha.actions import Decision, FreshCommit, Wait
from colonnade.ha.view import Mysql, View

STUCK = 0.2  # seconds without an acknowledgement, while commits wait


def free(view: View, mysql: Mysql) -> bool:
    """Say whether another such write may begin: one at a time, but for a lost acknowledgement.

    A commit whose acknowledgement was lost waits although enough standbys are connected, and any later write frees it,
    also if the commit that waits is the agent's own.
    """
    probe = view.memory.probe
    if probe is None or probe.ended is not None:
        return True
    return view.now - probe.began >= view.wanted.heartbeat and len(mysql.source.acknowledgers) >= mysql.source.acks


def due(view: View, mysql: Mysql) -> bool:
    """Say whether the time for a heartbeat has come."""
    probe = view.memory.probe
    return probe is None or (view.now - probe.began >= view.wanted.heartbeat and free(view, mysql))


def ask(view: View, mysql: Mysql, question: str) -> Decision:
    """Return the write whose acknowledgement answers the question, or the wait for one that is under way."""
    if free(view, mysql):
        return Decision(FreshCommit(), question)
    return Decision(Wait(), f"a write of its own is under way: {question}")
