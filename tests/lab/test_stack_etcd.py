"""etcd on real machines: it outlives a member, takes a wiped one back as a new one, grows, and lets nobody in."""

import json
import shutil
from collections.abc import Iterator

import pytest
from tests.lab.stack import Stack, copied, eventually, run

from colonnade.lab.host import labs

pytestmark = [pytest.mark.lab, pytest.mark.slow]

TLS = "/etc/colonnade/tls"
FILES = f"--cacert {TLS}/ca.crt --cert {TLS}/etcd-client.crt --key {TLS}/etcd-client.key"
CTL = f"etcdctl --endpoints=https://127.0.0.1:2379 --command-timeout=8s {FILES}"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    made = copied(tmp_path_factory.mktemp("etcd") / "guestbook", ('"foobar"', '"elected"'))
    try:
        made.colonnade("up", seconds=540)
        made.ssh("lb1", f"{CTL} put /test/before kept")
        yield made
    finally:
        made.destroy()


def members(stack: Stack, machine: str = "lb1") -> dict[str, str]:
    """Return each member's identity by its name; a learner's name has a star."""
    listed = json.loads(stack.ssh(machine, f"{CTL} member list -w json"))["members"]
    return {member["name"] + ("*" if member.get("isLearner") else ""): str(member["ID"]) for member in listed}


def kept(stack: Stack, machine: str) -> str:
    """Return what was written before everything, as a member has it itself."""
    return stack.ssh(machine, f"{CTL} get --consistency=s --print-value-only /test/before")


def test_each_machine_has_a_member_and_one_leads(stack: Stack) -> None:
    etcd = stack.settled()["etcd"]
    assert {name: member["state"] for name, member in etcd["members"].items()} == dict.fromkeys(
        ("lb1", "web1", "web2"), "up"
    )
    assert [name for name, member in etcd["members"].items() if member["leads"]] == [etcd["leader"]]
    assert (etcd["quorum"], etcd["tolerates"]) == (True, 1)
    assert stack.plan() == []


def test_nobody_without_a_certificate_gets_in(stack: Stack) -> None:
    ca = stack.status()["ca"]
    for port in (2379, 2380):
        place = f"{stack.address('lb1')}:{port}"
        for words in ((f"http://{place}/version",), ("--cacert", ca, f"https://{place}/version")):
            done = run("curl", "-sS", "-m", "5", *words, code=None)
            assert done.code != 0, words
            assert "etcdserver" not in done.output
    # With one it is answered, so that what was refused above was the lack of it.
    assert "etcdserver" in stack.ssh("web1", f"curl -sS -m 5 {FILES} https://{stack.address('lb1')}:2379/version")


def test_an_agents_certificate_does_not_pass_as_a_members(stack: Stack) -> None:
    url = f"https://{stack.address('lb1')}:2380/members"
    member = FILES.replace("etcd-client", "etcd-member")
    assert "peerURLs" in stack.ssh("web1", f"curl -sS -m 5 --http1.1 {member} {url}")
    assert "peerURLs" not in stack.ssh("web1", f"curl -sS -m 5 --http1.1 {FILES} {url} || true")


def test_keys_are_read_by_who_needs_them_and_never_said(stack: Stack) -> None:
    rights = stack.ssh("web1", "stat -c '%n %U:%G %a' /etc/colonnade/tls/*.key").splitlines()
    assert rights == [
        "/etc/colonnade/tls/agent.key root:root 600",
        "/etc/colonnade/tls/etcd-client.key root:root 600",
        "/etc/colonnade/tls/etcd-member.key root:etcd 640",
    ]
    kept_keys = [entry["key"] for entry in json.loads((stack.private / "certificates.json").read_text()).values()]
    stack.ssh("web1", "echo >>/etc/colonnade/tls/etcd-member.key")
    said = stack.colonnade("plan").said + stack.colonnade("plan", "--json").said + stack.apply().said
    assert "etcd-member.key" in said
    bodies = [line for key in kept_keys for line in key.splitlines()[1:-1]]
    assert not [line for line in bodies if line in said]
    assert stack.plan() == []
    assert stack.ssh("lb1", "find / -xdev -name ca.key -path '*olonnade*'") == ""


def test_a_killed_member_is_back_by_itself(stack: Stack) -> None:
    before = members(stack)
    stack.ssh("web1", "kill -KILL $(pidof etcd)")
    eventually(lambda: stack.status(code=None)["etcd"]["members"]["web1"]["state"] == "up", seconds=30)
    assert members(stack) == before


