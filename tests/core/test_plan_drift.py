"""What a plan does about machines that are not as the last apply left them, and the reasons that it gives."""

from dataclasses import replace
from typing import Any

import pytest
from tests.properties.made import bare_machines, classic
from tests.properties.told import edited, titles, told, unit, with_database
from tests.properties.world import settled

from colonnade import paths
from colonnade.facts import AccountFact, Facts, FileFact, ReplicaFact
from colonnade.rollout.effects import after_plan
from colonnade.rollout.steps import ChangeUnit, DaemonReload, FollowSource, MakeDirectory, PutFile


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
    assert told(plan)[0] == "lb1: install socat (not installed: 1 of 7)"
    assert [type(step) for _, step in plan.steps[1:]] == [MakeDirectory, MakeDirectory]


def test_an_account_that_is_another_is_made_again_alone() -> None:
    facts = settled(classic())
    accounts = {**facts["web1"].database.accounts, "app_read": AccountFact("app_read", "another")}
    plan = classic().plan(with_database(facts, "web1", accounts=accounts))
    assert told(plan) == ["web1: make schema foobar and accounts app_read (missing, or made from another definition)"]


def test_a_setting_changed_by_hand_is_set_again() -> None:
    facts = settled(classic())
    variables = {**facts["web2"].database.variables, "super_read_only": "OFF", "max_connections": "10"}
    assert told(classic().plan(with_database(facts, "web2", variables=variables))) == [
        "web2: set max_connections = 151, super_read_only = ON in MySQL (max_connections is 10, super_read_only is OFF)"
    ]


def replica(**changes: Any) -> dict[str, Facts]:
    facts = settled(classic())
    fact = facts["web2"].database.replica
    assert fact is not None
    return with_database(facts, "web2", replica=replace(fact, **changes))


def test_replication_that_stopped_is_started() -> None:
    plan = classic().plan(replica(applier="No", error="Duplicate entry"))
    assert told(plan) == ["web2: start replication from web1 (its applier is stopped: Duplicate entry)"]


def test_replication_that_connects_is_left_alone() -> None:
    assert not classic().plan(replica(receiver="Connecting", lag_seconds=None))


def test_replication_whose_password_is_refused_is_told_the_password_again() -> None:
    error = "Error connecting to source 'repl_web2@198.18.0.3:3306'. Message: Access denied for user 'repl_web2'"
    plan = classic().plan(replica(receiver="Connecting", lag_seconds=None, error=error))
    assert told(plan) == [f"web2: replicate from web1 (the primary refuses its password: {error})"]


def test_a_replica_of_another_source_is_turned() -> None:
    plan = classic().plan(replica(source="192.0.2.77"))
    assert told(plan) == ["web2: replicate from web1 (it follows 192.0.2.77)"]


@pytest.mark.parametrize(
    ("purged", "executed", "clone"),
    [("u:1-5", "", True), ("", "", False), ("u:1-5", "u:1-9", False)],
)
def test_data_is_copied_to_an_empty_replica_if_the_primary_no_longer_has_all_logs(
    purged: str,
    executed: str,
    clone: bool,  # noqa: FBT001  a column of the table above
) -> None:
    uuid = "3e11fa47-71ca-11e1-9e33-c80aa9429562"
    purged, executed = purged.replace("u", uuid), executed.replace("u", uuid)
    facts = with_database(settled(classic()), "web1", purged=purged, executed=f"{uuid}:1-9")
    facts = with_database(facts, "web2", executed=executed, replica=None)
    follow = [step for _, step in classic().plan(facts).steps if isinstance(step, FollowSource)]
    assert [(step.clone, step.why) for step in follow] == [(clone, "it follows nobody")]


def test_mysql_that_is_down_is_started_and_set_up_in_one_plan() -> None:
    site = classic()
    facts = unit(settled(site), "web2", "mysql.service", active="failed")
    facts = with_database(facts, "web2", answers=False, replica=None, executed="", variables={})
    plan = site.plan(facts)
    assert [type(step) for _, step in plan.steps] == [ChangeUnit, FollowSource]
    assert not site.plan(after_plan(facts, plan, site.desired))


def test_a_replica_is_told_apart_by_its_source_and_its_account() -> None:
    primary = classic().topology.primary
    assert classic().plan(replica(account="root"))
    assert isinstance(settled(classic())["web2"].database.replica, ReplicaFact)
    assert not classic().plan(replica(source=primary.address, account="repl_web2"))
