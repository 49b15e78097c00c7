"""The contract's changes and their evidence; who may be promoted; which transactions are proven unacknowledged."""

from dataclasses import replace
from itertools import combinations

import pytest

from colonnade.gtid import GtidSet
from colonnade.ha import contract as change
from colonnade.ha.candidates import Refusal, hindrance, prove
from colonnade.ha.errant import certainly_unacknowledged, errant
from colonnade.ha.view import Contract, How, Member, Probe, Report, Succession

U1, U2, U3 = (f"{n}0000000-0000-0000-0000-000000000000" for n in (1, 2, 3))
A, B, C = Member("web1", f"{U1}/a"), Member("web2", f"{U2}/b"), Member("web3", f"{U3}/c")


def gtids(text: str) -> GtidSet:
    return GtidSet.parse(text)


def promised(member: Member, holds: str, term: int = 6) -> Report:
    return Report(member, promised=term, complete=True, answers=True, holds=gtids(holds))


def seen(acks: int = 1, began: float = 10.0, names: tuple[str, ...] = ("web2",)) -> Probe:
    return Probe(began, acks, began + 1, clean=True, acknowledgers=frozenset(names), holds=gtids(f"{U1}:1-9"))


@pytest.mark.parametrize("s", [1, 2, 3, 4, 5])
def test_enough_promises_meet_every_set_that_may_have_acknowledged(s: int) -> None:
    standbys = frozenset(Member(f"web{n}", f"{n}/") for n in range(s))
    for k in range(1, s + 1):
        needed = Contract(A, 1, standbys, k).promises_needed
        for who in combinations(standbys, needed):
            assert len(standbys - set(who)) < k
            assert all(set(who) & set(acked) for acked in combinations(standbys, k))


@pytest.mark.parametrize(
    "probe",
    [
        None,
        Probe(10.0, 1),
        seen(began=4.0),
        replace(seen(), clean=False),
        seen(acks=0),
        seen(names=("web2", "web3")),
    ],
    ids=["none", "under way", "begun before the change", "not clean", "waited for nobody", "a stranger acknowledged"],
)
def test_nothing_is_raised_without_a_fresh_commit(probe: Probe | None) -> None:
    with pytest.raises(change.UnprovenError, match="fresh commit"):
        change.raised(Contract(A, 5, frozenset({B})), 1, probe, since=5.0)


def test_raised_with_a_fresh_commit_the_floor_moves_too() -> None:
    new = change.raised(Contract(A, 5, frozenset({B})), 1, seen(), since=5.0)
    assert (new.acks, str(new.floor)) == (1, f"{U1}:1-9")


def test_more_acknowledgements_than_standbys_are_refused() -> None:
    with pytest.raises(change.UnprovenError, match="number"):
        change.raised(Contract(A, 5, frozenset({B})), 2, seen(2), since=5.0)


def test_a_standby_leaves_only_barred_and_with_a_commit_of_the_others() -> None:
    before = Contract(A, 5, frozenset({B, C}), 1)
    with pytest.raises(change.UnprovenError, match="not barred"):
        change.removed(before, C, seen(), since=5.0)
    barred = change.barring(before, "web3")
    assert not barred.lists(C)
    with pytest.raises(change.UnprovenError, match="fresh commit"):
        change.removed(barred, C, seen(names=("web2", "web3")), since=5.0)
    after = change.removed(barred, C, seen(), since=5.0)
    assert after.standbys == {B}
    with pytest.raises(change.UnprovenError, match="may still acknowledge"):
        change.added(after, C)


def test_the_barred_come_back_only_after_they_have_read_it() -> None:
    before = Contract(A, 5, barred=frozenset({"web2"}), revision=7)
    with pytest.raises(change.UnprovenError, match="may not have read"):
        change.unbarred(before, "web2", quiet_at=6)
    assert not change.unbarred(before, "web2", quiet_at=7).barred


def test_a_promotion_inherits_nothing() -> None:
    old = Contract(A, 5, frozenset({B, C}), 1, gtids(f"{U1}:1-3"), frozenset({"web4"}), 9)
    heard = {B: promised(B, f"{U1}:1-5"), C: promised(C, f"{U1}:1-4")}
    proof = prove(old, heard, heard[B], 6)
    assert isinstance(proof, change.Proof)
    new = change.taken_over(proof, B, 6)
    assert (new.primary, new.term, new.standbys, new.acks) == (B, 6, frozenset(), 0)
    assert new.barred == {"web1", "web3", "web4"}
    assert new.floor == gtids(f"{U1}:1-5")


@pytest.mark.parametrize(
    ("acks", "heard", "why"),
    [
        (0, [promised(B, f"{U1}:1-5"), promised(C, f"{U1}:1-4")], "acks = 0"),
        (1, [promised(B, f"{U1}:1-5")], "missing: web3"),
        (1, [promised(B, f"{U1}:1-5"), promised(C, f"{U1}:1-4", term=5)], "missing: web3"),
        (1, [promised(B, f"{U1}:1-5"), replace(promised(C, f"{U1}:1-4"), complete=False)], "missing: web3"),
        (1, [promised(B, f"{U1}:1-5"), replace(promised(C, f"{U1}:1-4"), following=5)], "missing: web3"),
        (1, [promised(B, f"{U1}:1-5"), promised(Member("web3", f"{U3}/new"), f"{U1}:1-4")], "missing: web3"),
        (1, [promised(B, f"{U1}:1-5"), promised(C, f"{U1}:1-6")], "lacks 1"),
        (2, [promised(B, f"{U1}:1-2")], "lacks 1"),
    ],
    ids=["no contract", "one is silent", "an earlier promise", "unread relay log", "still receives", "other data",
         "another holds more", "below the floor"],
)  # fmt: skip
def test_nothing_is_promoted_without_proof(acks: int, heard: list[Report], why: str) -> None:
    old = Contract(A, 5, frozenset({B, C}), acks, gtids(f"{U1}:1-3"))
    refusal = prove(old, {each.member: each for each in heard}, heard[0], 6)
    assert isinstance(refusal, Refusal)
    assert why in refusal.reason


def test_neither_claims_over_one_who_holds_more() -> None:
    old = Contract(A, 5, frozenset({B, C}), 1)
    heard = {B: promised(B, f"{U1}:1-4", 0), C: promised(C, f"{U1}:1-5", 0)}
    assert hindrance(old, B, heard) == "web3 holds more"
    assert hindrance(old, C, heard) == ""


def test_the_primary_may_still_wait_for_what_a_standby_has() -> None:
    assert not errant(gtids(f"{U1}:1-9"), A, gtids(f"{U1}:1-8"))
    assert str(errant(gtids(f"{U1}:1-9,{U2}:1-4"), A, gtids(f"{U1}:1-8,{U2}:1-3"))) == f"{U2}:4"


def test_unacknowledged_is_proven_only_by_an_unbroken_chain() -> None:
    chain = (
        Succession(5, 3, A, How.RENEWED),
        Succession(6, 5, B, How.PROMOTED),
        Succession(8, 6, C, How.PROMOTED),
    )
    stray = gtids(f"{U1}:7")
    assert certainly_unacknowledged(stray, 5, 8, chain)
    assert not certainly_unacknowledged(gtids(f"{U3}:7"), 5, 8, chain), "began elsewhere"
    assert not certainly_unacknowledged(stray, 5, 8, (chain[0], chain[2])), "a term is missing"
    forced = (chain[0], replace(chain[1], how=How.FORCED), chain[2])
    assert not certainly_unacknowledged(stray, 5, 8, forced), "a person forced one"
