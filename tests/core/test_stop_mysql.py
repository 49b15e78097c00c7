"""How MySQL is stopped: clients first, then SIGTERM, or SIGKILL if that takes too long; with a made-up MySQL."""

import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.properties.made import classic

from colonnade import paths

SERVER = "trap 'echo TERM >>{log}; exit 0' TERM; while :; do sleep 0.05; done"
ANSWERS = """case "$*" in
  *offline_mode*) echo shut-out >>{log} ;;
  *processlist*) [ ! -s {left} ] || {{ cat {left}; }} ;;
  *) sed 's/^/said: /' >>{log}; : >{left} ;;
esac
"""
HANGS = "sleep 30"


def script() -> str:
    return next(file.text for file in classic().desired["web1"].files if file.path == paths.MYSQL_STOP)


@dataclass
class Stopped:
    """What became of it: what was said to MySQL, in order, how its process ended, and in how many seconds."""

    log: list[str]
    code: int | None
    seconds: float


def stop(place: Path, *, mysql: str, server: str = SERVER, waiting: str = "") -> Stopped:
    """Run the script against a process that takes MySQL's place, and a client program that answers as told."""
    log, left, programs = place / "log", place / "left", place / "bin"
    programs.mkdir()
    log.touch()
    left.write_text(waiting)
    (programs / "mysql").write_text("#!/bin/sh\n" + mysql.format(log=log, left=left))
    (place / "stop-mysql").write_text(script())
    for file in (programs / "mysql", place / "stop-mysql"):
        file.chmod(0o755)
    with subprocess.Popen(["sh", "-c", server.format(log=log)]) as process:
        time.sleep(0.2)  # until it has set its trap
        began = time.monotonic()
        environment = {"PATH": f"{programs}:{os.environ['PATH']}", "MAINPID": str(process.pid)}
        with subprocess.Popen([place / "stop-mysql"], env=environment, stderr=subprocess.DEVNULL) as stopping:
            code = process.wait(timeout=30)  # reaped at once, as systemd does
            assert stopping.wait(timeout=30) == 0
        return Stopped(log.read_text().split("\n")[:-1], code, time.monotonic() - began)


def test_clients_are_shut_out_before_it_is_told_to_end(tmp_path: Path) -> None:
    done = stop(tmp_path, mysql=ANSWERS)
    assert (done.log, done.code) == (["shut-out", "TERM"], 0)


def test_whoever_still_waits_is_killed_and_seen_gone_first(tmp_path: Path) -> None:
    done = stop(tmp_path, mysql=ANSWERS, waiting="12\n15\n")
    assert (done.log, done.code) == (["shut-out", "said: KILL 12;", "said: KILL 15;", "TERM"], 0)


@pytest.mark.parametrize(
    "mysql", [HANGS, "exit 1", ANSWERS.replace(": >{left}", ":")], ids=["hangs", "refuses", "stay"]
)
def test_what_cannot_be_shut_out_in_a_second_is_killed_and_never_told_to_end(tmp_path: Path, mysql: str) -> None:
    done = stop(tmp_path, mysql=mysql, waiting="12\n")
    assert "TERM" not in done.log
    assert done.code == -signal.SIGKILL
    assert done.seconds < 5


def test_nothing_is_done_where_mysql_has_ended_by_itself(tmp_path: Path) -> None:
    file = tmp_path / "stop-mysql"
    file.write_text(script())
    assert subprocess.run(["/bin/sh", file], env={"PATH": "/nonexistent"}, check=False).returncode == 0


def test_the_shell_can_read_it() -> None:
    assert subprocess.run(["sh", "-n"], input=script().encode(), check=False).returncode == 0


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="there is no shellcheck")
@pytest.mark.parametrize("path", [paths.MYSQL_STOP, paths.AGENT_COMMAND])
def test_shellcheck_has_nothing_against_it(path: str) -> None:
    text = next(file.text for file in classic().desired["web1"].files if file.path == path)
    done = subprocess.run(["shellcheck", "-"], input=text, capture_output=True, text=True, check=False)
    assert done.stdout == ""
