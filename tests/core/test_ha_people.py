"""What people ask for: pause, a switchover, a failover by force, a server provisioned anew; and what is counted."""

from dataclasses import replace

import pytest
from tests.core.test_ha_decide import (
    CLAIM,
    CONTRACT,
    DATA,
    FOLLOWS,
    GOOD,
    LOST,
    NOW,
    OPEN,
    OVER,
    PRIMARY,
    PROBE,
    REPLICA,
    STANDBY,
    U1,
    WANTED,
    A,
    B,
    heard,
    recorded,
)

from colonnade.gtid import GtidSet
from colonnade.ha import actions as do
from colonnade.ha.decide import decide
from colonnade.ha.errant import certainly_unacknowledged, written_here
from colonnade.ha.report import report
from colonnade.ha.states import State, state
from colonnade.ha.view import (
    Asked,
    Claim,
    Contract,
    Durable,
    How,
    Member,
    Memory,
    Mysql,
    Peer,
    Probe,
    Receiver,
    Record,
    Replication,
    Report,
    Request,
    Semisync,
    Succession,
    View,
)

C = Member("web3", "30000000-0000-0000-0000-000000000000/c")


# ---- pause


def test_paused_only_the_lease_is_kept() -> None:
    stuck = replace(PRIMARY, paused=True, mysql=replace(OPEN, source=Semisync(1, 3, frozenset(), NOW - 9)))
    assert decide(stuck).action == do.Wait()
    due = replace(stuck, memory=replace(stuck.memory, lease_from=NOW - 1))
    assert decide(due).action == do.RenewLease(5, 11)
    assert decide(replace(due, mysql=None)).action == do.Wait(), "a dead primary keeps nothing"
    assert decide(recorded(due, current=False)).action == do.Wait()
    assert decide(recorded(due, claim=Claim("web2", 6, 12, alive=True))).action == do.Wait()


def test_paused_nobody_promises_claims_or_gives_up() -> None:
    lost = recorded(replace(REPLICA, mysql=LOST, reaches_primary=False, paused=True), claim=OVER)
    assert decide(replace(lost, memory=Memory(asked_of_me=9))).action == do.Wait()
    assert decide(replace(PRIMARY, mysql=None, gone=True, paused=True)).action == do.Wait()


# ---- MySQL that is certain to be gone


def test_the_lease_is_given_up_at_once_only_if_mysql_is_gone_for_certain() -> None:
    silent = replace(PRIMARY, mysql=None, memory=replace(PRIMARY.memory, silent_since=NOW))
    assert decide(silent).action == do.Wait()
    assert decide(replace(silent, gone=True)).action == do.ReleaseLease(5, 11)
    assert decide(recorded(replace(silent, gone=True), current=False)).action == do.Wait()


# ---- by force


def by_force(view: View) -> View:
    return recorded(view, request=Request("web2", NOW - 9, forced=True))


def test_force_needs_no_evidence_and_is_for_its_target_alone() -> None:
    view = by_force(REPLICA)
    assert decide(REPLICA).action == do.Wait()
    assert decide(view).action == do.ClaimLease(6, 11)
    none = recorded(view, contract=replace(CONTRACT, acks=0))
    assert decide(none).action == do.ClaimLease(6, 11), "also where nothing could be proven"
    other = recorded(view, request=Request("web3", NOW, forced=True))
    assert decide(other).action == do.Wait()
    assert decide(by_force(PRIMARY)).action == do.Wait(), "the primary does not give way by itself"


def test_force_takes_the_contract_without_proof_after_a_while_and_says_so() -> None:
    off = replace(STANDBY, replication=replace(FOLLOWS, receiver=Receiver.OFF))
    view = recorded(
        by_force(replace(REPLICA, mysql=off, durable=Durable(6, 5), memory=Memory(asked=Asked(6, 20, NOW - 0.5)))),
        claim=Claim("web2", 6, 40, alive=True),
        contract=replace(CONTRACT, standbys=frozenset({B, C}), acks=1),
    )
    assert decide(view).action == do.AskPromises(6, 20, frozenset({C})), "who can be asked is asked first"
    action = decide(replace(view, memory=Memory(asked=Asked(6, 20, NOW - 1.6)))).action
    assert isinstance(action, do.WriteContract)
    assert (action.contract.primary, action.contract.acks, action.contract.standbys) == (B, 0, frozenset())
    assert action.contract.barred == {"web1", "web3"}
    assert action.done == "web2"
    assert action.succession is not None
    assert action.succession.how is How.FORCED
    assert action.succession.promised == {B}
    not_asked = recorded(replace(view, memory=Memory(asked=Asked(6, 20, NOW - 1.6))), request=None)
    assert isinstance(decide(not_asked).action, do.AskPromises), "without the wish it goes on asking"


