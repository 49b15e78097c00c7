"""A server's data, made anew from another server's, beside the old: which is set aside until the new one has caught up.

The swap is written down before it begins: whatever moment it is cut off at, ``finish`` completes it.
"""

import asyncio
import json
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from colonnade.adapters.mysql.process import Process, run
from colonnade.adapters.mysql.session import Session, SilentError, SqlError, quoted
from colonnade.gtid import GtidSet
from colonnade.secret import Secret

CLONE_SECONDS = 24 * 3600.0
LOOK_SECONDS = 2.0
_PROGRESS = (
    "SELECT stage, ROUND(100 * data / GREATEST(estimate, 1)) FROM performance_schema.clone_progress"
    " WHERE state = 'In Progress' LIMIT 1"
)


@dataclass(frozen=True, slots=True)
class Donor:
    """Where the data comes from."""

    address: str
    port: int
    account: str
    password: Secret


class Provision:
    """Second data directories of one server; ``journal`` is the file in which a swap is written down."""

    def __init__(self, data: Path, journal: Path, process: Process) -> None:
        self._link = data
        self._journal = journal
        self._process = process

    @property
    def _data(self) -> Path:
        """The directory itself: its place may be a link to a larger disk."""
        return self._link.resolve()

    @property
    def _room(self) -> Path:
        return self._data.with_name(f"{self._data.name}.clone")

    def asides(self) -> list[Path]:
        """Return the old data directories that were set aside."""
        return sorted(self._data.parent.glob(f"{self._data.name}.aside-*"))

    def forget_asides(self) -> None:
        """Remove them, and what a copy that was cut off left: the new data has caught up."""
        for path in (*self.asides(), self._room):
            shutil.rmtree(path, ignore_errors=True)

    async def clone(self, socket: str, donor: Donor, term: int, stamp: str, told: Callable[[str, int], None]) -> int:
        """Copy the donor's data and have the server run on it; ``told`` gets stage and per cent.

        Returns the term in which the donor's data was copied that is there now.

        Raises:
            SilentError, SqlError, ProgramError: it did not succeed; the old data is where it was, unless the copy
                was complete: then ``finish`` goes on.

        """
        if self.unfinished:  # a copy is complete, and only has to be put in place
            return await self.finish()
        shutil.rmtree(self._room, ignore_errors=True)
        self._room.mkdir(mode=0o750)
        shutil.chown(self._room, "mysql", "mysql")
        left: set[int] = set()
        session, watching = await Session.open(socket, left), await Session.open(socket, left)
        try:
            where = f"{donor.address}:{donor.port}"
            await session.rows(f"SET GLOBAL clone_valid_donor_list = {quoted(where)}", seconds=LOOK_SECONDS)
            copying = asyncio.ensure_future(
                session.rows(
                    f"CLONE INSTANCE FROM {quoted(donor.account)}@{quoted(donor.address)}:{donor.port}"
                    f" IDENTIFIED BY {quoted(donor.password.reveal())}"
                    f" DATA DIRECTORY = {quoted(str(self._room / 'data'))} REQUIRE SSL",
                    seconds=CLONE_SECONDS,
                )
            )
            while not (await asyncio.wait({copying}, timeout=0.5))[0]:
                with suppress(SilentError, SqlError):
                    for stage, percent in await watching.rows(_PROGRESS, seconds=LOOK_SECONDS):
                        told(str(stage), int(percent or 0))
            copying.result()
        finally:
            await session.end()
            await watching.end()
        aside = self._data.with_name(f"{self._data.name}.aside-{stamp}")
        swap = {"new": str(self._room / "data"), "data": str(self._data), "aside": str(aside), "term": str(term)}
        _write(self._journal, swap)
        told("RESTART", 100)
        return await self.finish()

    @property
    def unfinished(self) -> bool:
        """Whether a swap was begun and not ended."""
        return self._journal.exists()

    async def finish(self) -> int:
        """Put the new data in its place and start the server on it; every step of it may have been done before.

        Returns the term in which it was copied.

        Raises:
            ProgramError: the server does not stop or start.

        """
        swap = json.loads(self._journal.read_text())
        new, data, aside = (Path(swap[key]) for key in ("new", "data", "aside"))
        await self._process.stop()
        if new.exists():
            if data.exists():
                data.rename(_unused(aside))
            new.rename(data)
        for path in (data.parent, new.parent):
            with suppress(OSError):
                _sync(path)
        await self._process.start()
        self._journal.unlink()
        _sync(self._journal.parent)
        shutil.rmtree(new.parent, ignore_errors=True)
        return int(swap.get("term", 0))


def _unused(path: Path) -> Path:
    """Return a name beside it if it is there already: whoever made new data meanwhile does not end the swap."""
    names = (path, *(path.with_name(f"{path.name}-{n}") for n in range(1, 100)))
    return next(each for each in names if not each.exists())


async def save_errant(data: Path, directory: Path, transactions: GtidSet) -> int:
    """Save transactions from a server's binary log as SQL: one file to read, and one that can be run.

    Returns how many were found there; unless it is all of them, nothing is left in the directory.

    Raises:
        ProgramError: the binary log cannot be read.

    """
    logs = _logs(data)
    part = directory.with_name(f".{directory.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True, mode=0o700)
    only = f"--include-gtids={transactions}"
    await run("mysqlbinlog", only, "--base64-output=DECODE-ROWS", "-vv", *logs, output=part / "readable.sql")
    await run("mysqlbinlog", only, *logs, output=part / "replay.sql")
    found = _transactions(part / "replay.sql")
    if found < len(transactions):
        shutil.rmtree(part)
        return found
    for path in part.iterdir():
        path.chmod(0o600)
    _sync(part)
    part.rename(directory)
    _sync(directory.parent)
    return found


def _transactions(file: Path) -> int:
    """Count the transactions of a file that mysqlbinlog wrote."""
    with file.open("rb") as lines:
        return sum(line.startswith(b"SET @@SESSION.GTID_NEXT= '") and b"AUTOMATIC" not in line for line in lines)


def _logs(data: Path) -> list[str]:
    return [str(path) for path in sorted(data.glob("binlog.[0-9]*"))]


def _write(path: Path, document: dict[str, str]) -> None:
    beside = path.with_suffix(".new")
    with beside.open("w") as file:
        json.dump(document, file)
        file.flush()
        os.fsync(file.fileno())
    beside.rename(path)
    _sync(path.parent)


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
