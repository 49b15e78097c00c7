"""Faults in the lab: pull a machine's cable or its power, and give them back."""

from typing import Any

import click

from colonnade.cli.completion import machine_names
from colonnade.cli.context import StackFile, command, invocation, placed, stack_file_option
from colonnade.errors import UsageError


@click.group()
def lab() -> None:
    """Pull a lab machine's cable or power, and restore them.

    \b
    Example:
      colonnade lab cut web1
      colonnade lab heal web1
    """


async def _machine(name: str) -> tuple[StackFile, str]:
    file = invocation().stack_file()
    if not file.stack.in_lab:
        raise UsageError(
            "the machines of this stack are not in the lab", do="Their cables and power are yours to pull."
        )
    topology, _ = await placed(file)
    return file, topology.machine(name).name


@lab.command()
@stack_file_option
@click.argument("name", shell_complete=machine_names)
@command
async def cut(name: str) -> int:
    """Pull a machine's network cable."""
    file, machine = await _machine(name)
    await file.lab.cut(machine)
    click.echo(f"{machine}: cable pulled", err=True)
    return 0


@lab.command()
@stack_file_option
@click.argument("name", shell_complete=machine_names)
@command
async def heal(name: str) -> int:
    """Put a machine's network cable back."""
    file, machine = await _machine(name)
    await file.lab.heal(machine)
    click.echo(f"{machine}: cable back", err=True)
    return 0


@lab.command()
@stack_file_option
@click.argument("name", shell_complete=machine_names)
@command
async def kill(name: str) -> int:
    """Power a machine off without warning."""
    file, machine = await _machine(name)
    await file.lab.kill(machine)
    click.echo(f"{machine}: power off", err=True)
    return 0


@lab.command()
@stack_file_option
@click.argument("name", shell_complete=machine_names)
@command
async def start(name: str) -> int:
    """Power a machine on."""
    file, machine = await _machine(name)
    await file.lab.start(machine)
    click.echo(f"{machine}: power on", err=True)
    return 0


COMMANDS: tuple[Any, ...] = (lab,)
