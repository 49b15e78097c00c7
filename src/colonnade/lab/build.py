"""Running the programs that build an image: their output is kept, and they never outlive us."""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path

from colonnade.errors import ColonnadeError
from colonnade.lab.host import environment

_LAST_LINES = 15


async def run(argv: Sequence[str], *, log: Path, stdin: str = "", line: Callable[[str], None] = lambda _: None) -> None:
    """Run a command to its end, append its output to ``log``, and pass each line of it to ``line``.

    It gets a process namespace of its own that dies with us, however we end, and takes every process
    of it along. Raises ColonnadeError with the last lines of the output if it fails.
    """
    process = await asyncio.create_subprocess_exec(
        *("setpriv", "--pdeathsig", "KILL"),
        *("unshare", "--pid", "--fork", "--kill-child", "--mount-proc"),
        *argv,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=environment(),
    )
    if process.stdin is None or process.stdout is None:
        raise AssertionError("both were asked for")
    try:
        process.stdin.write(stdin.encode())
        process.stdin.close()
        with log.open("ab") as file:
            async for raw in process.stdout:
                file.write(raw)
                line(raw.decode(errors="replace").rstrip())
        code = await process.wait()
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
    if code != 0:
        raise ColonnadeError(
            f"`{argv[0]}` failed with exit code {code}; the last lines of {log}:\n{_tail(log)}",
            where="this host",
            do="Mend what it names (often the way to the package mirror) and run the command again.",
        )


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-_LAST_LINES:])
