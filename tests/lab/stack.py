"""A copy of the example stack on disk, worked on through the command line alone, as a person would."""

import asyncio
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from colonnade.adapters import web
from colonnade.lab import Lab, placement

EXAMPLE = Path(__file__).parents[2] / "examples" / "guestbook"
APPLY_SECONDS = 240


@dataclass(frozen=True)
class Outcome:
    """What a command ended with; ``output`` and ``complaint`` are what it printed."""

    code: int
    output: str
    complaint: str

    @property
    def said(self) -> str:
        return self.output + self.complaint

    def json(self) -> Any:
        return json.loads(self.output)


def eventually(fact: Callable[[], object], *, seconds: float, what: str = "") -> None:
    """Ask until it is so; fail if it is not within a time."""
    deadline = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < deadline, f"not so within {seconds} s: {what or fact}"
        time.sleep(0.1)


def run(*argv: str, stdin: str = "", code: int | None = 0, seconds: float = 60) -> Outcome:
    """Run a program to its end; ``code`` None is for "who knows"."""
    done = subprocess.run(  # noqa: PLW1510  the code is compared below, with all that was said
        list(argv), input=stdin, capture_output=True, text=True, timeout=seconds, errors="replace"
    )
    assert code in {None, done.returncode}, f"{' '.join(argv)}: exit code {done.returncode}\n{done.stdout}{done.stderr}"
    return Outcome(done.returncode, done.stdout, done.stderr)


