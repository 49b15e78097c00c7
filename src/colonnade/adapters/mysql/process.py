"""mysqld as a process: whether it is there, told at once when it ends, killed, started and stopped through systemd."""

import asyncio
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

PID_FILE = Path("/run/mysqld/mysqld.pid")


class Process:
    """The server's process, by its pid file; ``ended`` is called once when one that was seen has ended."""

    def __init__(self, unit: str, ended: Callable[[], None], pid_file: Path = PID_FILE) -> None:
        self._unit = unit
        self._ended = ended
        self._pid_file = pid_file
        self._watched = 0
        self._descriptor = -1

    def pid(self) -> int:
        """Return its process id; 0 if it does not run, or has not come so far as to write it down."""
        try:
            pid = int(self._pid_file.read_text())
            name = Path(f"/proc/{pid}/comm").read_text().strip()
        except (OSError, ValueError):
            return 0
        return pid if name == "mysqld" else 0

    def watch(self) -> None:
        """Begin to watch the process that runs now, if it is not the one watched already."""
        pid = self.pid()
        if not pid or pid == self._watched:
            return
        self._forget()
        with suppress(OSError):
            self._descriptor = os.pidfd_open(pid)
            self._watched = pid
            asyncio.get_running_loop().add_reader(self._descriptor, self._gone)

    def _gone(self) -> None:
        self._forget()
        self._ended()

    def _forget(self) -> None:
        if self._descriptor >= 0:
            asyncio.get_running_loop().remove_reader(self._descriptor)
            os.close(self._descriptor)
        self._descriptor, self._watched = -1, 0

    def kill(self) -> None:
        """Kill it without a word, so that it tells nobody anything; systemd starts it anew, shut."""
        pid = self.pid()
        if pid:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    async def start(self) -> None:
        """Have systemd start it, and wait until it is ready."""
        await run("systemctl", "reset-failed", self._unit, check=False)
        await run("systemctl", "start", self._unit)

    async def stop(self) -> None:
        """Have systemd stop it, the safe way that its unit has."""
        await run("systemctl", "stop", self._unit)


class ProgramError(Exception):
    """A program ended with an error; the text is the end of what it said."""


async def run(*words: str, check: bool = True, output: Path | None = None) -> None:
    """Run a program to its end; its output goes to a file, if one is named.

    Raises:
        ProgramError: it ended with an error.

    """
    target = output.open("wb") if output is not None else None
    try:
        process = await asyncio.create_subprocess_exec(
            *words,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=target or asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        _, complaint = await process.communicate()
    finally:
        if target is not None:
            os.fsync(target.fileno())
            target.close()
    if check and process.returncode:
        raise ProgramError(f"{words[0]} ended with {process.returncode}: {complaint.decode(errors='replace')[-500:]}")
