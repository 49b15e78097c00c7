"""The machines' journals as one: what is asked, what is read, in which order it is shown."""

import asyncio
import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from colonnade.cli.machines import LogPrinter, document, printable
from colonnade.control.logs import (
    LOGINS,
    Entry,
    Journals,
    Query,
    Window,
    entry_of,
    follow,
    follow_command,
    read,
    read_command,
    since,
)
from colonnade.errors import ColonnadeError, UnreachableError
from colonnade.topology import Machine

LB1, WEB1, WEB2 = (Machine(name, f"192.0.2.{n}", None, name, n, None) for n, name in enumerate(("lb1", "web1", "web2")))
EVERY = (LB1, WEB1, WEB2)


def line(time: int, message: object, **fields: object) -> bytes:
    cursor = f"cursor-{time}"
    document = {"__REALTIME_TIMESTAMP": str(time), "__CURSOR": cursor, "MESSAGE": message, **fields}
    return json.dumps(document, separators=(",", ":")).encode() + b"\n"


class Machines:
    """What each machine prints, or how it fails, without any machine; commands are remembered."""

    def __init__(self, outputs: Mapping[str, bytes | ColonnadeError], complaint: bytes = b"") -> None:
        self._outputs = outputs
        self._complaint = complaint
        self.commands: dict[str, str] = {}

    async def stream(
        self,
        machine: Machine,
        command: str,
        *,
        on_output: Callable[[bytes], object],
        on_complaint: Callable[[bytes], object],
    ) -> int:
        self.commands[machine.name] = command
        output = self._outputs[machine.name]
        if isinstance(output, ColonnadeError):
            raise output
        for start in range(0, len(output), 7):  # lines come in pieces
            on_output(output[start : start + 7])
            await asyncio.sleep(0)
        on_complaint(self._complaint)
        return 0


def test_everything_asked_is_one_word_of_the_command() -> None:
    query = Query(units=("app", "nginx"), since="10 min ago", grep="it's; rm")
    assert read_command(query) == (
        "date +@%s.%6N && journalctl --quiet --no-pager --all --output=json"
        " --output-fields=MESSAGE,UNIT,_SYSTEMD_UNIT,SYSLOG_IDENTIFIER,_TRANSPORT"
        " --unit=colonnade-app.service --unit=nginx '--grep=it'\"'\"'s; rm' '--since=10 min ago'"
    )


def test_the_last_lines_are_taken_from_the_end_after_logins_are_left_out() -> None:
    command = read_command(Query(lines=5))
    assert re.search(r"--reverse \| grep -avE '.*' \| head -n 5$", command)


def test_following_goes_on_where_reading_stopped() -> None:
    command = follow_command(Query(units=("mysql",)), "--after-cursor=s=1;i=2")
    assert command.endswith("--unit=mysql.service '--after-cursor=s=1;i=2' --follow --no-tail")


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("10 min ago", "10 min ago"),
        ("yesterday", "yesterday"),
        ("10m", "-10m"),
        ("2 hours", "-2 hours"),
        ("2025-01-31T12:00:00Z", "@1738324800.000000"),
        ("2025-01-31 13:00:00.5+01:00", "@1738324800.500000"),
        ("2025-01-31", f"@{datetime(2025, 1, 31).timestamp():.6f}"),  # noqa: DTZ001  local is what is meant
    ],
)
def test_a_time_means_the_same_on_every_machine(said: str, meant: str) -> None:
    assert since(said) == meant


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ("plain", "plain"),
        (None, ""),
        ([104, 105, 255], "hi�"),
        ([], ""),
        (["first", [98]], "first\nb"),
        ("half a \ud800 pair", "half a ? pair"),
    ],
)
def test_a_message_of_any_kind_is_text(message: object, text: str) -> None:
    entry = entry_of("web1", line(1, message).decode())
    assert entry is not None
    assert entry.message == text


@pytest.mark.parametrize(
    ("fields", "unit"),
    [
        ({"_SYSTEMD_UNIT": "nginx.service", "SYSLOG_IDENTIFIER": "nginx"}, "nginx.service"),
        ({"_SYSTEMD_UNIT": "init.scope", "UNIT": "nginx.service", "SYSLOG_IDENTIFIER": "systemd"}, "nginx.service"),
        ({"_SYSTEMD_UNIT": "session-3.scope", "SYSLOG_IDENTIFIER": "me"}, "me"),
        ({"_SYSTEMD_UNIT": "session-3.scope"}, "session-3.scope"),
        ({"SYSLOG_IDENTIFIER": "kernel", "_TRANSPORT": "kernel"}, "kernel"),
        ({"_TRANSPORT": "audit"}, "audit"),
        ({}, ""),
    ],
)
def test_the_unit_is_the_one_that_the_entry_is_about(fields: dict[str, str], unit: str) -> None:
    entry = entry_of("web1", line(1, "x", **fields).decode())
    assert entry is not None
    assert entry.unit == unit


