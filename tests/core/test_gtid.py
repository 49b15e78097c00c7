"""The algebra of transaction sets, held against Python's own sets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from colonnade.gtid import GtidSet

A = "3e11fa47-71ca-11e1-9e33-c80aa9429562"
B = "00000000-0000-0000-0000-000000000001"
SOURCES = [A, B, f"{A}:blue"]

Transactions = set[tuple[str, int]]
TRANSACTIONS = st.sets(st.tuples(st.sampled_from(SOURCES), st.integers(1, 12)))


def made(transactions: Transactions) -> GtidSet:
    return GtidSet.parse(",".join(f"{source}:{number}" for source, number in transactions))


def listed(gtids: GtidSet) -> Transactions:
    return {
        (source, number)
        for source, intervals in gtids.intervals.items()
        for first, last in intervals
        for number in range(first, last + 1)
    }


@given(TRANSACTIONS, TRANSACTIONS)
def test_it_is_the_algebra_of_sets(one: Transactions, other: Transactions) -> None:
    assert listed(made(one)) == one
    assert listed(made(one) | made(other)) == one | other
    assert listed(made(one) - made(other)) == one - other
    assert (made(one) <= made(other)) == (one <= other)
    assert (made(one) == made(other)) == (one == other)
    assert len(made(one)) == len(one)
    assert bool(made(one)) == bool(one)


@given(TRANSACTIONS, TRANSACTIONS)
def test_what_it_writes_it_reads_and_there_is_one_way_to_write_it(one: Transactions, other: Transactions) -> None:
    assert GtidSet.parse(str(made(one))) == made(one)
    assert str(made(one) | made(other)) == str(made(other) | made(one)) == str(made(one | other))


@given(TRANSACTIONS)
def test_without_a_source_its_transactions_are_gone_with_any_tag(transactions: Transactions) -> None:
    assert listed(made(transactions).without_source(A)) == {(s, n) for s, n in transactions if s == B}


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("", ""),
        (f"{A}:1-5", f"{A}:1-5"),
        (f"{A.upper()}:1-5", f"{A}:1-5"),
        (f"{A}:1-3:4-9:11", f"{A}:1-9:11"),
        (f"{A}:7:1-2", f"{A}:1-2:7"),
        (f"{A}:1-5,\n{B}:3", f"{B}:3,{A}:1-5"),
        (f"{A}:1-2:blue:1-3", f"{A}:1-2,{A}:blue:1-3"),
        (f"{A}:18446744073709551", f"{A}:18446744073709551"),
    ],
)
def test_it_reads_the_notation_of_mysql(text: str, canonical: str) -> None:
    assert str(GtidSet.parse(text)) == canonical


@pytest.mark.parametrize(
    "text",
    [
        "nonsense",
        A,
        f"{A}:",
        f"{A}:0",
        f"{A}:5-3",
        f"{A}:1-",
        f"{A}:-1",
        f"{A}:1-2-3",
        f"{A}:blue",
        f"x{A}:1",
        f"{A}:²",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="transactions"):
        GtidSet.parse(text)
