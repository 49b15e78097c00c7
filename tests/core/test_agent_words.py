"""What agents tell each other, people and HAProxy: documents, wishes, and when a round or a push is worth it."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.contract.test_record_store import free_port, identity_in
from tests.core.test_ha_decide import CLAIM, CONTRACT, DATA, GOOD, NOW, PRIMARY, REPLICA, A, B, heard, recorded

from colonnade.agent.config import Node, ProxyConfig
from colonnade.agent.documents import (
    contract_document,
    mysql_document,
    peers_document,
    report_document,
    report_of,
)
from colonnade.agent.peers import Peers
from colonnade.agent.routing import Routing
from colonnade.agent.wishes import Wish, best_target, why_not, why_not_anew, wish_of, wish_text
from colonnade.gtid import GtidSet
from colonnade.ha.report import report
from colonnade.ha.view import Claim, Durable, Member, Peer, Report, View

C = Member("web3", "30000000-0000-0000-0000-000000000000/c")


def test_a_report_is_read_as_it_was_written() -> None:
    full = Report(B, 20, 6, True, DATA, 5, False, True, True, 5, DATA, 4, True, True)
    for each in (full, Report(A), report(PRIMARY), report(REPLICA)):
        written = json.loads(json.dumps(report_document(each, 0.25)))
        assert report_of(written) == (each, 0.25)
    assert report_of(report_document(full, -3.0))[1] == 0, "nobody has looked in the future"


def test_documents_are_json_and_name_names() -> None:
    contract = contract_document(replace(CONTRACT, barred=frozenset({"web3"})))
    assert contract == {
        "primary": "web1",
        "term": 5,
        "standbys": ["web2"],
        "acks": 1,
        "barred": ["web3"],
        "floor": "",
        "revision": 20,
    }
    assert contract_document(None) is None
    assert mysql_document(replace(PRIMARY, mysql=None)) == {"answers": False}
    mysql = json.loads(json.dumps(mysql_document(REPLICA)))
    assert mysql["replication"]["receiver"] == "on"
    assert GtidSet.parse(mysql["executed"]) == DATA
    assert json.loads(json.dumps(peers_document(PRIMARY)))["web2"]["age"] == pytest.approx(0.1)


def test_wishes_are_read_as_they_were_written() -> None:
    for wish in (Wish("web2"), Wish("web2", forced=True)):
        assert wish_of((wish_text(wish), 4)) == wish
    for text in ("", "[]", "{}", '{"target": "web2"}', "nonsense"):
        assert wish_of((text, 4)) is None
    assert wish_of(None) is None


def said(**what: object) -> View:
    return replace(PRIMARY, peers=heard(replace(GOOD, **what)))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("view", "target", "reason"),
    [
        (recorded(PRIMARY, current=False), "web2", "etcd does not answer"),
        (recorded(PRIMARY, contract=None), "web2", "knows of no primary"),
        (replace(PRIMARY, paused=True), "web2", "paused"),
        (PRIMARY, "web1", "is the primary already"),
        (PRIMARY, "lb1", "is no server"),
        (recorded(PRIMARY, contract=replace(CONTRACT, acks=0)), "web2", "acks = 0"),
        (recorded(PRIMARY, contract=replace(CONTRACT, standbys=frozenset({C}))), "web2", "standbys: web3"),
        (recorded(PRIMARY, contract=replace(CONTRACT, barred=frozenset({"web2"}))), "web2", "is no standby"),
        (replace(PRIMARY, peers={}), "web2", "does not answer"),
        (replace(PRIMARY, peers=heard(GOOD, 9)), "web2", "does not answer"),
        (said(answers=False), "web2", "does not answer"),
        (said(following=4), "web2", "does not follow web1"),
        (said(leaving=True), "web2", "is to be provisioned anew"),
        (replace(REPLICA, mysql=None), "web2", "does not answer"),
        (replace(REPLICA, durable=Durable(last_term=5, provisioned=False)), "web2", "is to be provisioned anew"),
    ],
)
def test_a_switchover_that_is_not_safe_is_refused_with_the_reason(view: View, target: str, reason: str) -> None:
    assert reason in why_not(view, target)
    if target == "web2":
        assert best_target(view) == ""


def test_a_switchover_that_is_safe_is_not_refused() -> None:
    for view in (PRIMARY, REPLICA):
        assert why_not(view, "web2") == ""
        assert best_target(view) == "web2"


LEADS = Report(A, 20, complete=True, holds=DATA, reaches_primary=True, answers=True, leads=5, executed=DATA)


@pytest.mark.parametrize(
    ("view", "reason"),
    [
        (recorded(REPLICA, current=False), "etcd does not answer"),
        (replace(REPLICA, paused=True), "paused"),
        (PRIMARY, "this is the primary"),
        (recorded(REPLICA, claim=Claim("web2", 6, 12, alive=True)), "about to take over"),
        (replace(REPLICA, peers={}), "does not serve"),
        (replace(REPLICA, peers=heard(replace(LEADS, leads=4))), "does not serve"),
        (replace(REPLICA, wanted=replace(REPLICA.wanted, strict=True)), "strict"),
    ],
)
def test_data_that_may_be_needed_is_not_made_anew(view: View, reason: str) -> None:
    assert reason in why_not_anew(view)


def test_data_that_can_be_spared_is_made_anew() -> None:
    assert why_not_anew(REPLICA) == ""
    two = recorded(REPLICA, contract=replace(CONTRACT, standbys=frozenset({B, C})), claim=CLAIM)
    assert why_not_anew(replace(two, wanted=replace(two.wanted, strict=True))) == ""


# ---- HAProxy


class Proxy:
    """A runtime socket that keeps what it is told."""

    def __init__(self, path: Path) -> None:
        self.path, self.lines = path, []  # type: Path, list[str]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.lines.append((await reader.readline()).decode().strip())
        writer.close()


def pushed(tmp_path: Path, views: list[tuple[dict[str, Report], bool]]) -> list[str]:
    proxy = Proxy(tmp_path / "haproxy.sock")

    async def go() -> None:
        server = await asyncio.start_unix_server(proxy.serve, proxy.path)
        routing = Routing(ProxyConfig(str(proxy.path), "primary", "replica"), ("web1", "web2", "web3"))
        for reports, leads in views:
            peers = {name: Peer(NOW, each) for name, each in reports.items()}
            routing.update("web1", peers, leads=leads, now=NOW, fresh=1.5)
            await asyncio.sleep(0.05)
        routing.update("web1", {"web2": Peer(NOW - 9, Report(B, serves=True))}, leads=False, now=NOW, fresh=1.5)
        await asyncio.sleep(0.05)
        server.close()

    asyncio.run(go())
    return proxy.lines


def test_one_leads_and_all_others_are_down_at_once(tmp_path: Path) -> None:
    other = {"web2": Report(B, leads=6, serves=True)}
    down = "set server primary/web{} health down".format
    up = "set server primary/web{} health up".format
    assert pushed(tmp_path, [({}, True), ({}, True), (other, False), (other, False)]) == [
        f"{down(2)};{down(3)};{up(1)}",
        f"{down(1)};{up(2)}",
    ]


def test_of_two_that_say_so_the_later_term_leads_and_of_none_nobody_unknown_is_touched(tmp_path: Path) -> None:
    both = {"web2": Report(B, leads=6, serves=True), "web3": Report(C, leads=7, serves=True)}
    assert pushed(tmp_path, [(both, False)]) == [
        ";".join(f"set server primary/{each}" for each in ("web1 health down", "web2 health down", "web3 health up"))
    ]
    (tmp_path / "haproxy.sock").unlink()
    assert pushed(tmp_path, []) == ["set server primary/web1 health down"]


# ---- the others


def test_only_news_begins_a_round_and_an_older_word_is_not_taken(tmp_path: Path) -> None:
    rounds: list[int] = []

    async def go() -> None:
        nodes = {"web1": Node("127.0.0.1", server=True), "web2": Node("127.0.0.1", server=True)}
        identity = identity_in(tmp_path)
        peers = Peers("web1", nodes, free_port(), identity, clock=lambda: NOW, changed=lambda: rounds.append(1))

        def take(asked: float, what: Report, age: float = 0.0) -> int:
            before = len(rounds)
            peers._take("web2", asked, json.dumps(report_document(what, age)).encode())  # noqa: SLF001  no network
            return len(rounds) - before

        assert take(NOW, GOOD) == 1, "the first word"
        assert take(NOW + 1, replace(GOOD, holds=DATA | GtidSet.parse(f"{A.uuid}:10-99"))) == 0, "only a position"
        for news in (
            {"promised": 6},
            {"following": 0},
            {"answers": False},
            {"leads": 6},
            {"serves": True},
            {"leaving": True},
            {"acknowledges": False},
            {"reaches_primary": False},
            {"revision": 21},
            {"member": C},
        ):
            assert take(NOW + 2, GOOD) <= 1
            assert take(NOW + 2, replace(GOOD, **news)) == 1, news
        assert take(NOW + 2, replace(GOOD, leads=9), age=0.5) == 0
        assert peers.heard["web2"].report.leads == 0, "it was seen before what is known"
        peers._take("web2", NOW + 9, b"{}")  # noqa: SLF001
        assert peers.heard["web2"].at == NOW + 2

    asyncio.run(go())
