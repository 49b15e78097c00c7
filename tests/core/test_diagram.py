"""The picture of a stack: what is on it, that it fits, and that its lines meet."""

import itertools
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from colonnade.diagram import mermaid, text
from colonnade.spec import parse
from colonnade.topology import Topology, resolve

NORTH, EAST, SOUTH, WEST = 1, 2, 4, 8
DIRECTIONS = {character: bits for bits, character in enumerate(" ╵╶└╷│┌├╴┘─┴┐┤┬┼") if bits}

PICTURE = """\
browser ── DNS: www.foobar.com ──► 198.18.7.11
                       ┌────────────────┘
           ┌───────────▼───────────┐
           │ balancer lb1          │
           │ 198.18.7.11           │
           │ HAProxy, holds the IP │
           │ name server ns1       │
           └───────────┬───────────┘
             ┌─────────┴─────────┐
     ┌───────▼───────┐   ┌───────▼───────┐
     │ server web1   │   │ server web2   │
     │ 198.18.7.12   │   │ 198.18.7.13   │
     │ Nginx → app   │   │ Nginx → app   │
     │ MySQL primary │   │ MySQL replica │
     └───────┬───────┘   └───────▲───────┘
             └─ replication ─────┘"""

MERMAID = """\
flowchart TB
    browser(["browser"]) --> dns["DNS<br/>www.foobar.com"]
    dns --> virtual_ip["virtual IP<br/>198.18.7.11"]
    virtual_ip --> balancer1["balancer lb1<br/>198.18.7.11<br/>HAProxy, holds the IP<br/>name server ns1"]
    subgraph server1["server web1<br/>198.18.7.12"]
        nginx1["Nginx"] --> app1["app server"]
        app1 --> mysql1[("MySQL primary")]
    end
    subgraph server2["server web2<br/>198.18.7.13"]
        nginx2["Nginx"] --> app2["app server"]
        app2 --> mysql2[("MySQL replica")]
    end
    balancer1 --> nginx1
    balancer1 --> nginx2
    mysql1 -. replication .-> mysql2"""


def stack(
    balancers: list[str],
    servers: list[str],
    witnesses: list[str] | None = None,
    *,
    placed: bool = True,
    domain: str = "foobar.com",
) -> Topology:
    kinds = [*tables_of(balancers, servers), ("witnesses", witnesses or [])]
    tables = "".join(f"[{kind}.{name}]\n" for kind, names in kinds for name in names)
    source = f'name = "foobar"\ndomain = "{domain}"\n[app]\npath = "app"\nstart = "run"\n{tables}'
    names = [*balancers, *servers, *(witnesses or [])]
    addresses = {name: f"198.18.7.{number}" if placed else name for number, name in enumerate(names, start=11)}
    return resolve(parse(source, filename="colonnade.toml", directory_exists=lambda _: True), addresses)


def tables_of(balancers: list[str], servers: list[str]) -> list[tuple[str, list[str]]]:
    return [("balancers", balancers), ("servers", servers)]


def numbered(balancers: int, servers: int, witnesses: int = 0) -> Topology:
    return stack(
        [f"lb{n + 1}" for n in range(balancers)],
        [f"web{n + 1}" for n in range(servers)],
        [f"witness{n + 1}" for n in range(witnesses)],
    )


def test_the_classic_stack() -> None:
    assert text(stack(["lb1"], ["web1", "web2"])) == PICTURE


def test_the_classic_stack_as_mermaid() -> None:
    assert mermaid(stack(["lb1"], ["web1", "web2"])) == MERMAID


def test_one_server_replicates_to_nobody() -> None:
    topology = numbered(1, 1)
    assert "replica" not in text(topology) + mermaid(topology)


def test_machines_without_an_address_are_shown_by_name() -> None:
    topology = stack(["lb1", "lb2"], ["web1", "web2"], placed=False)
    drawn, described = text(topology), mermaid(topology)
    assert "www.foobar.com ──► virtual IP" in drawn
    assert '["virtual IP"]' in described
    for name in ("lb1", "lb2", "web1", "web2"):
        assert drawn.count(name) == described.count(name) == 1


