"""Machines from near: a command on one of them, a shell, the logs of all."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from shlex import join
from typing import Any, NoReturn

import click

from colonnade.adapters.ssh import CHUNK, SshFleet
from colonnade.cli.completion import machine_names, unit_names
from colonnade.cli.context import (
    command,
    invocation,
    print_json,
    reached,
    say_error,
    stack_file_option,
)
from colonnade.control.logs import Entry, Journals, Query, since
from colonnade.control.logs import follow as follow_journals
from colonnade.control.logs import read as read_journals
from colonnade.errors import ColonnadeError, UsageError
from colonnade.topology import Machine

FAILED = 255
"""What ``exec`` ends with when it is not the command that failed; ssh's own habit."""
DEFAULT_LINES = 100
COLOURS = ("cyan", "yellow", "green", "magenta", "blue", "bright_red", "bright_cyan", "bright_yellow")


def shell_line(words: Sequence[str]) -> str:
    """Return what a shell must read to run these words; a single one is a shell line already."""
    return words[0] if len(words) == 1 else join(words)


async def pass_through(fleet: SshFleet, machine: Machine, line: str) -> int:
    """Run a shell line as root as if it ran here: its bytes, its exit code; our standard input if it is no terminal."""
    stdin = None if sys.stdin is None or sys.stdin.isatty() else _standard_input(sys.stdin.fileno())

    def write(stream: Any, chunk: bytes) -> None:
        stream.write(chunk)
        stream.flush()

    return await fleet.stream(
        machine,
        line,
        stdin=stdin,
        on_output=lambda chunk: write(sys.stdout.buffer, chunk),
        on_complaint=lambda chunk: write(sys.stderr.buffer, chunk),
    )


async def _standard_input(descriptor: int) -> AsyncIterator[bytes]:
    # Read only when there is something: a read that blocks could not be given up when the command ends first.
    while True:
        await _readable(descriptor)
        chunk = os.read(descriptor, CHUNK)
        if not chunk:
            return
        yield chunk


async def _readable(descriptor: int) -> None:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    try:
        loop.add_reader(descriptor, ready.set)
    except PermissionError:
        return  # a file: it never blocks, and cannot be waited for
    try:
        await ready.wait()
    finally:
        loop.remove_reader(descriptor)


def become_ssh(fleet: SshFleet, machine: Machine, line: str | None, *, terminal: bool) -> NoReturn:
    """Turn this process into the OpenSSH client, which handles terminals better than we could.

    Raises:
        ColonnadeError: it is not installed.

    """
    arguments = ["ssh", *(["-t"] if terminal else []), *fleet.openssh(machine), *([line] if line is not None else [])]
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        os.execvp("ssh", arguments)  # noqa: S606  a list of our own making, no shell
    except FileNotFoundError as error:
        raise ColonnadeError(
            "the OpenSSH client is not installed on this machine", do="Install it: apt-get install openssh-client"
        ) from error


def on_two_terminals() -> bool:
    """Whether a person types and reads: standard input and output are terminals."""
    return sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty()


class CalledWrongly(click.UsageError):
    """What the command was given makes no sense."""

    exit_code = FAILED


class OwnFailures(click.Command):
    """A command whose exit codes belong to what it runs: whatever fails on our side is 255."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Parse; a wrong call is a failure of ours."""
        try:
            return super().make_context(info_name, args, parent, **extra)
        except click.UsageError as error:
            raise CalledWrongly(error.format_message(), error.ctx) from error

    def invoke(self, ctx: click.Context) -> Any:
        """Run; an error is told here."""
        try:
            return super().invoke(ctx)
        except ColonnadeError as error:
            say_error(error)
        except BrokenPipeError:
            raise  # nobody reads what the command says: no failure
        except OSError as error:
            say_error(ColonnadeError(error.strerror or str(error), where=error.filename or ""))
        return FAILED


RAW = {"allow_interspersed_args": False}
"""What follows the machine's name is the command's, whatever it looks like."""


def without_dashes(words: tuple[str, ...]) -> tuple[str, ...]:
    """Return the words after the two dashes that set a command apart, if they are there."""
    return words[1:] if words[:1] == ("--",) else words


@click.command("exec", cls=OwnFailures, context_settings=RAW)
@click.argument("name", shell_complete=machine_names)
@click.argument("words", metavar="-- COMMAND...", nargs=-1, type=click.UNPROCESSED, required=True)
@command
async def execute(name: str, words: tuple[str, ...]) -> int:
    """Run a command as root on a machine; its exit code is passed on, 255 is a failure of our own.

    Its output and errors are passed on byte by byte, and so is standard input if it is not a terminal.
    A single word is a line for the machine's shell. -f FILE stands before the verb.

    \b
    Example:
      colonnade exec web1 -- systemctl status nginx
      colonnade exec web1 -- 'ls /etc | wc -l'
      colonnade exec web1 -- tar -cz /var/log > logs.tar.gz
    """
    words = without_dashes(words)
    if not words:
        raise UsageError("no command is given", do=f"For example: colonnade exec {name} -- uptime")
    async with reached(invocation().stack_file()) as (topology, fleet):
        return await pass_through(fleet, topology.machine(name), shell_line(words))


