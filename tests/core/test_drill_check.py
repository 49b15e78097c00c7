"""The checker, and how long nothing succeeded."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.drilled import BEGIN, log, rows, write

from colonnade.drill import Gap, Limits, longest_gap, series, unfit
from colonnade.drill.database import FAULTS, Kind, Log, Outcome, Rows, check, parse_events, parse_rows
from colonnade.drill.verdict import Verdict


def reasons(made: Log, there: Rows, replica: Rows | None = None) -> str:
    return "\n".join(check(made, there, {"web2": replica or there}).reasons)


def test_all_that_was_acknowledged_is_there_and_some_that_nobody_was_told_of() -> None:
    made = log()
    found = check(made, rows(made), {"web2": rows(made)})
    assert found.reasons == ()
    assert found.unacknowledged_present == ("web1.0:400", "web2.0:400")
    assert found.unknown == 2
    assert found.counter_least <= (found.counter or 0) <= found.counter_most


def test_an_acknowledged_write_that_is_not_there_is_lost() -> None:
    made, lost = log(), "web2.0:1000"
    there = rows(made)
    without = Rows({id_: parts for id_, parts in there.parts.items() if id_ != lost}, there.counter)
    assert check(made, without, {}).lost == (lost,)
    assert "1 write acknowledged and lost: web2.0:1000" in reasons(made, without)


def test_what_nobody_was_told_of_may_be_there_or_not() -> None:
    made = Log((write(1, BEGIN, Outcome.UNKNOWN), write(2, BEGIN)))
    for parts in ({"web1.0:2": (0,)}, {"web1.0:1": (0,), "web1.0:2": (0,)}):
        assert check(made, Rows(parts, 0), {}).reasons == ()


def test_what_was_read_must_stay() -> None:
    made = Log((write(1, BEGIN, Outcome.UNKNOWN), write(2, BEGIN)), seen={"web1.0:1": BEGIN})
    assert check(made, Rows({"web1.0:2": (0,)}, 0), {}).vanished == ("web1.0:1",)
    assert "1 write read and then vanished" in reasons(made, Rows({"web1.0:2": (0,)}, 0))


@pytest.mark.parametrize("parts", [(0,), (0, 1), (0, 1, 1)])
def test_a_transaction_is_there_whole_or_not_at_all(parts: tuple[int, ...]) -> None:
    made = Log((write(1, BEGIN, Outcome.UNKNOWN, kind=Kind.ROWS), write(2, BEGIN)))
    assert check(made, Rows({"web1.0:1": parts, "web1.0:2": (0,)}, 0), {}).torn == ("web1.0:1",)
    assert check(made, Rows({"web1.0:1": (0, 1, 2), "web1.0:2": (0,)}, 0), {}).torn == ()


def test_a_write_that_is_there_twice_is_told_of() -> None:
    made = Log((write(1, BEGIN), write(2, BEGIN, kind=Kind.ROWS)))
    found = check(made, Rows({"web1.0:1": (0, 0), "web1.0:2": (0, 0, 1, 1, 2, 2)}, 0), {})
    assert found.duplicated == ("web1.0:1", "web1.0:2")
    assert found.torn == ()


def test_what_was_refused_must_not_be_there_nor_what_nobody_tried() -> None:
    made = Log((write(1, BEGIN, Outcome.REFUSED), write(2, BEGIN)))
    there = Rows({"web1.0:1": (0,), "web1.0:2": (0,), "web1.0:3": (0,)}, 0)
    assert "there, though the client was told that they failed: web1.0:1" in reasons(made, there)
    assert "no client says that it tried: web1.0:3" in reasons(made, there)


@pytest.mark.parametrize(
    ("counter", "read", "wrong"),
    [(1, 0, ""), (2, 2, ""), (0, 0, "between"), (3, 0, "between"), (1, 2, "had read 2"), (None, 0, "is gone")],
)
def test_the_counter_has_every_acknowledged_increment_and_none_that_was_not_tried(
    counter: int | None, read: int, wrong: str
) -> None:
    tried = (Outcome.ACKNOWLEDGED, Outcome.UNKNOWN, Outcome.REFUSED)
    made = tuple(write(number, BEGIN, outcome, kind=Kind.INCREMENT) for number, outcome in enumerate(tried))
    there = Rows({"web1.0:0": (0,)}, counter)
    found = reasons(Log(made, counters=((BEGIN, read),)), there)
    assert wrong in found if wrong else not found


def test_a_replica_that_differs_is_named() -> None:
    made = Log((write(1, BEGIN),))
    there = Rows({"web1.0:1": (0,)}, 0)
    assert reasons(made, there, Rows({}, 0)) == "web2 differs from the primary in web1.0:1"
    assert reasons(made, there, replace(there, counter=1)) == "web2 differs from the primary in the counter"


def test_a_drill_in_which_nothing_was_written_shows_nothing() -> None:
    assert "no write was acknowledged at all" in reasons(Log(()), Rows({}, 0))


def test_the_gap_counts_whole_where_it_reaches_into_the_window() -> None:
    assert longest_gap([1.0, 2.0, 5.0, 5.5, 9.0], begin=3.0, end=8.0) == Gap(5.5, 9.0)
    assert longest_gap([1.0, 2.0, 5.0, 5.5, 6.0, 9.5], begin=1.5, end=5.8) == Gap(2.0, 5.0)


def test_without_a_success_after_it_a_gap_has_no_end() -> None:
    assert longest_gap([1.0, 2.0], begin=2.0, end=8.0) == Gap(2.0, 8.0, ended=False)
    assert longest_gap([], begin=2.0, end=8.0) == Gap(2.0, 8.0, ended=False)
    assert longest_gap([2.0, 6.0, 7.0], begin=2.0, end=8.0) == Gap(2.0, 6.0)


@given(st.lists(st.floats(0, 100), max_size=30), st.floats(0, 50), st.floats(0, 50))
def test_no_success_lies_within_the_gap(successes: list[float], begin: float, length: float) -> None:
    gap = longest_gap(successes, begin, begin + length)
    assert gap.seconds >= 0
    assert not [time for time in successes if gap.begin < time < gap.end]
    assert gap.end >= begin
    assert gap.begin <= begin + length


def test_limits_are_kept_or_said() -> None:
    limits = Limits(gap=1.0, redundant=60)
    assert list(unfit(limits, Gap(0, 1), 60)) == []
    assert list(unfit(Limits(), Gap(0, 100), 0)) == []
    assert list(unfit(limits, Gap(0, 1.5), 61)) == [
        "1.50 s without a write; at most 1 s is allowed",
        "full redundancy took 61 s; at most 60 s is allowed",
    ]
    assert "did not come back" in next(iter(unfit(limits, Gap(0, 1), None)))
    assert "no write succeeded any more" in next(iter(unfit(Limits(), Gap(0, 9, ended=False), 0)))


def test_of_several_runs_the_median_has_a_limit_of_its_own() -> None:
    fault = FAULTS["mysqld-killed"]
    runs = [Verdict((), Gap(0, seconds), 1, 1) for seconds in (0.5, 0.7, 1.4)]
    found = series(fault, runs)
    assert (found.median, found.worst, found.passed) == (0.7, 1.4, True)
    late = series(fault, [Verdict((), Gap(0, 1), 1, 1), Verdict(("something was lost",), Gap(0, 1), 1, 1)])
    assert late.reasons == (
        "1 of 2 runs failed",
        "the median is 1.00 s without a write; at most 0.8 s is allowed",
    )


def test_what_clients_write_down_is_read_even_if_they_were_killed() -> None:
    made = parse_events(
        '{"client":"web1.0","at":1.0}\n'
        '{"try":1,"kind":"row","at":1.5}\n{"done":1,"outcome":"acknowledged","at":1.75}\n'
        '{"try":2,"kind":"rows","at":2.5}\n{"done":2,"outcome":"unknown","at":3.5,"error":"2013 lost"}\n'
        '{"seen":["web1.0:1","web2.0:1"],"at":1.8}\n{"seen":["web1.0:1"],"at":4.0}\n'
        '{"counter":7,"at":1.9}\n{"stale":"web1.0:1","at":2.0}\n{"lost":"2003 refused","at":3.75}\n'
        '{"try":3,"kind":"increment","at":4.5}\n{"do'
        "\n"
        '{"client":"web1.1","at":9.0}\n{"try":1,"kind":"row","at":9.5}\n{"done":1,"outcome":"refused","at":9.75}\n'
    )
    assert [(each.id, each.kind, each.outcome) for each in made.writes] == [
        ("web1.0:1", Kind.ROW, Outcome.ACKNOWLEDGED),
        ("web1.0:2", Kind.ROWS, Outcome.UNKNOWN),
        ("web1.0:3", Kind.INCREMENT, Outcome.UNKNOWN),
        ("web1.1:1", Kind.ROW, Outcome.REFUSED),
    ]
    assert made.seen == {"web1.0:1": 1.8, "web2.0:1": 1.8}
    assert made.acknowledged == [1.75]
    assert made.counters == ((1.9, 7),)
    assert [text for _, text in made.errors] == ["2013 lost", "2003 refused", ""]


def test_two_logs_are_one() -> None:
    one, other = Log((write(1, 1.0),), seen={"a": 2.0}), Log((write(2, 1.0),), seen={"a": 1.0, "b": 3.0})
    assert (one | other).seen == {"a": 1.0, "b": 3.0}
    assert len((one | other).writes) == 2


def test_rows_are_read_whole_or_not_at_all() -> None:
    whole = "counter\t5\nwrite\tweb1.0:1\t0\nwrite\tweb1.0:2\t0,1,2\nend\tweb1\n"
    assert parse_rows(whole) == Rows({"web1.0:1": (0,), "web1.0:2": (0, 1, 2)}, 5)
    with pytest.raises(ValueError, match="end in the middle"):
        parse_rows(whole.replace("end\tweb1\n", ""))
    with pytest.raises(ValueError, match="no row of a drill"):
        parse_rows("nonsense\n" + whole)
