"""The machines' journals as one: asked for over SSH, merged by time."""

import asyncio
import heapq
import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from shlex import join, quote
from typing import Any, Protocol

from colonnade.adapters.ssh import Lines
from colonnade.control.observe import everywhere
from colonnade.errors import ColonnadeError
from colonnade.paths import APP_UNIT
from colonnade.topology import Machine

SHORT_UNITS = {"app": APP_UNIT, "mysql": "mysql.service"}
"""What people call a unit; journalctl itself knows that ``nginx`` is ``nginx.service``."""
FIELDS = "MESSAGE,UNIT,_SYSTEMD_UNIT,SYSLOG_IDENTIFIER,_TRANSPORT"
WINDOW_SECONDS = 0.3
"""How long an entry waits for earlier ones from other machines, when following."""
LOGINS = (
    r'"SYSLOG_IDENTIFIER":"(sshd(-session|-auth)?|systemd-logind|\(systemd\)|sudo)"'
    r'|"UNIT":"(user@|user-|run-user-|session-)|"_SYSTEMD_UNIT":"user@'
)
"""Finds what a login writes, in a line of journalctl's JSON; for ``grep -E`` as for Python.

Every command of ours logs in: without it, the logs would be about looking at them.
"""


class Streams(Protocol):
    """Machines whose commands' bytes can be had as they come."""

    async def stream(
        self,
        machine: Machine,
        command: str,
        *,
        on_output: Callable[[bytes], object],
        on_complaint: Callable[[bytes], object],
    ) -> int:
        """Run a shell command as root and return its exit code; raises UnreachableError."""
        ...


@dataclass(frozen=True, slots=True)
class Query:
    """What is wanted of the journals; ``lines`` None is all, ``since`` is in journalctl's words."""

    units: tuple[str, ...] = ()
    since: str = ""
    lines: int | None = None
    grep: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of one machine's journal; ``time`` is microseconds since 1970 by that machine's clock."""

    time: int
    machine: str
    unit: str
    message: str
    cursor: str = ""


@dataclass(frozen=True)
class Journals:
    """What was read, in order of time; why some machines' could not be; and where to go on reading."""

    entries: list[Entry]
    failures: dict[str, ColonnadeError]
    positions: dict[str, str] = field(default_factory=dict)
    """By machine, journalctl's option that starts after what was read."""


def since(text: str) -> str:
    """Translate an ISO time, local if it does not say, for any machine's time zone; leave other words to journalctl.

    A bare span, ``10m`` or ``2 hours``, is so long ago: journalctl would refuse it.
    """
    if re.fullmatch(r"\d+ ?(s|sec|seconds?|m|min|minutes?|h|hours?|d|days?|w|weeks?)", text):
        return f"-{text}"
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text
    return f"@{moment.timestamp():.6f}"


def read_command(query: Query) -> str:
    """Return the shell command that prints the machine's time, and then the entries; a limited number backwards."""
    limited = query.lines is not None
    start = [f"--since={query.since}"] if query.since else []
    stages = [_journalctl(query, *start, *(["--reverse"] if limited else []))]
    if not query.units:
        stages.append(f"grep -avE {quote(LOGINS)}")
    if limited:
        stages.append(f"head -n {query.lines}")
    return f"date +@%s.%6N && {' | '.join(stages)}"


def follow_command(query: Query, position: str) -> str:
    """Return the shell command that prints the entries after a position as they come."""
    return f"exec {_journalctl(query, position, '--follow', '--no-tail')}"


def _journalctl(query: Query, *options: str) -> str:
    units = [f"--unit={SHORT_UNITS.get(unit, unit)}" for unit in query.units]
    grep = [f"--grep={query.grep}"] if query.grep else []
    # Without --all a message of more than 4 KiB is left out.
    fixed = ("--quiet", "--no-pager", "--all", "--output=json", f"--output-fields={FIELDS}")
    return join(["journalctl", *fixed, *units, *grep, *options])


def entry_of(machine: str, line: str) -> Entry | None:
    """Read one line of journalctl's JSON; None if it is none."""
    try:
        document = json.loads(line)
        time = int(document["__REALTIME_TIMESTAMP"])
    except (ValueError, TypeError, KeyError):
        return None
    return Entry(time, machine, _unit(document), _text(document.get("MESSAGE")), str(document.get("__CURSOR", "")))


def _unit(document: dict[str, Any]) -> str:
    """Name the unit an entry is about: what systemd says of a unit is in that unit's log, too."""
    unit = _text(document.get("UNIT") or document.get("_SYSTEMD_UNIT"))
    if not unit or unit.endswith(".scope"):
        unit = _text(document.get("SYSLOG_IDENTIFIER") or unit or document.get("_TRANSPORT"))
    return unit


