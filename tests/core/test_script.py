"""What a machine is sent: the exact commands of each step, and the order that makes an interruption harmless."""

import re
from dataclasses import replace

import pytest

from colonnade import paths
from colonnade.render import Account, Directory, File, Program, Release, Unit, User
from colonnade.rollout import Step, payload
from colonnade.rollout.commands import commands
from colonnade.rollout.steps import (
    ActivateRelease,
    AddUser,
    ChangeUnit,
    DaemonReload,
    Drain,
    InitialiseDatabase,
    InstallPackages,
    MakeDirectory,
    Migrate,
    PrepareSchema,
    PutFile,
    PutProgram,
    PutRelease,
    Ready,
    RecordManifest,
    RemoveFile,
    RemoveRelease,
    SetVariables,
    Switchover,
    WaitForPrimary,
    WaitWell,
)
from colonnade.rollout.units import loaded_configuration
from colonnade.secret import Secret

PASSWORD = "it's a \\ password"
NGINX = Unit("nginx.service", restart={"/a": "1"}, reload={"/b": "2"})
RELEASE = Release("0123456789ab", b"an archive")
STAGING = paths.STAGING


def lines_of(step: Step) -> list[str]:
    return commands(step, 7)[0]


def sql_of(step: Step) -> str:
    """The statements that a step brings."""
    files = commands(step, 7)[1]
    return files["sql/7.sql"].decode()


def script(*steps: Step, later: dict[str, str] | None = None) -> str:
    return payload(steps, expected="run-3", generation="run-4", later=later or {}).script


def body(text: str) -> list[str]:
    """The lines after the functions."""
    return text.partition("checks_pass()")[2].splitlines()[2:]


# --- single steps ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("step", "lines"),
    [
        (
            AddUser(User("colonnade-app", "/srv/colonnade"), ""),
            [
                (
                    "getent passwd colonnade-app >/dev/null || useradd --system --user-group --no-create-home"
                    " --shell /usr/sbin/nologin --home-dir /srv/colonnade colonnade-app"
                )
            ],
        ),
        (
            MakeDirectory(Directory("/var/lib/knot/zones", 0o750, "knot", "knot"), ""),
            ["install -d -m 750 -o knot -g knot /var/lib/knot/zones"],
        ),
        (RemoveFile("/etc/a file", ""), ["rm -f '/etc/a file'"]),
        (DaemonReload(""), ["systemctl daemon-reload"]),
        (
            ActivateRelease("0123456789ab", ""),
            [
                "ln -sfn releases/0123456789ab /srv/colonnade/.current.colonnade-new",
                "mv -fT /srv/colonnade/.current.colonnade-new /srv/colonnade/current",
            ],
        ),
        (RemoveRelease("0123456789ab", ""), ["rm -rf /srv/colonnade/releases/0123456789ab"]),
        (
            Drain("web1", ("app", "static"), 15, ""),
            [
                ": >/var/lib/colonnade/drained/web1",
                "set_servers web1 drain app static",
                "until_true 15 'the last requests of web1 to finish' idle web1",
            ],
        ),
        (
            Ready("web1", ("app", "static"), 60, ""),
            [
                "until_true 60 'the checks of web1 to pass on this balancer' checks_pass web1",
                "set_servers web1 ready app static",
                "rm -f /var/lib/colonnade/drained/web1",
            ],
        ),
        (
            ChangeUnit(NGINX, "enable", ""),
            ["systemctl unmask -q nginx.service", "systemctl enable -q nginx.service"],
        ),
    ],
)
def test_the_commands_of_a_step(step: Step, lines: list[str]) -> None:
    assert lines_of(step) == lines
    assert commands(step, 7)[1] == {}


def test_a_unit_is_written_down_as_reloaded_only_after_it_was() -> None:
    record = loaded_configuration(NGINX)
    assert lines_of(ChangeUnit(NGINX, "reload", "")) == [
        "systemctl reload-or-restart nginx.service",
        f"mark nginx.service {record.restart} {record.reload}",
    ]


