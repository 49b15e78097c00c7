"""From one server to three while clients write, with a witness beside them; and what the third one is good for."""

import asyncio
import re
from collections.abc import Iterator

import pytest
from tests.lab.stack import Stack, copied, eventually
from tests.lab.visitors import Written, write

pytestmark = [pytest.mark.lab, pytest.mark.slow]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    made = copied(tmp_path_factory.mktemp("grows") / "guestbook", ('"foobar"', '"sapling"'))
    text = re.sub(r"\[servers\.web2\]\n?", "", made.file.read_text())
    made.file.write_text(f"{text}\n[witnesses.judge]\n")
    try:
        made.colonnade("up", seconds=540)
        yield made
    finally:
        made.destroy()


def confirmed_are_there(stack: Stack, written: Written) -> None:
    there = {entry["text"] for entry in stack.entries()}
    assert written.confirmed.keys() <= there, "acknowledged, and lost"


def test_growth_under_load_loses_nothing(stack: Stack) -> None:
    alone = stack.status()["database"]
    assert (alone["primary"], alone["standbys"], alone["acks"]) == ("web1", [], 0)
    stack.file.write_text(f"{stack.file.read_text()}\n[servers.web2]\n\n[servers.web3]\n")

    async def grow() -> Written:
        over = asyncio.Event()
        writing = asyncio.create_task(write(stack.address("lb1"), until=over, prefix="growth"))
        await asyncio.to_thread(stack.colonnade, "up", seconds=540)
        over.set()
        return await writing

    written = asyncio.run(grow())
    assert written.confirmed
    confirmed_are_there(stack, written)
    grown = stack.settled(seconds=120)["database"]
    assert (grown["primary"], grown["standbys"], grown["acks"]) == ("web1", ["web2", "web3"], 1)
    assert stack.plan() == []


def test_of_three_one_lost_costs_no_standby(stack: Stack) -> None:
    """The primary dies: of the two standbys both promise, one is promoted, the other follows it."""
    before = {entry["id"] for entry in stack.entries()}
    stack.own_lab  # noqa: B018  the lab is known before a machine of it is gone
    stack.colonnade("lab", "kill", "web1")

    def moved() -> bool:
        database = stack.status(code=None)["database"]
        return database["primary"] in {"web2", "web3"} and database["acks"] == 1

    eventually(moved, seconds=60, what="another primary with a standby")
    entry = stack.sign("after", "the first server is gone")
    assert before | {entry["id"]} <= {each["id"] for each in stack.entries()}
    stack.colonnade("lab", "start", "web1")
    back = stack.settled(seconds=180)["database"]
    assert len(back["standbys"]) == 2
    assert back["primary"] != "web1"
