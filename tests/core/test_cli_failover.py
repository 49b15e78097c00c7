"""The commands about the primary, on machines whose agents answer as the test says."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.core.test_drill_engine import STACK, topology
from tests.core.test_words import CONTRACT, word

from colonnade.cli import failover
from colonnade.cli.main import run
from colonnade.errors import UnreachableError
from colonnade.ports import Result
from colonnade.topology import Machine, Topology

U1 = "10000000-0000-0000-0000-000000000000"


class Fleet:
    """Machines whose agents give their word, and do what they are told; ``lost`` cannot be reached."""

    def __init__(self) -> None:
        self.words: dict[str, dict[str, Any]] = {node: word(node) for node in ("web1", "web2", "lb1")}
        for node, held in (("web1", 9), ("web2", 7)):
            mysql = {"answers": True, "executed": f"{U1}:1-{held},{U1}:tag:1-2", "replication": None}
            self.words[node] |= {"mysql": mysql, "state": "standby", "lag_seconds": 0.0, "claim": None}
        self.words["lb1"] |= {"state": "witness"}
        self.lost: set[str] = set()
        self.answers: dict[str, Result] = {}
        self.asked: list[str] = []

    async def run(
        self,
        machine: Machine,
        command: str,
        *,
        stdin: bytes = b"",
        on_line: Callable[[str], None] | None = None,
        seconds: float | None = None,
    ) -> Result:
        del stdin, on_line, seconds
        if machine.name in self.lost:
            raise UnreachableError("it does not answer", where=machine.name)
        verb = command.partition("colonnade-agent ")[2] or command
        if verb == "status":
            return Result(0, json.dumps(self.words[machine.node]))
        self.asked.append(f"{machine.name}: {verb}")
        return self.answers.get(verb.partition(" ")[0], Result(0, "{}"))


@pytest.fixture
def fleet(monkeypatch: pytest.MonkeyPatch) -> Fleet:
    made = Fleet()

    @asynccontextmanager
    async def reached(_: object) -> AsyncIterator[tuple[Topology, Fleet]]:
        yield topology(), made

    monkeypatch.setattr(failover, "reached", reached)
    return made


@pytest.fixture
def call(tmp_path: Path) -> Callable[..., int]:
    file = tmp_path / "colonnade.toml"
    file.write_text(STACK)
    return lambda *words: run(["-f", str(file), *words])


Call = Callable[..., int]
Capture = pytest.CaptureFixture[str]


def test_status_is_a_table_and_the_sentences(fleet: Fleet, call: Call, capsys: Capture) -> None:
    assert call("db", "status") == 0
    said = capsys.readouterr().out
    row = next(line for line in said.splitlines() if line.startswith("web2"))
    assert row.split() == ["web2", "standby", "standby", "9", "2", "0.0", "s", "up"]
    assert "Writes are safe" in said
    assert call("db", "status", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["contract"], document["serving"], document["silent"]) == (CONTRACT, ["web1"], {})
    fleet.lost.add("lb1")
    assert call("db", "status") == 1, "one cannot be asked"
    assert "Not reached: lb1." in capsys.readouterr().out
    fleet.lost |= {"web1", "web2"}
    assert call("db", "status") == 4


def test_nobody_serves(fleet: Fleet, call: Call, capsys: Capture) -> None:
    fleet.words["web1"]["serves"] = {"primary": False}
    assert call("db", "status") == 1
    assert call("explain") == 0
    assert "Nobody takes writes" in capsys.readouterr().out


def test_history(fleet: Fleet, call: Call, capsys: Capture) -> None:
    entry = {"node": "web1", "state": "alone", "action": "Fence", "reason": "why"}
    fleet.words["web1"]["history"] = [entry | {"at": 1767323045.25 + n} for n in range(3)]
    assert call("db", "history", "-n", "2") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1].split() == ["2026-01-02", "03:04:07.250", "web1", "alone", "Fence:", "why"]
    assert len(lines) == 2


def test_switchover(fleet: Fleet, call: Call, capsys: Capture) -> None:
    fleet.answers["switchover"] = Result(0, json.dumps({"primary": "web2", "term": 6, "before": "web1"}))
    assert call("db", "switchover", "--to", "web2") == 0
    assert "web2 is the primary now (term 6), web1 was" in capsys.readouterr().out
    assert fleet.asked == ["web1: switchover --seconds 30 --to web2"]
    fleet.lost.add("web1")
    assert call("db", "switchover", "--json") == 0, "the next one is told"
    assert json.loads(capsys.readouterr().out)["primary"] == "web2"


@pytest.mark.parametrize(
    ("answer", "code", "said"),
    [
        (Result(3, '{"refused": "acks = 0"}'), 3, "acks = 0"),
        (Result(1, '{"error": "web2 did not become the primary in time"}'), 1, "in time"),
        (Result(4, '{"error": "the agent does not answer"}'), 4, "does not answer"),
        (Result(127, "", "no such file"), 1, "there is no agent: no such file"),
    ],
)
def test_a_switchover_that_does_not_come(
    fleet: Fleet, call: Call, capsys: Capture, *, answer: Result, code: int, said: str
) -> None:
    fleet.answers["switchover"] = answer
    assert call("db", "switchover") == code
    assert said in capsys.readouterr().err


def test_what_is_no_server_is_not_switched_to(fleet: Fleet, call: Call, capsys: Capture) -> None:
    assert call("db", "switchover", "--to", "lb1") == 2
    assert call("db", "failover", "--to", "lb1") == 2
    assert call("db", "rebuild", "lb1", "--yes") == 2
    assert "lb1 is no server" in capsys.readouterr().err
    assert fleet.asked == []


def test_pause_and_resume(fleet: Fleet, call: Call) -> None:
    assert call("db", "pause") == 0
    assert call("db", "resume") == 0
    assert fleet.asked == ["web1: pause", "web1: resume"]


def test_by_force_nothing_is_touched_before_the_loss_is_accepted(fleet: Fleet, call: Call, capsys: Capture) -> None:
    assert call("db", "failover", "--to", "web2") == 3
    said = capsys.readouterr().err
    assert "web2 holds 9 transactions" in said
    assert "web1 holds 11 by its agent's last word" in said
    assert "Nothing was changed" in said
    assert call("db", "failover", "--to", "web2", "--may-be-lost", "web1") == 3
    assert call("db", "failover", "--to", "web1", "--may-be-lost", "web1") == 2
    for each in fleet.words.values():
        each["contract"] = None
    assert call("db", "failover", "--to", "web2", "--may-be-lost", "web2") == 3
    assert fleet.asked == []


FORCE = ("db", "failover", "--to", "web2", "--may-be-lost", "web2")


def test_by_force_the_old_primary_is_stopped_first(fleet: Fleet, call: Call, capsys: Capture) -> None:
    fleet.answers["failover"] = Result(0, json.dumps({"primary": "web2", "term": 6}))
    assert call(*FORCE) == 0
    assert [each.split()[:2] for each in fleet.asked] == [["web1:", "systemctl"], ["web2:", "failover"]]
    assert "web2 is the primary now (term 6), by force." in capsys.readouterr().out


def test_by_force_an_old_primary_that_cannot_be_stopped_must_be_off(fleet: Fleet, call: Call, capsys: Capture) -> None:
    fleet.answers["failover"] = Result(0, json.dumps({"primary": "web2", "term": 6}))
    fleet.lost.add("web1")
    assert call(*FORCE) == 3
    assert call(*FORCE, "--is-off", "web2") == 3
    assert "--is-off web1" in capsys.readouterr().err
    assert fleet.asked == []
    assert call(*FORCE, "--is-off", "web1") == 0
    fleet.lost.clear()
    fleet.answers["systemctl"] = Result(1, "")
    assert call(*FORCE) == 3, "it runs still"


def test_a_rebuild_is_refused_by_the_agent_or_waited_for(fleet: Fleet, call: Call, capsys: Capture) -> None:
    fleet.words["web2"]["incarnation"] = "old"
    fleet.answers["rebuild"] = Result(3, '{"refused": "this is the primary"}')
    assert call("db", "rebuild", "web2", "--yes") == 3
    assert "this is the primary" in capsys.readouterr().err
    fleet.answers["rebuild"] = Result(0, "{}")
    fleet.words["web2"]["reason"] = "barred"
    assert call("db", "rebuild", "web2", "--yes", "--seconds", "1") == 1
    assert "not done within 1 s: barred" in capsys.readouterr().err