def test_a_unit_that_does_not_start_says_why() -> None:
    reset, start, mark = lines_of(ChangeUnit(NGINX, "restart", ""))
    assert reset == "systemctl reset-failed nginx.service 2>/dev/null || true"
    assert start.startswith("systemctl restart nginx.service || { journalctl -u nginx.service")
    assert start.endswith("exit 1; }")
    assert mark.startswith("mark nginx.service ")


def test_the_application_counts_as_started_when_it_answers() -> None:
    app = Unit("colonnade-app.service", probe=("/healthz", "www.foobar.com"))
    asked = [line for line in lines_of(ChangeUnit(app, "start", "")) if "app_answers" in line]
    assert asked == [
        (
            "until_true 30 'the application to answer' app_answers /healthz www.foobar.com"
            " || { explain_app /healthz www.foobar.com; exit 1; }"
        )
    ]
    assert not [line for line in lines_of(ChangeUnit(app, "reload", "")) if "app_answers" in line]


def test_mysql_counts_as_started_when_it_answers() -> None:
    mysql = ChangeUnit(Unit("mysql.service"), "restart", "")
    assert "until_true 60 'MySQL to answer' mysql_answers" in lines_of(mysql)


def test_packages_are_installed_without_starting_what_they_bring() -> None:
    lines = lines_of(InstallPackages(("haproxy", "mysql-server"), "sid", ""))
    policy = next(index for index, line in enumerate(lines) if "exit 101" in line)
    install = next(index for index, line in enumerate(lines) if " install haproxy mysql-server" in line)
    removal = next(index for index, line in enumerate(lines) if "rm -f /usr/sbin/policy-rc.d" in line)
    assert policy < install < removal
    assert " -t sid " in lines[install]
    assert "--no-install-recommends" in lines[install]
    assert [line for line in lines if line.endswith(f">>{paths.INSTALLED}")] == [
        f"echo haproxy >>{paths.INSTALLED}",
        f"echo mysql-server >>{paths.INSTALLED}",
    ]


def test_a_data_directory_is_made_beside_its_place_and_renamed_when_it_is_whole() -> None:
    lines = lines_of(InitialiseDatabase(""))
    assert lines[0] == "rm -rf /var/lib/mysql-colonnade.new"
    assert "--datadir=/var/lib/mysql-colonnade.new" in lines[2]
    assert lines[3:] == [
        "sync -f /var/lib/mysql-colonnade.new",
        "rmdir /var/lib/mysql-colonnade",
        "mv -T /var/lib/mysql-colonnade.new /var/lib/mysql-colonnade",
    ]


def test_a_release_is_unpacked_and_built_beside_its_place() -> None:
    lines, files = commands(PutRelease(RELEASE, "make all", ""), 7)
    assert files == {"release/0123456789ab.tar": b"an archive"}
    part = "/srv/colonnade/releases/.0123456789ab.part"
    assert lines[0] == f"rm -rf {part}"
    assert lines[-1] == f"mv -T {part} /srv/colonnade/releases/0123456789ab"
    build = lines.index(next(line for line in lines if "make all" in line))
    assert lines[build - 1] == f"chown -R colonnade-app: {part}"
    assert lines[build + 1] == f"chown -R root: {part}"
    assert "setpriv --reuid=colonnade-app" in lines[build]
    assert not [line for line in lines_of(PutRelease(RELEASE, None, "")) if "setpriv" in line]


def test_a_migration_runs_as_the_application_and_is_written_down_when_it_ended_well() -> None:
    lines = lines_of(Migrate("0123456789ab", "python3 migrate.py --to 'the newest'", ""))
    assert lines[-1] == ": >/var/lib/colonnade/migrated/0123456789ab"
    assert ". /etc/colonnade/app.env" in lines[-2]
    assert "cd /srv/colonnade/releases/0123456789ab" in lines[-2]
    assert "setpriv --reuid=colonnade-app --regid=colonnade-app" in lines[-2]


