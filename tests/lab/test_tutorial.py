"""The tutorial, command by command, in a fresh copy of the checkout."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

pytestmark = [pytest.mark.lab, pytest.mark.slow, pytest.mark.timeout(1800)]

ROOT = Path(__file__).parents[2]
TUTORIAL = ROOT / "docs" / "tutorial.md"
COMMAND_SECONDS = 600

# What differs from run to run, and the word that stands for it in a comparison.
VARYING = (
    (r"\b198\.1[89]\.\d+\.\d+\b", "ADDRESS"),
    (r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?", "TIME"),
    (r"\bterm \d+\b", "term NUMBER"),
    (r" \(leads\)", ""),
    (r"\b[0-9a-f]{12}\b", "RELEASE"),
    (r"\s+", " "),
)


@dataclass(frozen=True)
class Command:
    """A line after the dollar sign, the exit code it should end with, and what the text shows of its output."""

    line: str
    code: int
    shown: tuple[str, ...]


def commands(page: str) -> Iterator[Command]:
    for code, block in re.findall(r"(?ms)^```console(?: exit=(\d+))?\n(.*?)^```", page):
        for part in re.split(r"(?m)^\$ ", block)[1:]:
            line, *shown = part.splitlines()
            yield Command(line, int(code or 0), tuple(text for text in shown if text.strip()))


def normal(line: str) -> str:
    for pattern, word in VARYING:
        line = re.sub(pattern, word, line)
    return line.strip()


def missing(shown: tuple[str, ...], output: str) -> str | None:
    """Return the first line that no line of the output begins with, after those of the lines before."""
    said = iter(normal(line) for line in output.splitlines())
    return next((line for line in shown if not any(found.startswith(normal(line)) for found in said)), None)


@pytest.fixture
def checkout(tmp_path: Path) -> Iterator[Path]:
    made = tmp_path / "colonnade"
    made.mkdir()
    for name in ("colonnade", "uv.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, made)
    for name in ("src", "examples"):
        shutil.copytree(ROOT / name, made / name, ignore=shutil.ignore_patterns("__pycache__", ".colonnade"))
    try:
        yield made
    finally:
        if (made / "examples" / "guestbook" / ".colonnade").exists():
            run(made, "./colonnade destroy --yes --keep-image")


def run(checkout: Path, line: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", line],
        cwd=checkout,
        env={name: value for name, value in os.environ.items() if name != "COLONNADE_DEVELOPMENT"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=COMMAND_SECONDS,
        check=False,
    )


def test_every_command_of_the_tutorial_does_what_the_text_says(checkout: Path) -> None:
    for command in commands(TUTORIAL.read_text()):
        done = run(checkout, command.line)
        assert done.returncode == command.code, f"$ {command.line}\n{done.stdout}"
        absent = missing(command.shown, done.stdout)
        assert absent is None, f"$ {command.line}\nthe text shows: {absent}\nbut it said:\n{done.stdout}"
    assert not (checkout / "examples" / "guestbook" / ".colonnade").exists()
    assert "foobar.com" not in Path("/etc/hosts").read_text()