@dataclass
class Stack:
    """A directory with a stack file, and the verbs on it."""

    directory: Path
    name: str = "foobar"
    lab: Lab | None = None
    addresses: Mapping[str, str] = field(default_factory=dict)
    """Machines by name; empty for a lab of the stack's own, which knows them."""

    @property
    def file(self) -> Path:
        return self.directory / "colonnade.toml"

    @property
    def private(self) -> Path:
        return self.directory / ".colonnade" / self.name

    @property
    def key(self) -> Path:
        return self.private / "id_ed25519"

    @property
    def own_lab(self) -> Lab:
        if self.lab is None:
            self.lab = Lab(self.name, self.private)
        return self.lab

    def edit(self, *changes: tuple[str, str]) -> None:
        """Change the stack file; what is to be replaced must be there."""
        text = self.file.read_text()
        for old, new in changes:
            assert old in text, f"{old!r} is not in the stack file"
            text = text.replace(old, new)
        self.file.write_text(text)

    def argv(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "colonnade", "-f", str(self.file), *words]

    def colonnade(self, *words: str, code: int | None = 0, stdin: str = "", seconds: float = APPLY_SECONDS) -> Outcome:
        return run(*self.argv(*words), stdin=stdin, code=code, seconds=seconds)

    def started(self, *words: str) -> subprocess.Popen[str]:
        """Start a command in a process group of its own, as a shell does."""
        return subprocess.Popen(
            self.argv(*words),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def killed_after(self, lines: int, *words: str) -> bool:
        """Run a command and kill it after so many lines of what it says; tell whether it came to that."""
        process = self.started(*words)
        assert process.stdout is not None
        said = 0
        while said < lines and process.stdout.readline():
            said += 1
        ended = said < lines
        kill_group(process)
        return not ended

    def plan(self) -> list[dict[str, Any]]:
        """Return the steps that apply would take, each with its machine."""
        document = self.colonnade("plan", "--json").json()
        found = [
            {"machine": machine, **step}
            for stage in document["stages"]
            for machine, steps in stage["machines"].items()
            for step in steps
        ]
        assert document["steps"] == len(found)
        return found

    def apply(self, *words: str) -> Outcome:
        return self.colonnade("apply", "--yes", *words)

    def status(self, *, code: int | None = 0) -> dict[str, Any]:
        document: dict[str, Any] = self.colonnade("status", "--json", code=code).json()
        return document

    def settled(self, *, seconds: float = 30) -> dict[str, Any]:
        """Wait until nothing is wrong any more: checks take a moment after a machine came back."""
        eventually(lambda: not self.status(code=None)["problems"], seconds=seconds, what="no problems")
        return self.status()

    def address(self, machine: str) -> str:
        if self.addresses:
            return self.addresses[machine]
        placed = placement.saved_placement(self.own_lab.identity)
        assert placed is not None
        return placed.addresses[machine]

    def ssh(self, machine: str, command: str, *, code: int | None = 0, stdin: str = "", seconds: float = 60) -> str:
        """Run a command on a machine as root, past the product; return what it printed."""
        options = ("StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR", "ConnectTimeout=20")
        words = [word for option in options for word in ("-o", option)]
        where = f"root@{self.address(machine)}"
        done = run(
            *("ssh", "-F", "none", "-i", str(self.key), *words, where, command),
            stdin=stdin,
            code=code,
            seconds=seconds,
        )
        return done.output.strip()

    def sql(self, machine: str, statement: str) -> str:
        return self.ssh(machine, "mysql -N -B", stdin=statement)

    def visit(self, path: str, *, host: str = "www.foobar.com", machine: str = "lb1") -> web.Answer:
        return asyncio.run(web.get(self.address(machine), 80, host, path, seconds=10))

    def sign(self, author: str, text: str, *, machine: str = "lb1") -> dict[str, Any]:
        """Write an entry; return it."""
        done = run(
            *("curl", "-sS", "-m", "15", "-H", "Host: www.foobar.com", "-H", "Content-Type: application/json"),
            *("-d", json.dumps({"author": author, "text": text}), "-w", "\n%{http_code}"),
            f"http://{self.address(machine)}/api/entries",
        )
        body, _, status = done.output.rpartition("\n")
        assert status == "201", done.output
        entry: dict[str, Any] = json.loads(body)
        return entry

    def entries(self, *, machine: str = "lb1") -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while True:
            after = found[-1]["id"] if found else 0
            answer = self.visit(f"/api/entries?after={after}&limit=200", machine=machine)
            assert answer.status == 200, answer
            page = json.loads(answer.body)["entries"]
            if not page:
                return found
            found += page

    def passwords(self) -> list[str]:
        return list(json.loads((self.private / "secrets.json").read_text()).values())

    def leftovers(self, machine: str) -> str:
        """Return files that were put beside their places and never renamed, and what staging still holds."""
        return self.ssh(
            machine,
            "find /etc /srv /usr/local /var/lib -name '*.colonnade-new' -o -name '*.part' -path '/srv/*';"
            " find /var/lib/colonnade/staging -path '*/files/*' -type f;"
            " find /var/lib/colonnade/staging -path '*/sql/*' -type f",
        )

    def main_pids(self, machine: str, *units: str) -> dict[str, str]:
        """Return what tells whether a unit was restarted since."""
        shown = "systemctl show -p MainPID,ActiveEnterTimestampMonotonic,InvocationID --value"
        return {unit: self.ssh(machine, f"{shown} {unit}").replace("\n", " ") for unit in units}

    def destroy(self) -> None:
        if self.private.exists():
            self.colonnade("destroy", "--yes", "--keep-image")


def copied(directory: Path, *changes: tuple[str, str]) -> Stack:
    """Make a stack of one's own from the example."""
    ignored = shutil.ignore_patterns(".colonnade", "__pycache__")
    shutil.copytree(EXAMPLE, directory, ignore=ignored)
    made = Stack(directory)
    made.edit(*changes)
    found = re.search(r'^name\s*=\s*"([^"]+)"', made.file.read_text(), re.MULTILINE)
    assert found
    made.name = found[1]
    return made


def kill_group(process: subprocess.Popen[str]) -> None:
    """Kill a command and all that it started, without warning."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=10)


def running(process: subprocess.Popen[str]) -> bool:
    return process.poll() is None
