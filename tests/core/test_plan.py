"""What a plan says: which steps, in which order, and what it leaves alone."""

from dataclasses import replace

import pytest
from tests.properties.agents import moved
from tests.properties.made import Site, bare_machines, classic
from tests.properties.told import edited, of_kind, titles, told, units_changed
from tests.properties.world import settled

from colonnade.errors import RefusedError
from colonnade.facts import AgentFact, Facts
from colonnade.paths import AGENT_UNIT, HAPROXY_CONFIG
from colonnade.render import Release
from colonnade.rollout import describe
from colonnade.rollout.effects import after_plan
from colonnade.rollout.steps import (
    ActivateRelease,
    ChangeUnit,
    Drain,
    Migrate,
    PrepareSchema,
    PutFile,
    PutRelease,
    Ready,
    RemoveFile,
    RemoveRelease,
    SetVariables,
    Switchover,
    WaitWell,
)

OLD, NEW = "0123456789ab", "ba9876543210"
MYSQL_DROP_IN = "/etc/systemd/system/mysql.service.d/colonnade.conf"
HAPROXY_DROP_IN = "/etc/systemd/system/haproxy.service.d/colonnade.conf"


def test_machines_that_are_as_they_should_be_are_left_alone() -> None:
    assert told(classic().plan(settled(classic()))) == []


def test_a_fresh_stack_comes_up_without_draining_or_interrupting_anything() -> None:
    plan = classic(balancers=2, servers=3).plan(bare_machines(classic(balancers=2, servers=3)))
    assert titles(plan) == [
        "everything that disturbs nobody",
        "etcd's members start for the first time",
        "etcd's first members are marked",
        "the agents start",
        "a primary",
        "the primary",
        "the migration",
        "the application",
    ]
    assert not any(stage.interrupts for stage in plan.stages)
    assert not of_kind(plan, Drain, Ready)
    assert set(plan.stages[0].work) == {"lb1", "lb2", "web1", "web2", "web3"}
    assert set(plan.stages[3].work) == {"lb1", "lb2", "web1", "web2", "web3"}
    assert [set(stage.work) for stage in plan.stages[4:7]] == [{"web1"}] * 3
    assert set(plan.stages[7].work) == {"web1", "web2", "web3"}


def test_what_apt_needs_comes_before_packages_and_those_before_everything_that_they_bring() -> None:
    plan = classic().plan(bare_machines(classic()))
    steps = [describe(step) for step in plan.stages[0].work["web1"]]
    order = [
        "put /etc/apt/sources.list.d/colonnade-unstable.sources",
        "install curl etcd-client etcd-server haproxy nginx-light python3 socat",
        "install mysql-client mysql-server from sid",
        "add user colonnade-app",
        "make /var/lib/mysql-colonnade",
        "unpack the agent's program 00a9e47c0de5",
        "put /etc/mysql/colonnade.cnf",
        "record 32 managed files",
        "have systemd read its units",
        "make MySQL's data directory",
        f"unpack release {OLD}",
        "enable mysql.service",
        "start mysql.service",
    ]
    assert [steps.index(step) for step in order] == sorted(steps.index(step) for step in order)


def test_one_server_is_a_whole_stack() -> None:
    plan = classic(servers=1).plan(bare_machines(classic(servers=1)))
    assert not of_kind(plan, Switchover, WaitWell)
    assert "There is one server: one copy of the data, and nothing to take over from it." in plan.warnings


def test_a_new_release_goes_to_one_server_after_the_other_each_drained_first() -> None:
    plan = classic(balancers=2, release=NEW).plan(settled(classic(balancers=2)))
    assert titles(plan) == [
        "everything that disturbs nobody",
        "the migration",
        *("drain web1", "server web1", "put web1 back"),
        *("drain web2", "server web2", "put web2 back"),
    ]
    assert [type(step) for step in plan.stages[0].work["web2"]] == [PutRelease]
    assert [describe(step) for step in plan.stages[3].work["web1"]] == [
        f"turn to release {NEW}",
        "restart colonnade-app.service",
    ]
    for stage in (plan.stages[2], plan.stages[4]):
        assert set(stage.work) == {"lb1", "lb2"}
    drain, ready = plan.stages[2].work["lb1"][0], plan.stages[4].work["lb2"][0]
    assert isinstance(drain, Drain)
    assert isinstance(ready, Ready)
    assert drain.backends == ready.backends == ("app", "static")
    assert not any(stage.interrupts for stage in plan.stages)


def test_the_only_server_is_not_restarted_unless_somebody_insists() -> None:
    plan = classic(servers=1, release=NEW).plan(settled(classic(servers=1)))
    assert not of_kind(plan, Drain, Ready)
    stage = plan.stages[titles(plan).index("server web1")]
    assert stage.interrupts == "the only server restarts its application or Nginx"


def test_a_release_is_migrated_to_once_and_before_anybody_turns_to_it() -> None:
    site = classic(release=NEW)
    plan = site.plan(settled(classic()))
    kinds = [type(step) for _, step in plan.steps]
    assert kinds.count(Migrate) == 1
    assert kinds.index(Migrate) < kinds.index(ActivateRelease)
    migrated = settled(classic())
    migrated["web1"] = replace(migrated["web1"], migrated=frozenset({OLD, NEW}))
    assert not of_kind(site.plan(migrated), Migrate)


