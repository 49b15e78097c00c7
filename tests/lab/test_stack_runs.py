"""What runs after ``up``: every part of the classic stack, asked as its users would ask it."""

import json
import os
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest
from tests.lab.stack import Stack, eventually, run

pytestmark = [pytest.mark.lab, pytest.mark.slow]

SERVERS = ("web1", "web2")
UNITS = {
    "lb1": ("colonnade-agent.service", "haproxy.service", "knot.service"),
    "web1": ("colonnade-agent.service", "haproxy.service", "mysql.service", "nginx.service", "colonnade-app.service"),
    "web2": ("colonnade-agent.service", "haproxy.service", "mysql.service", "nginx.service", "colonnade-app.service"),
}
DURABLE = {
    "sync_binlog": "1",
    "innodb_flush_log_at_trx_commit": "1",
    "innodb_doublewrite": "ON",
    "gtid_mode": "ON",
    "enforce_gtid_consistency": "ON",
    "log_bin": "ON",
    "binlog_format": "ROW",
    "binlog_row_image": "FULL",
    "log_replica_updates": "ON",
    "relay_log_recovery": "OFF",
    "sync_relay_log": "1",
    "replica_preserve_commit_order": "ON",
    "replica_parallel_workers": "2",
    "skip_name_resolve": "ON",
    "slow_query_log": "ON",
    "local_infile": "OFF",
    "binlog_expire_logs_seconds": "604800",
}


def dig(stack: Stack, *question: str) -> str:
    return run("dig", f"@{stack.address('lb1')}", "+time=2", "+tries=2", "+noall", "+answer", *question).output


def test_the_name_server_on_the_balancer_answers_for_the_zone(classic: Stack) -> None:
    ip = classic.address("lb1")
    for name in ("www.foobar.com", "foobar.com", "ns1.foobar.com"):
        assert dig(classic, "+short", name, "A").split() == [ip], name
    assert dig(classic, "+short", "foobar.com", "NS").split() == ["ns1.foobar.com."]
    soa = dig(classic, "+short", "foobar.com", "SOA").split()
    assert soa[:2] == ["ns1.foobar.com.", "hostmaster.foobar.com."]
    assert int(soa[2]) >= 1
    assert dig(classic, "+short", "+tcp", "www.foobar.com").split() == [ip]
    missing = run("dig", f"@{ip}", "nothing.foobar.com").output
    assert "status: NXDOMAIN" in missing
    assert " aa" in missing  # authoritative
    assert "status: REFUSED" in run("dig", f"@{ip}", "example.org").output


def test_both_servers_answer_in_turn(classic: Stack) -> None:
    classic.settled()
    # A server that has just come back gets less than its share for five seconds.
    eventually(
        lambda: (
            Counter(classic.visit("/api/entries").headers["x-served-by"] for _ in range(20)) == {"web1": 10, "web2": 10}
        ),
        seconds=15,
        what="ten of twenty each",
    )
    page = classic.visit("/")
    assert page.status == 200
    assert page.headers["x-served-by"] in page.body


def test_names_that_are_not_ours_and_the_apex(classic: Stack) -> None:
    apex = classic.visit("/a/path?and=query", host="foobar.com")
    assert (apex.status, apex.headers["location"]) == (301, "http://www.foobar.com/a/path?and=query")
    assert classic.visit("/", host="WWW.FOOBAR.COM:80").status == 200
    assert classic.visit("/", host="example.org").status == 421


def test_a_write_reaches_the_primary_from_either_server_and_is_read_from_the_replica(classic: Stack) -> None:
    texts = {f"{server} {time.monotonic_ns()}" for server in SERVERS}
    for server, text in zip(SERVERS, sorted(texts), strict=True):
        body = json.dumps({"author": "a", "text": text})
        answer = classic.ssh(
            server,
            "curl -sS -i --unix-socket /run/colonnade-app/app.sock -H 'Content-Type: application/json'"
            " -d @- http://www.foobar.com/api/entries",
            stdin=body,
        )
        assert " 201 " in answer.splitlines()[0]
        assert f"x-served-by: {server}" in answer.lower()
    on_primary = classic.sql("web1", "SELECT text FROM foobar.entries")
    assert all(text in on_primary for text in texts)
    eventually(
        lambda: texts <= set(classic.sql("web2", "SELECT text FROM foobar.entries").splitlines()),
        seconds=10,
        what="both entries on the replica",
    )
    assert texts <= {entry["text"] for entry in classic.entries()}
    deep = json.loads(classic.visit("/healthz?deep").body)
    assert (deep["databases"]["primary"]["server"], deep["databases"]["replica"]["server"]) == SERVERS
    assert (deep["databases"]["primary"]["read_only"], deep["databases"]["replica"]["read_only"]) == (False, True)


def test_the_application_is_led_through_its_own_servers_proxy(classic: Stack) -> None:
    for server in SERVERS:
        env = classic.ssh(server, "cat /etc/colonnade/app.env").replace("'", "")
        assert "DATABASE_URL=mysql://app:" in env
        assert "@127.0.0.1:3306/foobar" in env
        assert "DATABASE_REPLICA_URL=mysql://app_read:" in env
        assert "@127.0.0.1:3307/foobar" in env