def test_a_member_that_lost_its_data_does_not_start_by_itself_and_apply_adds_it_anew(stack: Stack) -> None:
    before = members(stack)
    stack.ssh("web2", "systemctl stop etcd && rm -rf /var/lib/etcd/colonnade && systemctl start etcd")
    assert stack.ssh("web2", "systemctl is-active etcd", code=3) == "inactive"
    status = stack.status(code=1)
    assert status["etcd"]["tolerates"] == 0
    assert ("web2", "etcd's data is gone") in [(p["where"], p["what"]) for p in status["problems"]]
    stack.apply()
    after = members(stack)
    assert set(after) == {"lb1", "web1", "web2"}
    assert after["web2"] != before["web2"]
    assert after["lb1"] == before["lb1"]
    assert kept(stack, "web2") == "kept"
    assert stack.plan() == []
    assert stack.settled()["etcd"]["tolerates"] == 1


def test_restarts_go_one_by_one_and_one_that_costs_the_majority_is_refused(stack: Stack) -> None:
    for machine in ("lb1", "web1", "web2"):
        stack.ssh(machine, "echo '# by hand' >>/etc/colonnade/etcd.env")
    leader = stack.status()["etcd"]["leader"]
    titles = [stage["title"] for stage in stack.colonnade("plan", "--json").json()["stages"]]
    assert titles[-1] == f"etcd on {leader}"
    assert len(titles) == 4
    stack.apply()
    assert stack.settled()["etcd"]["tolerates"] == 1
    stack.ssh("web2", "kill -STOP $(pidof etcd)")
    try:
        stack.ssh("lb1", "echo '# by hand' >>/etc/colonnade/etcd.env")
        refused = stack.colonnade("apply", "--yes", code=3)
        assert "etcd loses its majority" in refused.complaint
        assert "--interrupt" in refused.complaint
    finally:
        stack.ssh("web2", "kill -CONT $(pidof etcd)")
    eventually(lambda: stack.status(code=None)["etcd"]["tolerates"] == 1, seconds=20, what="web2 answers again")
    stack.apply()
    assert stack.plan() == []


def test_a_majority_that_is_away_comes_back_with_its_machines(stack: Stack) -> None:
    stack.colonnade("lab", "kill", "web1")
    stack.colonnade("lab", "kill", "web2")
    eventually(lambda: not stack.status(code=None)["etcd"]["quorum"], seconds=30, what="no leader")
    stack.colonnade("up")
    assert stack.settled(seconds=60)["etcd"]["tolerates"] == 1
    assert kept(stack, "web1") == "kept"


def test_a_machine_rebuilt_from_nothing_becomes_a_member_again(stack: Stack) -> None:
    before = members(stack)
    stack.colonnade("lab", "kill", "web2")
    shutil.rmtree(labs() / stack.own_lab.identity / "web2")
    known = stack.private / "known_hosts"
    lines = [line for line in known.read_text().splitlines() if stack.address("web2") not in line]
    known.write_text("".join(f"{line}\n" for line in lines))
    stack.colonnade("up", seconds=540)
    assert members(stack)["web2"] != before["web2"]
    assert kept(stack, "web2") == "kept"
    assert stack.plan() == []


def test_with_five_machines_there_are_five_members_and_with_four_three_again(stack: Stack) -> None:
    text = stack.file.read_text()
    stack.edit(
        ("[balancers.lb1]\n", "[balancers.lb1]\n[balancers.lb2]\n"),
        ("[servers.web2]", "[servers.web2]\n[servers.web3]"),
    )
    stack.colonnade("up", "--interrupt", seconds=540)
    assert set(members(stack)) == {"lb1", "lb2", "web1", "web2", "web3"}
    assert stack.settled()["etcd"]["tolerates"] == 2
    assert kept(stack, "web3") == "kept"
    assert stack.plan() == []
    stack.file.write_text(text.replace("[servers.web2]", "[servers.web2]\n[servers.web3]"))
    stack.colonnade("up", "--interrupt", seconds=540)
    assert set(members(stack)) == {"lb1", "web2", "web3"}
    assert stack.ssh("web1", "systemctl is-active etcd; ls -A /var/lib/etcd", code=None) == "inactive"
    assert kept(stack, "lb1") == "kept"
    assert stack.plan() == []
