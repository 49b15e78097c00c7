"""The database from near: a prompt on the primary."""

import asyncio
from collections.abc import Sequence
from shlex import join
from typing import Any

import click

from colonnade import paths
from colonnade.adapters.ssh import SshFleet
from colonnade.cli.context import invocation, reached, stack_file_option
from colonnade.cli.machines import become_ssh, on_two_terminals, pass_through
from colonnade.control.observe import ask, everywhere
from colonnade.facts import Question
from colonnade.topology import Machine, Topology


@click.group()
def db() -> None:
    """Look into the database.

    \b
    Example:
      colonnade db console
    """


@db.command(context_settings={"ignore_unknown_options": True})
@stack_file_option
@click.argument("words", metavar="[-- ARGS...]", nargs=-1, type=click.UNPROCESSED)
def console(words: tuple[str, ...]) -> int:
    """Open a mysql prompt on the primary, as root and with the app's schema; no password is needed.

    ARGS are the mysql client's. SQL may be piped in.

    \b
    Example:
      colonnade db console
      colonnade db console -- --table -e "SHOW TABLES"
      colonnade db console < report.sql
    """
    file = invocation().stack_file()

    async def ready() -> int | tuple[SshFleet, Machine, str]:
        async with reached(file) as (topology, fleet):
            machine = await primary_of(topology, fleet)
            line = client_line(machine, topology.stack.database_name, words)
            if on_two_terminals():
                return fleet, machine, fleet.as_root(line)
            return await pass_through(fleet, machine, line)

    outcome = asyncio.run(ready())
    if isinstance(outcome, int):
        return outcome
    fleet, machine, line = outcome
    return become_ssh(fleet, machine, line, terminal=True)


def client_line(machine: Machine, schema: str, words: Sequence[str]) -> str:
    """Return the shell line that starts the mysql client on a machine; who root is there, the socket knows."""
    prompt = f"--prompt={machine.server} [\\d]> "
    own = ("--protocol=socket", f"--socket={paths.MYSQL_SOCKET}", "--user=root", prompt, f"--database={schema}")
    return join(["exec", "mysql", *own, *words])


async def primary_of(topology: Topology, fleet: SshFleet) -> Machine:
    """Return the server whose MySQL takes writes; if that is not one, the file's, and say so.

    Raises:
        UnreachableError: no server can be reached.

    """
    facts, failures = await everywhere(topology.servers, lambda machine: ask(fleet, machine, Question(database=True)))
    if not facts:
        raise next(iter(failures.values()))
    writable = [
        machine
        for machine in topology.servers
        if (seen := facts.get(machine.name)) and seen.database.answers and not seen.database.read_only
    ]
    if len(writable) == 1:
        return writable[0]
    count = "no server takes writes" if not writable else f"{len(writable)} servers take writes"
    click.echo(f"note: {count}; this is {topology.primary.server}, the file's first.", err=True)
    return topology.primary


COMMANDS: tuple[Any, ...] = (db,)