def test_a_succession_by_force_proves_nothing() -> None:
    strays = GtidSet.parse(f"{U1}:10")
    chain = (Succession(4, 3, A, How.PROMOTED), Succession(5, 4, B, How.PROMOTED), Succession(6, 5, B, How.RENEWED))
    assert certainly_unacknowledged(strays, 4, 6, chain)
    for how in (How.FORCED, How.FOUNDED):
        assert not certainly_unacknowledged(strays, 4, 6, (chain[0], replace(chain[1], how=how), chain[2]))
    assert not certainly_unacknowledged(strays, 4, 6, chain[:1] + chain[2:]), "a term that nobody knows of"
    assert not certainly_unacknowledged(strays, 5, 6, chain), "they began elsewhere"


# ---- hand-over


def switching(mysql: Mysql, **said: object) -> View:
    wished = recorded(PRIMARY, request=Request("web2", NOW - 0.5))
    return replace(wished, mysql=mysql, peers=heard(replace(GOOD, **said)))  # type: ignore[arg-type]


def test_a_hand_over_shuts_waits_for_the_last_transaction_and_releases() -> None:
    shut = replace(OPEN, offline=True)
    assert decide(switching(OPEN)).action == do.Fence()
    assert decide(switching(shut, holds=GtidSet.parse(f"{U1}:1-8"))).action == do.Wait()
    assert decide(switching(shut)).action == do.ReleaseLease(5, 11)
    released = recorded(switching(shut), claim=OVER)
    assert decide(released).action == do.Wait(), "it does not take the claim back at once"
    target = recorded(REPLICA, request=Request("web2", NOW - 0.5), claim=OVER)
    assert decide(target).action == do.ClaimLease(6, 11), "although it hears the primary still"


def test_a_hand_over_that_takes_too_long_or_cannot_be_is_none() -> None:
    shut = replace(OPEN, offline=True)
    late = recorded(switching(shut), claim=OVER, request=Request("web2", NOW - 4))
    assert decide(late).action == do.RenewLease(5, 11)
    open_again = recorded(switching(shut), request=Request("web2", NOW - 4))
    assert decide(open_again).action == do.LetClientsIn()
    for view in (
        switching(OPEN, following=0),
        switching(OPEN, member=Member("web2", "x/y")),
        recorded(switching(OPEN), contract=Contract(A, 5, frozenset({C}), 1, revision=20)),
    ):
        assert decide(view).action != do.Fence()


# ---- a server provisioned anew


LEAVING = replace(GOOD, leaving=True)


def leaves(contract: Contract, mysql: Mysql = OPEN, **what: object) -> View:
    return recorded(replace(PRIMARY, mysql=mysql, peers=heard(LEAVING), **what), contract=contract)  # type: ignore[arg-type]


def test_the_only_standby_leaves_without_a_commit_that_waits_for_it() -> None:
    lower = decide(leaves(CONTRACT)).action
    assert isinstance(lower, do.WriteContract)
    assert (lower.contract.acks, lower.contract.barred) == (0, frozenset())
    low = replace(CONTRACT, acks=0)
    assert decide(leaves(low)).action == do.SetAcks(0)
    loose = replace(OPEN, source=Semisync(0, acknowledgers=frozenset({"web2"})))
    bar = decide(leaves(low, loose)).action
    assert isinstance(bar, do.WriteContract)
    assert bar.contract.barred == {"web2"}
    barred = replace(low, barred=frozenset({"web2"}))
    assert decide(leaves(barred, loose)).action == do.LockAccount("web2")
    locked = replace(loose, locked=frozenset({"web2"}), dumps=frozenset(), source=Semisync(0))
    removed = decide(leaves(barred, locked)).action
    assert isinstance(removed, do.WriteContract)
    assert removed.contract.standbys == set()


