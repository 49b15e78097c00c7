"""One view in, one decision out: the order of steps that each invariant demands."""

from dataclasses import replace

from colonnade.gtid import GtidSet
from colonnade.ha import actions as do
from colonnade.ha.decide import decide
from colonnade.ha.health import serves_replica, serves_until
from colonnade.ha.report import report
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
    Semisync,
    Succession,
    View,
    Wanted,
)

U1, U2 = "10000000-0000-0000-0000-000000000000", "20000000-0000-0000-0000-000000000000"
A, B = Member("web1", f"{U1}/a"), Member("web2", f"{U2}/b")
NOW = 100.0
DATA = GtidSet.parse(f"{U1}:1-9")
WANTED = Wanted(("web1", "web2"), agents=3, founder="web1")
CONTRACT = Contract(A, 5, frozenset({B}), 1, revision=20)
CLAIM = Claim("web1", 5, 11, alive=True)
PROBE = Probe(NOW - 0.5, 1, NOW - 0.4, clean=True, acknowledgers=frozenset({"web2"}), holds=DATA)
OPEN = Mysql(DATA, read_only=False, source=Semisync(1, acknowledgers=frozenset({"web2"})), dumps=frozenset({"web2"}))
FOLLOWS = Replication("web1", 5, Receiver.ON, 0.1, acknowledges=True, applying=True)
STANDBY = Mysql(DATA, replication=FOLLOWS, acknowledging=True)
LOST = replace(STANDBY, replication=replace(FOLLOWS, receiver=Receiver.CONNECTING))
OVER = replace(CLAIM, alive=False)


def heard(said: Report, ago: float = 0.1) -> dict[str, Peer]:
    return {said.member.name: Peer(NOW - ago, said)}


GOOD = Report(B, 20, complete=True, holds=DATA, following=5, answers=True, reaches_primary=True)
PRIMARY = View(
    NOW,
    A,
    OPEN,
    Record(True, CLAIM, CONTRACT),
    WANTED,
    Durable(last_term=5),
    Memory(lease_from=NOW - 0.1, lease_term=5, changed_at=NOW - 9, probe=PROBE, settled=True),
    heard(GOOD),
    reaches_primary=True,
)
REPLICA = View(
    NOW,
    B,
    STANDBY,
    Record(True, CLAIM, CONTRACT),
    WANTED,
    Durable(last_term=5),
    Memory(),
    heard(Report(A, 20, complete=True, holds=DATA, reaches_primary=True, answers=True, leads=5, executed=DATA)),
    reaches_primary=True,
)


def recorded(view: View, **what: object) -> View:
    return replace(view, record=replace(view.record, **what))  # type: ignore[arg-type]


def test_all_well_nothing_to_do() -> None:
    assert decide(PRIMARY).action == do.Wait()
    assert decide(REPLICA).action == do.Wait()
    assert serves_until(PRIMARY) == NOW - 0.1 + WANTED.ttl
    assert serves_replica(REPLICA)


def test_a_stranger_goes_before_anything_else() -> None:
    view = replace(REPLICA, mysql=replace(STANDBY, strangers=True), memory=Memory(asked_of_me=9))
    assert decide(view).action == do.EndSessions()
    assert report(view).promised == 0
    assert report(view).acknowledges


def test_mysql_restarted_the_primary_opens_late() -> None:
    fresh = replace(PRIMARY, mysql=Mysql(DATA, offline=True), memory=replace(PRIMARY.memory, probe=None))
    assert decide(fresh).action == do.SetAcks(1)
    waits = replace(fresh, mysql=Mysql(DATA, offline=True, source=Semisync(1)))
    assert decide(waits).action == do.OpenForWrites(5)
    writable = replace(waits, mysql=Mysql(DATA, offline=True, read_only=False, source=Semisync(1)))
    assert decide(writable).action == do.FreshCommit()
    seen = replace(writable, memory=PRIMARY.memory)
    assert decide(seen).action == do.LetClientsIn()
    assert serves_until(seen) < NOW


def test_blocked_commits_loosen_etcd_first_and_mysql_after() -> None:
    stuck = replace(PRIMARY, mysql=replace(OPEN, source=Semisync(1, waiting=3, blocked_since=NOW - 1.2)))
    action = decide(stuck).action
    assert isinstance(action, do.WriteContract)
    assert (action.contract.acks, action.expected, action.claim_term) == (0, 20, 5)
    written = recorded(stuck, contract=replace(CONTRACT, acks=0, revision=21))
    assert decide(written).action == do.SetAcks(0)
    strict = replace(stuck, wanted=replace(WANTED, strict=True))
    assert decide(strict).action == do.Wait()