def test_mysql_listens_on_its_machines_address_only(classic: Stack) -> None:
    for server in SERVERS:
        listening = classic.ssh(server, "ss -Hltnp | grep mysqld | awk '{print $4}'").split()
        assert listening == [f"{classic.address(server)}:3306"]
        proxies = classic.ssh(server, "ss -Hltnp | grep haproxy | awk '{print $4}'").split()
        assert sorted(proxies) == ["127.0.0.1:3306", "127.0.0.1:3307"]
    assert classic.ssh("lb1", "ss -Hltnp | grep -c mysqld", code=None) == "0"


def test_mysql_is_as_durable_as_promised_and_the_replica_closed(classic: Stack) -> None:
    names = ", ".join(f"'{name}'" for name in (*DURABLE, "read_only", "super_read_only", "mysqlx"))
    for server in SERVERS:
        rows = classic.sql(server, f"SHOW GLOBAL VARIABLES WHERE variable_name IN ({names})")
        found = dict(line.split("\t") for line in rows.splitlines())
        closed = "ON" if server == "web2" else "OFF"
        assert (found.pop("read_only"), found.pop("super_read_only")) == (closed, closed)
        assert found == DURABLE, server
        assert classic.sql(server, "SELECT VERSION()").startswith("9.7")
    ids = {classic.sql(server, "SELECT @@server_uuid, @@server_id") for server in SERVERS}
    assert len(ids) == 2
    classic.ssh("web2", "mysql -e 'CREATE DATABASE nonsense'", code=1)
    replica = classic.ssh("web2", "mysql -E -e 'SHOW REPLICA STATUS'")
    for line in ("Replica_IO_Running: Yes", "Replica_SQL_Running: Yes", "Source_SSL_Allowed: Yes", "Auto_Position: 1"):
        assert line in replica
    assert "password" not in classic.ssh("web2", "ls -l /root/.my.cnf /etc/mysql/debian.cnf 2>&1", code=None)


def test_mysql_shares_the_host_also_after_some_load(classic: Stack) -> None:
    address = classic.address("lb1")
    load = ("wrk", "-t1", "-c16", "-d5s", "-H", "Host: www.foobar.com", f"http://{address}/api/entries?limit=50")
    run(*load)
    for server in SERVERS:
        resident = classic.ssh(server, "awk '/^VmRSS/ {print $2}' /proc/$(pidof mysqld)/status")
        assert int(resident) * 1024 <= 300 * 2**20, f"{server}: {resident} KiB"


def test_nothing_failed_and_everything_starts_at_boot(classic: Stack) -> None:
    for machine, units in UNITS.items():
        assert classic.ssh(machine, "systemctl --failed --no-legend --plain") == ""
        assert set(classic.ssh(machine, f"systemctl is-enabled {' '.join(units)}").split()) == {"enabled"}
        assert set(classic.ssh(machine, f"systemctl is-active {' '.join(units)}").split()) == {"active"}


def test_reads_fall_back_to_the_primary_while_the_replica_is_down(classic: Stack) -> None:
    before = classic.sign("fallback", "before")
    classic.ssh("web2", "systemctl mask -q --runtime --now mysql")  # or its agent would start it again
    try:
        for server in SERVERS:
            query = "SELECT @@hostname"
            env = ". /etc/colonnade/app.env; p=${DATABASE_REPLICA_URL#*://*:}; p=${p%%@*};"
            ask = f"{env} MYSQL_PWD=$p mysql -h127.0.0.1 -P3307 -uapp_read -N -B -e '{query}'"
            eventually(
                lambda server=server, ask=ask: classic.ssh(server, ask, code=None) == "web1",  # type: ignore[misc]
                seconds=5,
                what=f"3307 on {server} leads to web1",
            )
        for _ in range(10):
            answer = classic.visit(f"/api/entries?after={before['id'] - 1}")
            assert answer.status == 200
            assert before in json.loads(answer.body)["entries"]
        problems = classic.status(code=1)["problems"]
        assert {p["where"] for p in problems if "mysql" in p["what"].lower()} == {"web2"}
    finally:
        classic.ssh("web2", "systemctl unmask -q --runtime mysql; systemctl start mysql")
    classic.settled()
    assert classic.plan() == []


def test_a_second_apply_does_nothing(classic: Stack) -> None:
    classic.settled()
    before = {machine: classic.main_pids(machine, *units) for machine, units in UNITS.items()}
    files = "stat -c '%n %i %Y %Z' /etc/haproxy/haproxy.cfg /var/lib/colonnade/manifest /var/lib/colonnade/generation"
    touched = {machine: classic.ssh(machine, files) for machine in UNITS}
    began = time.monotonic()
    assert classic.plan() == []
    planned = time.monotonic() - began
    began = time.monotonic()
    outcome = classic.apply("--json")
    took = time.monotonic() - began
    assert (outcome.json()["steps"], outcome.json()["done"]) == (0, 0)
    assert took < 2 * planned + 1  # about as long as looking takes
    assert {machine: classic.main_pids(machine, *units) for machine, units in UNITS.items()} == before
    assert {machine: classic.ssh(machine, files) for machine in UNITS} == touched