def test_of_old_releases_the_last_one_and_two_more_are_kept() -> None:
    facts = settled(classic())
    # The one that ran last has the name that sorts last.
    many = frozenset({"a1", "a2", "a3", "a4", "ff"})
    facts["web1"] = replace(facts["web1"], releases=many, release="ff")
    removed = [step.release for _, step in classic().plan(facts).steps if isinstance(step, RemoveRelease)]
    assert removed == ["a3", "a4"]


def test_going_back_to_a_release_that_is_still_there_unpacks_nothing() -> None:
    facts = settled(classic())
    for name in ("web1", "web2"):
        facts[name] = replace(facts[name], release=NEW, releases=frozenset({OLD, NEW}))
    plan = classic().plan(facts)
    assert not of_kind(plan, PutRelease, Migrate)
    assert [f"{machine}: {describe(step)} ({step.why})" for machine, step in of_kind(plan, ActivateRelease)] == [
        f"web1: turn to release {OLD} (it runs {NEW})",
        f"web2: turn to release {OLD} (it runs {NEW})",
    ]


def test_what_can_be_reloaded_is_reloaded_and_nothing_is_drained_for_it() -> None:
    plan = classic('health = "/up"', balancers=2).plan(settled(classic(balancers=2)))
    assert units_changed(plan) == [
        "web1: reload nginx.service",
        "web2: reload nginx.service",
        "lb1: reload haproxy.service",
        "lb2: reload haproxy.service",
    ]
    assert titles(plan) == [
        "everything that disturbs nobody",
        *("server web1", "server web2"),
        *("balancer lb1", "balancer lb2"),
    ]
    assert {step.why for _, step in of_kind(plan, ChangeUnit)} == {
        "/etc/nginx/nginx.conf changed",
        "/etc/haproxy/haproxy.cfg changed",
    }
    assert {step.why for _, step in of_kind(plan, PutFile)} == {"changed in the stack"}


def test_a_changed_environment_restarts_the_application_drained() -> None:
    plan = classic('env = {GREETING = "Hello"}').plan(settled(classic()))
    assert units_changed(plan) == ["web1: restart colonnade-app.service", "web2: restart colonnade-app.service"]
    assert titles(plan)[1:] == [
        "drain web1",
        "server web1",
        "put web1 back",
        "drain web2",
        "server web2",
        "put web2 back",
    ]


def test_dynamic_settings_of_mysql_are_set_and_nothing_restarts() -> None:
    larger = classic("[database]\nbuffer_pool = '256M'")
    plan = larger.plan(settled(classic()))
    assert units_changed(plan) == []
    sets = [(machine, step.settings) for machine, step in plan.steps if isinstance(step, SetVariables)]
    assert sets == [(name, {"innodb_buffer_pool_size": str(256 << 20)}) for name in ("web1", "web2")]
    assert titles(plan) == ["everything that disturbs nobody", "MySQL's settings"]


def test_replicas_of_mysql_restart_one_by_one_and_before_the_primary() -> None:
    facts = settled(classic(servers=3))
    for name in ("web1", "web2", "web3"):
        facts = edited(facts, name, MYSQL_DROP_IN)
    plan = classic(servers=3).plan(facts)
    assert titles(plan)[1:] == ["MySQL on web2", "MySQL on web3", "MySQL on web1"]
    assert [stage.interrupts for stage in plan.stages[1:]] == [
        *("", ""),
        "MySQL's primary takes no writes for some seconds",
    ]
    assert units_changed(plan) == [f"{name}: restart mysql.service" for name in ("web2", "web3", "web1")]


def test_where_a_standby_is_there_the_primary_hands_over_and_is_the_last_to_restart() -> None:
    site = classic(servers=3)
    facts = moved(site.topology, settled(site), "web2")
    for name in ("web1", "web2", "web3"):
        facts = edited(facts, name, MYSQL_DROP_IN)
    plan = site.plan(facts)
    assert titles(plan)[1:] == ["MySQL on web1", "MySQL on web3", "another primary", "MySQL on web2"]
    assert not any(stage.interrupts for stage in plan.stages)
    for stage in (plan.stages[1], plan.stages[2], plan.stages[4]):
        ((restart, well),) = stage.work.values()
        assert isinstance(restart, ChangeUnit)
        assert isinstance(well, WaitWell)
    assert [type(step) for step in plan.stages[3].work["web2"]] == [WaitWell, Switchover]


def test_where_every_commit_waits_for_it_a_replica_is_restarted_only_if_somebody_insists() -> None:
    site = classic("[database]\ndurability = 'strict'")
    facts = moved(site.topology, settled(site), "web2")
    for name in ("web1", "web2"):
        facts = edited(facts, name, MYSQL_DROP_IN)
    interrupting = {stage.title: stage.interrupts for stage in site.plan(facts).stages if stage.interrupts}
    assert interrupting == {"MySQL on web1": "writes wait for it, because durability is strict"}


