"""Ways to be wrong on purpose: each changes what an agent sees, decides, tells or does."""

from dataclasses import replace

from colonnade.ha.actions import (
    AskPromises,
    Decision,
    Fence,
    FreshCommit,
    SetAcks,
    StopReceiver,
    Wait,
    WriteContract,
)
from colonnade.ha.view import Contract, How, Probe, Report, Succession, View


class Faithful:
    """Nothing is changed; the others are like this but for one thing."""

    likely: tuple[str, ...] = ()  # the faults that bring it out soonest; by default all alike
    sizes: tuple[int, ...] = (2, 2, 2, 3, 3, 4)  # numbers of servers to choose from
    stops_safely = True
    starts_shut = True
    all_acknowledge = False
    keeps_relay_log = True
    repoints_in_full = False
    settles = True
    ends_sessions = True

    def view(self, view: View) -> View:
        return view

    def decision(self, view: View, decision: Decision) -> Decision:  # noqa: ARG002  the others need it
        return decision

    def report(self, view: View, report: Report) -> Report:  # noqa: ARG002  the others need it
        return report


class WithoutFencing(Faithful):
    """Clients are believed to be out, and are not."""

    likely = (
        "isolate",
        "cut_link",
        "from_etcd",
    )

    def view(self, view: View) -> View:
        if view.mysql is None or view.mysql.read_only:
            return view
        contract = view.record.contract
        if contract is not None and contract.primary == view.me:
            return view
        return replace(view, mysql=replace(view.mysql, offline=True, source=replace(view.mysql.source, waiting=0)))

    def decision(self, view: View, decision: Decision) -> Decision:
        return (
            Decision(Wait(), "mutated") if isinstance(decision.action, Fence) and not self._opening(view) else decision
        )

    @staticmethod
    def _opening(view: View) -> bool:
        return view.mysql is not None and view.mysql.read_only


class LowersMysqlFirst(Faithful):
    """Invariant 1, lowering the other way round."""

    likely = (
        "isolate",
        "from_etcd",
        "cut_link",
    )
    sizes = (2,)

    def decision(self, view: View, decision: Decision) -> Decision:
        action, contract, mysql = decision.action, view.record.contract, view.mysql
        if isinstance(action, WriteContract) and contract is not None and mysql is not None:
            lowers = action.contract.primary == contract.primary and action.contract.acks < contract.acks
            if lowers and mysql.source.acks > action.contract.acks:
                return Decision(SetAcks(action.contract.acks), "mutated")
        return decision


class RaisesRecordFirst(Faithful):
    """Invariant 1, raising the other way round."""

    likely = (
        "kill_mysql",
        "cut_link",
        "isolate",
    )
    sizes = (2,)

    def decision(self, view: View, decision: Decision) -> Decision:
        action, contract = decision.action, view.record.contract
        if isinstance(action, SetAcks) and contract is not None and contract.primary == view.me:
            acks = min(action.acks, len(contract.standbys))
            if acks > contract.acks:
                new = replace(contract, acks=acks)
                return Decision(WriteContract(new, contract.revision, contract.term), "mutated")
        return decision


class SwapsBeforePromises(Faithful):
    """Invariant 3 the other way round: the contract is swapped, and promises are asked for later."""

    likely = (
        "isolate",
        "freeze_mysql",
        "half_cut",
    )

    def decision(self, view: View, decision: Decision) -> Decision:
        action, contract = decision.action, view.record.contract
        if isinstance(action, AskPromises) and contract is not None and view.mysql is not None:
            new = Contract(view.me, action.term, floor=view.mysql.holds, barred=frozenset({contract.primary.name}))
            record = Succession(action.term, contract.term, view.me, How.PROMOTED)
            return Decision(WriteContract(new, contract.revision, action.term, record), "mutated")
        return decision


class WithoutFreshCommit(Faithful):
    """A write of its own is believed to have been acknowledged without having been made."""

    likely = (
        "isolate",
        "cut_link",
        "kill_mysql",
    )

    def view(self, view: View) -> View:
        if view.mysql is None:
            return view
        done = Probe(view.now, 9, view.now, clean=True, holds=view.mysql.executed)
        return replace(view, memory=replace(view.memory, probe=done))

    def decision(self, view: View, decision: Decision) -> Decision:  # noqa: ARG002  as above
        return Decision(Wait(), "mutated") if isinstance(decision.action, FreshCommit) else decision


