"""What an agent tells the others, made from its view."""

from colonnade.ha.health import authority_until, stalled
from colonnade.ha.view import NOTHING, Receiver, Report, View


def report(view: View) -> Report:
    """Return what this agent may say of its server; a promise is told only while it is kept."""
    mysql = view.mysql
    contract = view.record.contract
    revision = contract.revision if contract is not None else 0
    if mysql is None:
        return Report(
            view.me,
            revision,
            reaches_primary=view.reaches_primary,
            last_term=view.durable.last_term,
            leaving=not view.durable.provisioned,
        )
    replication = mysql.replication
    off = replication is None or replication.receiver is Receiver.OFF
    kept = not mysql.strangers and (off or (replication is not None and replication.term >= view.durable.promised_term))
    on = replication is not None and replication.receiver is Receiver.ON
    # Writable: it has executed all that it ever received, so what it lacks, no primary has. Clients may still be out.
    leads = (
        contract is not None
        and replication is None
        and not mysql.read_only
        and authority_until(view) > view.now
        and not stalled(view)
    )
    return Report(
        view.me,
        revision,
        promised=view.durable.promised_term if kept else 0,
        # While it is listed its data counts, even if it is to be made anew.
        complete=(view.durable.provisioned or (contract is not None and view.me in contract.standbys))
        and (mysql.received_known or mysql.relay_read),
        holds=mysql.holds,
        following=replication.term if on and replication is not None else 0,
        # A session that an earlier process left may be about to turn it on.
        acknowledges=mysql.strangers
        or mysql.acknowledging
        or (not off and replication is not None and replication.acknowledges),
        reaches_primary=view.reaches_primary,
        answers=not stalled(view),
        leads=contract.term if leads and contract is not None else 0,
        executed=mysql.executed if leads else NOTHING,
        last_term=view.durable.last_term,
        leaving=not view.durable.provisioned,
    )
