"""A primary in office keeps the contract as good as it can be, in the order that invariant 1 demands."""

from colonnade.ha.actions import (
    Action,
    Decision,
    FreshCommit,
    LockAccount,
    SetAcks,
    UnlockAccount,
    WriteContract,
)
from colonnade.ha.contract import acknowledged, added, barring, lowered, pardoned, raised, refreshed, removed, unbarred
from colonnade.ha.probing import STUCK, ask, due
from colonnade.ha.view import Contract, Member, Mysql, Report, View


def _write(contract: Contract, before: Contract) -> Action:
    return WriteContract(contract, before.revision, before.term)


def _blocked(view: View, mysql: Mysql) -> bool:
    since = mysql.source.blocked_since
    return since is not None and view.now - max(since, view.memory.changed_at) >= view.wanted.hold_off


def _lag(view: View, mysql: Mysql, said: Report) -> int:
    """Return by how many transactions a replica is behind what the primary held a moment ago.

    Not what it holds now: a replica says what it held when it was asked, and a busy primary has gone on since.
    """
    return len((mysql.executed if view.memory.earlier is None else view.memory.earlier) - said.holds)


def _ready(view: View, contract: Contract, mysql: Mysql) -> list[Member]:
    """Return the standbys whose acknowledgement can be counted on at this moment."""
    found = []
    for standby in sorted(contract.standbys):
        said = view.heard(standby.name, view.wanted.silent_after)
        if (
            said is not None
            and said.member == standby
            and said.following == contract.term
            and standby.name in mysql.source.acknowledgers
            and contract.lists(standby)
            and _lag(view, mysql, said) <= view.wanted.lag
        ):
            found.append(standby)
    return found


def _loosen(view: View, contract: Contract, mysql: Mysql) -> Decision | None:
    if not _blocked(view, mysql):
        return None
    if mysql.source.acks > contract.acks:
        # The record promises less already. It is settled here: no write that promises more is under way.
        return Decision(SetAcks(contract.acks), "commits are blocked, and the contract does not ask for so many")
    if contract.acks == 0 or view.wanted.strict:
        return None
    return Decision(
        _write(lowered(contract, contract.acks - 1), contract),
        f"commits are blocked for {view.wanted.hold_off:g} s: the standbys do not acknowledge",
    )


def _locks(view: View, contract: Contract, mysql: Mysql) -> Decision | None:
    """Locks are derived from the contract, and asserted anew whenever they differ."""
    blocked = mysql.source.blocked_since
    if blocked is not None and view.now - blocked > STUCK:
        return None  # a change of accounts might wait behind the commits, and every login behind it
    for name in sorted(mysql.locked - contract.barred):
        return Decision(UnlockAccount(name), f"{name} acknowledges nothing that it should not")
    for name in sorted(contract.barred):
        if name not in mysql.locked or name in mysql.dumps:
            return Decision(LockAccount(name), f"{name} may still acknowledge, and is no standby")
    return None


def _quiet(view: View, contract: Contract, name: str) -> Report | None:
    said = view.heard(name, view.wanted.silent_after)
    if said is None or not said.answers or said.acknowledges or said.revision < contract.revision:
        return None
    return said


def _membership(view: View, contract: Contract, mysql: Mysql) -> Decision | None:
    listed = {each.name for each in contract.standbys}
    for name in sorted(contract.barred - listed):
        if said := _quiet(view, contract, name):
            return Decision(
                _write(unbarred(contract, name, quiet_at=said.revision), contract),
                f"{name} has read that it is no standby, and acknowledges nothing",
            )
    followers = [
        said.member
        for name in view.wanted.servers
        if name not in listed | contract.barred | {view.me.name}
        and (said := view.heard(name, view.wanted.silent_after)) is not None
        and said.complete
        and not said.leaving
        and said.following == contract.term
        and _lag(view, mysql, said) <= view.wanted.lag
    ]
    if len(listed) < view.wanted.standbys and followers:
        best = min(followers, key=lambda each: (len(mysql.executed - view.peers[each.name].report.holds), each))
        return Decision(_write(added(contract, best), contract), f"{best} has caught up and becomes a standby")
    return _replace(view, contract, mysql, followers)


def _let_go(view: View, contract: Contract, mysql: Mysql, standby: Member) -> Decision | None:
    """Return what comes before a standby is barred that is well and wanted elsewhere: no commit has to wait for it."""
    if view.wanted.strict:
        return None
    if len(contract.standbys) - 1 < contract.acks:
        return Decision(
            _write(lowered(contract, contract.acks - 1), contract),
            f"{standby} is to be provisioned anew: commits go on with one copy less",
        )
    if mysql.source.acks > contract.acks:
        return Decision(SetAcks(contract.acks), f"{standby} is to be provisioned anew, and is waited for no more")
    return None


