"""etcd's majority gone for good on real machines: made anew while a client writes, and everything is as before."""

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from tests.lab.stack import Stack, copied, eventually

pytestmark = [pytest.mark.lab, pytest.mark.slow]

LOST = "systemctl kill -s KILL etcd; rm -rf /var/lib/etcd/colonnade; systemctl stop etcd"
LONGEST = 2.0
"""Seconds for which no write may be acknowledged, while etcd is lost and made anew."""
MEMBERS = {"lb1", "web1", "web2"}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    made = copied(tmp_path_factory.mktemp("recover") / "guestbook", ('"foobar"', '"recovers"'))
    try:
        made.colonnade("up", seconds=540)
        yield made
    finally:
        made.destroy()


class Writer:
    """A client that signs again and again; ``gap`` is the longest time without an entry that was acknowledged."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._over = threading.Event()
        self._last = time.monotonic()
        self._longest = 0.0
        self.acknowledged: set[int] = set()
        self._thread = threading.Thread(target=self._write)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join()

    @property
    def gap(self) -> float:
        return max(self._longest, time.monotonic() - self._last)

    def _write(self) -> None:
        number = 0
        while not self._over.is_set():
            number += 1
            asyncio.run(self._sign(number))
            time.sleep(0.02)

    async def _sign(self, number: int) -> None:
        body = json.dumps({"author": "writer", "text": f"entry {number}"}).encode()
        head = (
            "POST /api/entries HTTP/1.1\r\nHost: www.foobar.com\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        try:
            async with asyncio.timeout(5):
                reader, writer = await asyncio.open_connection(self._address, 80)
                writer.write(head.encode() + body)
                answer = await reader.read()
                writer.close()
        except (OSError, TimeoutError):
            return
        if answer.split(b" ", 2)[1:2] != [b"201"]:
            return
        now = time.monotonic()
        self._longest, self._last = max(self._longest, now - self._last), now
        self.acknowledged.add(int(json.loads(answer[answer.index(b"{") : answer.rindex(b"}") + 1])["id"]))


@contextmanager
def writing(stack: Stack) -> Iterator[Writer]:
    writer = Writer(stack.address("lb1"))
    writer.start()
    try:
        eventually(lambda: writer.acknowledged, seconds=20, what="a first entry")
        yield writer
    finally:
        writer.stop()


def contract(stack: Stack) -> tuple[str, int]:
    document = stack.colonnade("db", "status", "--json", code=None).json()["contract"]
    return document["primary"], document["acks"]


def lose(stack: Stack, *machines: str) -> None:
    for machine in machines:
        stack.ssh(machine, LOST)
    eventually(lambda: not stack.status(code=None)["etcd"]["quorum"], seconds=30, what="no leader")


def recovered(stack: Stack, *machines: str) -> None:
    """Lose members while a client writes, make etcd anew, and see that all is as before, a failover included."""
    stack.settled(seconds=60)
    eventually(lambda: contract(stack)[1] == 1, seconds=60, what="a standby is waited for")
    primary, _ = contract(stack)
    with writing(stack) as writer:
        lose(stack, *machines)
        time.sleep(4)  # longer than the lease: what is served now is served without etcd
        assert "etcd recover" in json.dumps(stack.status(code=None)["problems"])
        document = stack.colonnade("etcd", "recover", "--yes", "--json").json()
        assert (document["recovered"], document["primary"]) == (True, primary)
        eventually(lambda: contract(stack)[1] == 1, seconds=60, what="a standby is waited for again")
        assert writer.gap < LONGEST
    status = stack.colonnade("etcd", "status", "--json").json()
    assert (set(status["members"]), status["tolerates"]) == (MEMBERS, 1)
    assert contract(stack) == (primary, 1)
    assert stack.plan() == []
    entries = {entry["id"] for entry in stack.entries()}
    assert writer.acknowledged <= entries
    stack.ssh(primary, "kill -KILL $(pidof mysqld)")
    eventually(lambda: contract(stack)[0] != primary, seconds=30, what="another primary")
    eventually(lambda: contract(stack)[1] == 1, seconds=60, what="the former primary is a standby")
    assert writer.acknowledged <= {entry["id"] for entry in stack.entries()}


def test_nothing_is_made_anew_while_a_majority_is_there_or_may_come_back(stack: Stack) -> None:
    assert "has a leader" in stack.colonnade("etcd", "recover", "--yes", code=3).complaint
    for machine in MEMBERS:
        stack.ssh(machine, "systemctl stop etcd")
    refused = stack.colonnade("etcd", "recover", "--yes", code=3).complaint
    assert "3 of 3 members have their data" in refused
    stack.apply()
    assert stack.settled(seconds=60)["etcd"]["tolerates"] == 1


def test_from_one_member_while_a_client_writes(stack: Stack) -> None:
    recovered(stack, "web1", "web2")


def test_from_no_member_while_a_client_writes(stack: Stack) -> None:
    recovered(stack, *sorted(MEMBERS))


def test_interrupted_it_goes_on_when_it_is_run_again(stack: Stack) -> None:
    stack.settled(seconds=60)
    lose(stack, "web1", "web2")
    for lines in (4, 6, 8):
        stack.killed_after(lines, "etcd", "recover", "--yes")
    done = stack.colonnade("etcd", "recover", "--yes", code=None)
    # The last of the killed ones may have come so far that only members were missing, or nothing was.
    assert done.code == 0 or "has a leader" in done.complaint
    assert stack.settled(seconds=60)["etcd"]["tolerates"] == 1
    assert stack.plan() == []


def test_members_with_the_old_data_are_emptied_when_their_machines_are_back(stack: Stack) -> None:
    stack.settled(seconds=60)
    primary, _ = contract(stack)
    off = "web2" if primary == "web1" else "web1"
    stack.colonnade("lab", "kill", off)
    lose(stack, primary)
    refused = stack.colonnade("etcd", "recover", "--yes", code=3).complaint
    assert f"--members-are-off {off}" in refused
    said_off = ("etcd", "recover", "--yes", "--members-are-off", off)
    # Its standby gone and etcd, too, the primary cannot serve: then the one that is off might have been promoted.
    assert f"--primary {primary}" in stack.colonnade(*said_off, code=3).complaint
    stack.colonnade(*said_off, "--primary", primary, code=1)
    with writing(stack):
        pass
    stack.colonnade("up")
    assert stack.settled(seconds=60)["etcd"]["tolerates"] == 1
    assert set(stack.colonnade("etcd", "status", "--json").json()["members"]) == MEMBERS
    eventually(lambda: contract(stack) == (primary, 1), seconds=60, what="the machine that was off follows")
