"""What a plan does about machines that are not as the last apply left them, and the reasons that it gives."""

from dataclasses import replace

import pytest
from tests.properties.agents import down
from tests.properties.made import bare_machines, classic
from tests.properties.told import edited, titles, told, unit, with_database
from tests.properties.world import settled

from colonnade import paths
from colonnade.facts import AccountFact, FileFact
from colonnade.rollout.effects import after_plan
from colonnade.rollout.steps import DaemonReload, MakeDirectory, PutFile, RemoveProgram


def test_a_file_changed_by_hand_is_put_back_and_its_unit_reads_it_again() -> None:
    facts = edited(settled(classic()), "web1", paths.NGINX_CONFIG, "user nobody;\n")
    plan = classic().plan(facts)
    assert told(plan) == [
        "web1: put /etc/nginx/nginx.conf (changed on the machine)",
        "web1: reload nginx.service (/etc/nginx/nginx.conf changed)",
    ]
    put = plan.stages[0].work["web1"][0]
    assert isinstance(put, PutFile)
    assert (put.before, put.drift) == ("user nobody;\n", True)


def test_a_deleted_file_is_put_back() -> None:
    facts = settled(classic())
    files = {path: fact for path, fact in facts["lb1"].files.items() if path != paths.KNOT_CONFIG}
    facts["lb1"] = replace(facts["lb1"], files=files)
    assert told(classic().plan(facts)) == [
        "lb1: put /etc/knot/knot.conf (deleted on the machine)",
        "lb1: reload knot.service (/etc/knot/knot.conf changed)",
    ]


def test_rights_are_put_right_and_nothing_is_reloaded_for_them() -> None:
    facts = settled(classic())
    fact = FileFact(0o666, "nobody", "root", facts["lb1"].files[paths.HAPROXY_CONFIG].sha256)
    facts["lb1"] = replace(facts["lb1"], files={**facts["lb1"].files, paths.HAPROXY_CONFIG: fact})
    directory = replace(facts["lb1"].directories[paths.ZONES], mode=0o777)
    facts["lb1"] = replace(facts["lb1"], directories={**facts["lb1"].directories, paths.ZONES: directory})
    assert told(classic().plan(facts)) == [
        "lb1: make /var/lib/knot/zones (it is knot:knot 777)",
        "lb1: put /etc/haproxy/haproxy.cfg (it is nobody:root 666)",
    ]


def test_a_file_of_somebody_elses_says_so() -> None:
    site = classic()
    facts = bare_machines(site)
    facts["lb1"] = replace(facts["lb1"], files={paths.HAPROXY_CONFIG: FileFact(0o644, "root", "root", "f" * 64)})
    assert "lb1: put /etc/haproxy/haproxy.cfg (not ours yet)" in told(site.plan(facts))


@pytest.mark.parametrize("state", ["inactive", "failed", "activating"])
def test_a_unit_that_does_not_run_is_started(state: str) -> None:
    facts = unit(settled(classic()), "web2", "nginx.service", active=state)
    assert told(classic().plan(facts)) == [f"web2: start nginx.service (it is {state})"]


@pytest.mark.parametrize("state", ["reloading", "refreshing"])
def test_a_unit_that_is_reloading_runs(state: str) -> None:
    assert not classic().plan(unit(settled(classic()), "web2", "nginx.service", active=state))


@pytest.mark.parametrize(("state", "shown"), [("disabled", "disabled"), ("masked", "masked"), ("", "new")])
def test_a_unit_that_would_not_start_at_boot_is_enabled(state: str, shown: str) -> None:
    facts = unit(settled(classic()), "lb1", "knot.service", enabled=state)
    assert told(classic().plan(facts)) == [f"lb1: enable knot.service (it is {shown})"]


@pytest.mark.parametrize("state", ["static", "generated", "indirect", "alias"])
def test_a_unit_that_cannot_be_enabled_is_left_so(state: str) -> None:
    assert not classic().plan(unit(settled(classic()), "lb1", "knot.service", enabled=state))


def test_the_application_that_is_down_on_one_server_is_started_without_draining_it() -> None:
    facts = unit(settled(classic()), "web2", "colonnade-app.service", active="failed")
    plan = classic().plan(facts)
    assert titles(plan) == ["the application"]
    assert told(plan) == ["web2: start colonnade-app.service (it is failed)"]


def test_a_unit_file_that_systemd_has_not_read_is_read() -> None:
    facts = settled(classic())
    changed = replace(facts["web1"].units["nginx.service"], needs_daemon_reload=True)
    facts["web1"] = replace(facts["web1"], units={**facts["web1"].units, "nginx.service": changed})
    plan = classic().plan(facts)
    assert [type(step) for _, step in plan.steps] == [DaemonReload]


