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
from colonnade.database import database_of
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
    """Return the server that the agents say is the primary; if none is known to lead, the likeliest, and say so.

    Raises:
        UnreachableError: no server can be reached.

    """
    facts, failures = await everywhere(topology.servers, lambda machine: ask(fleet, machine, Question(agent=True)))
    if not facts:
        raise next(iter(failures.values()))
    database = database_of(topology, facts)
    if database.primary is not None and database.led:
        return database.primary
    last = database.primary
    said = f"{last.server}, the last that did" if last is not None else f"{topology.primary.server}, the file's first"
    click.echo(f"note: no server is known to take writes; this is {said}.", err=True)
    return last or topology.primary


COMMANDS: tuple[Any, ...] = (db,)
