"""Who runs what, where."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.properties.strategies import stacks

from colonnade.accounts import replication_account
from colonnade.errors import SpecError, UsageError
from colonnade.etcd import members_explained
from colonnade.spec import Stack
from colonnade.topology import Topology, resolve


def stack(
    balancers: dict[str, str | None],
    servers: dict[str, str | None],
    witnesses: dict[str, str | None] | None = None,
    database: dict[str, object] | None = None,
) -> Stack:
    def table(address: str | None) -> dict[str, str]:
        return {"address": address} if address else {}

    return Stack.model_validate(
        {
            "name": "foobar",
            "domain": "foobar.com",
            "app": {"path": "app", "start": "serve"},
            "balancers": {name: table(address) for name, address in balancers.items()},
            "servers": {name: table(address) for name, address in servers.items()},
            "witnesses": {name: table(address) for name, address in (witnesses or {}).items()},
            "database": database or {},
        }
    )


def in_lab() -> Topology:
    made = stack({"lb2": None, "lb1": None}, {"web9": None, "web1": None})
    return resolve(made, {"lb2": "198.18.0.2", "lb1": "198.18.0.3", "web9": "198.18.0.4", "web1": "198.18.0.5"})


def pair() -> Topology:
    return resolve(
        stack({"lb1": "192.0.2.1", "lb2": "192.0.2.9"}, {"web1": "192.0.2.2", "web2": "192.0.2.1"}), addresses={}
    )


def test_the_order_of_the_file_is_kept() -> None:
    topology = in_lab()
    assert [m.name for m in topology.balancers] == ["lb2", "lb1"]
    assert [m.name for m in topology.servers] == ["web9", "web1"]
    assert topology.primary.name == "web9"
    assert [m.name for m in topology.replicas] == ["web1"]


def test_the_first_balancer_has_the_address_that_visitors_get() -> None:
    topology = in_lab()
    assert topology.virtual_ip == "198.18.0.2"
    assert topology.name_servers == (("ns1.foobar.com", "198.18.0.2"), ("ns2.foobar.com", "198.18.0.3"))
    assert (topology.www, topology.apex, topology.url) == ("www.foobar.com", "foobar.com", "http://www.foobar.com/")


def test_a_balancer_and_a_server_with_one_address_are_one_machine_with_two_names() -> None:
    topology = pair()
    assert {m.name for m in topology.machines} == {"lb2", "web1", "web2"}
    both = topology.machine("lb1")
    assert both == topology.machine("web2")
    assert (both.name, both.balancer, both.server) == ("web2", "lb1", "web2")
    assert both.names == ("web2", "lb1")
    assert [m.name for m in topology.balancers] == ["web2", "lb2"]


def test_only_a_balancer_runs_no_mysql() -> None:
    assert pair().machine("lb2").server_id == 0
    assert pair().machine("lb2").server is None


PAIR_AT: tuple[dict[str, str | None], dict[str, str | None]] = (
    {"lb1": "192.0.2.1", "lb2": "192.0.2.2"},
    {"web1": "192.0.2.1", "web2": "192.0.2.2"},
)


def test_a_witness_is_a_machine_of_its_own_that_runs_no_mysql() -> None:
    topology = resolve(stack(*PAIR_AT, {"small": "192.0.2.9"}), addresses={})
    assert [m.name for m in topology.machines] == ["web1", "web2", "small"]
    (small,) = topology.witnesses
    assert small == topology.machine("small")
    assert (small.names, small.witness, small.balancer, small.server, small.server_id) == (
        ("small",),
        "small",
        None,
        None,
        0,
    )
    assert small not in (*topology.balancers, *topology.servers)


def test_a_node_is_called_as_its_server() -> None:
    topology = resolve(stack({"lb1": "192.0.2.1", "lb2": "192.0.2.2"}, {"web1": "192.0.2.1"}), addresses={})
    assert {m.name: m.node for m in topology.machines} == {"web1": "web1", "lb2": "lb2"}
    assert topology.machine("lb1").node == "web1"


def placed(balancers: int, servers: int, witnesses: int = 0, database: dict[str, object] | None = None) -> Topology:
    """Return a stack of so many machines, each with one role."""
    made = stack(
        {f"lb{n}": None for n in range(1, balancers + 1)},
        {f"web{n}": None for n in range(1, servers + 1)},
        {f"witness{n}": None for n in range(1, witnesses + 1)},
        database,
    )
    return resolve(made, {name: f"198.18.0.{n}" for n, name in enumerate(made.machine_names, start=2)})


@pytest.mark.parametrize(
    ("counts", "members"),
    [
        ((1, 2, 1), ["witness1", "lb1", "web2"]),
        ((2, 2, 1), ["witness1", "lb1", "lb2", "web2", "web1"]),
        ((1, 1, 1), ["witness1", "lb1", "web1"]),
        ((2, 3, 1), ["witness1", "lb1", "lb2", "web2", "web3"]),
        ((1, 1, 6), ["witness1", "witness2", "witness3", "witness4", "witness5"]),
    ],
)
def test_witnesses_are_the_first_choice_for_etcd(counts: tuple[int, int, int], members: list[str]) -> None:
    assert [m.name for m in placed(*counts).etcd_members] == members


def test_two_machines_and_a_witness_have_three_members() -> None:
    without, with_one = stack(*PAIR_AT), stack(*PAIR_AT, {"small": "192.0.2.9"})
    assert [m.name for m in resolve(without, {}).etcd_members] == ["web2"]
    assert [m.name for m in resolve(with_one, {}).etcd_members] == ["small", "web2", "web1"]


def test_a_machine_with_two_roles_is_spared_if_others_can_be_members() -> None:
    made = stack(
        {"lb1": "192.0.2.1", "lb2": "192.0.2.2"},
        {name: f"192.0.2.{n}" for n, name in enumerate(["web1", "web2", "web3", "web4"], start=1)},
    )
    assert [m.name for m in resolve(made, {}).etcd_members] == ["web3", "web4", "web2"]


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ((1, 2, 0), "etcd runs on lb1, web2 and web1, one member each: any one of them may fail."),
        ((2, 3, 0), "etcd runs on lb1, lb2, web2, web3 and web1, one member each: any two of them may fail."),
        ((1, 2, 1), "etcd runs on witness1, lb1 and web2, one member each: any one of them may fail."),
        (
            (1, 1, 0),
            (
                "etcd has one member, on lb1: with fewer than three machines nothing can tell a dead machine from a cut"
                " cable, so failover is by hand."
            ),
        ),
    ],
)
def test_where_etcd_runs_is_explained(counts: tuple[int, int, int], said: str) -> None:
    assert members_explained(placed(*counts)) == said


def test_two_machines_are_told_of_a_third() -> None:
    assert members_explained(resolve(stack(*PAIR_AT), {})) == (
        "etcd has one member, on web2: with fewer than three machines nothing can tell a dead machine from a cut"
        " cable, so failover is by hand. A [witnesses.NAME] would add a small third machine."
    )


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (placed(1, 2), ""),
        (placed(3, 20), ""),
        (resolve(stack(*PAIR_AT, {"small": "192.0.2.9"}), {}), ""),
        (
            resolve(stack(*PAIR_AT), {}),
            "with fewer than three machines nothing can tell a dead machine from a cut cable",
        ),
        (placed(1, 1), "there is one server, and nothing to take over from it"),
        (placed(2, 1, 1), "there is one server, and nothing to take over from it"),
    ],
)
def test_failover_is_automatic_from_three_machines_and_two_servers_on(made: Topology, why: str) -> None:
    assert made.failover_by_hand == why
    assert made.failover_automatic is not bool(why)


@pytest.mark.parametrize(
    ("servers", "database", "copies"),
    [
        (1, {}, (0, 0)),
        (2, {}, (1, 1)),
        (3, {}, (2, 1)),
        (20, {}, (2, 1)),
        (4, {"standbys": 3}, (3, 1)),
        (4, {"acks": 2}, (2, 2)),
        (4, {"standbys": 3, "acks": 2}, (3, 2)),
    ],
)
def test_standbys_and_acks_are_the_files_or_follow_from_the_servers(
    servers: int, database: dict[str, object], copies: tuple[int, int]
) -> None:
    topology = placed(1, servers, database=database)
    assert (topology.standbys, topology.acks) == copies


def test_an_unknown_machine_is_told_with_those_that_are_there() -> None:
    with pytest.raises(UsageError) as caught:
        in_lab().machine("web2")
    assert caught.value.what == "no machine is called 'web2'"
    assert caught.value.do == "The stack has lb1, lb2, web1, web9."


def test_memory_is_the_files_or_the_labs() -> None:
    made = Stack.model_validate(
        {
            "name": "foobar",
            "domain": "foobar.com",
            "app": {"path": "app", "start": "serve"},
            "balancers": {"lb1": {}},
            "servers": {"web1": {"memory": "1G"}, "web2": {}, "web3": {}},
        }
    )
    addresses = {name: f"198.18.0.{n}" for n, name in enumerate(("lb1", "web1", "web2", "web3"))}
    topology = resolve(made, addresses, {"web1": 7, "web2": 8})
    assert [m.memory for m in topology.servers] == [1 << 30, 8, None]


def test_two_names_that_give_one_server_id_are_refused() -> None:
    # The two words are known to have one CRC-32.
    with pytest.raises(SpecError, match=r"servers\.buckeroo and servers\.plumless have the same MySQL server id"):
        resolve(stack({"lb1": "192.0.2.1"}, {"plumless": "192.0.2.2", "buckeroo": "192.0.2.3"}), addresses={})


@given(stacks())
@settings(max_examples=60)
def test_every_machine_is_there_once_and_found_by_each_of_its_names(made: Stack) -> None:
    addresses = {name: f"198.18.1.{n}" for n, name in enumerate(made.machine_names)}
    topology = resolve(made, addresses)
    assert len({m.address for m in topology.machines}) == len(topology.machines)
    assert [m.server for m in topology.servers] == list(made.servers)
    assert [m.balancer for m in topology.balancers] == list(made.balancers)
    assert [m.witness for m in topology.witnesses] == list(made.witnesses)
    for name in made.machine_names:
        assert name in topology.machine(name).names
    for machine in topology.machines:
        assert machine.witness is None or machine.balancer is machine.server is None
        assert machine.witness or machine.balancer or machine.server
    assert len({m.server_id for m in topology.servers}) == len(topology.servers)


@given(st.sets(st.from_regex(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?", fullmatch=True), max_size=20))
@settings(max_examples=60)
def test_replication_accounts_fit_mysql_and_differ(servers: set[str]) -> None:
    accounts = {replication_account(server) for server in servers}
    assert len(accounts) == len(servers)
    assert all(len(account) <= 32 for account in accounts)


@pytest.mark.parametrize(
    ("server", "account"),
    [
        ("web1", "repl_web1"),
        ("eu-west-1", "repl_eu_west_1"),
        ("a-server-whose-name-is-quite-a-bit-long", "repl_a_server_whose_nam_8c107a76"),
    ],
)
def test_a_replication_account_says_whose_it_is(server: str, account: str) -> None:
    assert replication_account(server) == account


@given(stacks())
@settings(max_examples=60)
def test_etcd_has_an_odd_number_of_members_and_the_primary_only_if_no_one_else_is_left(made: Stack) -> None:
    topology = resolve(made, {name: f"198.18.1.{n}" for n, name in enumerate(made.machine_names)})
    members = topology.etcd_members
    assert len(members) == len(set(members))
    assert len(members) == (5 if len(topology.machines) >= 5 else 3 if len(topology.machines) >= 3 else 1)
    assert topology.primary not in members or len(members) == len(topology.machines)
    left_out = [m for m in topology.machines if m not in members]
    assert not any(m.witness for m in left_out) or all(m.witness for m in members)
    assert topology.failover_automatic is (len(members) > 1 and len(topology.servers) > 1)
