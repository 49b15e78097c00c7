"""The loop with an etcd and a MySQL of the test's own: what it remembers, tells and does not tell."""

import asyncio
import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from tests.contract.test_record_store import free_port, identity_in
from tests.core.test_agent_disk import TOLD
from tests.core.test_ha_decide import CLAIM, CONTRACT, DATA, OPEN, U1, A

from colonnade.adapters.etcd import Etcd, Outcome, Stored
from colonnade.adapters.mysql import MysqlServer, Seen
from colonnade.adapters.mysql.look import Counters
from colonnade.adapters.mysql.server import FailedError
from colonnade.adapters.mysql.session import SilentError
from colonnade.agent.config import read_config
from colonnade.agent.disk import INCARNATION
from colonnade.agent.documents import report_document
from colonnade.agent.loop import IDLE_SECONDS, Agent
from colonnade.agent.wishes import Wish, wish_text
from colonnade.gtid import GtidSet
from colonnade.ha import actions as do
from colonnade.ha.view import Contract, Durable, Member, Mysql, Probe, Report, View
from colonnade.wire.client import UnansweredError

if TYPE_CHECKING:
    from collections.abc import Callable

ALONE = Contract(A, 5, revision=20)
LONE = Mysql(DATA, read_only=False)


class Record:
    """An etcd that holds what the test says; ``during`` is done while it is read."""

    def __init__(self) -> None:
        self.stored: Stored | None = Stored(30, CLAIM, ALONE)
        self.outcome = Outcome.DONE
        self.written: list[Any] = []
        self.during: Callable[[], None] = lambda: None

    async def read(self) -> Stored:
        await asyncio.sleep(0)
        self.during()
        if self.stored is None:
            raise UnansweredError("silent", sent=True)
        return self.stored

    async def write(self, action: Any) -> Outcome:
        self.written.append(action)
        return self.outcome


class Server:
    """A MySQL that looks as the test says."""

    def __init__(self, data: Path) -> None:
        data.mkdir()
        (data / INCARNATION).write_text("a\n")
        self.mysql: Mysql | None = LONE
        self.uuid = U1
        self.acted: list[Any] = []
        self.failure = ""
        self.process = SimpleNamespace(pid=lambda: 7)
        self.place = SimpleNamespace(data=data)
        self.committed = asyncio.Event()
        self.known: set[str] = set()

    def know(self, servers: Iterable[str]) -> None:
        self.known.update(servers)

    async def look(self) -> Seen:
        if self.mysql is None:
            raise SilentError("no answer")
        return Seen(self.uuid, self.mysql, Counters())

    async def act(self, action: Any) -> None:
        self.acted.append(action)
        if self.failure:
            raise FailedError(self.failure)

    async def fresh_commit(self, *, began: float, acks: int) -> Probe:
        await self.committed.wait()
        return Probe(began, acks, began + 0.1, clean=True, holds=DATA)


class Loop:
    """An agent whose surroundings are fakes."""

    def __init__(self, place: Path) -> None:
        identity = identity_in(place)
        tls = {"authority": identity.authority, "certificate": identity.certificate, "key": identity.key}
        nodes = {"web1": {"address": "127.0.0.1", "server": True}, "lb1": {"address": "127.0.0.1", "server": False}}
        told = {"port": free_port(), "tls": tls, "nodes": nodes, "state": str(place / "state")}
        file = place / "agent.json"
        file.write_text(json.dumps(TOLD | told))
        self.agent = Agent(read_config(file, place / "none"))
        self.etcd, self.server = Record(), Server(place / "data")
        for part in (self.agent, self.agent.observer, self.agent.actor):
            part.etcd = cast("Etcd", self.etcd)
            part.server = cast("MysqlServer", self.server)

    @property
    def view(self) -> View:
        assert self.agent.view is not None
        return self.agent.view


@pytest.fixture
def loop(tmp_path: Path) -> Loop:
    return Loop(tmp_path)


def test_a_write_that_ends_while_a_view_is_taken_is_not_lost(loop: Loop) -> None:
    actor = loop.agent.actor

    async def go() -> None:
        await loop.agent.round()
        actor._probe(loop.view)  # noqa: SLF001  as the decision would
        assert actor.memory.probe is not None
        assert actor.memory.probe.ended is None
        await asyncio.sleep(0)
        loop.etcd.during = loop.server.committed.set
        loop.server.committed.clear()

        async def slow() -> Stored:
            loop.server.committed.set()
            await asyncio.sleep(0.05)
            return cast("Stored", loop.etcd.stored)

        loop.etcd.read = slow  # type: ignore[method-assign]
        view, actor.memory = await loop.agent.observer.view(lambda: actor.memory)
        assert view.memory == actor.memory
        assert view.memory.probe is not None
        assert view.memory.probe.ended is not None

    asyncio.run(go())


def test_what_a_claimant_asks_while_a_view_is_taken_is_not_lost(loop: Loop) -> None:
    async def go() -> None:
        loop.etcd.during = lambda: loop.agent.asked_to_promise(9)
        await loop.agent.round()
        assert loop.agent.actor.memory.asked_of_me == 9
        loop.etcd.during = lambda: loop.agent.asked_to_promise(4)
        await loop.agent.round()
        assert loop.agent.actor.memory.asked_of_me == 9, "an older one counts for nothing"

    asyncio.run(go())


def test_with_etcd_silent_what_was_read_is_kept_and_said_to_be_old(loop: Loop) -> None:
    async def go() -> None:
        await loop.agent.round()
        first = loop.view.record
        loop.etcd.stored = None
        await loop.agent.round()
        assert loop.view.record == replace(first, current=False)
        assert (first.current, first.contract) == (True, ALONE)
        assert not [each for each in loop.etcd.written if isinstance(each, do.WriteContract)]

    asyncio.run(go())


