"""What a server does that is not the contract's primary: promise, follow, acknowledge, or be provisioned anew."""

from colonnade.gtid import GtidSet
from colonnade.ha.actions import (
    ClaimLease,
    Clone,
    Decision,
    Fence,
    LetClientsIn,
    Promise,
    SaveErrant,
    SetAcknowledging,
    StartApplier,
    StartReceiver,
    StopReceiver,
    Wait,
    WriteContract,
)
from colonnade.ha.claimant import claiming, consider
from colonnade.ha.contract import founded, succession
from colonnade.ha.errant import certainly_unacknowledged, errant
from colonnade.ha.former import demotion
from colonnade.ha.view import Claim, Contract, How, Mysql, Receiver, Report, View

KEPT = "kept untouched"
"""What the reason begins with while data is kept because nobody can prove that it is of no worth."""


def founding(view: View, mysql: Mysql) -> Decision:  # noqa: PLR0911  one line per reason not to begin
    """Return the next step while no contract is known.

    Data that took part in a term before is evidence that etcd lost its record: then a person decides who holds what was
    acknowledged, and nobody begins anew over it.
    """
    if step := _promise(view, mysql):
        return step
    if not view.record.current:
        return Decision(Wait(), "etcd does not answer, and this agent has not read it yet")
    others = {name: view.peers[name].report for name in view.wanted.servers if name in view.peers}
    took_part = [str(r.member) for r in others.values() if r.last_term] + [view.me.name] * bool(view.durable.last_term)
    if took_part:
        return Decision(Wait(), f"etcd has lost its record: {', '.join(sorted(took_part))} took part in one")
    if view.me.name != view.wanted.founder:
        return Decision(Wait(), f"{view.wanted.founder} has not begun yet")
    if silent := sorted(set(view.wanted.servers) - set(others) - {view.me.name}):
        return Decision(Wait(), f"{', '.join(silent)} must say that it is new before this server begins")
    claim = view.record.claim
    if claim is None or claim.holder != view.me.name:
        term = max(claim.term if claim else 0, view.durable.promised_term) + 1
        return Decision(ClaimLease(term, claim.revision if claim else 0), "etcd knows of no primary: begins")
    new = founded(view.me, claim.term, view.wanted.servers)
    return Decision(
        WriteContract(new, 0, claim.term, succession(new, None, How.FOUNDED, frozenset())), "one copy to begin with"
    )


def _promise(view: View, mysql: Mysql) -> Decision | None:
    promised, replication = view.durable.promised_term, mysql.replication
    if view.memory.asked_of_me > promised:
        return Decision(Promise(view.memory.asked_of_me), f"a claimant of term {view.memory.asked_of_me} asks for it")
    if replication is not None and replication.receiver is not Receiver.OFF and replication.term < promised:
        return Decision(StopReceiver(), f"term {promised} is promised: nothing of an earlier one is received")
    return None


def _side(view: View, contract: Contract, mysql: Mysql) -> Decision | None:
    """Return what brings the replica side in order: on only if listed, as read in this very round."""
    if not view.record.current:
        return None
    replication = mysql.replication
    running = replication is not None and replication.receiver is not Receiver.OFF
    listed = contract.lists(view.me)
    if mysql.acknowledging != listed:
        why = "listed as a standby: acknowledges" if listed else "no standby: acknowledges nothing"
        return Decision(SetAcknowledging(on=listed), why)
    if running and replication is not None and replication.acknowledges != listed:
        return Decision(StopReceiver(), "the receiver reads at its start whether it acknowledges")
    return None


def _primary_report(view: View, contract: Contract) -> Report | None:
    said = view.heard(contract.primary.name, view.wanted.silent_after)
    return said if said is not None and said.member == contract.primary and said.leads == contract.term else None


def _read_relay_log(mysql: Mysql) -> Decision | None:
    """Return what it takes to know what a restarted server holds: its applier at the end of the relay log."""
    replication = mysql.replication
    if mysql.received_known or mysql.relay_read or replication is None:
        return None
    if replication.applying:
        why = replication.applier_error or "the applier reads"
        return Decision(Wait(), f"the relay log is read to the end before anything else: {why}")
    return Decision(StartApplier(), "the relay log is read to the end before anything else")


