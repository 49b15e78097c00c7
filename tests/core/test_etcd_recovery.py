"""When etcd may be made anew, where, and by which scripts."""

import subprocess
from dataclasses import replace

import pytest
from tests.properties.made import Site, bare_machines, classic
from tests.properties.told import of_kind

from colonnade.errors import RefusedError, UsageError
from colonnade.etcd import cluster_of
from colonnade.etcd_status import etcd_problems, members_document
from colonnade.facts import EtcdFact, Facts
from colonnade.facts.etcd import etcd_fact
from colonnade.rollout import etcd_recovery as scripts
from colonnade.rollout.effects import after_plan
from colonnade.rollout.etcd_survivors import beginning
from colonnade.rollout.steps import PermitMember

AllFacts = dict[str, Facts]


def settled(site: Site) -> AllFacts:
    bare = bare_machines(site)
    return after_plan(bare, site.plan(bare), site.desired)


def without_data(facts: Facts) -> Facts:
    return replace(facts, etcd=EtcdFact(joined=True))


def cut_off(facts: Facts, *, index: int = 1) -> Facts:
    """Return a member that answers, and knows no leader."""
    return replace(facts, etcd=replace(facts.etcd, leader="", index=index))


def silenced(facts: Facts) -> Facts:
    """Return a member with data that began again and waits for a majority: it answers nothing."""
    return replace(facts, etcd=replace(facts.etcd, answers=False, leader="", members=()))


def lost(site: Site, *wiped: str) -> AllFacts:
    return {n: without_data(f) if n in wiped else cut_off(f) for n, f in settled(site).items()}


def test_one_survivor_is_where_it_begins_and_the_others_are_emptied() -> None:
    site = classic()
    begins = beginning(site.topology, lost(site, "web1", "web2"))
    assert (begins.machine.name, begins.survives, begins.danger) == ("lb1", True, False)
    assert {machine.name for machine in begins.emptied} == {"web1", "web2"}
    facts = {n: silenced(f) if n == "lb1" else f for n, f in lost(site, "web1", "web2").items()}
    assert beginning(site.topology, facts).machine.name == "lb1"


def test_from_none_it_begins_on_the_first_machine_that_etcd_should_run_on() -> None:
    site = classic()
    facts = lost(site, "lb1", "web1", "web2")
    begins = beginning(site.topology, facts)
    assert (begins.machine.name, begins.survives) == ("lb1", False)
    facts = {name: replace(fact, etcd=EtcdFact()) for name, fact in facts.items()}
    assert beginning(site.topology, facts).machine.name == "lb1"
    with pytest.raises(RefusedError, match="set up on no machine"):
        beginning(site.topology, bare_machines(site))


def test_of_two_survivors_of_five_the_furthest_is_taken_and_the_other_emptied() -> None:
    site = classic(balancers=2, servers=3)
    facts = lost(site, "lb1", "web1", "web3")
    facts["web2"] = cut_off(facts["web2"], index=9)
    begins = beginning(site.topology, facts)
    assert begins.machine.name == "web2"
    assert {machine.name for machine in begins.emptied} == {"lb1", "lb2", "web1", "web3"}


def test_it_is_refused_while_a_majority_is_there_or_may_come_back() -> None:
    site = classic()
    with pytest.raises(RefusedError, match="has a leader"):
        beginning(site.topology, settled(site))
    with pytest.raises(RefusedError, match="2 of 3 members have their data") as refused:
        beginning(site.topology, lost(site, "web2"))
    assert "colonnade apply starts them" in refused.value.do
    facts = lost(site, "web1")
    del facts["web2"]
    with pytest.raises(RefusedError, match="web2 cannot be reached") as refused:
        beginning(site.topology, facts)
    assert "--members-are-off web2" in refused.value.do
    begins = beginning(site.topology, facts, ("web2",))
    assert (begins.silent, begins.danger) == (("web2",), False)


def test_members_that_are_off_are_a_danger_if_they_are_a_majority() -> None:
    site = classic()
    facts = {"lb1": cut_off(settled(site)["lb1"])}
    assert beginning(site.topology, facts, ("web1", "web2")).danger
    with pytest.raises(UsageError, match="lb1 can be reached"):
        beginning(site.topology, facts, ("lb1",))


def test_a_majority_is_known_to_be_gone_although_nobody_answers() -> None:
    site = classic()
    for wiped in (("lb1", "web1", "web2"), ("web1", "web2")):
        facts = {n: f if n in wiped else silenced(f) for n, f in lost(site, *wiped).items()}
        assert cluster_of(site.topology, facts).majority_is_gone
        assert "colonnade etcd recover" in {p.do for p in etcd_problems(site.topology, facts)}
        assert any("colonnade etcd recover" in said for said in site.plan(facts).warnings)
        assert not of_kind(site.plan(facts), PermitMember)
    one = {n: silenced(f) for n, f in lost(site, "web2").items() if n != "lb1"}
    assert not cluster_of(site.topology, one).majority_is_gone


def test_what_comes_back_with_the_former_clusters_data_is_a_relic_and_made_anew() -> None:
    site = classic()
    facts = settled(site)
    new = facts["lb1"].etcd.members[:1]
    facts["lb1"] = replace(
        facts["lb1"],
        etcd=replace(facts["lb1"].etcd, recovered_at=9, recovered_as="77", cluster="77", members=new, index=3),
    )
    # Two of the old three are a majority of their own, and have come further.
    for name in ("web1", "web2"):
        facts[name] = replace(facts[name], etcd=replace(facts[name].etcd, cluster="5", index=900))
    cluster = cluster_of(site.topology, facts)
    assert cluster.relics == {"web1", "web2"}
    assert [member.called for member in cluster.members] == ["lb1"]
    permitted = [machine for machine, step in of_kind(site.plan(facts), PermitMember)]
    assert permitted == ["web2", "web1"]


def test_the_mark_of_a_recovery_is_a_fact() -> None:
    fact = etcd_fact([["data"], ["joined"], ["recovered", "1700000000", "42"]])
    assert (fact.recovered_at, fact.recovered_as) == (1700000000, "42")


def test_status_tells_more_of_each_member() -> None:
    site = classic()
    facts = settled(site)
    facts["web1"] = without_data(facts["web1"])
    del facts["web2"]
    members = members_document(site.topology, facts)
    assert members["web1"]["has_data"] is False
    assert members["web2"]["has_data"] is None
    assert members["lb1"]["bytes"] == 0


def test_the_scripts_are_shell_and_put_no_value_on_a_command_line() -> None:
    site = classic()
    role = site.desired["lb1"].etcd
    assert role is not None
    build = scripts.build(role, "foobar", {"/colonnade/sync": "secretive"}, above=41, at=1700000000)
    for script in (scripts.HALT, scripts.read("/colonnade/"), build, scripts.wipe("7", at=1), scripts.start()):
        done = subprocess.run(["sh", "-n"], input=script, text=True, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
    assert "--bump-revision 1000041" in build
    assert "secretive" not in build
    # The record is in before the data takes its place, and what it is called stands there before this ends.
    order = ["kv/txn", "rm -rf /var/lib/etcd/colonnade ", "mv -T", "mv -f /var/lib/etcd/colonnade.recovered.new"]
    assert [build.index(each) for each in order] == sorted(build.index(each) for each in order)
