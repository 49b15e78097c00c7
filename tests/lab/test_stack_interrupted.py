"""Interruption: the operator's side, a machine's script or a whole machine dies; the next apply completes."""

import random
import time
from collections.abc import Iterator

import pytest
from tests.lab.stack import Stack, copied, eventually

pytestmark = [pytest.mark.lab, pytest.mark.slow]

MACHINES = ("lb1", "web1", "web2")
EMPTY_AT_FIRST = "/etc/apparmor.d/local/usr.sbin.mysqld"
"""MySQL's package brings it without a line."""


@pytest.fixture(scope="module")
def fragile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack of one's own, nothing of which is up yet; the first test here brings it up."""
    made = copied(tmp_path_factory.mktemp("fragile") / "guestbook", ('"foobar"', '"fragile"'))
    try:
        yield made
    finally:
        made.destroy()


def assert_no_file_is_half_written(stack: Stack) -> None:
    """Every file that is not yet as it should be is whole: somebody else's, or an earlier one of ours."""
    for step in stack.plan():
        if step["kind"] == "PutFile" and step["diff"] and step["why"] != "new" and step["path"] != EMPTY_AT_FIRST:
            removed = [line for line in step["diff"].splitlines()[2:] if line.startswith("-")]
            # The beginning of the right file would differ by lines that are missing, and by nothing else.
            assert removed, f"{step['machine']}: {step['path']} is cut off\n{step['diff']}"


def assert_complete(stack: Stack) -> None:
    assert stack.plan() == []
    for machine in MACHINES:
        assert stack.leftovers(machine) == "", machine
        wrong = "awk '{print $1 \"  \" $2}' /var/lib/colonnade/manifest | sha256sum -c --quiet"
        assert stack.ssh(machine, wrong) == ""
        assert stack.ssh(machine, "systemctl --failed --no-legend --plain; ls /var/lib/colonnade/drained") == ""
    stack.settled(seconds=60)
    for server in ("web1", "web2"):
        assert_runs_with_its_files(stack, server, "nginx", "/etc/nginx/nginx.conf")
        assert_runs_with_its_files(stack, server, "haproxy", "/etc/haproxy/haproxy.cfg")
        assert_runs_with_its_files(stack, server, "gunicorn", "/etc/colonnade/app.env")
    assert_runs_with_its_files(stack, "lb1", "haproxy", "/etc/haproxy/haproxy.cfg")


def assert_runs_with_its_files(stack: Stack, machine: str, program: str, path: str) -> None:
    """The youngest process of a program, a worker, is not older than the file that it reads."""
    started = f"stat -c %Z /proc/$(pgrep -n -x {program})/stat"
    written, born = stack.ssh(machine, f"stat -c %Z {path}; {started}").split()
    assert int(born) >= int(written), f"{machine}: {program} is older than {path}"


def test_a_first_up_that_is_killed_again_and_again_completes(fragile: Stack) -> None:
    dice = random.Random(11)  # noqa: S311  moments, not secrets
    killed = 0
    for lines in (1, 4, 7, 40, *(dice.randrange(8, 30) for _ in range(6))):
        killed += fragile.killed_after(lines, "up")
        if lines > 7:
            assert_no_file_is_half_written(fragile)
    assert killed >= 5
    fragile.colonnade("up")
    assert_complete(fragile)
    fragile.sign("fragile", "it runs")


def _change(stack: Stack, number: int) -> None:
    """Change code, environment and timeouts: files, units, waves and drains on every machine."""
    text = stack.file.read_text().splitlines()
    kept = [line for line in text if not line.startswith(("timeout ", "env "))]
    at = kept.index("[app]") + 1
    lines = [*kept[:at], f"timeout = {40 + number}", f'env = {{ COLOUR = "{number}" }}', *kept[at:]]
    stack.file.write_text("\n".join(lines) + "\n")
    page = stack.directory / "app" / "static" / "guestbook.css"
    page.write_text(f"{page.read_text()}/* {number} */\n")


