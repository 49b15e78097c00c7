"""A no-op apply: 8 machines, 20 managed files each, nothing to change; Colonnade beside pyinfra and Ansible.

The machines are bare ones of the lab (systemd and sshd), with Python added, which the other two want. All three
tools reach the same machines over SSH, 8 at a time, and compare the same files, in a process that starts anew for each
run and keeps no connection; that nothing was changed is checked from what each of them says. Measured directly and,
with --latency, through a relay on this host that adds a round trip. pyinfra and ansible-core are the latest of the
package index, in an environment that is thrown away.

It takes root, boots 8 machines and takes them away again. Ansible takes minutes for each run.
"""

import argparse
import asyncio
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from bench import figures
from bench.delay import relayed
from bench.figures import Report, Series, ratio, say
from bench.tools import PARALLEL, ROOT, TARGET, Ansible, Colonnade, Fleet, Pyinfra, Tool, timed

from colonnade.adapters.private import PrivateDirectory
from colonnade.adapters.ssh import SshFleet
from colonnade.control.observe import everywhere
from colonnade.lab import Lab, image
from colonnade.topology import Machine

MACHINES = 8
FILES = 20
FILE_LINES = 40
GOAL_SECONDS = 2.5
SSH_PORT = 22
RELAY_PORT = 22022
PREPARE_SECONDS = 300
PREPARE = f"mkdir -p {TARGET} && apt-get -q update && apt-get -q -y install --no-install-recommends python3"


def write_files(directory: Path) -> None:
    """Write the files that are managed: as long as a unit or a small configuration."""
    directory.mkdir()
    for number in range(FILES):
        lines = (f"setting_{number}_{line} = {number * line}\n" for line in range(FILE_LINES))
        (directory / f"file-{number:02}.conf").write_text("".join(lines))


@asynccontextmanager
async def machines() -> AsyncIterator[tuple[PrivateDirectory, tuple[str, ...]]]:
    """Boot bare machines, with Python; gives their keys, beside which there is place, and their addresses.

    They are taken away again. If they cannot be, the directory stays, because it says which ones they are.
    """
    top = Path(tempfile.mkdtemp(prefix="colonnade-bench-"))
    private = PrivateDirectory(top, "bench")
    private.ensure()
    key = private.ensure_ssh_key()
    lab = Lab("bench", private.path)
    names = [f"m{number}" for number in range(1, MACHINES + 1)]
    try:
        bare = await image.ensure("bare", recipe=None, progress=say)
        placement = await lab.place(names)
        await lab.up(names, image=bare, authorized_key=key, progress=say)
        say("Python for the other two")
        await prepare(private, {name: placement.addresses[name] for name in names})
        yield private, tuple(placement.addresses[name] for name in names)
    finally:
        await lab.destroy(keep_image=True, progress=say)
        shutil.rmtree(top)


async def prepare(private: PrivateDirectory, addresses: dict[str, str]) -> None:
    """Install what pyinfra and Ansible need on a machine."""
    fleet = SshFleet(user="root", port=SSH_PORT, key=private.ssh_key, known_hosts=private.known_hosts)

    async def one(machine: Machine) -> None:
        result = await fleet.run(machine, PREPARE, seconds=PREPARE_SECONDS)
        assert result.code == 0, result.output + result.complaint

    try:
        _, failures = await everywhere((Machine(n, a, None, None, 0, None) for n, a in addresses.items()), one)
    finally:
        await fleet.close()
    assert not failures, failures


async def environment(top: Path) -> Path:
    """Make the environment with the other tools; their versions are said."""
    path = top / "environment"
    say("installing pyinfra and ansible-core")
    await timed([sys.executable, "-m", "venv", str(path)], cwd=ROOT, environment={})
    pip = [str(path / "bin" / "python"), "-m", "pip"]
    await timed([*pip, "install", "--quiet", "pyinfra", "ansible-core"], cwd=ROOT, environment={})
    return path


async def versions(path: Path) -> str:
    """Return which versions of the other tools were installed."""
    pip = [str(path / "bin" / "python"), "-m", "pip"]
    _, said = await timed([*pip, "list", "--format=freeze"], cwd=ROOT, environment={})
    return ", ".join(
        sorted(line.strip() for line in said.splitlines() if line.startswith(("pyinfra==", "ansible-core==")))
    )


async def rounds(fleet: Fleet, tools: list[Tool], options: argparse.Namespace, where: str) -> list[Series]:
    """Let the tools take turns; the first is ours."""
    found: dict[str, list[float]] = {tool.name: [] for tool in tools}
    # Not counted: pins host keys, and puts the files there if nobody has yet.
    await Colonnade().steps(fleet)
    for number in range(1, options.runs + 1):
        for tool in tools[: None if number <= options.peer_runs else 1]:
            seconds = await tool.converge(fleet)
            say(f"{where}, round {number}: {tool.name} {seconds:.2f} s")
            found[tool.name].append(seconds)
    series = [
        Series(f"{where}: {name}", "s", tuple(values), GOAL_SECONDS if name == Colonnade.name else None)
        for name, values in found.items()
        if values
    ]
    return [*series, *(ratio(f"{other.name} / colonnade", other, series[0]) for other in series[1:])]


async def measure(options: argparse.Namespace) -> Report:
    """Measure it all."""
    tools: list[Tool] = [Colonnade()]
    title = f"no-op apply, {MACHINES} machines, {FILES} files each, {PARALLEL} at a time"
    async with machines() as (private, addresses):
        top = private.top.parent
        if options.peers != "none":
            path = await environment(top)
            tools.append(Pyinfra(path))
            if options.peers == "all":
                tools += [Ansible(path, tuned=True), Ansible(path, tuned=False)]
            title = f"{title}, {await versions(path)}"
        write_files(top / "files")
        report = Report(title)
        for name in ("near", "far"):
            (top / name).mkdir()
        near = Fleet(addresses, SSH_PORT, private.ssh_key, top / "files", top / "near")
        report.add(*await rounds(near, tools, options, "directly"))
        if options.latency:
            relays = {f"127.77.0.{number}": address for number, address in enumerate(addresses, start=1)}
            far = Fleet(tuple(relays), RELAY_PORT, private.ssh_key, top / "files", top / "far")
            way = relayed(relays, target_port=SSH_PORT, port=RELAY_PORT, round_trip=options.latency / 1000)
            async with way:
                report.add(*await rounds(far, tools, options, f"+{options.latency:g} ms"))
    return report


def main() -> int:
    """Measure and report."""
    parser = figures.options(__doc__, runs=5)
    parser.add_argument(
        "--peer-runs",
        type=figures.positive,
        default=2,
        metavar="N",
        help="rounds in which the other tools take part (default: %(default)s)",
    )
    parser.add_argument(
        "--peers",
        choices=("all", "pyinfra", "none"),
        default="all",
        help="the other tools that take part; Ansible takes minutes for each run (default: %(default)s)",
    )
    parser.add_argument(
        "--latency",
        type=float,
        default=30.0,
        metavar="MS",
        help="added to each round trip, in a second set of rounds; 0: none (default: %(default)s)",
    )
    options = parser.parse_args()
    return asyncio.run(measure(options)).finish(options)


if __name__ == "__main__":
    figures.run(main)
