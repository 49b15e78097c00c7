"""Colonnade's engine on machines that are to have some plain files and nothing else; one process, one apply.

The machines are made by the benchmark; what happens to them here is what happens to a stack's: the question that `plan`
asks, the same facts script over the same SSH connections, the same comparison, the same way to apply.
"""

import asyncio
import json
import sys
from dataclasses import replace
from pathlib import Path

from bench.generated import PROGRAM, RELEASE, stack_file

from colonnade.adapters.private import PrivateDirectory
from colonnade.adapters.ssh import SshFleet
from colonnade.cli.progress import progress
from colonnade.control.apply import apply
from colonnade.control.observe import Observation, ask, everywhere
from colonnade.control.site import Site
from colonnade.facts import Facts
from colonnade.render import Desired, File
from colonnade.rollout import Plan, Stage, question_for
from colonnade.rollout.base import base_steps
from colonnade.spec import parse
from colonnade.topology import Machine, Topology, resolve


def machines_only(addresses: list[str]) -> Topology:
    """Return a stack whose machines, at these addresses, have no role."""
    stack = parse(stack_file(1, len(addresses) - 1), filename="colonnade.toml")
    placed = resolve(stack, {}).machines
    machines = (replace(m, address=a, balancer=None, server=None) for m, a in zip(placed, addresses, strict=True))
    return Topology(stack, tuple(machines))


async def converge(site: Site, files: tuple[File, ...]) -> int:
    """Make the machines have the files; return how many steps that took."""
    desired = {machine.name: Desired(machine.name, files=files) for machine in site.topology.machines}

    async def one(machine: Machine) -> Facts:
        question = question_for(site.topology, machine, desired[machine.name], wait=True)
        return await ask(site.remote, machine, question)

    facts, failures = await everywhere(site.topology.machines, one)
    observation = Observation(desired, facts, failures).complete()
    steps = {name: base_steps(desired[name], facts[name]) for name in desired}
    work = {name: todo for name, todo in steps.items() if todo}
    plan = Plan((Stage("files", work),) if work else ())
    with progress() as told:
        report = await apply(site, plan, observation, told, interrupt=False)
    return sum(len(done) for done in report.done.values())


async def connected(settings: dict[str, str], addresses: list[str], files: tuple[File, ...]) -> int:
    """Connect, make the machines have the files, and return how many steps that took."""
    fleet = SshFleet(
        user="root",
        port=int(settings["port"]),
        key=Path(settings["key"]),
        known_hosts=Path(settings["known_hosts"]),
    )
    private = PrivateDirectory(Path(settings["directory"]), "files")
    site = Site(machines_only(addresses), fleet, private, RELEASE, PROGRAM)
    try:
        return await converge(site, files)
    finally:
        await fleet.close()


def main(settings: dict[str, str], addresses: list[str]) -> None:
    """Read the files, have the machines have them, and print how many steps that took."""
    sources = sorted(Path(settings["files"]).iterdir())
    files = tuple(File(f"{settings['target']}/{source.name}", source.read_text()) for source in sources)
    print(asyncio.run(connected(settings, addresses, files)))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]), sys.argv[2:])
