"""A drill that never was: its clients' lines, its samples and its rows, made up around one failover."""

import json
from collections.abc import Iterator
from typing import Any

from colonnade.drill import Cast, Course, Fault, Part
from colonnade.drill.database import (
    FAULTS,
    Evidence,
    Kind,
    Log,
    Outcome,
    Result,
    Rows,
    Sample,
    Wanted,
    Write,
    judge,
    parse_samples,
)
from colonnade.drill.database.check import parts_of

BEGIN = 1_800_000_000.0
WANTED = Wanted(("lb1", "web1", "web2"), ("web1", "web2"), acks=1, standbys=1)
CAST: Cast = {
    Part.PRIMARY: ("web1",),
    Part.STANDBY: ("web2",),
    Part.SERVERS: ("web1", "web2"),
    Part.ETCD_LEADER: ("lb1",),
    Part.ETCD_MAJORITY: ("lb1", "web2"),
}
COURSE = Course(began=BEGIN, injected=BEGIN + 0.02, healed=BEGIN + 10.0, settled=BEGIN + 16.0)
KINDS = tuple(Kind)
DOWN = 0.62
"""Seconds without a write after the fault."""


def write(
    number: int, at: float, outcome: Outcome = Outcome.ACKNOWLEDGED, *, client: str = "web1.0", kind: Kind = Kind.ROW
) -> Write:
    error = "" if outcome is Outcome.ACKNOWLEDGED else "2013 Lost connection to MySQL server during query"
    return Write(f"{client}:{number}", kind, at - 0.004, at, outcome, error)


def writes() -> Iterator[Write]:
    for client in ("web1.0", "web2.0"):
        for number in range(2100):
            at = BEGIN - 4.0 + number * 0.01 + (0.003 if client == "web2.0" else 0.0)
            kind = KINDS[number % 3]
            if BEGIN <= at < BEGIN + 0.01:
                yield write(number, at, Outcome.UNKNOWN, client=client, kind=kind)
            elif not BEGIN <= at < BEGIN + DOWN:
                yield write(number, at, client=client, kind=kind)


def log() -> Log:
    made = tuple(writes())
    lost = tuple((BEGIN + 0.02 + n * 0.02, "2013 Lost connection") for n in range(30))
    return Log(made, seen={each.id: each.ended + 0.05 for each in made[:500]}, errors=lost)


def rows(made: Log) -> Rows:
    """Return what is there if nothing is lost, and what nobody was told of neither."""
    kept = [each for each in made.writes if each.outcome is not Outcome.REFUSED]
    counter = sum(each.kind is Kind.INCREMENT for each in kept)
    return Rows({each.id: parts_of(each.kind) for each in kept}, counter)


def status(node: str, state: str, **fields: Any) -> dict[str, Any]:
    replica = state in {"standby", "following"}
    return {
        "node": node,
        "state": state,
        "reason": "as it is told",
        "serves": {"primary": state in {"protected", "alone"}, "replica": replica},
        "contract": {
            "primary": fields.get("primary", "web1"),
            "term": fields.get("term", 3),
            "standbys": fields.get("standbys", ["web2"]),
            "acks": fields.get("acks", 1),
        },
        "mysql": None
        if state == "witness"
        else {
            "answers": state != "down",
            "replication": {"receiver": "on", "applying": True, "error": ""} if replica else None,
        },
        "clone": fields.get("clone"),
        "warnings": fields.get("warnings", []),
    }


def told(node: str, at: float) -> dict[str, Any]:
    """Return what a node's agent says so many seconds after the fault."""
    if node == "lb1" or at < 0.1:
        return status(node, {"lb1": "witness", "web1": "protected", "web2": "standby"}[node])
    after = {"primary": "web2", "term": 4, "standbys": [], "acks": 0}
    whole = after | {"standbys": ["web1"], "acks": 1}
    course: dict[str, list[tuple[float, str, dict[str, Any]]]] = {
        "web1": [(1.0, "down", {}), (5.0, "fenced", after), (99.0, "standby", after)],
        "web2": [(0.35, "claiming", {}), (DOWN, "opening", after), (6.2, "alone", after), (99.0, "protected", whole)],
    }
    state, fields = next((state, fields) for until, state, fields in course[node] if at < until)
    return status(node, state, **fields)


def sample_lines() -> str:
    lines = []
    for step in range(-22, 90):
        at = step * 0.2
        lines += [{"node": node, "at": BEGIN + at, "status": told(node, at)} for node in WANTED.nodes]
    return "".join(json.dumps(line) + "\n" for line in lines)


def samples() -> tuple[Sample, ...]:
    return parse_samples(sample_lines())


def evidence(made: Log | None = None, there: Rows | None = None) -> Evidence:
    made = log() if made is None else made
    there = rows(made) if there is None else there
    return Evidence(made, samples(), WANTED, there, {"web1": there})


def result(fault: Fault | None = None, given: Evidence | None = None) -> Result:
    return judge(fault or FAULTS["mysqld-killed"], CAST, COURSE, evidence() if given is None else given)
