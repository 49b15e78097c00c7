"""What status says of every part, what it calls a problem, and what it says to do about it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from tests.properties import agents
from tests.properties.made import Site, classic
from tests.properties.world import settled

from colonnade.facts import Facts, ProxyServer, SavedFact
from colonnade.paths import APP_UNIT
from colonnade.status import View, document, problems

Change = Callable[[dict[str, Facts]], None]


def well(site: Site) -> dict[str, Facts]:
    """Machines that are up and answer."""
    facts = agents.well(site.topology, settled(site))
    for machine in site.topology.servers:
        answers = {"nginx": 200, "app": 200}
        facts[machine.name] = replace(facts[machine.name], probes=answers)
    for machine in site.topology.balancers:
        rows = tuple(ProxyServer("app", server.name, "UP", 0, "L7OK") for server in site.topology.servers)
        facts[machine.name] = replace(facts[machine.name], proxy=rows)
    return facts


def view(*changes: Change, outside: str = "", unreachable: dict[str, str] | None = None) -> View:
    site = classic()
    facts = well(site)
    for change in changes:
        change(facts)
    gone = unreachable or {}
    reached = {name: fact for name, fact in facts.items() if name not in gone}
    return View(site.topology, reached, gone, site.desired, outside)


def unit(machine: str, name: str, **changes: Any) -> Change:
    def change(facts: dict[str, Facts]) -> None:
        now = replace(facts[machine].units[name], **changes)
        facts[machine] = replace(facts[machine], units={**facts[machine].units, name: now})

    return change


def fact(machine: str, **changes: Any) -> Change:
    def change(facts: dict[str, Facts]) -> None:
        facts[machine] = replace(facts[machine], **changes)

    return change


def database(machine: str, **changes: Any) -> Change:
    def change(facts: dict[str, Facts]) -> None:
        facts[machine] = replace(facts[machine], database=replace(facts[machine].database, **changes))

    return change


def agent(machine: str, **changes: Any) -> Change:
    def change(facts: dict[str, Facts]) -> None:
        facts[machine] = replace(facts[machine], agent=replace(facts[machine].agent, **changes))

    return change


def replication(**changes: Any) -> Change:
    def change(facts: dict[str, Facts]) -> None:
        now = facts["web2"].agent.replication
        assert now is not None
        agent("web2", replication=replace(now, **changes))(facts)

    return change


def contract(**changes: Any) -> Change:
    """The contract, as every agent has read it."""

    def change(facts: dict[str, Facts]) -> None:
        for name, known in facts.items():
            now = known.agent.contract
            assert now is not None
            agent(name, contract=replace(now, **changes))(facts)

    return change


def silent(facts: dict[str, Facts]) -> None:
    """MySQL of the replica does not answer anybody."""
    agent("web2", mysql=False, replication=None, state="down")(facts)
    database("web2", answers=False, error="ERROR 2002 (HY000): no socket")(facts)


def rows(status: str, check: str = "") -> Change:
    return fact("lb1", proxy=(ProxyServer("app", "web1", "UP", 0), ProxyServer("app", "web2", status, 0, check)))


def test_a_stack_that_is_well_has_no_problems_and_this_document() -> None:
    assert document(view()) == {
        "stack": "foobar",
        "url": "http://www.foobar.com/",
        "virtual_ip": "198.18.0.2",
        "dns": ["198.18.0.2"],
        "ca": None,
        "balancers": {"lb1": {"address": "198.18.0.2", "haproxy": "up", "dns": "up", "holds_virtual_ip": True}},
        "servers": {
            "web1": {
                "address": "198.18.0.3",
                "nginx": "up",
                "app": "up",
                "release": "0123456789ab",
                "mysql": {"state": "up", "role": "primary", "standby": False, "lag_seconds": None},
            },
            "web2": {
                "address": "198.18.0.4",
                "nginx": "up",
                "app": "up",
                "release": "0123456789ab",
                "mysql": {"state": "up", "role": "replica", "standby": True, "lag_seconds": 0.0},
            },
        },
        "etcd": {
            "members": {
                "lb1": {"address": "198.18.0.2", "state": "up", "leads": False},
                "web2": {"address": "198.18.0.4", "state": "up", "leads": False},
                "web1": {"address": "198.18.0.3", "state": "up", "leads": False},
            },
            "leader": None,
            "quorum": True,
            "tolerates": 1,
        },
        "database": {
            "primary": "web1",
            "standbys": ["web2"],
            "acks": 1,
            "term": 1,
            "claim_alive": True,
            "etcd_answers": True,
            "paused": False,
            "failover": {"possible": True, "why_not": None},
        },
        "agents": {
            "lb1": {"state": "up", "stands": "witness", "reason": None},
            "web1": {"state": "up", "stands": "protected", "reason": None},
            "web2": {"state": "up", "stands": "standby", "reason": None},
        },
        "problems": [],
        "notes": [],
    }


@pytest.mark.parametrize(
    ("change", "where", "what"),
    [
        (unit("lb1", "haproxy.service", active="failed"), "lb1", "haproxy.service is failed"),
        (
            unit("web2", "nginx.service", enabled="disabled"),
            "web2",
            "nginx.service would not start at boot: it is disabled",
        ),
        (unit("web2", "mysql.service", load="not-found"), "web2", "mysql.service is not set up"),
        (
            fact("web1", probes={"nginx": 200, "app": 500}),
            "web1",
            "the application runs, but answers 500 when asked whether it is well",
        ),
        (fact("web1", probes={"app": 200}), "web1", "Nginx runs, but answers nothing when asked whether it is well"),
        (rows("DRAIN"), "web2", "it is drained on lb1"),
        (rows("DOWN 1/2", "Layer4 timeout"), "web2", "lb1 finds it down (Layer4 timeout)"),
        (rows("DOWN"), "web2", "lb1 finds it down (no reason given)"),
        (
            agent("web2", replication=None, state="fenced", reason="it has 3 transactions that web1 lacks"),
            "web2",
            "its MySQL follows nobody: it has 3 transactions that web1 lacks",
        ),
        (
            replication(receiver="connecting", error="Access denied"),
            "web2",
            "it does not reach the primary: Access denied",
        ),
        (replication(receiver="off"), "web2", "replication does not run (the receiver: stopped)"),
        (
            replication(applying=False, error="Duplicate entry"),
            "web2",
            "replication does not run (the applier: Duplicate entry)",
        ),
        (agent("web2", lag_seconds=99.6), "web2", "replication is 100 s late"),
        (
            agent("web2", clone=("FILE COPY", 40), replication=None, state="empty"),
            "web2",
            "its data is being copied from another server: FILE COPY, 40 %",
        ),
        (silent, "web2", "MySQL does not answer: ERROR 2002 (HY000): no socket"),
        (
            agent("web1", serves_primary=False, reason="it waits for its lease"),
            "web1",
            "no MySQL server takes writes: it waits for its lease",
        ),
        (contract(acks=0), "database", "no failover is possible: no standby has all that is acknowledged"),
        (agent("lb1", paused=True), "agents", "they are paused: they only watch, and no failover happens"),
        (agent("lb1", answers=False), "lb1", "its agent runs, but does not answer"),
        (agent("lb1", etcd=False), "lb1", "its agent does not reach etcd"),
        (
            agent("web1", warnings=("account app may connect while clients are shut out",)),
            "web1",
            "account app may connect while clients are shut out",
        ),
        (
            fact("web2", release="ba9876543210"),
            "servers",
            "they run different releases: 0123456789ab, ba9876543210",
        ),
    ],
)
def test_what_is_wrong_is_said_once_with_its_place_and_a_way_out(change: Change, where: str, what: str) -> None:
    found = list(problems(view(change)))
    assert [(problem.where, problem.what) for problem in found] == [(where, what)]
    assert found[0].do
    assert document(view(change))["problems"] == [{"where": where, "what": what, "do": found[0].do}]


@pytest.mark.parametrize(
    ("change", "machine", "part", "state"),
    [
        (unit("web1", "nginx.service", active="inactive"), "web1", "nginx", "down"),
        (unit("web1", "nginx.service", active="reloading"), "web1", "nginx", "up"),
        (unit("web1", APP_UNIT, active="failed"), "web1", "app", "down"),
        (fact("web1", probes={"nginx": 200, "app": 503}), "web1", "app", "down"),
        (rows("DRAIN"), "web2", "app", "drained"),
        (rows("MAINT"), "web2", "nginx", "drained"),
        (silent, "web2", "mysql", {"state": "down", "role": None, "standby": False, "lag_seconds": None}),
        (
            agent("web2", replication=None),
            "web2",
            "mysql",
            {"state": "up", "role": None, "standby": False, "lag_seconds": None},
        ),
        (
            agent("web2", lag_seconds=None),
            "web2",
            "mysql",
            {"state": "up", "role": "replica", "standby": True, "lag_seconds": None},
        ),
        (
            contract(standbys=(), acks=0),
            "web2",
            "mysql",
            {"state": "up", "role": "replica", "standby": False, "lag_seconds": 0.0},
        ),
        (fact("web2", release=""), "web2", "release", None),
    ],
)
def test_the_state_of_a_part(change: Change, machine: str, part: str, state: object) -> None:
    assert document(view(change))["servers"][machine][part] == state


@pytest.mark.parametrize(
    ("change", "why_not"),
    [
        (agent("lb1", paused=True), "the agents are paused"),
        (agent("web1", serves_primary=False), "no server leads"),
        (contract(acks=0, standbys=()), "no standby has all that is acknowledged"),
    ],
)
def test_why_no_failover_is_possible(change: Change, why_not: str) -> None:
    assert document(view(change))["database"]["failover"] == {"possible": False, "why_not": why_not}


def test_the_newest_word_counts_and_a_primary_that_does_not_serve_is_none() -> None:
    newer = contract(primary="web2", term=2, standbys=("web1",), revision=10)
    seen = document(view(newer))["database"]
    assert (seen["primary"], seen["term"], seen["standbys"]) == (None, 2, ["web1"])


def test_a_late_replica_is_a_problem_only_beyond_half_a_minute() -> None:
    assert not list(problems(view(agent("web2", lag_seconds=30.0))))


def test_a_machine_that_cannot_be_reached_is_unknown_and_named_with_the_reason() -> None:
    seen = view(unreachable={"web1": "no route to host"})
    document_ = document(seen)
    assert document_["servers"]["web1"] == {
        "address": "198.18.0.3",
        "nginx": "unknown",
        "app": "unknown",
        "release": None,
        "mysql": {"state": "unknown", "role": None, "standby": False, "lag_seconds": None},
    }
    assert document_["database"]["primary"] is None
    assert [(p.where, p.what) for p in problems(seen)] == [("web1", "no route to host")]


def test_a_balancer_that_cannot_be_reached_is_not_said_to_hold_the_address() -> None:
    assert document(view(unreachable={"lb1": "timed out"}))["balancers"]["lb1"] == {
        "address": "198.18.0.2",
        "haproxy": "unknown",
        "dns": "unknown",
        "holds_virtual_ip": False,
    }


def test_what_visitors_see_comes_first() -> None:
    seen = view(unit("lb1", "haproxy.service", active="failed"), outside="198.18.0.2 does not answer: refused")
    assert [problem.where for problem in problems(seen)] == ["http://www.foobar.com/", "lb1"]


def test_what_was_saved_is_noted_and_nothing_is_wrong() -> None:
    saved = view(agent("web2", saved=(SavedFact("/var/lib/colonnade/agent/errant/1", 12),)))
    assert list(problems(saved)) == []
    (note,) = document(saved)["notes"]
    assert note["where"] == "web2"
    assert "12 transactions" in note["what"]
