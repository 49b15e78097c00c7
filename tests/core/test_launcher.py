"""The launcher: what it runs, how fast, and how it sets up what the tool needs."""

import hashlib
import os
import shutil
import signal
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from colonnade import __version__
from colonnade.lab import host

ROOT = Path(__file__).parents[2]

STAND_IN = """#!/bin/sh
echo "process $$"
echo "directory $PWD"
printf 'argument %s\\n' "$@"
exit "${CODE:-0}"
"""


def stamp(checkout: Path) -> str:
    return f"{hashlib.sha256((checkout / 'uv.lock').read_bytes()).hexdigest()}  - {checkout}"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Make a checkout that is set up, with a stand-in for Python that tells how it was called."""
    made = tmp_path / "a check out"
    (made / ".venv" / "bin").mkdir(parents=True)
    shutil.copy(ROOT / "colonnade", made)
    shutil.copy(ROOT / "uv.lock", made)
    python = made / ".venv" / "bin" / "python"
    python.write_text(STAND_IN)
    python.chmod(0o755)
    (made / ".venv" / "colonnade-setup").write_text(f"{stamp(made)}\n")
    return made


def launch(program: Path, *arguments: str, cwd: Path | str = ".", **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [program, *arguments],
        cwd=cwd,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def arguments(output: str) -> list[str]:
    return [line.removeprefix("argument ") for line in output.splitlines() if line.startswith("argument ")]


def test_it_runs_the_tool_with_the_arguments_as_they_are(checkout: Path) -> None:
    done = launch(checkout / "colonnade", "exec", "web1", "--", "echo  $HOME;*", "")
    assert arguments(done.stdout) == ["-I", "-X", "utf8", "-m", "colonnade", "exec", "web1", "--", "echo  $HOME;*", ""]
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("code", [0, 1, 2, 3, 4, 130, 255])
def test_it_passes_the_exit_code_on(checkout: Path, code: int) -> None:
    assert launch(checkout / "colonnade", "status", CODE=str(code)).returncode == code


def test_it_becomes_the_tool_so_that_signals_reach_it(checkout: Path) -> None:
    with subprocess.Popen([checkout / "colonnade"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == f"process {process.pid}\n"


@pytest.mark.usefixtures("checkout")
def test_it_works_through_links_and_from_anywhere(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    first, second = tmp_path / "bin" / "colonnade", tmp_path / "link"
    first.symlink_to("../a check out/colonnade")
    second.symlink_to(first)
    elsewhere = tmp_path / "else where"
    elsewhere.mkdir()
    for call in (first, second, Path("../a check out/colonnade")):
        done = launch(call, "plan", cwd=elsewhere)
        assert arguments(done.stdout)[-1] == "plan"
        assert f"directory {elsewhere}" in done.stdout
        assert done.stderr == ""
    found = launch(Path("colonnade"), "plan", PATH=f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    assert arguments(found.stdout)[-1] == "plan"


def test_it_costs_less_than_30_milliseconds(checkout: Path) -> None:
    def seconds(program: Path) -> float:
        began = time.perf_counter()
        subprocess.run([program, "up"], stdout=subprocess.DEVNULL, check=True)
        return time.perf_counter() - began

    with_it, without = checkout / "colonnade", checkout / ".venv" / "bin" / "python"
    pairs = [(seconds(with_it), seconds(without)) for _ in range(15)]
    assert min(a for a, _ in pairs) - min(b for _, b in pairs) < 0.030, statistics.median(a - b for a, b in pairs)


def test_it_looks_for_every_program_that_the_lab_needs() -> None:
    script = (ROOT / "colonnade").read_text()
    line = next(line for line in script.splitlines() if line.strip().startswith("for program in "))
    looked_for = set(line.strip().removeprefix("for program in ").removesuffix("; do").split())
    assert looked_for == {*host._PROGRAMS, "ssh"}  # noqa: SLF001  the list that a message is made from


def eventually(fact: Callable[[], bool], *, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.01)


def test_it_sets_itself_up_from_nothing(tmp_path: Path) -> None:
    """Interrupted once, then two at once, amid settings that lead elsewhere; then for a lock that has changed."""
    checkout = tmp_path / "a fresh one"
    checkout.mkdir()
    for name in ("colonnade", "uv.lock", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, checkout)
    shutil.copytree(ROOT / "src", checkout / "src", ignore=shutil.ignore_patterns("__pycache__"))
    home = tmp_path / "home"
    home.mkdir()
    odd = {
        "HOME": str(home),
        "PYTHONPATH": str(tmp_path / "nowhere"),
        "PYTHONHOME": str(tmp_path / "nowhere"),
        "PIP_USER": "1",
        "PIP_TARGET": str(tmp_path / "elsewhere"),
        # pip asks a compiler of Rust for its version, if there is one, and that may write into the home directory.
        "PATH": ":".join(part for part in os.environ["PATH"].split(":") if not Path(part, "rustc").exists()),
    }
    program = checkout / "colonnade"

    def start() -> subprocess.Popen[str]:
        return subprocess.Popen(
            [program, "--version"],
            env={**os.environ, **odd},
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    with start() as process:
        eventually((checkout / ".venv" / "pyvenv.cfg").exists, seconds=60)
        os.killpg(process.pid, signal.SIGKILL)
    assert not (checkout / ".venv" / "colonnade-setup").exists()

    both = [start(), start()]
    said = [process.communicate(timeout=300) for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert [out for out, _ in said] == [f"colonnade {__version__}\n"] * 2
    assert sorted("installing what uv.lock names" in err for _, err in said) == [False, True]
    assert "a set-up was interrupted; starting again" in said[0][1] + said[1][1]
    assert "waiting for it" in said[0][1] + said[1][1]

    again = launch(program, "--version", cwd=tmp_path, **odd)
    assert (again.stdout, again.stderr) == (f"colonnade {__version__}\n", "")

    with (checkout / "uv.lock").open("a") as lock:
        lock.write("# another lock\n")
    changed = launch(program, "--version", cwd=tmp_path, **odd)
    assert changed.stdout == f"colonnade {__version__}\n"
    assert "installing what uv.lock names" in changed.stderr
    assert (checkout / ".venv" / "colonnade-setup").read_text() == f"{stamp(checkout)}\n"

    assert list(home.iterdir()) == []
    assert not (tmp_path / "elsewhere").exists()