def test_a_machine_that_is_both_says_so() -> None:
    source = (
        'name = "foobar"\ndomain = "foobar.com"\n[app]\npath = "app"\nstart = "run"\n'
        '[balancers.lb1]\naddress = "192.0.2.1"\n[servers.web1]\naddress = "192.0.2.1"\n'
    )
    topology = resolve(parse(source, filename="colonnade.toml", directory_exists=lambda _: True), {})
    assert "on server web1" in text(topology)
    assert "on server web1" in mermaid(topology)


def test_a_domain_that_does_not_fit_is_cut() -> None:
    domain = ".".join(["a" * 60, "b" * 60, "com"])
    head = text(stack(["lb1"], ["web1"], domain=domain)).splitlines()[0]
    assert len(head) <= 100
    assert head.endswith("… ──► 198.18.7.11")


@pytest.mark.parametrize(("balancers", "servers"), list(itertools.product((1, 2, 3, 9), range(1, 21))))
def test_it_fits_and_every_line_meets_another(balancers: int, servers: int) -> None:
    check(numbered(balancers, servers))


@pytest.mark.parametrize(("servers", "witnesses"), list(itertools.product((1, 2, 20), (1, 2, 3, 9))))
def test_witnesses_fit_below_and_no_line_leads_to_them(servers: int, witnesses: int) -> None:
    topology = numbered(2, servers, witnesses)
    check(topology)
    without = text(numbered(2, servers)).splitlines()
    assert [row.strip() for row in text(topology).splitlines()][: len(without)] == [row.strip() for row in without]


def test_a_witness_is_shown_with_what_it_runs() -> None:
    topology = stack(["lb1"], ["web1", "web2"], ["small"])
    assert re.findall(r"│ (.*?) +│", text(topology))[-3:] == ["witness small", "198.18.7.14", "etcd"]
    assert '    witness1["witness small<br/>198.18.7.14<br/>etcd"]' in mermaid(topology).splitlines()


label = st.from_regex(r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?", fullmatch=True)


@given(names=st.lists(label, min_size=2, max_size=12, unique=True), split=st.integers(1, 3))
@settings(deadline=None)
def test_whatever_the_machines_are_called(names: list[str], split: int) -> None:
    at = min(split, len(names) - 1)
    check(stack(names[:at], names[at:]))


def check(topology: Topology) -> None:
    drawn = text(topology)
    rows = drawn.splitlines()
    assert max(len(row) for row in rows) <= 100
    for machine in topology.balancers:
        assert re.search(rf"│ balancer {machine.balancer} +│", drawn)
    for machine in topology.servers:
        assert re.search(rf"│ server {machine.server} +│", drawn)
    for machine in topology.witnesses:
        assert re.search(rf"│ witness {machine.witness} +│", drawn)
    assert drawn.count("MySQL primary") == 1
    assert drawn.count("MySQL replica") == drawn.count("▲") == len(topology.replicas)
    assert drawn.count("▼") == len(topology.balancers) + len(topology.servers)
    for y, x, direction in loose_ends(rows):
        pytest.fail(f"a line ends in nothing at row {y}, column {x}, direction {direction}\n{drawn}")


def loose_ends(rows: list[str]) -> list[tuple[int, int, int]]:
    def at(y: int, x: int) -> str:
        return rows[y][x] if 0 <= y < len(rows) and 0 <= x < len(rows[y]) else " "

    steps = {NORTH: (-1, 0, SOUTH), EAST: (0, 1, WEST), SOUTH: (1, 0, NORTH), WEST: (0, -1, EAST)}
    found = []
    for y, row in enumerate(rows[1:], start=1):  # the first row is text, with arrows of its own
        for x, character in enumerate(row):
            for direction, (down, right, opposite) in steps.items():
                if not DIRECTIONS.get(character, 0) & direction:
                    continue
                neighbour = at(y + down, x + right)
                labelled = direction in {EAST, WEST} and "replication" in row
                ends_well = neighbour in "▼▲" or (y == 1 and direction == NORTH) or labelled
                if not (ends_well or DIRECTIONS.get(neighbour, 0) & opposite):
                    found.append((y, x, direction))
    return found
