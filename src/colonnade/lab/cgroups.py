"""The group of processes that is one running machine; the kernel keeps it, so it is never out of date.

No process id is saved anywhere: a machine is running exactly when its control group has processes, and
powering it off kills exactly those. A process id that the kernel gave away again cannot be hit.
"""

import asyncio
import contextlib
import os
import signal
import time
from pathlib import Path

from colonnade.errors import ColonnadeError

_DEADLINE_SECONDS = 15.0
_RETRY_SECONDS = 0.01


class Cgroup:
    """The control group ``name`` (a path such as ``colonnade-1a2b3c/web1``), on cgroup v2."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.path = _unified() / name

    def make(self) -> None:
        """Create it, with the two leaves that `power` starts processes in."""
        for leaf in ("power", "machine"):
            (self.path / leaf).mkdir(parents=True, exist_ok=True)

    def populated(self) -> bool:
        """Tell whether a process lives in it or below it."""
        try:
            events = (self.path / "cgroup.events").read_text()
        except (FileNotFoundError, OSError):
            return False
        return "populated 1" in events.splitlines()

    def members(self) -> list[str]:
        """Return the names of the groups directly below it."""
        if not self.path.is_dir():
            return []
        return sorted(entry.name for entry in self.path.iterdir() if entry.is_dir())

    async def kill(self) -> None:
        """Kill all its processes at one stroke and wait until they are gone.

        Raises ColonnadeError if one of them is still there after 15 seconds (stuck in the kernel).
        """
        deadline = time.monotonic() + _DEADLINE_SECONDS
        while self.populated():
            if time.monotonic() > deadline:
                raise ColonnadeError(
                    "its processes do not end although they were killed (the kernel holds them)",
                    where=self._name,
                    do="Look with `ps axo pid,stat,wchan,args` for what they wait for.",
                )
            self._signal()
            await asyncio.sleep(_RETRY_SECONDS)

    def remove(self) -> None:
        """Remove it and everything below it, also what nspawn mirrored into a v1 hierarchy."""
        for root in (_unified(), *_mirrors()):
            top = root / self._name
            for directory, _, _ in os.walk(top, topdown=False):
                with contextlib.suppress(FileNotFoundError):
                    Path(directory).rmdir()

    def _signal(self) -> None:
        switch = self.path / "cgroup.kill"
        with contextlib.suppress(FileNotFoundError):
            if switch.exists():
                switch.write_text("1")
                return
            # Before Linux 5.14 there is no such file; who forks meanwhile is hit in the next round.
            for file in self.path.rglob("cgroup.procs"):
                for pid in file.read_text().split():
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(int(pid), signal.SIGKILL)


def _mounts(kind: str) -> list[tuple[Path, str]]:
    found = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        fields = after.split()
        if fields[0] == kind:
            found.append((Path(before.split()[4]), fields[2]))
    return found


def _unified() -> Path:
    for path, _ in _mounts("cgroup2"):
        return path
    raise ColonnadeError(
        "this host has no cgroup v2 file system mounted, and systemd inside the machines needs one",
        do="Mount it: mkdir -p /sys/fs/cgroup/unified && mount -t cgroup2 none /sys/fs/cgroup/unified",
    )


def _mirrors() -> list[Path]:
    return [path for path, options in _mounts("cgroup") if "name=systemd" in options.split(",")]