def test_up_asks_nothing_and_touches_nothing_that_runs(classic: Stack) -> None:
    hosts_before = run("cat", "/etc/hosts").output
    before = {machine: classic.main_pids(machine, *units) for machine, units in UNITS.items()}
    outcome = classic.colonnade("up", "--json", seconds=60)
    assert outcome.json()["steps"] == 0
    assert {machine: classic.main_pids(machine, *units) for machine, units in UNITS.items()} == before
    assert run("cat", "/etc/hosts").output == hosts_before


def test_on_a_terminal_apply_asks_and_up_in_the_lab_does_not(classic: Stack) -> None:
    classic.ssh("web1", "chmod 600 /etc/nginx/nginx.conf")
    asked = _on_terminal(classic, "apply", answer="n")
    assert "/etc/nginx/nginx.conf" in asked[1]
    assert asked[0] != 0
    assert "Do this?" in asked[1]
    assert len(classic.plan()) > 0
    up = _on_terminal(classic, "up", "--no-hosts", answer="")
    assert up[0] == 0, up[1]
    assert "Do this?" not in up[1]
    assert classic.plan() == []


def _on_terminal(stack: Stack, *words: str, answer: str) -> tuple[int, str]:
    """Run a command on a terminal of its own; return its exit code and what the terminal shows."""
    ours, its = os.openpty()
    process = subprocess.Popen(stack.argv(*words), stdin=its, stdout=its, stderr=its, start_new_session=True)
    os.close(its)
    said = b""
    try:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            try:
                chunk = os.read(ours, 65536)
            except OSError:
                break  # the other end is closed: the command has ended
            if not chunk:
                break
            said += chunk
            if answer and b"[y/N]" in said:
                os.write(ours, f"{answer}\n".encode())
                answer = ""
        return process.wait(timeout=30), said.decode(errors="replace")
    finally:
        process.kill()
        os.close(ours)


def test_status_has_what_programs_count_on(classic: Stack) -> None:
    document = classic.settled()
    lb1, web1, web2 = (classic.address(name) for name in ("lb1", "web1", "web2"))
    assert document["stack"] == "foobar"
    assert document["url"] == "http://www.foobar.com/"
    assert (document["virtual_ip"], document["dns"]) == (lb1, [lb1])
    assert document["ca"] is None or "BEGIN CERTIFICATE" in Path(document["ca"]).read_text()
    assert document["balancers"] == {
        "lb1": {"address": lb1, "haproxy": "up", "dns": "up", "holds_virtual_ip": True},
    }
    assert list(document["servers"]) == ["web1", "web2"]
    for name, address, role in (("web1", web1, "primary"), ("web2", web2, "replica")):
        server = document["servers"][name]
        assert (server["address"], server["nginx"], server["app"]) == (address, "up", "up")
        assert (server["mysql"]["state"], server["mysql"]["role"]) == ("up", role)
        assert set(server["mysql"]) >= {"state", "role", "standby", "lag_seconds"}
        assert server["release"]
    assert document["database"]["primary"] == "web1"
    assert (document["database"]["standbys"], document["database"]["acks"]) == (["web2"], 1)
    assert document["database"]["failover"]["possible"]
    assert {agent["state"] for agent in document["agents"].values()} == {"up"}
    assert set(document["database"]) >= {"primary", "standbys", "acks"}
    assert document["problems"] == []
    table = classic.colonnade("status").output
    assert "Everything is well." in table


def test_exec_passes_on_bytes_and_exit_codes(classic: Stack) -> None:
    assert classic.colonnade("exec", "web2", "--", "hostname").output == "web2\n"
    assert classic.colonnade("exec", "web1", "--", "exit 7", code=7)
    assert classic.colonnade("exec", "web1", "--", "cat; echo e >&2", stdin="typed").said == "typede\n"
    failed = classic.colonnade("exec", "web9", "--", "true", code=255)
    assert "web9" in failed.complaint


def test_logs_of_all_machines_come_merged_by_time(classic: Stack) -> None:
    mark = f"mark-{time.monotonic_ns()}"
    for machine in ("web2", "lb1", "web1"):
        classic.ssh(machine, f"logger -t marked {mark} {machine}")
    entries = classic.colonnade("logs", "--since", "10 min ago", "--grep", mark, "--json").json()
    assert [(entry["machine"], entry["message"]) for entry in entries] == [
        (machine, f"{mark} {machine}") for machine in ("web2", "lb1", "web1")
    ]
    assert entries == sorted(entries, key=lambda entry: str(entry["time"]))
    assert set(entries[0]) >= {"time", "machine", "unit", "message"}


def test_the_database_console_is_the_primarys_without_a_password(classic: Stack) -> None:
    outcome = classic.colonnade("db", "console", stdin="SELECT CONCAT('on ', @@hostname, ' ', DATABASE());")
    assert "on web1 foobar" in outcome.output