@pytest.mark.parametrize("text", ["", "-- No entries --", "{", "[]", "null", "3", '{"MESSAGE": "no time"}'])
def test_what_is_no_entry_is_none(text: str) -> None:
    assert entry_of("web1", text) is None


@pytest.mark.parametrize(
    ("fields", "hidden"),
    [
        ({"SYSLOG_IDENTIFIER": "sshd-session", "_SYSTEMD_UNIT": "ssh.service"}, True),
        ({"SYSLOG_IDENTIFIER": "systemd", "UNIT": "session-c3.scope"}, True),
        ({"SYSLOG_IDENTIFIER": "systemd", "_SYSTEMD_UNIT": "user@0.service"}, True),
        ({"SYSLOG_IDENTIFIER": "logger", "_SYSTEMD_UNIT": "session-c3.scope"}, False),
        ({"SYSLOG_IDENTIFIER": "systemd", "UNIT": "nginx.service"}, False),
        ({"MESSAGE": '"SYSLOG_IDENTIFIER":"sshd"', "SYSLOG_IDENTIFIER": "app"}, False),
    ],
)
def test_only_what_logins_write_is_left_out(fields: dict[str, str], hidden: bool) -> None:  # noqa: FBT001  a case
    message = fields.pop("MESSAGE", "x")
    assert bool(re.search(LOGINS, line(1, message, **fields).decode())) is hidden


def read_all(machines: Machines, query: Query) -> Journals:
    return asyncio.run(read(machines, EVERY, query))


def test_journals_are_merged_by_time_and_cut_to_the_last_lines_of_all() -> None:
    machines = Machines(
        {
            "lb1": b"@100.0\n" + line(30, "lb1 second") + line(10, "lb1 first"),
            "web1": b"@100.0\n" + line(20, "web1 only"),
            "web2": b"@100.5\n",
        }
    )
    journals = read_all(machines, Query(lines=2))
    assert [(entry.time, entry.machine, entry.message) for entry in journals.entries] == [
        (20, "web1", "web1 only"),
        (30, "lb1", "lb1 second"),
    ]
    assert journals.positions == {
        "lb1": "--after-cursor=cursor-30",
        "web1": "--after-cursor=cursor-20",
        "web2": "--since=@100.5",
    }


def test_no_lines_are_no_lines() -> None:
    machines = Machines({machine.name: b"@1.0\n" for machine in EVERY})
    assert read_all(machines, Query(lines=0)).entries == []


def test_a_machine_that_fails_does_not_hide_the_others() -> None:
    gone = UnreachableError("does not answer", where="web1")
    machines = Machines({"lb1": b"@1.0\n" + line(5, "here"), "web1": gone, "web2": b"@1.0\n"})
    journals = read_all(machines, Query())
    assert [entry.message for entry in journals.entries] == ["here"]
    assert journals.failures == {"web1": gone}


def test_what_journalctl_refuses_is_said_but_a_warning_beside_entries_is_not() -> None:
    machines = Machines({"lb1": b"@1.0\n" + line(5, "here"), "web1": b"@1.0\n", "web2": b"@1.0\n"}, b"bad pattern\n")
    journals = read_all(machines, Query(grep="("))
    assert set(journals.failures) == {"web1", "web2"}
    assert "bad pattern" in journals.failures["web1"].what


def follow_all(machines: Machines, query: Query) -> tuple[list[Entry], list[ColonnadeError]]:
    shown: list[Entry] = []
    failed: list[ColonnadeError] = []
    after = Journals([], {}, {"lb1": "--since=@1", "web1": "--after-cursor=c"})
    asyncio.run(follow(machines, EVERY, query, after=after, show=shown.append, fail=failed.append))
    return shown, failed


