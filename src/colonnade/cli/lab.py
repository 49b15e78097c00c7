"""Faults in the lab: pull a machine's cable or its power, and give them back."""

from collections.abc import Awaitable, Callable
from typing import Any

import click

from colonnade.cli.completion import machine_names
from colonnade.cli.context import command, invocation, placed, stack_file_option
from colonnade.errors import UsageError
from colonnade.lab import Lab


@click.group()
def lab() -> None:
    """Pull a lab machine's cable or power, and restore them.

    \b
    Example:
      colonnade lab cut web1
      colonnade lab heal web1
    """


async def _do(name: str, act: Callable[[Lab, str], Awaitable[None]], done: str) -> int:
    file = invocation().stack_file()
    if not file.stack.in_lab:
        raise UsageError(
            "the machines of this stack are not in the lab", do="Their cables and power are yours to pull."
        )
    topology, _ = await placed(file)
    machine = topology.machine(name).name
    await act(file.lab, machine)
    click.echo(f"{machine}: {done}", err=True)
    return 0


@lab.command()
@stack_file_option
@click.argument("name", shell_complete=machine_names)
@command
async def cut(name: str) -> int:
    """Pull a machine's network cable."""
    return await _do(name, Lab.cut, "cable pulled")


@lab.command()
@stack_file_option
@click.argument("name", shell_complete=machine_names)
@command
async def heal(name: str) -> int:
    """Put a machine's network cable back."""
    return await _do(name, Lab.heal, "cable back")


@lab.command()
@stack_file_option
@click.argument("name", shell_complete=machine_names)
@command
async def kill(name: str) -> int:
    """Power a machine off without warning."""
    return await _do(name, Lab.kill, "power off")


@lab.command()
@stack_file_option
@click.argument("name", shell_complete=machine_names)
@command
async def start(name: str) -> int:
    """Power a machine on."""
    return await _do(name, Lab.start, "power on")


COMMANDS: tuple[Any, ...] = (lab,)
