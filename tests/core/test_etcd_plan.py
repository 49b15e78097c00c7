"""etcd's members: where they are, and how a plan gets there, one change at a time and never from empty."""

from dataclasses import replace

import pytest
from tests.properties.etcd import wiped
from tests.properties.made import Site, bare_machines, classic
from tests.properties.told import of_kind, titles

from colonnade.etcd import cluster_of
from colonnade.etcd_status import etcd_document, etcd_problems
from colonnade.facts import EtcdFact, EtcdMemberFact, Facts
from colonnade.rollout import Plan, describe
from colonnade.rollout.effects import after_plan
from colonnade.rollout.steps import AddMember, ChangeUnit, PermitMember, PromoteMember, RemoveMember

AllFacts = dict[str, Facts]


def settled(site: Site) -> AllFacts:
    """Return the machines as the first apply leaves them."""
    bare = bare_machines(site)
    return after_plan(bare, site.plan(bare), site.desired)


def stopped(facts: Facts, *, answers: bool = False) -> Facts:
    units = (
        facts.units
        if answers
        else {**facts.units, "etcd.service": replace(facts.units["etcd.service"], active="inactive")}
    )
    return replace(facts, units=units, etcd=replace(facts.etcd, answers=False, leader="", members=()))


def changes(plan: Plan) -> list[str]:
    """Return the steps that change who is a member, in order."""
    kinds = (AddMember, PromoteMember, RemoveMember, PermitMember)
    return [describe(step) for _, step in of_kind(plan, *kinds)]


@pytest.mark.parametrize(
    ("balancers", "servers", "members"),
    [
        (1, 1, ["lb1"]),
        (1, 2, ["lb1", "web2", "web1"]),
        (1, 3, ["lb1", "web2", "web3"]),
        (2, 2, ["lb1", "lb2", "web2"]),
        (2, 3, ["lb1", "lb2", "web2", "web3", "web1"]),
        (3, 20, ["lb1", "lb2", "lb3", "web2", "web3"]),
    ],
)
def test_members_are_one_three_or_five_and_the_primary_is_the_last_choice(
    balancers: int, servers: int, members: list[str]
) -> None:
    site = classic(balancers=balancers, servers=servers)
    assert [machine.name for machine in site.topology.etcd_members] == members
    assert {name for name, desired in site.desired.items() if desired.etcd} == set(members)


def test_a_first_start_is_all_members_at_once_with_the_same_list() -> None:
    site = classic()
    plan = site.plan(bare_machines(site))
    stage = next(stage for stage in plan.stages if stage.title == "etcd's members start for the first time")
    assert set(stage.work) == {"lb1", "web1", "web2"}
    permits = [step for steps in stage.work.values() for step in steps if isinstance(step, PermitMember)]
    assert {step.cluster for step in permits} == {permits[0].cluster}
    assert all(step.new for step in permits)
    assert not of_kind(site.plan(settled(site)), PermitMember)


def test_a_first_start_that_was_cut_off_goes_on() -> None:
    site = classic()
    facts = settled(site)
    cluster = ",".join(f"{name}={peer}" for name, peer in site.desired["lb1"].etcd.cluster)  # type: ignore[union-attr]  # it is a member
    facts = {name: replace(fact, etcd=replace(fact.etcd, joined=False, join=cluster)) for name, fact in facts.items()}
    facts["web2"] = replace(stopped(facts["web2"]), etcd=EtcdFact())
    plan = site.plan(facts)
    assert [machine for machine, _ in of_kind(plan, PermitMember)] == ["web2"]
    assert "etcd's first members are marked" in titles(plan)


def test_once_a_cluster_was_formed_nobody_starts_empty_by_being_new() -> None:
    site = classic()
    facts = settled(site)
    facts["web2"] = wiped(site.topology, facts, "web2", all_of_it=True)
    permits = [step for _, step in of_kind(site.plan(facts), PermitMember)]
    assert [step.new for step in permits if isinstance(step, PermitMember)] == [False]


def test_a_member_that_lost_its_data_is_removed_added_started_and_then_gets_its_vote() -> None:
    site = classic()
    facts = settled(site)
    facts["web2"] = wiped(site.topology, facts, "web2", all_of_it=False)
    assert changes(site.plan(facts)) == [
        "remove web2 from etcd",
        "add web2 to etcd, without a vote yet",
        "let etcd start as a new member with lb1, web1",
        "give web2 its vote in etcd",
    ]


def test_from_three_machines_to_five_one_after_the_other() -> None:
    small, large = classic(), classic(balancers=2, servers=3)
    facts = {**bare_machines(large), **settled(small)}
    # The addresses of this made-up lab follow the order of the file: the members that are there stay.
    facts |= {name: replace(fact, etcd=_as_in(large, fact.etcd)) for name, fact in settled(small).items()}
    plan = large.plan(facts)
    assert changes(plan) == [
        "add lb2 to etcd, without a vote yet",
        "let etcd start as a new member with lb1, web2, web1",
        "give lb2 its vote in etcd",
        "add web3 to etcd, without a vote yet",
        "let etcd start as a new member with lb1, web2, web1",
        "give web3 its vote in etcd",
    ]


def _as_in(site: Site, etcd: EtcdFact) -> EtcdFact:
    peers = {machine.name: machine.etcd_peer for machine in site.topology.machines}
    return replace(etcd, members=tuple(replace(member, peer=peers[member.name]) for member in etcd.members))


