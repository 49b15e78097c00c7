"""The decision: one view in, one action and its reason out. Deterministic, and without any effect."""

from typing import assert_never

from colonnade.ha.actions import Decision, EndSessions
from colonnade.ha.primary import in_office, watching, without_mysql
from colonnade.ha.standby import founding, out_of_office
from colonnade.ha.states import Office, office
from colonnade.ha.view import View


def decide(view: View) -> Decision:
    """Return what the agent does next, and why."""
    mysql, contract = view.mysql, view.record.contract
    if view.paused:
        return watching(view)
    if mysql is None:
        return without_mysql(view)
    if mysql.strangers:
        # A statement of theirs may be decades late: nothing may be promised, or built upon, before they are gone.
        return Decision(EndSessions(), "an earlier agent process left sessions behind")
    if contract is None:
        return founding(view, mysql)
    match office(view):
        case Office.PRIMARY:
            return in_office(view, contract, mysql)
        case Office.OTHER:
            return out_of_office(view, contract, mysql)
        case unknown:
            assert_never(unknown)
