"""A drill of the database from a cluster that is well to its verdict, with machines that only say what they should."""

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from bench import generated
from tests.core.drilled import status
from tests.core.test_drill_engine import topology

from colonnade.adapters.private import PrivateDirectory
from colonnade.control.drill import database, engine
from colonnade.control.drill.database import Drilled, Ground
from colonnade.drill import Part
from colonnade.drill.database import FAULTS
from colonnade.errors import ColonnadeError, UsageError
from colonnade.ports import Result
from colonnade.topology import Machine

BARE = generated.recorded(generated.bare_facts())
EVERY = 0.02


class Machines:
    """A small stack: agents that are well, clients that write, rows that are there."""

    def __init__(self, *, lose: str = "", leader: str = "web1", acks: int = 1) -> None:
        self.lose = lose
        self.leader = leader
        self.acks = acks
        self.commands: list[str] = []
        self.began = time.time()
        self.ended: float | None = None

    def writes(self, machine: str) -> Iterator[tuple[str, float]]:
        number, until = 0, self.ended or time.time()
        while self.began + number * EVERY < until:
            yield f"{machine}.0:{number}", self.began + number * EVERY
            number += 1

    def events(self, machine: str) -> str:
        lines: list[dict[str, Any]] = [{"client": f"{machine}.0", "at": self.began}]
        for id_, at in self.writes(machine):
            number = int(id_.partition(":")[2])
            lines.append({"try": number, "kind": "row", "at": at})
            lines.append({"done": number, "outcome": "acknowledged", "at": at})
        return "".join(json.dumps(line) + "\n" for line in lines)

    def rows(self) -> str:
        ids = [id_ for name in ("web1", "web2") for id_, _ in self.writes(name) if id_ != self.lose]
        return "counter\t0\n" + "".join(f"write\t{id_}\t0\n" for id_ in ids) + "end\thost\n"

    def state(self, machine: str) -> dict[str, Any]:
        if machine == "lb1":
            return status(machine, "witness")
        leads = machine == self.leader
        return status(machine, "protected" if leads else "standby", acks=self.acks, primary=self.leader)

    async def run(
        self,
        machine: Machine,
        command: str,
        *,
        stdin: bytes = b"",
        on_line: Callable[[str], None] | None = None,
        seconds: float | None = None,
    ) -> Result:
        del seconds
        text = stdin.decode()
        if on_line is not None:
            while True:
                at = time.time()
                on_line(json.dumps({"node": machine.name, "at": at, "status": self.state(machine.name)}))
                await asyncio.sleep(0.01)
        self.commands.append(f"{machine.name}: {command} {text}")
        if "stop colonnade-drill-load" in command and "rm -rf" not in command:
            self.ended = self.ended or time.time()
        if "systemd-run" in text:
            self.began = time.time()
        return Result(0, self.answer(machine, command, text))

    def answer(self, machine: Machine, command: str, text: str) -> str:
        if command.startswith("date"):
            return f"{time.time()}\n"
        if "events-" in command:
            return self.events(machine.name)
        if "gtid_executed" in text:
            return "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-9\n"
        if "GROUP_CONCAT" in text:
            return self.rows()
        return BARE if "printf 'os" in text else ""

    async def close(self) -> None:
        return

    def say(self, text: str) -> None:
        self.commands.append(f"said: {text}")

    def machine(self, machine: str, text: str) -> None:
        self.commands.append(f"said: {machine}: {text}")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in (("LEAD_IN_SECONDS", 0.3), ("LEAD_OUT_SECONDS", 0.2), ("WHOLE_SECONDS", 0.2)):
        monkeypatch.setattr(engine, name, seconds)
    monkeypatch.setattr(database, "WELL_SECONDS", 0.3)


def rehearsed(machines: Machines, directory: Path, name: str = "mysqld-killed") -> Drilled:
    ground = Ground(topology(), machines, PrivateDirectory(directory, "shop"), None)
    fault = FAULTS[name]
    short = type(fault)(fault.name, fault.words, fault.inject, fault.heal, hold=0.2, limits=fault.limits)
    return asyncio.run(database.drill(ground, short, machines))


def test_a_drill_that_costs_nothing_is_passed_and_leaves_nothing_behind(tmp_path: Path) -> None:
    machines = Machines()
    found = rehearsed(machines, tmp_path)
    assert found.result.verdict.reasons == ()
    assert found.result.found.acknowledged > 20
    assert found.result.cast[Part.PRIMARY] == ("web1",)
    assert json.loads((found.directory / "result.json").read_text())["passed"] is True
    said = "\n".join(machines.commands)
    assert "--kill-whom=main --signal=SIGKILL mysql.service" in said
    assert "web1: exec mysql" in said
    assert machines.commands[-1].endswith("rm -rf /var/lib/colonnade/drill ")
    assert sum("DROP TABLE IF EXISTS" in command for command in machines.commands) == 2
    assert "SET @late = WAIT_FOR_EXECUTED_GTID_SET('3e11fa47-71ca-11e1-9e33-c80aa9429562:1-9', 30);" in said


def test_a_lost_write_is_found(tmp_path: Path) -> None:
    found = rehearsed(Machines(lose="web2.0:3"), tmp_path)
    assert found.result.verdict.reasons == ("1 write acknowledged and lost: web2.0:3",)


def test_a_stack_that_is_not_well_is_left_alone(tmp_path: Path) -> None:
    machines = Machines(acks=0)
    with pytest.raises(ColonnadeError, match="acks = 0; it should be 1"):
        rehearsed(machines, tmp_path)
    assert not [command for command in machines.commands if "said" not in command]


def test_a_fault_without_a_part_to_play_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nobody is etcd's leader here"):
        rehearsed(Machines(), tmp_path, "etcd-member-killed")
    with pytest.raises(UsageError, match="only the lab can do"):
        rehearsed(Machines(), tmp_path, "primary-cable")


def test_without_a_primary_afterwards_nobody_says_what_was_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machines = Machines()
    monkeypatch.setattr(database, "_leading", lambda *_: None)
    with pytest.raises(ColonnadeError, match="no server leads after the drill"):
        rehearsed(machines, tmp_path)
    (directory,) = (tmp_path / ".colonnade" / "shop" / "drills").iterdir()
    assert (directory / "events-web1.jsonl").exists()
