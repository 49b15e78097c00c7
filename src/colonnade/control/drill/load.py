"""The clients on the servers: a unit of its own on each, which writes to a file there, so that no cut loses a line."""

import asyncio
from collections.abc import Mapping
from importlib import resources
from shlex import join, quote

from colonnade import paths
from colonnade.control.observe import everywhere
from colonnade.drill import Load
from colonnade.drill.database.rows import COUNTER, PARTS, WRITES
from colonnade.errors import ColonnadeError, UnreachableError
from colonnade.ports import Remote
from colonnade.topology import Machine

UNIT = "colonnade-drill-load.service"
PROGRAM = f"{paths.DRILL}/client.py"
LONGEST_SECONDS = 900
"""After which a client ends by itself, should nobody come to end it."""
COMMAND_SECONDS = 30.0
BACK_SECONDS = 60.0
AGAIN_SECONDS = 0.5


def start_command(server: str, load: Load) -> str:
    """Return the shell that starts a client if none runs; each has a name of its own, and a file."""
    words = [
        "/usr/bin/python3",
        *("-s", "-X", "utf8", PROGRAM),
        *("--writes", WRITES, "--counter", COUNTER, "--parts", str(PARTS)),
        *("--seconds", str(LONGEST_SECONDS), "--every", f"{load.every:g}", "--patience", f"{load.patience:g}"),
    ]
    return f"""
set -eu
if systemctl is-active --quiet {UNIT}; then exit 0; fi
libraries=$(ls -1td {paths.AGENT_PROGRAMS}/*/ 2>/dev/null | head -n 1)
[ -n "$libraries" ] || {{ echo "there is no agent's program in {paths.AGENT_PROGRAMS}" >&2; exit 1; }}
cd {paths.DRILL}
number=$(ls -1 | grep -c '^events-' || :)
exec systemd-run --quiet --collect --unit={UNIT} --property=KillMode=mixed --property=TimeoutStopSec=10 \\
  --setenv=PYTHONPATH="$libraries" {join(words)} --name {quote(server)}."$number" --output "$PWD/events-$number.jsonl"
"""


async def install(remote: Remote, machine: Machine) -> None:
    """Put the clients' program on a server, where nothing of an earlier drill is left."""
    program = resources.files("colonnade.control.drill").joinpath("client.py").read_bytes()
    stop = f"systemctl stop {UNIT} 2>/dev/null || :"
    fresh = f"rm -rf {paths.DRILL} && install -d -m 700 {paths.DRILL} && cat > {PROGRAM}"
    await _done(remote, machine, f"{stop}; {fresh}", program)


async def start(remote: Remote, machine: Machine, load: Load) -> None:
    """Start a client on a server, if none runs there."""
    await _done(remote, machine, "exec sh -s", start_command(machine.server or machine.name, load).encode())


async def start_again(remote: Remote, machine: Machine, load: Load) -> None:
    """Start a client on a server that may still be on its way back.

    Raises:
        UnreachableError: it did not come back in time.

    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + BACK_SECONDS
    while True:
        try:
            return await start(remote, machine, load)
        except UnreachableError:
            if loop.time() > deadline:
                raise
            await asyncio.sleep(AGAIN_SECONDS)


async def stop(remote: Remote, machine: Machine) -> None:
    """End the client of a server, which finishes what it is at."""
    await _done(remote, machine, f"systemctl stop {UNIT} 2>/dev/null || :")


async def fetch(remote: Remote, machine: Machine) -> str:
    """Return what all clients of a server wrote down, in the order in which they ran."""
    files = f"for file in $(ls -1 {paths.DRILL} | grep '^events-' | sort -V); do cat {paths.DRILL}/$file; echo; done"
    result = await remote.run(machine, files, seconds=COMMAND_SECONDS)
    return result.output


async def remove(remote: Remote, machine: Machine) -> None:
    """Take everything of the drill off a server."""
    await _done(remote, machine, f"rm -rf {paths.DRILL}")


async def _done(remote: Remote, machine: Machine, command: str, stdin: bytes = b"") -> None:
    result = await remote.run(machine, command, stdin=stdin, seconds=COMMAND_SECONDS)
    if result.code:
        said = (result.complaint.strip() or "it said nothing").splitlines()[-1]
        raise ColonnadeError(f"the drill's client: {said}", where=machine.name, do="Is the stack up? colonnade apply")


async def of_all(remote: Remote, machines: tuple[Machine, ...]) -> Mapping[str, str]:
    """Return what the clients of all servers wrote down.

    Raises:
        ColonnadeError: one's could not be fetched, so that there is no telling what is lost.

    """
    texts, failures = await everywhere(machines, lambda machine: fetch(remote, machine))
    if failures:
        raise next(iter(failures.values()))
    return texts
