"""When nothing is planned at all, because it could lose data or cannot be done; and what is said all the same."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from tests.properties.agents import moved
from tests.properties.made import UBUNTU, Site, bare, bare_machines, classic, site_of
from tests.properties.told import with_database
from tests.properties.world import settled

from colonnade.errors import ColonnadeError, RefusedError
from colonnade.facts import AgentFact, Facts, ReplicaFact
from colonnade.spec import Stack

PRIMARY = "3e11fa47-71ca-11e1-9e33-c80aa9429562"
OTHER = "00000000-0000-0000-0000-000000000002"


def refusal(site: Site, facts: dict[str, Facts], kind: type[ColonnadeError] = RefusedError) -> ColonnadeError:
    with pytest.raises(kind) as caught:
        site.plan(facts)
    assert type(caught.value) is kind
    return caught.value


def running(written: str = f"{PRIMARY}:1-90", received: str = f"{PRIMARY}:1-90", **changes: Any) -> dict[str, Facts]:
    """The classic stack with transactions, before any agent; ``changes`` are the replica's."""
    facts = {name: replace(fact, agent=AgentFact()) for name, fact in settled(classic()).items()}
    facts = with_database(facts, "web1", server_uuid=PRIMARY, executed=written)
    return with_database(
        facts, "web2", **{"server_uuid": OTHER, "executed": received, "replica": following()} | changes
    )


def following(**changes: Any) -> ReplicaFact:
    source = classic().topology.primary.address
    return replace(ReplicaFact(source, "repl_web2", "Yes", "Yes", 0.0, ""), **changes)


# --- the primary -------------------------------------------------------------------------------------


def test_a_stack_that_runs_is_planned_for() -> None:
    assert classic().plan(running()) is not None


def test_the_file_may_not_make_another_server_the_primary() -> None:
    facts = running(read_only=False, replica=None, variables={})
    error = refusal(classic(), facts)
    assert error.where == "web2"
    assert error.what == "web2 is the primary of MySQL, but the file's first server is web1"
    assert error.do == "Put [servers.web2] first in the file: the data is there. Nothing was changed."


def test_nor_does_it_if_its_first_server_follows_another_of_its_servers() -> None:
    source = classic().topology.machine("web2").address
    facts = with_database(running(), "web1", replica=following(source=source))
    assert refusal(classic(), facts).what == "web2 is the primary of MySQL, but the file's first server is web1"


def test_nor_if_the_present_primary_was_taken_out_of_the_file() -> None:
    stack = classic().topology.stack
    without = stack.model_copy(update={"servers": {"web2": stack.servers["web2"]}})
    facts = {name: fact for name, fact in running().items() if name != "web1"}
    error = refusal(site_of(without), facts)
    assert error.where == "web2"
    assert error.what == (
        f"MySQL is a replica of {classic().topology.primary.address}, which no server of the file is,"
        " but the file's first server is web2"
    )


def test_an_open_replica_without_data_is_no_primary() -> None:
    assert classic().plan(running(received="", read_only=False)) is not None


# --- transactions that only a replica has ------------------------------------------------------------


@pytest.mark.parametrize("receiver", ["No", "Connecting", "Yes"])
def test_a_replica_with_transactions_of_its_own_is_refused(receiver: str) -> None:
    facts = running(received=f"{PRIMARY}:1-90,{OTHER}:1-3")
    fact = following(receiver=receiver)
    error = refusal(classic(), with_database(facts, "web2", replica=fact))
    assert error.where == "web2"
    assert error.what == f"MySQL has 3 transactions that the primary web1 does not have: {OTHER}:1-3"


def test_what_the_primary_wrote_between_two_answers_is_no_transaction_of_the_replicas_own() -> None:
    assert classic().plan(running(written=f"{PRIMARY}:1-90", received=f"{PRIMARY}:1-97")) is not None


@pytest.mark.parametrize("receiver", ["No", "Connecting"])
def test_but_it_is_if_the_replica_does_not_hear_from_the_primary(receiver: str) -> None:
    facts = with_database(running(received=f"{PRIMARY}:1-97"), "web2", replica=following(receiver=receiver))
    assert "has 7 transactions" in refusal(classic(), facts).what


def test_a_primary_that_lost_its_data_is_not_filled_with_nothing() -> None:
    facts = with_database(running(), "web1", initialised=False, answers=False, executed="", server_uuid="")
    assert "has 90 transactions" in refusal(classic(), facts).what


def test_a_primary_that_is_down_is_started_first_and_compared_afterwards() -> None:
    facts = with_database(running(), "web1", answers=False, executed="", server_uuid="")
    assert classic().plan(facts) is not None


# --- once there are agents ----------------------------------------------------------------------------


def test_who_is_the_primary_is_then_theirs_to_say() -> None:
    facts = moved(classic().topology, settled(classic()), "web2")
    facts = with_database(facts, "web2", read_only=False, server_uuid=OTHER, executed=f"{OTHER}:1-9")
    assert not classic().plan(facts)


def test_the_primary_is_not_taken_out_of_the_file() -> None:
    facts = moved(classic(servers=3).topology, settled(classic(servers=3)), "web3")
    error = refusal(classic(), facts)
    assert error.what == "web3 is the primary of MySQL, and no server of the file is called so"
    assert error.do.startswith("With the file as it was: colonnade db switchover --to NAME")