def test_following_shows_what_came_in_order_until_no_machine_is_left() -> None:
    machines = Machines(
        {
            "lb1": line(2, "two") + line(9, "login", SYSLOG_IDENTIFIER="sshd") + line(4, "four"),
            "web1": line(1, "one") + line(3, "three"),
        },
        b"stopped",
    )
    shown, failed = follow_all(machines, Query())
    assert [entry.message for entry in shown] == ["one", "two", "three", "four"]
    assert {(error.where, error.what) for error in failed} == {
        ("lb1", "its journal ended: stopped"),
        ("web1", "its journal ended: stopped"),
    }
    assert machines.commands["web1"] == follow_command(Query(), "--after-cursor=c")
    assert "web2" not in machines.commands


def test_a_machine_lost_while_following_is_told_and_the_others_go_on() -> None:
    lost = UnreachableError("the connection was lost", where="lb1")
    shown, failed = follow_all(Machines({"lb1": lost, "web1": line(1, "one")}), Query())
    assert [entry.message for entry in shown] == ["one"]
    assert lost in failed


def test_a_unit_that_is_asked_for_is_never_left_out() -> None:
    machines = Machines({"lb1": line(1, "login", SYSLOG_IDENTIFIER="sshd"), "web1": b""})
    assert "grep" not in read_command(Query(units=("ssh",)))
    assert len(follow_all(machines, Query(units=("ssh",)))[0]) == 1


@given(
    arrivals=st.lists(st.tuples(st.integers(0, 50), st.integers(0, 100)), max_size=30),
    seconds=st.integers(1, 20),
)
def test_a_window_gives_everything_once_and_in_order_if_it_is_wide_enough(
    arrivals: list[tuple[int, int]], seconds: int
) -> None:
    window, given_out = Window(seconds), []
    for time, now in sorted(arrivals, key=lambda arrival: arrival[1]):
        given_out += window.due(now)
        window.add(Entry(time, "web1", "", f"{now}"), now)
        wait = window.wait(now)
        assert wait is not None
        assert 0 <= wait <= seconds
    given_out += window.due(200)
    assert sorted((entry.time, int(entry.message)) for entry in given_out) == sorted(arrivals)
    assert not window
    assert window.wait(200) is None
    # Only an entry that arrived too late may be shown after a younger one.
    for before, after in pairwise(given_out):
        assert before.time <= after.time or int(after.message) >= int(before.message) + seconds


def shown(entry: Entry, capsys: pytest.CaptureFixture[str], *, as_json: bool = False) -> str:
    LogPrinter(EVERY, as_json=as_json).show(entry)
    return capsys.readouterr().out


def test_a_line_has_local_time_machine_unit_and_message(capsys: pytest.CaptureFixture[str]) -> None:
    moment = datetime(2025, 1, 31, 12, 0, 0, 123000)  # noqa: DTZ001  local is what is shown
    entry = Entry(round(moment.timestamp() * 1_000_000), "lb1", "nginx.service", "one\ntwo")
    assert shown(entry, capsys) == ("2025-01-31T12:00:00.123 lb1  nginx: one\n                        lb1  two\n")


def test_a_message_cannot_move_the_cursor_or_change_a_colour(capsys: pytest.CaptureFixture[str]) -> None:
    out = shown(Entry(0, "lb1", "app", "\x1b[2J\x9b31m\rover\ttab"), capsys)
    assert out.endswith("app: \\x1b[2J\\x9b31m\\rover\ttab\n")
    assert printable("ünïcode ✓") == "ünïcode ✓"


def test_a_document_says_its_offset(capsys: pytest.CaptureFixture[str]) -> None:
    entry = Entry(1738324800_123456, "lb1", "nginx.service", "hello\x1b")
    found: dict[str, Any] = json.loads(shown(entry, capsys, as_json=True))
    assert found == document(entry)
    assert datetime.fromisoformat(found.pop("time")).timestamp() == pytest.approx(1738324800.123)
    assert found == {"machine": "lb1", "unit": "nginx.service", "message": "hello\x1b"}


def test_failures_alike_are_said_once_and_unreachable_is_exit_4(capsys: pytest.CaptureFixture[str]) -> None:
    printer = LogPrinter(EVERY, as_json=True)
    printer.show_all(
        Journals(
            [],
            {
                "lb1": ColonnadeError("bad pattern", where="lb1"),
                "web1": UnreachableError("is off", where="web1"),
                "web2": ColonnadeError("bad pattern", where="web2"),
            },
        )
    )
    said = capsys.readouterr()
    assert json.loads(said.out) == []
    assert said.err == "error: lb1, web2: bad pattern\nerror: web1: is off\n"
    assert printer.exit_code == 4