def test_who_should_be_no_member_leaves_after_the_new_one_has_its_vote() -> None:
    small, large = classic(), classic(servers=3)
    before = settled(small)
    facts = {**bare_machines(large), **{name: replace(f, etcd=_as_in(large, f.etcd)) for name, f in before.items()}}
    plan = large.plan(facts)
    assert changes(plan)[-2:] == ["give web3 its vote in etcd", "remove web1 from etcd"]
    assert ("web1", "stop etcd and remove its data") in [(machine, describe(step)) for machine, step in plan.steps]
    # Its certificate and configuration stay until it is out.
    said = [describe(step) for machine, step in plan.steps if machine == "web1"]
    assert said.index("stop etcd and remove its data") < said.index("remove /etc/colonnade/etcd.env")


def test_a_member_that_no_machine_is_any_more_is_removed_first() -> None:
    site = classic()
    facts = settled(site)
    facts["lb1"] = replace(
        facts["lb1"],
        etcd=replace(
            facts["lb1"].etcd,
            members=(*facts["lb1"].etcd.members, EtcdMemberFact("web9", "https://192.0.2.9:2380")),
            index=5,
        ),
    )
    assert changes(site.plan(facts)) == ["remove web9 from etcd"]


def test_a_majority_that_is_gone_is_told_and_nothing_is_made_up() -> None:
    site = classic()
    facts = settled(site)
    facts["lb1"] = replace(facts["lb1"], etcd=replace(facts["lb1"].etcd, leader=""))
    for name in ("web1", "web2"):
        facts[name] = replace(stopped(facts[name]), etcd=EtcdFact(joined=True))
    plan = site.plan(facts)
    assert changes(plan) == []
    assert any("lost its majority for good: the data of web2, web1 is gone" in said for said in plan.warnings)
    assert any("is gone" in problem.what for problem in etcd_problems(site.topology, facts))


def test_all_down_with_their_data_are_started_at_once() -> None:
    site = classic()
    facts = {name: stopped(fact) for name, fact in settled(site).items()}
    plan = site.plan(facts)
    stage = next(stage for stage in plan.stages if stage.title == "etcd starts where it is down")
    assert set(stage.work) == {"lb1", "web1", "web2"}
    assert changes(plan) == []


def drifted(facts: Facts) -> Facts:
    files = {**facts.files, "/etc/colonnade/etcd.env": replace(facts.files["/etc/colonnade/etcd.env"], sha256="0" * 64)}
    return replace(facts, files=files)


def test_restarts_are_one_by_one_and_the_leader_is_the_last() -> None:
    site = classic()
    facts = {name: drifted(fact) for name, fact in settled(site).items()}
    facts["lb1"] = replace(facts["lb1"], etcd=replace(facts["lb1"].etcd, member="known"))
    plan = site.plan(facts)
    restarts = [(m, s) for m, s in of_kind(plan, ChangeUnit) if describe(s) == "restart etcd.service"]
    assert [machine for machine, _ in restarts] == ["web2", "web1", "lb1"]
    assert not [stage for stage in plan.stages if stage.interrupts]


def test_a_restart_that_costs_the_majority_wants_to_be_insisted_on() -> None:
    site = classic()
    facts = settled(site)
    facts["web2"] = stopped(facts["web2"], answers=True)  # its process hangs
    facts["lb1"] = drifted(facts["lb1"])
    (stage,) = [stage for stage in site.plan(facts).stages if stage.interrupts]
    assert stage.title == "etcd on lb1"


def test_status_says_who_leads_and_how_many_may_fail() -> None:
    site = classic()
    facts = settled(site)
    facts["web2"] = replace(facts["web2"], etcd=replace(facts["web2"].etcd, member="known"))
    document = etcd_document(site.topology, facts)
    assert (document["leader"], document["quorum"], document["tolerates"]) == ("web2", True, 1)
    assert list(etcd_problems(site.topology, facts)) == []
    del facts["lb1"]
    document = etcd_document(site.topology, facts)
    assert document["members"]["lb1"]["state"] == "unknown"
    assert document["tolerates"] == 0


def test_status_names_what_is_wrong() -> None:
    site = classic()
    facts = settled(site)
    assert [p.what for p in etcd_problems(site.topology, bare_machines(site))] == [
        "its members have never formed a cluster"
    ]
    hangs = {**facts, "web2": stopped(facts["web2"], answers=True)}
    assert ("web2", "etcd runs, but does not answer") in [
        (p.where, p.what) for p in etcd_problems(site.topology, hangs)
    ]
    empty = {**facts, "web2": wiped(site.topology, facts, "web2", all_of_it=False)}
    assert ("web2", "etcd's data is gone") in [(p.where, p.what) for p in etcd_problems(site.topology, empty)]
    silent = {name: stopped(fact, answers=True) for name, fact in facts.items()}
    assert any("has no leader: 0 of 3 members answer, 2 must" in p.what for p in etcd_problems(site.topology, silent))


def test_a_member_that_was_cut_off_is_not_asked_who_is_in_the_cluster() -> None:
    site = classic()
    facts = settled(site)
    stale = replace(facts["web2"].etcd, leader="", index=9, members=facts["web2"].etcd.members[:1])
    facts["web2"] = replace(facts["web2"], etcd=stale)
    assert len(cluster_of(site.topology, facts).members) == 3


def test_fewer_than_three_machines_are_told_that_failover_is_by_hand() -> None:
    site = classic(servers=1)
    assert any("failover is by hand" in said for said in site.plan(bare_machines(site)).warnings)
    assert not any("failover" in said for said in classic().plan(bare_machines(classic())).warnings)