def test_an_unknown_outcome_is_settled_before_mysql_is_loosened() -> None:
    low = replace(CONTRACT, acks=0)
    stuck = replace(PRIMARY, mysql=replace(OPEN, source=Semisync(1, 3, frozenset(), NOW - 2)))
    unsure = recorded(replace(stuck, memory=replace(stuck.memory, settled=False)), contract=low)
    action = decide(unsure).action
    assert isinstance(action, do.WriteContract)
    assert (action.contract, action.expected) == (low, 20)


def test_raised_mysql_first_and_etcd_when_a_commit_was_seen() -> None:
    low = recorded(PRIMARY, contract=replace(CONTRACT, acks=0))
    loose = replace(low, mysql=replace(OPEN, source=Semisync(0, acknowledgers=frozenset({"web2"}))))
    assert decide(loose).action == do.SetAcks(1)
    old = replace(PROBE, began=NOW - 10)
    assert decide(replace(low, memory=replace(low.memory, probe=old))).action == do.FreshCommit()
    action = decide(low).action
    assert isinstance(action, do.WriteContract)
    assert action.contract.acks == 1


def test_what_is_left_of_the_lease_does_not_cut_the_standbys_words_short() -> None:
    """Neither while etcd is away, nor when it answers again and the lease is yet to be renewed."""
    confirmed = NOW - 0.1 + WANTED.ttl
    ending = replace(PRIMARY, memory=replace(PRIMARY.memory, lease_from=NOW - WANTED.ttl + 0.05))
    assert serves_until(recorded(ending, current=False)) == confirmed
    back = replace(PRIMARY, memory=replace(PRIMARY.memory, lease_from=NOW - 9))
    assert serves_until(back) == confirmed
    assert decide(back).action == do.RenewLease(5, 11)
    assert serves_until(replace(back, peers={})) < NOW


def test_without_etcd_the_standbys_words_carry_the_primary() -> None:
    view = recorded(replace(PRIMARY, memory=replace(PRIMARY.memory, lease_from=NOW - 9)), current=False)
    assert serves_until(view) == NOW - 0.1 + WANTED.ttl
    assert decide(view).action == do.Wait()
    for said in (replace(GOOD, following=0), replace(GOOD, promised=6), replace(GOOD, member=Member("web2", "x/y"))):
        alone = replace(view, peers=heard(said))
        assert serves_until(alone) < NOW
        assert decide(alone).action == do.Fence()
    assert decide(replace(view, peers=heard(GOOD, 2.5))).action == do.Fence()


def test_a_claimed_primary_shuts_and_a_dead_claim_is_taken_back() -> None:
    claimed = Claim("web2", 6, 30, alive=True)
    assert decide(recorded(PRIMARY, claim=claimed)).action == do.Fence()
    assert decide(recorded(PRIMARY, claim=replace(claimed, alive=False))).action == do.ClaimLease(7, 30)
    again = decide(recorded(PRIMARY, claim=Claim("web1", 7, 31, alive=True))).action
    assert isinstance(again, do.WriteContract)
    assert again.contract == replace(CONTRACT, term=7)
    assert again.succession is not None
    assert again.succession.how is How.RENEWED


def test_its_mysql_down_the_lease_is_given_up() -> None:
    down = replace(PRIMARY, mysql=None, memory=replace(PRIMARY.memory, silent_since=NOW - 0.6))
    assert decide(down).action == do.ReleaseLease(5, 11)


def test_deposed_clients_out_before_anybody_is_released() -> None:
    other = Contract(B, 6, revision=30)
    view = recorded(PRIMARY, contract=other, claim=Claim("web2", 6, 25, alive=True))
    steps = []
    mysql = replace(OPEN, source=Semisync(1, waiting=2))
    steps.append(decide(replace(view, mysql=mysql)).action)
    mysql = replace(mysql, offline=True)
    steps.append(decide(replace(view, mysql=mysql)).action)
    mysql = replace(mysql, source=Semisync(1))
    steps.append(decide(replace(view, mysql=mysql)).action)
    mysql = replace(mysql, source=Semisync(0))
    steps.append(decide(replace(view, mysql=mysql)).action)
    assert steps == [do.Fence(), do.Wait(), do.SetAcks(0), do.Demote()]