def _pardon(view: View, contract: Contract, standby: Member) -> Decision | None:
    """Keep a standby after all that is back, if those that were to do without it are too few and out of reach."""
    said = view.heard(standby.name, view.wanted.silent_after)
    others = [
        each for each in contract.standbys - {standby} if view.heard(each.name, view.wanted.lost_after) is not None
    ]
    if said is None or said.member != standby or not said.answers or len(others) >= contract.acks:
        return None
    return Decision(_write(pardoned(contract, standby), contract), f"{standby} is back, and others are out of reach")


def _replace(  # noqa: PLR0911  one line per stage
    view: View, contract: Contract, mysql: Mysql, followers: list[Member]
) -> Decision | None:
    """Begin or continue to remove a standby that is lost, or whose data is no longer there."""
    for standby in sorted(contract.standbys):
        peer = view.peers.get(standby.name)
        gone = peer is not None and peer.report.member != standby
        leaving = peer is not None and peer.report.member == standby and peer.report.leaving
        lost = view.heard(standby.name, view.wanted.lost_after) is None and view.now - view.memory.changed_at > (
            view.wanted.lost_after
        )
        enough = len(contract.standbys) - 1 >= contract.acks
        barred = standby.name in contract.barred
        if leaving and not barred and (step := _let_go(view, contract, mysql, standby)):
            return step
        spare = sum(each.name not in contract.barred for each in contract.standbys) > contract.acks
        if not barred and spare and (leaving or gone or (lost and (followers or contract.acks >= 1))):
            why = (
                "is to be provisioned anew"
                if leaving
                else "has other data than was listed"
                if gone
                else f"is out of reach for {view.wanted.lost_after:g} s"
            )
            return Decision(_write(barring(contract, standby.name), contract), f"{standby} {why}, and is removed")
        if barred and enough:
            probe, since = view.memory.probe, view.memory.changed_at
            if standby.name not in mysql.locked or standby.name in mysql.dumps:
                continue  # locked first
            if acknowledged(probe, acks=contract.acks, among=contract.standbys - {standby}, since=since):
                return Decision(
                    _write(removed(contract, standby, probe, since=since), contract),
                    f"a fresh commit was acknowledged without {standby}",
                )
            if not spare and not leaving and (step := _pardon(view, contract, standby)):
                return step
            return ask(view, mysql, f"is the contract kept without {standby}?")
        if barred and contract.acks >= 1 and not view.wanted.strict:
            return Decision(
                _write(lowered(contract, contract.acks - 1), contract), f"{standby} cannot be removed otherwise"
            )
    return None


def _raise(  # noqa: PLR0911  one line per stage
    view: View, contract: Contract, mysql: Mysql
) -> Decision | None:
    ready = _ready(view, contract, mysql)
    target = min(view.wanted.acks, len(ready))
    if target <= contract.acks:
        if mysql.source.acks > contract.acks and not view.wanted.strict:
            return Decision(SetAcks(contract.acks), "the standbys that were to acknowledge are gone again")
        return None
    if mysql.source.acks < target:
        loosened = view.memory.loosened_at
        if loosened is not None and view.now - loosened < view.wanted.back_off:
            return None  # a standby that comes and goes must not block commits again and again
        if any(name not in mysql.locked or name in mysql.dumps for name in contract.barred):
            return None  # only the listed may acknowledge from here on
        return Decision(SetAcks(target), f"{', '.join(map(str, ready))} caught up: commits wait for {target}")
    probe, since = view.memory.probe, view.memory.changed_at
    if acknowledged(probe, acks=target, among=contract.standbys, since=since):
        return Decision(
            _write(raised(contract, target, probe, since=since), contract), "a fresh commit was acknowledged"
        )
    return ask(view, mysql, f"do {target} standbys acknowledge?")


def _refresh(view: View, contract: Contract, mysql: Mysql) -> Decision | None:
    probe, since = view.memory.probe, view.memory.changed_at
    if (
        probe is not None
        and probe.ended is not None
        and acknowledged(probe, acks=contract.acks, among=contract.standbys, since=since)
        and view.now - view.memory.floored_at >= view.wanted.refresh_floor
        and len(probe.holds - contract.floor) > view.wanted.lag
    ):
        return Decision(_write(refreshed(contract, probe, since=since), contract), "the floor moves up")
    if due(view, mysql):
        return Decision(
            FreshCommit(), "heartbeat: frees a commit whose acknowledgement was lost, and proves the contract"
        )
    return None


def protection(view: View, contract: Contract, mysql: Mysql) -> Decision | None:
    """Return the next step that makes the contract better, or worse if it cannot be kept; None if it is as wanted."""
    return (
        _loosen(view, contract, mysql)
        or _locks(view, contract, mysql)
        or _membership(view, contract, mysql)
        or _raise(view, contract, mysql)
        or _refresh(view, contract, mysql)
    )