def test_one_of_two_standbys_leaves_and_the_contract_stays() -> None:
    bar = decide(leaves(replace(CONTRACT, standbys=frozenset({B, C})))).action
    assert isinstance(bar, do.WriteContract)
    assert (bar.contract.acks, bar.contract.barred) == (1, frozenset({"web2"}))


def test_no_standby_leaves_that_strictness_needs() -> None:
    strict = replace(WANTED, strict=True)
    assert decide(leaves(CONTRACT, wanted=strict)).action == do.Wait()


def test_who_is_to_be_provisioned_is_not_listed_again() -> None:
    alone = Contract(A, 5, revision=20)
    loose = replace(OPEN, source=Semisync(0))
    listed = decide(recorded(replace(PRIMARY, mysql=loose), contract=alone)).action
    assert isinstance(listed, do.WriteContract)
    assert listed.contract.standbys == {B}
    assert decide(leaves(alone, loose)).action == do.Wait()


def test_until_it_left_it_is_a_standby_like_any_other() -> None:
    wished = replace(REPLICA, durable=Durable(last_term=5, provisioned=False))
    assert decide(wished).action == do.Wait()
    assert report(wished).complete
    assert report(wished).leaving
    assert state(wished) is State.STANDBY
    asked = replace(wished, memory=Memory(asked_of_me=6))
    assert decide(asked).action == do.Promise(6)
    dead = recorded(replace(wished, mysql=LOST, reaches_primary=False), claim=OVER)
    assert decide(dead).action == do.ClaimLease(6, 11), "what was acknowledged may be there alone"


def test_when_it_left_it_is_provisioned_from_who_leads() -> None:
    wished = replace(REPLICA, durable=Durable(last_term=5, provisioned=False))
    out = recorded(wished, contract=Contract(A, 5, barred=frozenset({"web2"}), revision=25))
    assert not report(out).complete
    assert state(out) is State.EMPTY
    assert decide(out).action == do.SetAcknowledging(on=False)
    quiet = replace(out, mysql=replace(STANDBY, acknowledging=False, replication=replace(FOLLOWS, acknowledges=False)))
    assert decide(quiet).action == do.Wait(), "barred still"
    free = recorded(quiet, contract=Contract(A, 5, revision=26))
    assert decide(free).action == do.Clone(A, 5)
    assert decide(replace(free, peers={})).action == do.Wait()
    strays = GtidSet.parse(f"{B.uuid}:7")
    own = replace(free, mysql=replace(quiet.mysql or STANDBY, executed=DATA | strays))
    assert decide(own).action == do.SaveErrant(strays), "a person wished it, and may want to look all the same"
    assert decide(replace(own, durable=replace(own.durable, saved=strays))).action == do.Clone(A, 5)


# ---- what is counted


def test_caught_up_is_who_holds_what_was_there_a_moment_ago() -> None:
    busy = replace(OPEN, executed=GtidSet.parse(f"{U1}:1-5000"), source=Semisync(0))
    alone = recorded(replace(PRIMARY, mysql=busy), contract=Contract(A, 5, revision=20))
    assert decide(alone).action == do.Wait(), "4991 transactions behind"
    moment = replace(alone, memory=replace(alone.memory, earlier=DATA))
    added = decide(moment).action
    assert isinstance(added, do.WriteContract)
    assert added.contract.standbys == {B}


def test_the_floor_moves_up_now_and_then_and_not_for_little() -> None:
    many = replace(PROBE, holds=GtidSet.parse(f"{U1}:1-500"))
    view = replace(PRIMARY, memory=replace(PRIMARY.memory, probe=many, floored_at=NOW - 11))
    action = decide(view).action
    assert isinstance(action, do.WriteContract)
    assert action.contract.floor == many.holds
    for memory in (
        replace(view.memory, floored_at=NOW - 9),
        replace(view.memory, probe=PROBE),
        replace(view.memory, probe=replace(many, clean=False)),
        replace(view.memory, probe=replace(many, acknowledgers=frozenset({"web3"}))),
    ):
        assert decide(replace(view, memory=memory)).action == do.Wait()