def test_a_standby_claims_only_with_evidence() -> None:
    dead = recorded(replace(REPLICA, mysql=LOST, reaches_primary=False), claim=OVER)
    assert decide(dead).action == do.ClaimLease(6, 11)
    assert decide(replace(dead, reaches_primary=True)).action == do.Wait(), "the primary answers"
    assert decide(replace(dead, mysql=STANDBY)).action == do.Wait(), "its receiver hears the primary"
    alive = recorded(dead, claim=CLAIM)
    assert decide(alive).action == do.Wait(), "nobody else has lost it"
    voter = {"lb1": Peer(NOW - 0.1, Report(Member("lb1", "")))}
    assert decide(replace(alive, peers=voter)).action == do.ClaimLease(6, 11), "two of three agents do not reach it"


def test_claim_promise_stop_ask_prove_swap() -> None:
    claim = Claim("web2", 6, 40, alive=True)
    view = recorded(replace(REPLICA, mysql=LOST, reaches_primary=False), claim=claim)
    assert decide(view).action == do.Promise(6)
    view = replace(view, durable=Durable(6, 5))
    assert decide(view).action == do.StopReceiver()
    assert report(view).promised == 0, "not told before it is kept"
    view = replace(view, mysql=replace(LOST, replication=replace(FOLLOWS, receiver=Receiver.OFF)))
    assert report(view).promised == 6
    assert decide(view).action == do.AskPromises(6, 20, frozenset())
    view = replace(view, memory=Memory(asked=Asked(6, 20, NOW - 0.1)))
    action = decide(view).action
    assert isinstance(action, do.WriteContract)
    assert (action.contract.primary, action.contract.standbys, action.contract.acks) == (B, frozenset(), 0)
    assert (action.expected, action.claim_term) == (20, 6)
    assert action.succession is not None
    assert action.succession.promised == {B}


def test_no_receiver_for_an_earlier_term_than_promised() -> None:
    off = replace(STANDBY, replication=replace(FOLLOWS, receiver=Receiver.OFF))
    assert decide(replace(REPLICA, mysql=off, durable=Durable(6, 5))).action == do.Wait()
    assert decide(replace(REPLICA, mysql=off)).action == do.StartReceiver(A, 5)


def test_only_the_listed_acknowledge() -> None:
    unlisted = recorded(REPLICA, contract=replace(CONTRACT, standbys=frozenset(), acks=0))
    assert decide(unlisted).action == do.SetAcknowledging(on=False)
    quiet = replace(STANDBY, acknowledging=False, replication=replace(FOLLOWS, acknowledges=False))
    assert decide(replace(REPLICA, mysql=quiet)).action == do.SetAcknowledging(on=True)
    stale = recorded(replace(REPLICA, mysql=quiet), current=False)
    assert decide(stale).action == do.Wait(), "not on an old reading"


def test_a_relay_log_is_read_to_its_end_first() -> None:
    mysql = replace(
        STANDBY,
        received_known=False,
        relay_read=False,
        replication=replace(FOLLOWS, receiver=Receiver.OFF, applying=False),
    )
    assert decide(replace(REPLICA, mysql=mysql)).action == do.StartApplier()
    assert not report(replace(REPLICA, mysql=mysql)).complete


def test_strays_are_saved_and_then_replaced_or_kept() -> None:
    stray = DATA | GtidSet.parse(f"{U2}:7")
    chain = (Succession(4, 3, B, How.PROMOTED), Succession(5, 4, A, How.PROMOTED))
    alone = Contract(A, 5, revision=20)
    view = recorded(
        replace(REPLICA, mysql=Mysql(stray, offline=True), durable=Durable(last_term=4)),
        contract=alone,
        successions=chain,
    )
    assert decide(view).action == do.SaveErrant(GtidSet.parse(f"{U2}:7"))
    saved = replace(view, durable=Durable(last_term=4, saved=GtidSet.parse(f"{U2}:7")))
    assert decide(saved).action == do.Clone(A, 5)
    unproven = decide(recorded(saved, successions=chain[1:]))
    assert unproven.action == do.Wait()
    assert "kept untouched" in unproven.reason


def test_the_founder_begins_only_over_data_that_is_new_everywhere() -> None:
    new = View(
        NOW,
        A,
        Mysql(GtidSet()),
        Record(current=True),
        WANTED,
        peers=heard(Report(B, complete=True, answers=True)),
    )
    assert decide(new).action == do.ClaimLease(1, 0)
    assert decide(replace(new, peers={})).action == do.Wait()
    assert decide(replace(new, peers=heard(Report(B, answers=True, last_term=4)))).action == do.Wait()
    assert "lost its record" in decide(replace(new, durable=Durable(last_term=4))).reason
    assert decide(replace(new, me=B, peers=heard(Report(A, answers=True)))).action == do.Wait()