def test_a_server_that_was_left_drained_is_put_back() -> None:
    facts = settled(classic(balancers=2))
    facts["lb2"] = replace(facts["lb2"], drained=frozenset({"web2", "a server that is gone"}))
    assert told(classic(balancers=2).plan(facts)) == ["lb2: put web2 back (an interrupted apply left it drained)"]


def test_a_server_whose_application_died_while_it_was_drained_is_put_back_too() -> None:
    facts = unit(settled(classic()), "web2", "colonnade-app.service", active="failed")
    facts["lb1"] = replace(facts["lb1"], drained=frozenset({"web2"}))
    assert told(classic().plan(facts)) == [
        "web2: start colonnade-app.service (it is failed)",
        "lb1: put web2 back (an interrupted apply left it drained)",
    ]


def test_an_installation_that_was_cut_off_is_finished() -> None:
    facts = settled(classic())
    facts["lb1"] = replace(facts["lb1"], half_installed=True)
    assert told(classic().plan(facts)) == [
        "lb1: install what an interrupted installation left (an installation was cut off)"
    ]


def test_a_missing_directory_and_a_missing_package() -> None:
    facts = settled(classic())
    packages = {name: version for name, version in facts["lb1"].packages.items() if name != "socat"}
    facts["lb1"] = replace(facts["lb1"], packages=packages, directories={})
    plan = classic().plan(facts)
    assert told(plan)[0] == "lb1: install socat (not installed: 1 of 8)"
    assert [type(step) for _, step in plan.steps[1:]] == [MakeDirectory] * 4


def test_an_account_that_is_another_is_made_again_alone() -> None:
    facts = settled(classic())
    accounts = {**facts["web1"].database.accounts, "app_read": AccountFact("app_read", "another")}
    plan = classic().plan(with_database(facts, "web1", accounts=accounts))
    assert told(plan) == ["web1: make schema foobar and accounts app_read (missing, or made from another definition)"]


def test_a_setting_changed_by_hand_is_set_again_and_who_is_open_is_nobodys_setting() -> None:
    facts = settled(classic())
    variables = {**facts["web2"].database.variables, "super_read_only": "OFF", "max_connections": "10"}
    assert told(classic().plan(with_database(facts, "web2", variables=variables))) == [
        "web2: set max_connections = 151 in MySQL (max_connections is 10)"
    ]


def test_mysql_of_a_replica_that_is_down_is_started_and_no_more() -> None:
    site = classic()
    facts = unit(settled(site), "web2", "mysql.service", active="failed")
    facts = with_database(facts, "web2", answers=False, executed="", variables={})
    plan = site.plan(facts)
    assert told(plan) == ["web2: start mysql.service (it is failed)"]
    assert not site.plan(after_plan(facts, plan, site.desired))


def test_mysql_of_the_primary_that_is_down_is_started_and_somebody_waited_for() -> None:
    facts = unit(settled(classic()), "web1", "mysql.service", active="failed")
    plan = classic().plan(with_database(facts, "web1", answers=False))
    assert told(plan) == [
        "web1: start mysql.service (it is failed)",
        "web1: wait for a primary (nobody is known to lead)",
    ]


# --- the agents --------------------------------------------------------------------------------------


def test_an_agent_that_is_down_is_started_and_nobody_else_is_touched() -> None:
    facts = unit(settled(classic()), "lb1", paths.AGENT_UNIT, active="failed")
    facts["lb1"] = down(facts["lb1"])
    plan = classic().plan(facts)
    assert told(plan) == [
        "lb1: start colonnade-agent.service (it is failed)",
    ]


def test_a_file_of_the_agents_restarts_them_all_at_once_but_for_the_primarys_which_is_the_last() -> None:
    facts = settled(classic())
    for name in facts:
        facts = edited(facts, name, paths.AGENT_CONFIG, "{}\n")
    plan = classic().plan(facts)
    assert titles(plan)[1:] == ["the agents restart, but for the primary's", "the primary's agent", "a primary"]
    assert [sorted(stage.work) for stage in plan.stages[1:]] == [["lb1", "web2"], ["web1"], ["web1"]]
    assert not any(stage.interrupts for stage in plan.stages)


def test_old_programs_go_after_the_agents_have_turned_to_the_new_one() -> None:
    facts = settled(classic())
    facts["web2"] = replace(facts["web2"], programs=frozenset({"0" * 12, *facts["web2"].programs}))
    plan = classic().plan(facts)
    assert titles(plan) == ["old programs of the agent"]
    assert [type(step) for _, step in plan.steps] == [RemoveProgram]