def _text(value: object) -> str:
    """Read a field: text, or a list of bytes if it is not all printable UTF-8, or a list of such."""
    if isinstance(value, list):
        if value and all(isinstance(item, int) for item in value):
            return bytes(value).decode(errors="replace")
        return "\n".join(_text(item) for item in value)
    return "" if value is None else str(value).encode(errors="replace").decode()


async def read(streams: Streams, machines: Iterable[Machine], query: Query) -> Journals:
    """Read what the machines' journals hold; a query's number of lines counts over all of them."""

    async def one(machine: Machine) -> tuple[list[Entry], str]:
        lines: list[str] = []
        complaint = await _lines(streams, machine, read_command(query), lines.append)
        entries = [entry for line in lines[1:] if (entry := entry_of(machine.name, line))]
        # Its exit code is the last stage's; one that found nothing says nothing.
        if complaint and not entries:
            raise ColonnadeError(f"its journal cannot be read: {complaint}", where=machine.name)
        if query.lines is not None:
            entries.reverse()
        return entries, f"--after-cursor={entries[-1].cursor}" if entries else f"--since={lines[0]}"

    results, failures = await everywhere(machines, one)
    merged = sorted((entry for entries, _ in results.values() for entry in entries), key=lambda entry: entry.time)
    if query.lines is not None:
        merged = merged[max(0, len(merged) - query.lines) :]
    return Journals(merged, failures, {machine: position for machine, (_, position) in results.items()})


async def _lines(streams: Streams, machine: Machine, command: str, take: Callable[[str], object]) -> str:
    """Hand on a command's lines as they come; return what it complained of."""
    lines, complaint = Lines(take), bytearray()
    await streams.stream(machine, command, on_output=lines.add, on_complaint=complaint.extend)
    lines.end()
    return complaint.decode(errors="replace").strip()


async def follow(
    streams: Streams,
    machines: Sequence[Machine],
    query: Query,
    *,
    after: Journals,
    show: Callable[[Entry], None],
    fail: Callable[[ColonnadeError], None],
) -> None:
    """Show entries as they come, in order within a small window; return when no machine is left to follow."""
    arrivals: asyncio.Queue[Entry | Exception] = asyncio.Queue()
    followed = [(machine, after.positions[machine.name]) for machine in machines if machine.name in after.positions]
    tasks = [asyncio.create_task(_pass_on(streams, machine, query, at, arrivals)) for machine, at in followed]
    window, left, clock = Window(), len(followed), asyncio.get_running_loop().time
    try:
        while left or window:
            arrival = await _next(arrivals, window.wait(clock()))
            match arrival:
                case Entry():
                    window.add(arrival, clock())
                case ColonnadeError():
                    left -= 1
                    fail(arrival)
                case Exception():
                    raise arrival
            for entry in window.due(clock()):
                show(entry)
    finally:
        for task in tasks:
            task.cancel()


async def _pass_on(
    streams: Streams, machine: Machine, query: Query, position: str, arrivals: "asyncio.Queue[Entry | Exception]"
) -> None:
    """Put one machine's entries into the queue, and last of all why there are no more."""

    def take(line: str) -> None:
        if (entry := entry_of(machine.name, line)) and (query.units or not re.search(LOGINS, line)):
            arrivals.put_nowait(entry)

    try:
        complaint = await _lines(streams, machine, follow_command(query, position), take)
    except Exception as error:  # noqa: BLE001  whatever it is, it is raised or told where entries are shown
        arrivals.put_nowait(error)
    else:
        what = f"its journal ended: {complaint or 'nothing is said why'}"
        arrivals.put_nowait(ColonnadeError(what, where=machine.name, do="Run the command again."))


async def _next(arrivals: "asyncio.Queue[Entry | Exception]", seconds: float | None) -> Entry | Exception | None:
    """Return what arrives next; None if nothing does in time."""
    try:
        async with asyncio.timeout(seconds):
            return await arrivals.get()
    except TimeoutError:
        return None


class Window:
    """Puts entries that arrive within a moment of each other in order of their times."""

    def __init__(self, seconds: float = WINDOW_SECONDS) -> None:
        self._seconds = seconds
        self._heap: list[tuple[int, int, float, Entry]] = []
        self._count = 0

    def __bool__(self) -> bool:
        return bool(self._heap)

    def add(self, entry: Entry, now: float) -> None:
        """Take an entry that arrived now (seconds)."""
        self._count += 1
        heapq.heappush(self._heap, (entry.time, self._count, now, entry))

    def due(self, now: float) -> list[Entry]:
        """Give out, in order, what has waited long enough."""
        found = []
        while self._heap and self.wait(now) == 0:
            found.append(heapq.heappop(self._heap)[-1])
        return found

    def wait(self, now: float) -> float | None:
        """Return the seconds until the next entry is due; None if there is none."""
        return max(0.0, self._heap[0][2] + self._seconds - now) if self._heap else None