def test_the_manifest_is_replaced_whole() -> None:
    lines, files = commands(RecordManifest({"/etc/a": "aa", "/etc/b": "bb"}, ""), 7)
    assert files == {"sql/manifest-7": b"aa /etc/a\nbb /etc/b\n"}
    assert lines == [
        f"cp {STAGING}/sql/manifest-7 {paths.MANIFEST}.new",
        f"mv -f {paths.MANIFEST}.new {paths.MANIFEST}",
    ]


# --- MySQL -------------------------------------------------------------------------------------------


def test_settings_are_set_in_the_running_server() -> None:
    settings = {"sql_mode": "it's", "max_connections": "151", "long_query_time": "1.000000", "x": "ON"}
    assert sql_of(SetVariables(settings, "")) == (
        "SET GLOBAL long_query_time = 1.000000;\nSET GLOBAL max_connections = 151;\n"
        "SET GLOBAL sql_mode = 'it''s';\nSET GLOBAL x = ON;\n"
    )


def test_accounts_are_made_only_where_writes_are_taken_at_that_moment() -> None:
    answers, writes, run = lines_of(PrepareSchema("foobar", (), ""))
    assert answers.startswith("until_true 60 'MySQL to answer'")
    assert writes.startswith('[ "$(sql -N -B -e "SELECT @@GLOBAL.super_read_only")" = 0 ] || {')
    assert run == f"sql <{STAGING}/sql/7.sql"


def test_an_account_counts_as_made_only_when_its_last_statement_was() -> None:
    account = Account("app", Secret(PASSWORD), ("SELECT ON `foobar`.*",), tls=True)
    text = "'it''s a \\\\ password'"
    assert sql_of(PrepareSchema("foobar", (account,), "")).splitlines() == [
        "CREATE DATABASE IF NOT EXISTS `foobar`;",
        f"CREATE USER IF NOT EXISTS 'app'@'%' IDENTIFIED BY {text};",
        f"ALTER USER 'app'@'%' IDENTIFIED BY {text} REQUIRE SSL;",
        "REVOKE IF EXISTS ALL PRIVILEGES, GRANT OPTION FROM 'app'@'%';",
        "GRANT SELECT ON `foobar`.* TO 'app'@'%';",
        f"ALTER USER 'app'@'%' ATTRIBUTE '{{\"colonnade\": \"{account.digest}\"}}';",
    ]


def test_the_digest_of_an_account_changes_with_all_that_it_is() -> None:
    account = Account("app", Secret(PASSWORD), ("SELECT ON `foobar`.*",))
    others = [
        replace(account, name="other"),
        replace(account, password=Secret("other")),
        replace(account, grants=()),
        replace(account, tls=True),
    ]
    assert len({each.digest for each in (account, *others)}) == 5


def test_a_password_is_in_a_file_and_never_in_the_script() -> None:
    step = PrepareSchema("foobar", (Account("app", Secret(PASSWORD), ()),), "")
    sent = payload((step,), expected="", generation="now", later={})
    assert "password" not in sent.script
    assert any(b"a \\\\ password" in content for content in sent.files.values())
    assert "password" not in repr(sent)


# --- the agent ---------------------------------------------------------------------------------------


def test_a_program_is_unpacked_and_compiled_beside_its_place() -> None:
    lines, files = commands(PutProgram(Program("00a9e47c0de5", b"an archive"), ""), 7)
    assert files == {"program/00a9e47c0de5.tar": b"an archive"}
    place, part = f"{paths.AGENT_PROGRAMS}/00a9e47c0de5", f"{paths.AGENT_PROGRAMS}/.00a9e47c0de5.part"
    assert lines[0] == f"rm -rf {part}"
    assert f"python3 -m compileall -q -s {part} -p {place} {part}" in lines
    assert lines[-1] == f"mv -T {part} {place}"