def test_the_plan_goes_where_the_primary_is() -> None:
    site = classic(release=NEW)
    facts = moved(site.topology, settled(classic()), "web2")
    facts["web2"] = replace(facts["web2"], database=replace(facts["web2"].database, accounts={}))
    plan = site.plan(facts)
    assert [machine for machine, _ in of_kind(plan, PrepareSchema, Migrate)] == ["web2", "web2"]
    migrated = {**facts, "web1": replace(facts["web1"], migrated=frozenset({NEW}))}
    assert not of_kind(site.plan(migrated), Migrate)


def test_nothing_of_mysql_restarts_while_the_agents_are_paused() -> None:
    facts = edited(settled(classic()), "web2", MYSQL_DROP_IN)
    facts["lb1"] = replace(facts["lb1"], agent=replace(facts["lb1"].agent, paused=True))
    with pytest.raises(RefusedError, match="the agents are paused"):
        classic().plan(facts)


def before_the_agents(facts: dict[str, Facts]) -> dict[str, Facts]:
    """The stack as earlier versions left it: the first server open, the others following it by themselves."""
    return {
        name: replace(
            fact,
            agent=AgentFact(),
            programs=frozenset(),
            units={unit: known for unit, known in fact.units.items() if unit != AGENT_UNIT},
            files={path: file for path, file in fact.files.items() if "agent" not in path},
        )
        for name, fact in edited(edited(facts, "web1", MYSQL_DROP_IN), "web2", MYSQL_DROP_IN).items()
    }


def test_a_stack_without_agents_gets_them_first_and_its_mysql_restarts_after_a_switchover() -> None:
    plan = classic().plan(before_the_agents(settled(classic())))
    assert titles(plan) == [
        "everything that disturbs nobody",
        "the agents start",
        "a primary",
        "MySQL on web2",
        "another primary",
        "MySQL on web1",
    ]
    assert not any(stage.interrupts for stage in plan.stages)


def test_haproxy_knows_the_way_to_every_server_before_the_primary_moves() -> None:
    facts = before_the_agents(settled(classic()))
    for name in ("web1", "web2"):
        facts = edited(facts, name, HAPROXY_CONFIG)
    order = titles(classic().plan(facts))
    assert order[2:6] == ["a primary", "the way to MySQL on web1", "the way to MySQL on web2", "MySQL on web2"]


def test_balancers_restart_one_by_one_and_the_only_one_only_if_somebody_insists() -> None:
    facts = settled(classic(balancers=2))
    for name in ("lb1", "lb2"):
        facts = edited(facts, name, HAPROXY_DROP_IN)
    plan = classic(balancers=2).plan(facts)
    assert titles(plan)[1:] == ["balancer lb1", "balancer lb2"]
    assert not any(stage.interrupts for stage in plan.stages)
    alone = classic().plan(edited(settled(classic()), "lb1", HAPROXY_DROP_IN))
    assert alone.stages[-1].interrupts == "the only balancer restarts"


def test_servers_come_before_balancers() -> None:
    plan = classic('health = "/up"', release=NEW, balancers=2).plan(settled(classic(balancers=2)))
    order = titles(plan)
    assert order.index("put web2 back") < order.index("balancer lb1") < order.index("balancer lb2")


def test_a_new_server_joins_and_the_others_only_reload() -> None:
    before, now = classic(servers=2), classic(servers=3)
    facts = {**settled(before), "web3": bare_machines(now)["web3"]}
    plan = now.plan(facts)
    assert [change for change in units_changed(plan) if not change.startswith("web3")] == [
        *(f"{name}: restart colonnade-agent.service" for name in ("lb1", "web2", "web1")),
        "web1: reload haproxy.service",
        "web2: reload haproxy.service",
        "lb1: reload haproxy.service",
    ]
    assert not of_kind(plan, Drain)
    schemas = [step.accounts for _, step in plan.steps if isinstance(step, PrepareSchema)]
    assert [[account.name for account in accounts] for accounts in schemas] == [["repl_web3"]]


def test_a_file_that_is_no_longer_wanted_goes_away() -> None:
    oracle = classic("[database]\npackages = 'oracle'")
    plan = classic().plan(settled(oracle))
    assert {describe(step) for machine, step in of_kind(plan, RemoveFile) if machine == "web1"} == {
        "remove /etc/apt/keyrings/colonnade-mysql.asc",
        "remove /etc/apt/preferences.d/colonnade-mysql",
        "remove /etc/apt/sources.list.d/colonnade-mysql.sources",
    }


def test_three_balancers_and_five_hundred_servers() -> None:
    site: Site = classic(balancers=3, servers=500)
    fresh = site.plan(bare_machines(site))
    assert len(fresh.stages[0].work) == 503
    facts = after_plan(bare_machines(site), fresh, site.desired)
    assert not site.plan(facts)
    deploy = Site(site.topology, site.secrets, Release(NEW, b""), site.platform, site.certificates, site.program)
    assert titles(deploy.plan(facts)).count("drain web250") == 1