@click.command(context_settings=RAW)
@stack_file_option
@click.argument("name", shell_complete=machine_names)
@click.argument("words", metavar="[-- COMMAND...]", nargs=-1, type=click.UNPROCESSED)
def ssh(name: str, words: tuple[str, ...]) -> None:
    """Log in to a machine with the OpenSSH client, or run a command there on this terminal.

    \b
    Example:
      colonnade ssh web1
      colonnade ssh web1 -- journalctl --follow --unit nginx
    """
    words = without_dashes(words)

    async def way() -> tuple[SshFleet, Machine]:
        async with reached(invocation().stack_file()) as (topology, fleet):
            return fleet, topology.machine(name)

    fleet, machine = asyncio.run(way())
    become_ssh(fleet, machine, shell_line(words) if words else None, terminal=bool(words) and on_two_terminals())


@click.command()
@click.argument("names", metavar="[NAME]...", nargs=-1, shell_complete=machine_names)
@click.option("-u", "--unit", "units", multiple=True, shell_complete=unit_names, help="Only this unit; repeatable.")
@click.option("--since", "start", metavar="TIME", help="Since '10m', 'today' or an ISO time.")
@click.option(
    "-n", "--lines", type=click.IntRange(min=0), help="The last N entries of all. Default: 100; with --since, all."
)
@click.option("--grep", metavar="REGEX", help="Only messages that match; small letters match capitals, too.")
@click.option("--follow", is_flag=True, help="Go on showing what comes. (-f is the stack file's, before the verb.)")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list; with --follow, an object on each line.")
@command
async def logs(
    *,
    names: tuple[str, ...],
    units: tuple[str, ...],
    start: str | None,
    lines: int | None,
    grep: str | None,
    follow: bool,
    as_json: bool,
) -> int:
    """Show the journals of machines, all if none is named, merged by time.

    Units: app, mysql, nginx, haproxy, knot, or any that systemd has there; what logins write is left
    out unless its unit is named. A machine that cannot be reached is named, and the exit code is 4.

    \b
    Example:
      colonnade logs --unit app --since "10 min ago"
      colonnade logs web1 web2 --unit nginx --follow
      colonnade logs --grep error --json | jq -r '.[].message'
    """
    lines = DEFAULT_LINES if lines is None and start is None else lines
    query = Query(units=units, since=since(start) if start else "", lines=lines, grep=grep or "")
    async with reached(invocation().stack_file()) as (topology, fleet):
        machines = tuple(dict.fromkeys(topology.machine(name) for name in names)) or topology.machines
        printer = LogPrinter(machines, as_json=as_json)
        journals = await read_journals(fleet, machines, query)
        if not follow:
            printer.show_all(journals)
            return printer.exit_code
        return await _follow(fleet, machines, query, journals, printer)


async def _follow(
    fleet: SshFleet, machines: Sequence[Machine], query: Query, journals: Journals, printer: "LogPrinter"
) -> int:
    for entry in journals.entries:
        printer.show(entry)
    printer.fail_all(journals)
    try:
        await follow_journals(fleet, machines, query, after=journals, show=printer.show, fail=printer.fail)
    except asyncio.CancelledError:
        return 128 + signal.SIGINT  # how a person ends it: nothing to say about that
    return printer.exit_code


class LogPrinter:
    """Prints entries, a colour for each machine on a terminal, and remembers what went wrong."""

    def __init__(self, machines: Sequence[Machine], *, as_json: bool) -> None:
        self._as_json = as_json
        self.exit_code = 0
        self._width = max(len(machine.name) for machine in machines)
        self._colours = {machine.name: COLOURS[n % len(COLOURS)] for n, machine in enumerate(machines)}

    def show_all(self, journals: Journals) -> None:
        """Print what was read, as one document for a program."""
        if self._as_json:
            print_json([document(entry) for entry in journals.entries])
        else:
            for entry in journals.entries:
                self.show(entry)
        self.fail_all(journals)

    def show(self, entry: Entry) -> None:
        """Print one entry on standard output."""
        if self._as_json:
            click.echo(json.dumps(document(entry), ensure_ascii=False))
            return
        time = _local(entry).replace(tzinfo=None).isoformat(timespec="milliseconds")
        name = click.style(f"{entry.machine:<{self._width}}", fg=self._colours[entry.machine])
        first, *more = printable(entry.message).splitlines() or [""]
        click.echo(f"{time} {name} {entry.unit.removesuffix('.service')}: {first}")
        for line in more:
            click.echo(f"{' ' * len(time)} {name} {line}")

    def fail_all(self, journals: Journals) -> None:
        """Say which machines could not be read; what several complain of is said once."""
        alike: dict[tuple[str, str], list[ColonnadeError]] = {}
        for error in journals.failures.values():
            alike.setdefault((error.what, error.do), []).append(error)
        for (what, do), errors in alike.items():
            self.fail(type(errors[0])(what, where=", ".join(error.where for error in errors), do=do))

    def fail(self, error: ColonnadeError) -> None:
        """Say on standard error what went wrong on one machine."""
        say_error(error)
        self.exit_code = max(self.exit_code, error.exit_code)


def document(entry: Entry) -> dict[str, str]:
    """Return an entry for a program; the time has its offset."""
    time = _local(entry).isoformat(timespec="milliseconds")
    return {"time": time, "machine": entry.machine, "unit": entry.unit, "message": entry.message}


def _local(entry: Entry) -> datetime:
    return datetime.fromtimestamp(entry.time / 1_000_000).astimezone()


def printable(text: str) -> str:
    """Return text that does nothing to a terminal: what a visitor sends may stand in a log."""
    return "".join(c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode() for c in text)


COMMANDS: tuple[Any, ...] = (execute, ssh, logs)
