"""The guestbook's access log, from what gunicorn hands to its logger."""

from __future__ import annotations

import json
import logging

from guestbook.access_log import JsonLines, NoHealthChecks


class Atoms(dict[str, object]):
    """As gunicorn's: indexing escapes quotation marks, get() does not."""

    def __getitem__(self, key: str) -> object:
        value = super().__getitem__(key)
        return value.replace('"', '\\"') if isinstance(value, str) else value


def record(**changes: object) -> logging.LogRecord:
    atoms = Atoms({"m": "GET", "U": "/", "s": "200", "D": 12345, "B": 2048, "{x-request-id}i": "r-1"})
    atoms.update(changes)
    line = logging.LogRecord("gunicorn.access", logging.INFO, "", 0, "%(h)s", (atoms,), None)
    line.created = 0.0
    return line


def test_a_line_is_json_with_request_id_status_and_milliseconds() -> None:
    line = JsonLines(server="web1", release="3f2a").format(record())
    fields = json.loads(line)
    assert fields.pop("time").startswith("19")
    assert fields == {
        "request_id": "r-1",
        "method": "GET",
        "path": "/",
        "status": 200,
        "ms": 12.3,
        "bytes": 2048,
        "server": "web1",
        "release": "3f2a",
    }


def test_what_a_client_sends_cannot_forge_a_line() -> None:
    nasty = '/"}\n{"status": 200'
    line = JsonLines(server="web1", release="3f2a").format(record(U=nasty))
    assert "\n" not in line
    assert json.loads(line)["path"] == nasty


def test_what_is_absent_is_said_so() -> None:
    fields = json.loads(JsonLines(server="web1", release="3f2a").format(record(**{"{x-request-id}i": None, "B": None})))
    assert (fields["request_id"], fields["bytes"]) == ("-", 0)


def test_health_checks_are_logged_only_when_they_fail() -> None:
    wanted = NoHealthChecks()
    assert not wanted.filter(record(U="/healthz"))
    assert wanted.filter(record(U="/healthz", s="503"))
    assert wanted.filter(record(U="/healthzz"))