class InheritsContract(Faithful):
    """A promotion keeps the old standbys, their number and the old floor."""

    likely = (
        "kill_mysql",
        "cut_link",
        "slow_applier",
    )
    sizes = (3,)

    def decision(self, view: View, decision: Decision) -> Decision:
        action, contract = decision.action, view.record.contract
        if isinstance(action, WriteContract) and contract is not None and action.contract.primary != contract.primary:
            heirs = contract.standbys - {view.me}
            acks = min(contract.acks, len(heirs))
            new = replace(action.contract, standbys=heirs, acks=acks, floor=contract.floor, barred=frozenset())
            return replace(decision, action=replace(action, contract=new))
        return decision


class UnlistedAcknowledges(Faithful):
    """The replica side of semi-sync is on everywhere, and nobody sees or says so."""

    likely = (
        "isolate",
        "cut_link",
        "kill_mysql",
    )
    sizes = (3, 4)

    all_acknowledge = True

    def view(self, view: View) -> View:
        mysql, contract = view.mysql, view.record.contract
        if mysql is None or contract is None:
            return view
        if contract.primary == view.me:
            names = frozenset(each.name for each in contract.standbys)
            source = replace(mysql.source, acknowledgers=mysql.source.acknowledgers & names)
            probe = view.memory.probe
            if probe is not None:
                probe = replace(probe, acknowledgers=probe.acknowledgers & names)
            return replace(view, mysql=replace(mysql, source=source), memory=replace(view.memory, probe=probe))
        listed = contract.lists(view.me)
        replication = mysql.replication
        if replication is not None:
            replication = replace(replication, acknowledges=listed)
        return replace(view, mysql=replace(mysql, acknowledging=listed, replication=replication))


class BreaksPromises(Faithful):
    """A promise is told, and the receiver goes on."""

    likely = ("but_one", "kill_agent")
    sizes = (3,)

    def decision(self, view: View, decision: Decision) -> Decision:  # noqa: ARG002  as above
        if isinstance(decision.action, StopReceiver) and "is promised" in decision.reason:
            return Decision(Wait(), "mutated")
        return decision

    def report(self, view: View, report: Report) -> Report:
        promised = view.durable.promised_term
        return replace(report, promised=promised, following=0) if promised > report.promised else report


class StartsOpen(Faithful):
    """A server that starts lets clients in at once, although recovery committed what nobody acknowledged."""

    likely = (
        "kill_mysql",
        "freeze_agent",
        "kill_agent",
    )

    starts_shut = False


class StopsGracefully(Faithful):
    """A stop sends SIGTERM at once."""

    likely = (
        "stop_mysql",
        "cut_link",
        "isolate",
    )

    stops_safely = False


class PurgesAtRepointing(Faithful):
    """Repointing uses the full form, which empties the relay log."""

    likely = (
        "slow_applier",
        "kill_mysql",
        "isolate",
    )

    repoints_in_full = True


class RecoversRelayLog(Faithful):
    """``relay_log_recovery`` is on: a restart throws away what was received and not executed."""

    likely = (
        "slow_applier",
        "all_power",
        "kill_mysql",
    )
    sizes = (2,)

    keeps_relay_log = False


class TrustsReadBack(Faithful):
    """A write with an unknown outcome is taken for failed when it is not seen at once."""

    likely = (
        "half_cut",
        "from_etcd",
        "kill_mysql",
    )
    sizes = (2,)

    settles = False


class KeepsOldSessions(Faithful):
    """Statements of an earlier agent process are let run."""

    likely = (
        "freeze_mysql",
        "kill_agent",
        "isolate",
    )

    ends_sessions = False

    def view(self, view: View) -> View:
        if view.mysql is None or not view.mysql.strangers:
            return view
        return replace(view, mysql=replace(view.mysql, strangers=False))
