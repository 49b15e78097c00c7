"""The database survives on real machines: drills, judged by what is there afterwards, never by the clock.

How long writes paused is measured by ``bench/failover.py``: a busy machine would fail a test of it.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from tests.lab.stack import Stack, copied, eventually

pytestmark = [pytest.mark.lab, pytest.mark.slow]

IMPORTANT = (
    "mysqld-killed",
    "switchover",
    "primary-cable",
    "mysqld-frozen",
    "agent-frozen",
    "standby-power",
    "stop-without-standby",
    "acknowledgement-lost",
    "grant-waiting",
    "etcd-majority-killed",
)
DRILL_SECONDS = 420


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    made = copied(tmp_path_factory.mktemp("failover") / "guestbook", ('"foobar"', '"survivor"'))
    try:
        made.colonnade("up", seconds=540)
        yield made
    finally:
        made.destroy()


def primary(stack: Stack) -> str:
    name: str = stack.status(code=None)["database"]["primary"]
    return name


def only_slow(drill: dict[str, Any]) -> list[str]:
    """Return what is wrong with a drill, besides that it took its time."""
    return [reason for reason in drill["reasons"] if " without a write; at most " not in reason]


@pytest.mark.parametrize("fault", IMPORTANT)
def test_nothing_that_was_acknowledged_is_lost(stack: Stack, fault: str) -> None:
    done = stack.colonnade("drill", "database", fault, "--json", code=None, seconds=DRILL_SECONDS)
    (drill,) = done.json()["drills"]
    assert only_slow(drill) == []
    assert drill["writes"]["acknowledged"] > 0
    assert (drill["writes"]["lost"], drill["reads"]["vanished"]) == ([], [])


def test_who_may_not_takes_over(stack: Stack) -> None:
    """Without a standby nobody is promoted, and what is refused says why."""
    first = primary(stack)
    other = {"web1": "web2", "web2": "web1"}[first]
    stack.own_lab  # noqa: B018  the lab is known before a machine of it is gone
    stack.colonnade("lab", "kill", other)
    try:
        # An application gives up on a write sooner than etcd, which may have lost its leader too, can be told.
        eventually(lambda: stack.status(code=None)["database"]["acks"] == 0, seconds=60, what="one copy is enough")
        stack.sign("lone", "written on one copy")
        done = stack.colonnade("db", "switchover", "--to", other, code=3)
        assert "acks = 0" in done.said
        said = " ".join(stack.colonnade("explain", "--json").json()["explain"])
        assert "one copy" in said
    finally:
        stack.colonnade("lab", "start", other)
    document = stack.settled(seconds=90)
    assert document["database"]["primary"] == first
    assert document["database"]["standbys"] == [other]


def test_a_server_is_provisioned_anew(stack: Stack) -> None:
    leader = primary(stack)
    other = {"web1": "web2", "web2": "web1"}[leader]
    before = stack.sql(other, "SELECT @@server_uuid")
    stack.colonnade("db", "rebuild", other, "--yes")
    assert stack.sql(other, "SELECT @@server_uuid") != before
    document = stack.settled(seconds=60)
    assert document["database"]["standbys"] == [other]
    entry = stack.sign("after", "the rebuild")
    assert entry["id"] in [each["id"] for each in stack.entries()]
    assert stack.colonnade("db", "rebuild", leader, "--yes", code=3).said  # the primary's data is not thrown away


def test_paused_agents_only_watch(stack: Stack) -> None:
    leader = primary(stack)
    stack.colonnade("db", "pause")
    try:
        stack.ssh(leader, "kill -9 $(pidof mysqld)")
        document = stack.status(code=1)
        assert any("paused" in problem["what"] for problem in document["problems"])
    finally:
        stack.colonnade("db", "resume")
    assert stack.settled(seconds=60)["database"]["primary"]
