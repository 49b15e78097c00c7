"""Somebody who watches: every agent's status, a few times a second, over one session a machine."""

import asyncio
import time
from collections.abc import Iterable
from contextlib import suppress
from importlib import resources
from shlex import join
from typing import Self

from colonnade import paths
from colonnade.drill.database.cluster import Sample, Wanted, holds, newest, parse_samples, troubles
from colonnade.errors import ColonnadeError
from colonnade.ports import Remote
from colonnade.topology import AGENT_PORT, Machine

EVERY_SECONDS = 0.2
AGAIN_SECONDS = 0.5


def node_of(machine: Machine) -> str:
    """Return what agents call the one on a machine."""
    return machine.server or machine.name


def sampler_command(machine: Machine) -> str:
    """Return the shell line that runs the sampler, which comes on standard input."""
    words = ("exec", "/usr/bin/python3", "-s", "-X", "utf8", "-", "--node", node_of(machine), "--port", str(AGENT_PORT))
    keys = ("--authority", paths.AUTHORITY, "--certificate", paths.AGENT_CERTIFICATE, "--key", paths.AGENT_KEY)
    return join([*words, *keys, "--every", f"{EVERY_SECONDS:g}"])


class Watch:
    """What is seen of the cluster, from when it is entered until it is left."""

    def __init__(self, remote: Remote, machines: Iterable[Machine], wanted: Wanted) -> None:
        self._remote = remote
        self._machines = tuple(machines)
        self._wanted = wanted
        self._tasks: list[asyncio.Task[None]] = []
        self._lines: list[str] = []
        self._newest: dict[str, Sample] = {}
        self._heard = asyncio.Event()

    async def __aenter__(self) -> Self:
        program = resources.files("colonnade.control.drill").joinpath("sampler.py").read_bytes()
        self._tasks = [asyncio.create_task(self._follow(machine, program)) for machine in self._machines]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _follow(self, machine: Machine, program: bytes) -> None:
        while True:
            with suppress(ColonnadeError):
                await self._remote.run(machine, sampler_command(machine), stdin=program, on_line=self._take)
            await asyncio.sleep(AGAIN_SECONDS)

    def _take(self, line: str) -> None:
        self._lines.append(line)
        for sample in parse_samples(line):
            self._newest[sample.node] = sample
        self._heard.set()

    @property
    def text(self) -> str:
        """All that was seen, a line for each sample."""
        return "".join(f"{line}\n" for line in self._lines)

    @property
    def samples(self) -> tuple[Sample, ...]:
        """All that was seen, as values."""
        return parse_samples(self.text)

    @property
    def now(self) -> dict[str, Sample]:
        """Every node's newest sample; a node that has not been heard of for a while is silent."""
        return newest(self._newest.values(), time.time())

    @property
    def troubles(self) -> list[str]:
        """Why the cluster is not whole now."""
        return list(troubles(self.now, self._wanted))

    def holds(self, what: str, machine: Machine) -> bool:
        """Whether something is seen of a machine now."""
        return holds(what, node_of(machine), self.now, self._wanted)

    async def until_whole(self, seconds: float) -> list[str]:
        """Wait until the cluster is whole, or the time is over; return what is wrong then."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self.troubles:
                    self._heard.clear()
                    await self._heard.wait()
        return self.troubles
