"""Drift: whatever somebody changes on a machine by hand, ``plan`` shows with a reason and ``apply`` repairs."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from tests.lab.stack import Stack, eventually, run

pytestmark = [pytest.mark.lab, pytest.mark.slow]


@pytest.fixture
def drifting(classic: Stack) -> Iterator[Stack]:
    """The classic stack, which the test changes; afterwards it is as it was, whatever became of the test."""
    try:
        yield classic
    finally:
        classic.apply("--interrupt")
        assert classic.plan() == []


def steps_on(plan: list[dict[str, Any]], machine: str) -> dict[str, str]:
    return {
        step["does"].removesuffix(" (its content is secret)"): step["why"]
        for step in plan
        if step["machine"] == machine
    }


def repaired(stack: Stack, *words: str) -> None:
    stack.apply(*words)
    assert stack.plan() == []
    stack.settled()


FILES = {
    "lb1": (
        "/etc/haproxy/haproxy.cfg",
        "/etc/haproxy/errors/colonnade-503.http",
        "/etc/knot/knot.conf",
        "/var/lib/knot/zones/foobar.com.zone",
        "/etc/sysctl.d/60-colonnade.conf",
        "/etc/systemd/journald.conf.d/colonnade.conf",
        "/etc/systemd/system/haproxy.service.d/colonnade.conf",
    ),
    "web2": (
        "/etc/apt/preferences.d/colonnade-unstable",
        "/etc/apt/sources.list.d/colonnade-unstable.sources",
        "/etc/apparmor.d/local/usr.sbin.mysqld",
        "/etc/colonnade/app.env",
        "/etc/haproxy/haproxy.cfg",
        "/etc/mysql/colonnade-bootstrap.sql",
        "/etc/mysql/colonnade.cnf",
        "/etc/nginx/nginx.conf",
        "/etc/systemd/system/colonnade-app.service",
        "/etc/systemd/system/mysql.service.d/colonnade.conf",
        "/etc/systemd/system/nginx.service.d/colonnade.conf",
        "/usr/local/lib/colonnade/start-app",
    ),
}


def _sums(stack: Stack) -> dict[str, str]:
    return {m: stack.ssh(m, f"sha256sum {' '.join(p)}; stat -c '%a %U:%G' {' '.join(p)}") for m, p in FILES.items()}


def test_every_kind_of_file_that_was_changed_is_put_back(drifting: Stack) -> None:
    before = _sums(drifting)
    for machine, paths in FILES.items():
        drifting.ssh(machine, f"for f in {' '.join(paths)}; do echo '# by hand' >>$f; done")
    plan = drifting.plan()
    for machine, paths in FILES.items():
        found = steps_on(plan, machine)
        assert all(found[f"put {path}"].startswith("changed on the machine") for path in paths)
    text = drifting.colonnade("plan").output
    assert "# by hand" in text  # the difference is shown
    refused = drifting.colonnade("apply", "--yes", code=3)  # there is one balancer, and its unit's limits changed
    assert "the only balancer restarts" in refused.complaint
    assert drifting.plan() == plan
    repaired(drifting, "--interrupt")
    assert _sums(drifting) == before


def test_every_kind_of_file_that_was_deleted_is_put_back(drifting: Stack) -> None:
    before = _sums(drifting)
    for machine, paths in FILES.items():
        drifting.ssh(machine, f"rm {' '.join(paths)}")
    plan = drifting.plan()
    for machine, paths in FILES.items():
        found = steps_on(plan, machine)
        assert all(found[f"put {path}"].startswith("deleted on the machine") for path in paths)
    repaired(drifting, "--interrupt")
    assert _sums(drifting) == before


def test_rights_and_owners_are_put_back_without_a_restart(drifting: Stack) -> None:
    units = ("mysql.service", "nginx.service", "colonnade-app.service", "haproxy.service")
    before = _sums(drifting), drifting.main_pids("web2", *units)
    drifting.ssh("web2", "chmod 644 /etc/colonnade/app.env; chmod 600 /etc/nginx/nginx.conf")
    drifting.ssh("web2", "chown daemon /etc/mysql/colonnade.cnf; chmod 777 /srv/colonnade/releases")
    found = steps_on(drifting.plan(), "web2")
    assert found["put /etc/colonnade/app.env"].startswith("it is root:root 644")
    assert found["put /etc/mysql/colonnade.cnf"].startswith("it is daemon:root 644")
    assert found["make /srv/colonnade/releases"].startswith("it is root:root 777")
    repaired(drifting)
    assert (_sums(drifting), drifting.main_pids("web2", *units)) == before


def test_a_link_in_a_files_place_is_replaced_and_a_folder_is_not_thrown_away(drifting: Stack) -> None:
    before = _sums(drifting)
    drifting.ssh("web2", "cd /etc/nginx && mv nginx.conf elsewhere.conf && ln -s elsewhere.conf nginx.conf")
    repaired(drifting)
    assert (
        drifting.ssh("web2", "test -L /etc/nginx/nginx.conf || echo a file; rm /etc/nginx/elsewhere.conf") == "a file"
    )
    page = "/etc/haproxy/errors/colonnade-503.http"
    drifting.ssh("lb1", f"rm {page} && mkdir {page} && touch {page}/precious")
    failed = drifting.colonnade("apply", "--yes", code=1)
    assert f"lb1: could not put {page}" in failed.complaint
    drifting.ssh("lb1", f"rm {page}/precious && rmdir {page}")
    repaired(drifting)
    assert _sums(drifting) == before


def test_units_that_were_stopped_disabled_or_masked_run_again(drifting: Stack) -> None:
    drifting.ssh("web2", "systemctl stop nginx; systemctl disable -q nginx")
    drifting.ssh("web1", "systemctl disable -q mysql colonnade-app")
    drifting.ssh("web2", "systemctl stop colonnade-app; rm /etc/systemd/system/colonnade-app.service")
    drifting.ssh("lb1", "systemctl mask -q --now knot")
    plan = drifting.plan()
    web1, web2 = steps_on(plan, "web1"), steps_on(plan, "web2")
    assert web2["start nginx.service"] == "it is inactive"
    assert web2["enable nginx.service"] == "it is disabled"
    assert web2["start colonnade-app.service"]
    assert web1["enable mysql.service"] == "it is disabled"
    assert web1["enable colonnade-app.service"] == "it is disabled"
    assert not any("start" in what for what in web1)  # what runs is left alone
    assert "masked" in steps_on(plan, "lb1")["enable knot.service"]
    problems = drifting.status(code=1)["problems"]
    assert {problem["where"] for problem in problems} >= {"web2", "lb1"}
    repaired(drifting)
    for machine, unit in (("web2", "nginx"), ("web1", "mysql"), ("web2", "colonnade-app"), ("lb1", "knot")):
        assert drifting.ssh(machine, f"systemctl is-active {unit}; systemctl is-enabled {unit}") == "active\nenabled"
    assert "198." in run("dig", f"@{drifting.address('lb1')}", "+short", "www.foobar.com").output


def test_a_zone_changed_by_hand_is_answered_as_the_file_says_again(drifting: Stack) -> None:
    server = f"@{drifting.address('lb1')}"

    def serial() -> int:
        return int(run("dig", server, "+short", "foobar.com", "SOA").output.split()[2])

    before = serial()
    zone = "/var/lib/knot/zones/foobar.com.zone"
    drifting.ssh("lb1", f"sed -i 's/^www 60 A .*/www 60 A 192.0.2.1/' {zone} && knotc zone-reload foobar.com")
    eventually(
        lambda: run("dig", server, "+short", "www.foobar.com").output.split() == ["192.0.2.1"],
        seconds=10,
        what="the wrong answer",
    )
    repaired(drifting)
    eventually(
        lambda: run("dig", server, "+short", "www.foobar.com").output.split() == [drifting.address("lb1")],
        seconds=10,
        what="the right answer",
    )
    assert serial() > before  # or secondaries would keep the wrong one


def test_a_package_that_was_removed_comes_back(drifting: Stack) -> None:
    drifting.ssh("lb1", "dpkg -r knot-dnssecutils && rm -rf /var/lib/apt/lists/*")
    assert steps_on(drifting.plan(), "lb1") == {"install knot-dnssecutils": "not installed: 1 of 7"}
    repaired(drifting)
    assert drifting.ssh("lb1", "dpkg-query -W -f='${db:Status-Status}' knot-dnssecutils") == "installed"
    drifting.ssh("lb1", "test ! -e /usr/sbin/policy-rc.d")


def test_mysql_settings_changed_in_the_running_server_are_set_again(drifting: Stack) -> None:
    before = drifting.main_pids("web1", "mysql.service"), drifting.main_pids("web2", "mysql.service")
    drifting.sql("web1", "SET GLOBAL max_connections = 50; SET GLOBAL long_query_time = 7")
    drifting.sql("web2", "SET GLOBAL super_read_only = 0; SET GLOBAL read_only = 0")
    plan = drifting.plan()
    web1, web2 = steps_on(plan, "web1"), steps_on(plan, "web2")
    assert any("max_connections" in what and "max_connections is 50" in why for what, why in web1.items())
    assert any("super_read_only = ON" in what and "super_read_only is OFF" in why for what, why in web2.items())
    repaired(drifting)
    assert drifting.sql("web1", "SELECT @@max_connections, @@long_query_time") == "151\t1.000000"
    assert drifting.sql("web2", "SELECT @@read_only, @@super_read_only") == "1\t1"
    # Dynamic settings are set, not restarted for.
    assert (drifting.main_pids("web1", "mysql.service"), drifting.main_pids("web2", "mysql.service")) == before


def test_a_primary_that_was_closed_for_writes_is_opened(drifting: Stack) -> None:
    drifting.sql("web1", "SET GLOBAL super_read_only = 1")
    assert any("takes writes" in problem["what"] for problem in drifting.status(code=1)["problems"])
    repaired(drifting)
    drifting.sign("drift", "written again")


def test_replication_that_was_stopped_or_reset_goes_on(drifting: Stack) -> None:
    for statement in ("STOP REPLICA", "STOP REPLICA SQL_THREAD", "STOP REPLICA IO_THREAD"):
        drifting.sql("web2", statement)
        assert "replication" in " ".join(steps_on(drifting.plan(), "web2"))
        assert any("replication" in problem["what"] for problem in drifting.status(code=1)["problems"])
        repaired(drifting)
    drifting.sql("web2", "STOP REPLICA; RESET REPLICA ALL")
    assert "replicate from web1" in " ".join(steps_on(drifting.plan(), "web2"))
    repaired(drifting)
    entry = drifting.sign("drift", "after the reset")
    eventually(
        lambda: drifting.sql("web2", "SELECT MAX(id) FROM foobar.entries") == str(entry["id"]),
        seconds=10,
        what="the entry on the replica",
    )


def test_accounts_that_were_dropped_or_changed_are_made_again(drifting: Stack) -> None:
    drifting.sql("web1", "DROP USER app_read@'%'; ALTER USER app@'%' ATTRIBUTE '{\"colonnade\": \"other\"}'")
    accounts = " ".join(steps_on(drifting.plan(), "web1"))
    assert "app_read" in accounts
    assert "repl_" not in accounts
    repaired(drifting)
    assert drifting.visit("/api/entries").status == 200


@dataclass(frozen=True)
class Link:
    command: str
    shown: str


@pytest.mark.parametrize(
    "broken",
    [
        Link("ln -sfn releases/other /srv/colonnade/current && mkdir /srv/colonnade/releases/other", "it runs other"),
        Link("rm /srv/colonnade/current", "it has none yet"),
        Link("rm -rf /srv/colonnade/releases/*", "unpack release"),
    ],
    ids=["turned", "gone", "emptied"],
)
def test_a_release_that_was_changed_is_put_back(drifting: Stack, broken: Link) -> None:
    release = drifting.ssh("web2", "readlink /srv/colonnade/current")
    drifting.ssh("web2", broken.command)
    found = steps_on(drifting.plan(), "web2")
    assert broken.shown in " ".join([*found, *found.values()])
    repaired(drifting)
    assert drifting.ssh("web2", "readlink /srv/colonnade/current") == release
    assert drifting.ssh("web2", "curl -s --unix-socket /run/colonnade-app/app.sock http://www.foobar.com/healthz")
    drifting.ssh("web2", "rm -rf /srv/colonnade/releases/other")


def test_a_plan_shows_no_password_of_a_file_that_was_changed(drifting: Stack) -> None:
    drifting.ssh("web2", "sed -i s/mysql:/mysqlx:/ /etc/colonnade/app.env")
    text = drifting.colonnade("plan").said + drifting.colonnade("plan", "--json").said
    assert "/etc/colonnade/app.env" in text
    assert not any(password in text for password in drifting.passwords())