def test_a_change_that_is_killed_at_any_moment_is_completed(fragile: Stack) -> None:
    fragile.colonnade("up")
    dice = random.Random(5)  # noqa: S311  moments, not secrets
    killed = 0
    for number, lines in enumerate((1, 3, dice.randrange(4, 12), dice.randrange(4, 30), dice.randrange(4, 30), 22)):
        _change(fragile, number)
        killed += fragile.killed_after(lines, "apply", "--yes")
        if number % 2:
            assert_no_file_is_half_written(fragile)
    assert killed >= 4
    fragile.apply()
    assert_complete(fragile)
    for server in ("web1", "web2"):
        environment = fragile.ssh(server, "tr '\\0' '\\n' </proc/$(pgrep -o -x gunicorn)/environ").splitlines()
        assert "COLOUR=5" in environment
        assert "proxy_read_timeout 45s" in fragile.ssh(server, "nginx -T 2>/dev/null")
    assert "/* 5 */" in fragile.visit("/static/guestbook.css").body


def test_a_script_that_dies_on_the_machine_is_named_and_completed(fragile: Stack) -> None:
    fragile.colonnade("up")
    for number in (10, 11, 12):
        _change(fragile, number)
        process = fragile.started("apply", "--yes")
        # Killed as soon as it runs there: each time it is somewhere else.
        kill = "for i in $(seq 400); do pkill -KILL -f '[s]taging/apply.sh' && exit; sleep 0.02; done; exit 1"
        fragile.ssh("web1", kill)
        said = process.communicate(timeout=120)[0]
        assert process.returncode in {1, 4}, said
        assert "web1" in said
    assert_no_file_is_half_written(fragile)
    fragile.apply()
    assert_complete(fragile)


def test_a_machine_that_loses_its_power_in_the_middle(fragile: Stack) -> None:
    fragile.colonnade("up")
    _change(fragile, 20)
    process = fragile.started("apply", "--yes")
    # In the middle: the other server has been changed, this one has not.
    eventually(lambda: fragile.ssh("lb1", "ls /var/lib/colonnade/drained"), seconds=30, what="a drain")
    fragile.colonnade("lab", "kill", "web2")
    said = process.communicate(timeout=120)[0]
    assert process.returncode == 4, said
    error = said[said.index("error: ") :]
    assert error.startswith("error: web2: ") or "\nweb2: " in error, said
    assert "Done so far" in error
    assert "web1: " in error
    assert fragile.visit("/api/entries").status == 200  # the other server is back in the rotation, or never left
    assert fragile.colonnade("apply", "--yes", code=4).complaint.count("web2")
    fragile.colonnade("lab", "start", "web2")
    fragile.apply()
    assert_complete(fragile)


def test_an_apply_that_is_still_under_way_on_a_machine_is_waited_for(fragile: Stack) -> None:
    fragile.colonnade("up")
    _change(fragile, 30)
    fragile.ssh("web2", "setsid flock /run/colonnade.lock sleep 4 >/dev/null 2>&1 </dev/null &")
    began = time.monotonic()
    assert fragile.plan()
    assert time.monotonic() - began > 2.5
    assert fragile.status(code=None)["servers"]["web2"]["nginx"] == "up"  # status looks without waiting
    fragile.apply()
    assert_complete(fragile)


def test_of_two_applies_at_once_none_does_half(fragile: Stack) -> None:
    fragile.colonnade("up")
    _change(fragile, 40)
    both = [fragile.started("apply", "--yes") for _ in range(2)]
    said = [process.communicate(timeout=240)[0] for process in both]
    codes = sorted(process.returncode for process in both)
    assert codes[0] == 0, said
    if codes != [0, 0]:
        loser = said[0] if both[0].returncode else said[1]
        assert "another apply" in loser
    fragile.apply()
    assert_complete(fragile)
