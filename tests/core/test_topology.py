"""Who runs what, where."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.properties.strategies import stacks

from colonnade.errors import SpecError, UsageError
from colonnade.spec import Stack
from colonnade.topology import Topology, replication_account, resolve


def stack(balancers: dict[str, str | None], servers: dict[str, str | None]) -> Stack:
    def table(address: str | None) -> dict[str, str]:
        return {"address": address} if address else {}

    return Stack.model_validate(
        {
            "name": "foobar",
            "domain": "foobar.com",
            "app": {"path": "app", "start": "serve"},
            "balancers": {name: table(address) for name, address in balancers.items()},
            "servers": {name: table(address) for name, address in servers.items()},
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
    addresses = {name: f"198.18.1.{n}" for n, name in enumerate([*made.balancers, *made.servers])}
    topology = resolve(made, addresses)
    assert len({m.address for m in topology.machines}) == len(topology.machines)
    assert [m.server for m in topology.servers] == list(made.servers)
    assert [m.balancer for m in topology.balancers] == list(made.balancers)
    for name in (*made.balancers, *made.servers):
        assert name in topology.machine(name).names
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