@pytest.mark.parametrize(
    ("step", "asked"),
    [
        (WaitForPrimary(180, ""), "wait-primary --seconds 180"),
        (WaitWell(600, ""), "wait-well --seconds 600"),
        (Switchover(60, ""), "switchover --seconds 60"),
    ],
)
def test_what_the_agent_is_asked_fails_with_its_last_words(step: Step, asked: str) -> None:
    (line,) = lines_of(step)
    assert line.startswith(f"{paths.AGENT_COMMAND} {asked} || {{ code=$?; journalctl -u {paths.AGENT_UNIT} ")
    assert line.endswith("exit $code; }")


# --- the whole script --------------------------------------------------------------------------------


def test_files_are_checked_copied_and_only_then_renamed_together() -> None:
    one = PutFile(File("/etc/a/one", "1\n", 0o640, group="knot", check="check {file}", after="told"), "new")
    two = PutFile(File("/etc/b/two", "2\n"), "new")
    log = f">>{STAGING}/log 2>&1"
    assert body(script(one, two)) == [
        "check 0",
        f"{{ check {STAGING}/files/etc/a/one; }} {log}",
        "step 0",
        f"stage_file /etc/a/one /etc/a/.one.colonnade-new 640 root:knot {log}",
        "step 1",
        f"stage_file /etc/b/two /etc/b/.two.colonnade-new 644 root:root {log}",
        "sync /etc/a/.one.colonnade-new /etc/b/.two.colonnade-new",
        "mv -fT /etc/a/.one.colonnade-new /etc/a/one",
        f"{{ told; }} {log}",
        "mv -fT /etc/b/.two.colonnade-new /etc/b/two",
        "printf 'done\\n'",
    ]


def test_every_unit_that_will_read_the_files_is_marked_before_they_are_touched() -> None:
    put = PutFile(File("/etc/b", "2\n"), "new")
    text = script(put, ChangeUnit(NGINX, "reload", ""), later={"haproxy.service": "restart", "knot.service": "reload"})
    lines = body(text)
    assert lines[:3] == [
        "mark nginx.service keep -",
        "mark haproxy.service - -",
        "mark knot.service keep -",
    ]
    assert lines.index("step 0") == 3


def test_a_unit_that_is_started_needs_no_mark() -> None:
    assert body(script(ChangeUnit(NGINX, "start", "")))[0] == "step 0"


def test_steps_are_numbered_as_they_stand_in_the_plan() -> None:
    file = PutFile(File("/etc/b", "2\n"), "new")
    text = script(file, DaemonReload(""), file, RemoveFile("/etc/c", ""))
    assert re.findall(r"^step (\d+)$", text, flags=re.MULTILINE) == ["0", "1", "2", "3"]


def test_a_machine_that_another_apply_changed_is_left_alone() -> None:
    text = script(DaemonReload(""))
    refuse = text.index('[ "$now" = run-3 ] || { echo outdated; trap - EXIT; exit 76; }')
    assert refuse < text.index(f"write_down {paths.GENERATION} run-4") < text.index("step 0")


def test_names_are_quoted_for_the_shell() -> None:
    file = File("/etc/it's", "x\n")
    text = payload((PutFile(file, ""),), expected="a b", generation="c d", later={}).script
    assert """stage_file '/etc/it'"'"'s'""" in text
    assert """[ "$now" = 'a b' ]""" in text
    assert f"write_down {paths.GENERATION} 'c d'" in text


def test_files_travel_beside_the_script() -> None:
    put = PutFile(File("/etc/b", "naïve\n"), "")
    sent = payload((put, PutRelease(RELEASE, None, "")), expected="", generation="now", later={})
    assert dict(sent.files) == {"files/etc/b": "naïve\n".encode(), "release/0123456789ab.tar": b"an archive"}