@pytest.mark.parametrize("began", [0.1, 0.5])
def test_opening_waits_for_its_first_write_and_then_for_help(began: float) -> None:
    shut = Mysql(DATA, read_only=False, offline=True, source=Semisync(1))
    memory = replace(PRIMARY.memory, probe=Probe(NOW - began, 1), changed_at=NOW - 1)
    decision = decide(replace(PRIMARY, mysql=shut, memory=memory))
    assert decision.action == do.Wait()
    assert ("on its way" in decision.reason) is (began < 0.2)


def test_a_standby_with_other_data_than_listed_is_removed_if_it_can_be_spared() -> None:
    other = {"web2": Peer(NOW - 0.1, Report(Member("web2", "new/1"), 20, answers=True, acknowledges=False))}
    two = recorded(replace(PRIMARY, peers=other), contract=replace(CONTRACT, standbys=frozenset({B, C})))
    bar = decide(two).action
    assert isinstance(bar, do.WriteContract)
    assert bar.contract.barred == {"web2"}
    only = decide(replace(PRIMARY, peers=other, record=replace(PRIMARY.record, claim=CLAIM))).action
    assert not isinstance(only, do.WriteContract)


def test_a_primary_that_could_not_write_tries_again_while_nobody_has_taken_over() -> None:
    failed = replace(PRIMARY.memory, probe=Probe(NOW - 2, 1, NOW - 1.9), unwritten_since=NOW - 9)
    view = recorded(replace(PRIMARY, mysql=replace(OPEN, offline=True), memory=failed), claim=OVER)
    assert decide(view).action == do.FreshCommit()
    taken = recorded(view, claim=Claim("web2", 6, 12, alive=True))
    assert decide(taken).action == do.Wait()


def test_no_more_standbys_go_than_can_be_spared_and_who_is_back_may_stay() -> None:
    strict = replace(PRIMARY, wanted=replace(WANTED, strict=True), peers={})
    first = replace(CONTRACT, standbys=frozenset({B, C}), barred=frozenset({"web2"}))
    locked = replace(OPEN, locked=frozenset({"web2"}), dumps=frozenset(), source=Semisync(1))
    both_lost = decide(recorded(replace(strict, mysql=locked), contract=first)).action
    assert not isinstance(both_lost, do.WriteContract), "web3 is lost as well, and cannot be spared"
    back = decide(recorded(replace(strict, mysql=locked, peers=heard(GOOD)), contract=first)).action
    assert isinstance(back, do.WriteContract)
    assert (back.contract.barred, back.contract.standbys) == (frozenset(), frozenset({B, C}))
    other = {**heard(GOOD), "web3": Peer(NOW - 0.1, Report(C, 20, answers=True, following=5))}
    assert decide(recorded(replace(strict, mysql=locked, peers=other), contract=first)).action == do.FreshCommit()


def test_what_somebody_wrote_on_a_replica_is_noticed_and_what_is_on_its_way_is_not() -> None:
    ours = GtidSet.parse("3e11fa47-71ca-11e1-9e33-c80aa9429562:1-9")
    primary = Member("web1", "3e11fa47-71ca-11e1-9e33-c80aa9429562/1")
    me = Member("web2", "4e11fa47-71ca-11e1-9e33-c80aa9429562/1")
    said = Report(primary, answers=True, leads=5, executed=GtidSet.parse("3e11fa47-71ca-11e1-9e33-c80aa9429562:1-7"))
    follows = Replication("web1", 5, Receiver.ON, 0.1, acknowledges=True, applying=True)
    view = View(
        10.0,
        me,
        Mysql(ours, replication=follows),
        Record(current=True, contract=Contract(primary, 5, frozenset({me}), 1)),
        WANTED,
        peers={"web1": Peer(9.9, said)},
    )
    assert not written_here(view)
    own = GtidSet.parse("4e11fa47-71ca-11e1-9e33-c80aa9429562:1")
    assert written_here(replace(view, mysql=Mysql(ours | own, replication=follows))) == own
    assert not written_here(replace(view, peers={}))