def _follow(view: View, contract: Contract, mysql: Mysql) -> Decision | None:
    replication, term = mysql.replication, contract.term
    if not view.record.current or contract.primary.name == view.me.name:
        return None
    if term < view.durable.promised_term:
        return Decision(Wait(), f"term {view.durable.promised_term} is promised, and the contract is of term {term}")
    placed = replication is not None and replication.source == contract.primary.name and replication.term == term
    if placed and replication is not None and replication.receiver is not Receiver.OFF:
        return None
    if view.durable.last_term != term:
        said = _primary_report(view, contract)
        if said is None:
            return Decision(Wait(), f"{contract.primary} has to say what it holds before anybody follows it")
        if strays := errant(mysql.holds, contract.primary, said.executed):
            return _stray(view, contract, mysql, strays)
    return Decision(StartReceiver(contract.primary, term), f"{contract.primary} is the primary of term {term}")


def _stray(  # noqa: PLR0911  one line per stage
    view: View, contract: Contract, mysql: Mysql, strays: GtidSet
) -> Decision:
    """Return the next step of a server with transactions that the primary lacks: it follows nobody (invariant 7)."""
    replication = mysql.replication
    if replication is not None and replication.receiver is not Receiver.OFF:
        return Decision(StopReceiver(), f"{len(strays)} transactions here are unknown to {contract.primary}")
    if not mysql.offline:
        return Decision(
            Fence(), f"{len(strays)} transactions here are unknown to {contract.primary}: nobody reads them"
        )
    if view.me in contract.standbys:
        return Decision(Wait(), "provisioned anew only after it left the standbys")
    if not certainly_unacknowledged(strays, view.durable.last_term, contract.term, view.record.successions):
        return Decision(
            Wait(),
            f"{KEPT}: {len(strays)} transactions unknown to {contract.primary} may have been acknowledged",
        )
    if not strays <= mysql.executed:
        # Only what is executed is in the binary log, from which it is saved.
        if replication is not None and not replication.applying and not replication.applier_error:
            return Decision(StartApplier(), "what was received is executed, so that it can be saved")
        return Decision(Wait(), "what was received is executed before it is saved")
    if not strays <= view.durable.saved:
        return Decision(
            SaveErrant(strays), f"{len(strays)} transactions were acknowledged to nobody, and are saved as SQL"
        )
    if view.me.name in contract.barred:
        return _side(view, contract, mysql) or Decision(
            Wait(), f"{contract.primary} has to let it in again before it is provisioned"
        )
    return Decision(
        Clone(contract.primary, contract.term), "its own transactions are saved; provisioned anew from the primary"
    )


def _provision(view: View, contract: Contract, mysql: Mysql) -> Decision | None:
    if view.durable.provisioned or view.me in contract.standbys:
        return None  # until it left the standbys it is one, since what was acknowledged may be here alone
    if step := _side(view, contract, mysql):
        return step
    if view.me.name in contract.barred:
        return Decision(Wait(), f"{contract.primary} has to let it in again before it is provisioned")
    said = _primary_report(view, contract)
    if said is None:
        return Decision(Wait(), f"to be provisioned; {contract.primary} does not answer as primary")
    if not (strays := errant(mysql.holds, contract.primary, said.executed)) <= view.durable.saved:
        return Decision(SaveErrant(strays), f"{len(strays)} transactions that only this server has are saved as SQL")
    return Decision(Clone(contract.primary, contract.term), "no standby, and to be provisioned: from the primary")


def _serve(mysql: Mysql) -> Decision | None:
    replication = mysql.replication
    if replication is None or replication.receiver is not Receiver.ON:
        return None
    if not replication.applying and not replication.applier_error:
        return Decision(StartApplier(), "what is received is executed")
    if mysql.offline:
        return Decision(LetClientsIn(), f"follows {replication.source}: its data may be read")
    return None


def _claims(claim: Claim | None, view: View, contract: Contract) -> bool:
    return claim is not None and claim.alive and claim.holder == view.me.name and claim.term > contract.term


def out_of_office(view: View, contract: Contract, mysql: Mysql) -> Decision:
    """Return the next step of a server that is not the contract's primary."""
    if step := demotion(mysql, contract.primary.name) or _promise(view, mysql):
        return step
    if step := _provision(view, contract, mysql) or _read_relay_log(mysql):
        return step
    if view.record.current and _claims(view.record.claim, view, contract):
        return claiming(view, contract)
    thought = consider(view, contract) if view.record.current else None
    if thought is not None and not isinstance(thought.action, Wait):
        return thought
    return (
        _side(view, contract, mysql)
        or _follow(view, contract, mysql)
        or _serve(mysql)
        or thought
        or Decision(Wait(), f"follows {contract.primary} in term {contract.term}")
    )
