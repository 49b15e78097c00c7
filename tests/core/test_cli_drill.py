"""The command of drills: what it lists, refuses and asks, and how it says what came of them."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.core.drilled import evidence, log, result, rows

from colonnade.adapters.private import PrivateDirectory
from colonnade.cli.drill import as_document, show_drills, together
from colonnade.cli.main import run
from colonnade.control.drill.database import Drilled
from colonnade.control.drill.records import directory_for, write_raw, write_result
from colonnade.drill.database import FAULTS, Rows

STACK = """name = "shop"
domain = "shop.example"
[app]
path = "."
start = "run"
[balancers.lb1]
address = "192.0.2.1"
[servers.web1]
address = "192.0.2.2"
[servers.web2]
address = "192.0.2.3"
"""


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    file = tmp_path / "colonnade.toml"
    file.write_text(STACK)
    return file


def test_the_list_has_every_fault_and_fits(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["drill", "database", "--list"]) == 0
    said = capsys.readouterr().out
    assert max(len(line) for line in said.splitlines()) <= 100
    for name in FAULTS:
        assert f"{name} " in said
    assert "Not rehearsed: growth" in said
    assert run(["drill", "database", "--list", "--json"]) == 0
    assert {entry["name"] for entry in json.loads(capsys.readouterr().out)} == set(FAULTS)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ([], 2, "name the faults to rehearse, or --all"),
        (["--all", "switchover"], 2, "name the faults to rehearse, or --all"),
        (["mysql-killed"], 2, "Did you mean mysqld-killed?"),
        (["primary-cable"], 2, "primary-cable: it pulls a cable, which only the lab can do"),
        (["switchover"], 3, "--yes"),
        (["--repeat", "0", "switchover"], 2, "--repeat"),
    ],
)
def test_what_makes_no_sense_or_is_not_agreed_to_is_refused(
    words: list[str], code: int, said: str, stack: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["-f", str(stack), "drill", "database", *words]) == code
    assert said in capsys.readouterr().err


def drilled(tmp_path: Path, *, lost: bool = False) -> Drilled:
    made = log()
    there = rows(made)
    if lost:
        there = Rows({id_: parts for id_, parts in there.parts.items() if id_ != "web1.0:1000"}, there.counter)
    return Drilled(result(given=evidence(made, there)), tmp_path / "drills" / "one")


def test_what_came_of_drills_is_a_line_each(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    noted = replace(drilled(tmp_path).result, notes=("the clock of web1 is +0.30 s from this machine's",))
    show_drills([drilled(tmp_path), drilled(tmp_path, lost=True), Drilled(noted, tmp_path / "drills" / "two")])
    said = capsys.readouterr().out
    lines = said.splitlines()
    assert max(len(line) for line in lines[:4]) <= 100
    assert lines[1].split() == [
        "mysqld-killed",
        "passed",
        "0.63",
        "s",
        "of",
        "1.5",
        "s",
        "0",
        "0",
        "2",
        "6.2",
        "s",
        "lb1",
    ]
    assert lines[2].split()[1] == "failed"
    assert "! mysqld-killed: 1 write acknowledged and lost: web1.0:1000" in said
    assert "note: mysqld-killed: the clock of web1" in said
    assert "median 0.63 s, worst 0.63 s without a write in 3 runs" in said
    assert "1 of 3 runs failed" in said
    assert str(tmp_path / "drills") in said


def test_for_programs_there_is_one_document(tmp_path: Path) -> None:
    found = json.loads(json.dumps(as_document([drilled(tmp_path), drilled(tmp_path)])))
    assert [each["passed"] for each in found["drills"]] == [True, True]
    assert found["series"][0]["gap"]["median"] == pytest.approx(0.627, abs=0.001)
    assert together([drilled(tmp_path)]) == []


def test_a_drill_leaves_a_directory_of_its_own(tmp_path: Path) -> None:
    private = PrivateDirectory(tmp_path, "shop")
    at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    first, second = (directory_for(private, "switchover", at) for _ in range(2))
    assert first == tmp_path / ".colonnade" / "shop" / "drills" / "20260102-030405-switchover"
    assert second.name == "20260102-030405-switchover-1"
    assert first.stat().st_mode & 0o777 == 0o700
    write_raw(first, {"web1": "{}\n"}, "{}\n")
    write_result(first, drilled(tmp_path).result)
    assert {file.name for file in first.iterdir()} == {
        "events-web1.jsonl",
        "samples.jsonl",
        "result.json",
        "timeline.svg",
    }
    assert json.loads((first / "result.json").read_text())["passed"] is True
