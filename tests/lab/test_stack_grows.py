"""A stack that changes its servers, loses its machines and finds them again: its data is what counts."""

import asyncio
from collections.abc import Iterator

import pytest
from tests.lab.stack import Stack, copied, eventually, run

from colonnade.lab.cgroups import Cgroup

pytestmark = [pytest.mark.lab, pytest.mark.slow]


@pytest.fixture(scope="module")
def growing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    made = copied(tmp_path_factory.mktemp("growing") / "guestbook", ('"foobar"', '"growing"'))
    try:
        made.colonnade("up")
        for number in range(5):
            made.sign("before", f"entry {number}")
        yield made
    finally:
        made.destroy()


@pytest.fixture
def whole(growing: Stack) -> Iterator[Stack]:
    """The stack with its file as it was; what a failed test left is mended."""
    text = growing.file.read_text()
    try:
        yield growing
    finally:
        growing.file.write_text(text)


def texts(stack: Stack) -> list[str]:
    return [entry["text"] for entry in stack.entries()]


def replicated(stack: Stack, server: str) -> None:
    """Wait until a server has all that the primary has."""
    executed = stack.sql("web1", "SELECT @@gtid_executed").replace("\n", "")
    seen = f"SELECT GTID_SUBSET('{executed}', @@gtid_executed)"
    eventually(lambda: stack.sql(server, seen) == "1", seconds=60, what=f"{server} has everything")


def test_two_stacks_side_by_side_do_not_know_each_other(growing: Stack, classic: Stack) -> None:
    assert growing.address("lb1") != classic.address("lb1")
    bridges = [line for line in run("ip", "-o", "link").output.splitlines() if ": cn-" in line]
    assert len(bridges) >= 2
    ours = classic.sign("side by side", "only in the classic one")
    assert ours["text"] not in texts(growing)
    assert growing.plan() == []
    assert classic.plan() == []


def test_servers_in_another_order_leave_the_primary_where_it_is(whole: Stack) -> None:
    before = texts(whole)
    whole.edit(("[servers.web1]\n[servers.web2]", "[servers.web2]\n[servers.web1]"))
    whole.colonnade("up")
    assert whole.settled()["database"]["primary"] == "web1"
    assert texts(whole) == before
    whole.edit(("[servers.web2]\n[servers.web1]", "[servers.web1]\n[servers.web2]"))
    whole.colonnade("up")
    assert whole.plan() == []


def test_a_replica_with_what_the_primary_lacks_is_kept_out_and_told_of(whole: Stack) -> None:
    whole.sql("web2", "SET GLOBAL super_read_only = 0; CREATE DATABASE errant; SET GLOBAL super_read_only = 1")
    eventually(
        lambda: "web2" in [problem["where"] for problem in whole.status(code=None)["problems"]],
        seconds=20,
        what="the problem",
    )
    assert "errant" in whole.sql("web2", "SHOW DATABASES")
    # A person who wants neither has it provisioned anew.
    whole.ssh("web2", "colonnade-agent rebuild")
    whole.settled(seconds=90)
    replicated(whole, "web2")
    assert "errant" not in whole.sql("web2", "SHOW DATABASES")
    assert whole.plan() == []


def test_a_server_joins_although_the_primary_no_longer_has_its_first_binary_logs(whole: Stack) -> None:
    before = texts(whole)
    whole.sql("web1", "FLUSH BINARY LOGS; FLUSH BINARY LOGS")
    last = whole.sql("web1", "SHOW BINARY LOGS").splitlines()[-1].split("\t")[0]
    replicated(whole, "web2")
    whole.sql("web1", f"PURGE BINARY LOGS TO '{last}'")
    assert whole.sql("web1", "SELECT @@gtid_purged") != ""
    running = whole.main_pids("web1", "mysql.service"), whole.main_pids("web2", "mysql.service")
    whole.edit(("[servers.web2]\n", "[servers.web2]\n[servers.web3]\n"))
    whole.colonnade("up")
    assert (whole.main_pids("web1", "mysql.service"), whole.main_pids("web2", "mysql.service")) == running
    replicated(whole, "web3")
    assert whole.sql("web3", "SELECT COUNT(*) FROM foobar.entries".replace("foobar", "growing")) == str(len(before))
    status = whole.settled(seconds=60)
    assert status["servers"]["web3"]["mysql"]["role"] == "replica"
    eventually(
        lambda: {whole.visit("/api/entries").headers["x-served-by"] for _ in range(12)} == {"web1", "web2", "web3"},
        seconds=20,
        what="all three answer",
    )
    uuids = {whole.sql(server, "SELECT @@server_uuid") for server in ("web1", "web2", "web3")}
    assert len(uuids) == 3
    assert whole.plan() == []
    whole.sign("joined", "with three")
    replicated(whole, "web3")


def test_a_server_that_is_taken_out_of_the_file_gets_no_more_requests(whole: Stack) -> None:
    if "web3" not in whole.file.read_text():
        whole.edit(("[servers.web2]\n", "[servers.web2]\n[servers.web3]\n"))
        whole.colonnade("up")
    whole.edit(("[servers.web3]\n", ""))
    whole.colonnade("up")
    assert list(whole.settled()["servers"]) == ["web1", "web2"]
    assert {whole.visit("/api/entries").headers["x-served-by"] for _ in range(12)} == {"web1", "web2"}
    assert whole.plan() == []


def test_after_a_crash_of_the_host_up_brings_the_same_data_back(whole: Stack, classic: Stack) -> None:
    before = texts(whole)
    entry = whole.sign("crash", "the last before the crash")
    identity = whole.own_lab.identity
    # What a crash of the host leaves: disks. No process, no bridge, no rules.
    asyncio.run(Cgroup(f"colonnade-{identity}").kill())
    eventually(lambda: f"vb-{identity}" not in run("ip", "-o", "link").output, seconds=20, what="no links")
    run("ip", "link", "delete", f"cn-{identity}")
    run("nft", "delete", "table", "ip", f"colonnade_{identity}")
    assert whole.colonnade("status", code=None).code in {1, 4}
    whole.colonnade("up")
    assert texts(whole) == [*before, entry["text"]]
    assert whole.plan() == []
    replicated(whole, "web2")
    assert classic.visit("/").status == 200  # the other stack never noticed


def test_a_machine_whose_cable_is_cut_is_named_and_the_others_told(whole: Stack) -> None:
    whole.colonnade("lab", "cut", "web2")
    try:
        status = whole.status(code=1)
        server = status["servers"]["web2"]
        assert (server["nginx"], server["app"], server["mysql"]["state"]) == ("unknown", "unknown", "unknown")
        assert "web2" in [problem["where"] for problem in status["problems"]]
        assert status["servers"]["web1"]["nginx"] == "up"
        assert "web2" in whole.colonnade("status", code=1).output
        for words in (("apply", "--yes"), ("plan",)):
            refused = whole.colonnade(*words, code=4)
            assert "web2" in refused.complaint
        assert "Nothing was changed" in whole.colonnade("apply", "--yes", code=4).complaint
        assert whole.visit("/api/entries").headers["x-served-by"] == "web1"
        assert "web2" in whole.colonnade("exec", "web2", "--", "true", code=255).complaint
    finally:
        whole.colonnade("lab", "heal", "web2")
    whole.settled(seconds=60)
    assert whole.plan() == []