@pytest.mark.parametrize(("outcome", "settled"), [(Outcome.UNKNOWN, False), (Outcome.REFUSED, True)])
def test_an_unknown_outcome_unsettles_and_a_refusal_does_not(loop: Loop, outcome: Outcome, *, settled: bool) -> None:
    actor = loop.agent.actor

    async def go() -> None:
        write = do.WriteContract(ALONE, 20, 5)
        assert await actor._write(write) == ""  # noqa: SLF001
        assert actor.memory.settled
        loop.etcd.outcome = outcome
        assert await actor._write(write) == f"etcd: {outcome.value}"  # noqa: SLF001
        assert actor.memory.settled is settled
        assert await actor._write(do.RenewLease(5, 11)) != ""  # noqa: SLF001
        assert actor.memory.lease_from is None, "a lease that was not prolonged for certain is none"

    asyncio.run(go())


def test_during_long_work_nobody_is_told_of_mysql(loop: Loop) -> None:
    actor = loop.agent.actor

    async def go() -> None:
        await loop.agent.round()
        assert report_document(cast("Report", loop.agent.told), 0)["answers"]
        over = asyncio.Event()

        async def work() -> str:
            await over.wait()
            return "not done"

        actor._begin(work())  # noqa: SLF001
        before = list(loop.server.acted)
        assert await loop.agent.round() == IDLE_SECONDS
        told = report_document(cast("Report", loop.agent.told), 0)
        assert not told["answers"]
        assert not told["complete"]
        assert not loop.agent.serves
        assert loop.server.acted == before
        over.set()
        await asyncio.sleep(0.01)
        await loop.agent.round()
        assert loop.agent.failure == "not done"

    asyncio.run(go())


def test_long_work_that_raises_is_a_failure_and_not_the_end(loop: Loop) -> None:
    async def broken() -> str:
        raise ValueError("it broke")

    async def go() -> None:
        loop.agent.actor._begin(broken())  # noqa: SLF001
        await asyncio.sleep(0)
        await loop.agent.round()
        assert loop.agent.failure == "ValueError: it broke"

    asyncio.run(go())


def test_a_swap_that_failed_is_tried_again_now_and_then(loop: Loop, tmp_path: Path) -> None:
    agent = loop.agent
    loop.server.mysql = None
    process = SimpleNamespace(pid=lambda: 0)
    done: list[str] = []

    async def told(what: str) -> None:
        done.append(what)

    process.stop, process.start = (lambda: told("stop")), (lambda: told("start"))
    loop.server.process = process
    loop.server.place.data = tmp_path / "data"
    loop.server.drop = lambda: None  # type: ignore[attr-defined]
    (tmp_path / "new" / "data").mkdir(parents=True)
    swap = {"new": str(tmp_path / "new/data"), "data": str(tmp_path / "data"), "aside": str(tmp_path / "aside")}
    agent.disk.journal.write_text(json.dumps(swap | {"term": "5"}))

    async def go() -> None:
        await agent.round()
        work = agent.actor.long_work
        assert work is not None
        assert await work == ""
        await agent.round()
        assert agent.actor.long_work is None

    asyncio.run(go())
    assert done == ["stop", "start"]
    assert agent.disk.durable == Durable(last_term=5)
    assert (tmp_path / "aside" / INCARNATION).exists()


def test_an_action_that_failed_is_said(loop: Loop) -> None:
    loop.server.mysql = replace(OPEN, strangers=True)
    loop.server.failure = "2013: gone"

    async def go() -> None:
        await loop.agent.round()

    asyncio.run(go())
    assert loop.server.acted == [do.EndSessions()]
    assert loop.agent.failure == "2013: gone"
    assert next(each.reason for each in loop.agent.history.last(1)).endswith("(failed: 2013: gone)")


def test_a_wish_that_is_made_again_is_a_new_one(loop: Loop) -> None:
    observer = loop.agent.observer

    async def request(revision: int) -> Any:
        loop.etcd.stored = Stored(30, CLAIM, CONTRACT, wish=(wish_text(Wish("web2")), revision))
        return (await observer.view(lambda: loop.agent.actor.memory))[0].record.request

    async def go() -> None:
        first = await request(40)
        assert await request(40) is first
        again = await request(41)
        assert again.since > first.since

    asyncio.run(go())


@pytest.mark.parametrize(
    ("executed", "contract", "provisioned"),
    [
        (DATA, ALONE, True),
        (GtidSet(), None, True),
        (GtidSet(), replace(ALONE, primary=Member("web2", "x/y")), False),
        (GtidSet(), replace(ALONE, primary=Member("web1", "x/y")), False),
    ],
)
def test_empty_data_is_provisioned_where_there_is_a_contract(
    loop: Loop, executed: GtidSet, contract: Contract | None, *, provisioned: bool
) -> None:
    loop.server.mysql = Mysql(executed)
    loop.etcd.stored = Stored(30, CLAIM, contract)
    asyncio.run(loop.agent.observer.view(lambda: loop.agent.actor.memory))
    assert loop.agent.disk.durable.provisioned is provisioned


def test_what_was_there_a_moment_ago_is_remembered(loop: Loop) -> None:
    actor = loop.agent.actor

    async def go() -> View:
        await loop.agent.round()
        return loop.view

    view = asyncio.run(go())
    more = replace(LONE, executed=GtidSet.parse(f"{U1}:1-99"))
    actor.saw(replace(view, now=view.now + 1.1, mysql=more))
    assert actor.memory.earlier == DATA
    actor.saw(replace(view, now=view.now + 1.2, mysql=None))
    assert actor.memory.earlier is None, "another life may hold other things"
