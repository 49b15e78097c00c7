"""The way of a primary to clients coming in: after a promotion, a restart, or an isolation (invariants 3 and 6)."""

from colonnade.ha.actions import (
    Decision,
    Fence,
    FreshCommit,
    LetClientsIn,
    OpenForWrites,
    RemoveReplication,
    SetAcknowledging,
    SetAcks,
    StartApplier,
    StopReceiver,
    Wait,
)
from colonnade.ha.contract import acknowledged
from colonnade.ha.probing import STUCK, free
from colonnade.ha.view import Contract, Mysql, Receiver, View


def _leave_replication(mysql: Mysql) -> Decision | None:
    replication = mysql.replication
    if replication is None:
        if mysql.acknowledging:
            return Decision(SetAcknowledging(on=False), "a primary acknowledges to nobody")
        return None
    if replication.receiver is not Receiver.OFF:
        return Decision(StopReceiver(), "a primary receives from nobody")
    if not replication.applying and not mysql.relay_read:
        return Decision(StartApplier(), "everything received is executed before anything new")
    if not mysql.relay_read:
        return Decision(Wait(), "everything received is executed before anything new")
    return Decision(RemoveReplication(), "everything received is executed; what is left of the replica goes")


def opening(  # noqa: PLR0911  one line per stage
    view: View, contract: Contract, mysql: Mysql
) -> Decision | None:
    """Return the next step towards serving, or None if clients may already come in."""
    if mysql.source.acks < contract.acks:
        return Decision(SetAcks(contract.acks), f"the contract says acks = {contract.acks}")
    if step := _leave_replication(mysql):
        return step
    if mysql.read_only and not mysql.offline:
        return Decision(Fence(), "clients stay out until the first write was seen through")
    if mysql.read_only:
        return Decision(OpenForWrites(contract.term), f"{view.me} is the primary of term {contract.term}")
    if not mysql.offline:
        return None
    if view.wanted.strict and contract.acks < 1:
        return None  # protection comes first; clients wait for it
    probe = view.memory.probe
    if acknowledged(probe, acks=contract.acks, among=contract.standbys, since=view.memory.changed_at):
        return Decision(LetClientsIn(), "all that this server holds is acknowledged as the contract says")
    if free(view, mysql):
        return Decision(FreshCommit(), "a write of its own comes before those of clients")
    if probe is not None and probe.ended is None and view.now - probe.began < STUCK:
        return Decision(Wait(), "its first write is on its way")
    return None  # it waits, and protection may have to help