def test_no_empty_database_is_made_where_the_data_was_put_aside() -> None:
    facts = with_database(settled(classic()), "web2", initialised=False, answers=False, aside=("/var/lib/mysql-x.old",))
    error = refusal(classic(), facts)
    assert error.where == "web2"
    assert error.what == "/var/lib/mysql-colonnade holds no database, but /var/lib/mysql-x.old does"


# --- what cannot be done -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("machine", "listener"),
    [
        ("lb1", ("0.0.0.0", 80, "apache2")),  # noqa: S104  compared with, not bound to
        ("lb1", ("::", 53, "dnsmasq")),
        ("web1", ("*", 8080, "java")),
        ("web2", ("198.18.0.4", 3306, "mariadbd")),
        ("lb1", ("198.18.0.2", 2382, "squid")),
        ("web1", ("198.18.0.3", 8080, "python3")),
    ],
)
def test_a_port_that_another_program_has_is_named_with_it(machine: str, listener: tuple[str, int, str]) -> None:
    facts = bare_machines(classic())
    facts[machine] = replace(facts[machine], listeners=(listener,))
    error = refusal(classic(), facts, ColonnadeError)
    _, port, program = listener
    assert (error.where, error.what) == (machine, f"port {port} is in use by {program}")
    assert f"ss -ltnp 'sport = :{port}'" in error.do


@pytest.mark.parametrize(
    "listener",
    [
        ("127.0.0.53", 53, "systemd-resolve"),  # another address
        ("0.0.0.0", 8080, "java"),  # noqa: S104  not a balancer's port
        ("0.0.0.0", 80, "haproxy"),  # noqa: S104  one of ours
        ("198.18.0.2", 2382, "python3"),  # the agent
    ],
)
def test_what_is_in_nobodys_way_may_stay(listener: tuple[str, int, str]) -> None:
    facts = bare_machines(classic())
    facts["lb1"] = replace(facts["lb1"], listeners=(listener,))
    assert classic().plan(facts)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"version": "12"}, "runs debian 12, which Colonnade does not manage"),
        ({"system": "alpine", "version": ""}, "runs alpine (no version), which Colonnade does not manage"),
        ({"init": "runit"}, "is run by runit, not by systemd"),
    ],
)
def test_a_system_that_is_not_managed_is_named(changes: dict[str, Any], what: str) -> None:
    facts = bare_machines(classic())
    facts["web2"] = replace(facts["web2"], **changes)
    error = refusal(classic(), facts, ColonnadeError)
    assert (error.where, error.what) == ("web2", what)


# --- what is said although the plan goes on -----------------------------------------------------------


def warnings(site: Site) -> tuple[str, ...]:
    return site.plan(bare_machines(site)).warnings


def test_what_has_no_second_is_said() -> None:
    assert warnings(classic(servers=1)) == (
        "There is one server: one copy of the data, and nothing to take over from it.",
        "There is one balancer: while lb1 is down, nobody reaches the stack.",
        (
            "etcd has one member, on lb1: with fewer than three machines nothing can tell a dead machine from a cut"
            " cable, so failover is by hand."
        ),
    )
    assert warnings(classic(balancers=2)) == ()


def pair(*, witness: bool = False, database: Mapping[str, str] | None = None) -> Site:
    """Two machines, each of them balancer and server."""
    at = {"lb1": {"address": "10.0.0.1"}, "lb2": {"address": "10.0.0.2"}}
    return site_of(
        Stack.model_validate(
            {
                "name": "foobar",
                "domain": "foobar.com",
                "app": {"path": "app", "start": "serve"},
                "balancers": at,
                "servers": {"web1": at["lb1"], "web2": at["lb2"]},
                "witnesses": {"small": {"address": "10.0.0.3"}} if witness else {},
                "database": database or {},
            }
        )
    )


def test_two_machines_are_told_what_a_third_would_give() -> None:
    assert warnings(pair()) == (
        (
            "etcd has one member, on web2: with fewer than three machines nothing can tell a dead machine from a cut"
            " cable, so failover is by hand. A [witnesses.NAME] would add a small third machine."
        ),
    )
    assert warnings(pair(witness=True)) == ()


def test_strict_with_two_servers_says_what_either_of_them_costs() -> None:
    said = 'durability is "strict", and there are two servers: while either of them is down, no write is accepted.'
    assert said in warnings(pair(witness=True, database={"durability": "strict"}))
    strict = classic(balancers=2, servers=3).topology.stack
    database = strict.database.model_copy(update={"durability": "strict"})
    assert warnings(site_of(strict.model_copy(update={"database": database}))) == ()


def test_what_nobody_has_run_yet_is_said() -> None:
    ubuntu = site_of(classic(balancers=2).topology.stack, platform=UBUNTU)
    assert bare(UBUNTU).system == "ubuntu"
    assert warnings(ubuntu) == ("ubuntu 24.04: the files for it are generated and checked, but nobody has run it yet.",)
    assert warnings(classic("[database]\npackages = 'oracle'", balancers=2)) == (
        "MySQL from Oracle's repository: the files for it are generated and checked, but nobody has run it yet.",
    )


def test_a_public_address_is_warned_of() -> None:
    stack = Stack.model_validate(
        {
            "name": "foobar",
            "domain": "foobar.com",
            "app": {"path": "app", "start": "serve"},
            "balancers": {"lb1": {"address": "10.0.0.1"}, "lb2": {"address": "10.0.0.2"}},
            "servers": {"web1": {"address": "8.8.8.8"}, "web2": {"address": "10.0.0.3"}},
        }
    )
    assert warnings(site_of(stack)) == (
        "MySQL listens on public addresses (8.8.8.8), and this version sets up no firewall.",
    )
