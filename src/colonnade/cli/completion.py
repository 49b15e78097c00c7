"""Completion in the shell: the script that turns it on, and the names that it offers."""

from typing import Any

import click
from click.shell_completion import get_completion_class

from colonnade.cli.context import Invocation

PROGRAM = "colonnade"
VARIABLE = "_COLONNADE_COMPLETE"


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print what makes the shell complete commands, options and the names of machines.

    \b
    Example:
      colonnade completion bash > ~/.local/share/bash-completion/completions/colonnade
      source <(colonnade completion zsh)
      colonnade completion fish > ~/.config/fish/completions/colonnade.fish
    """
    found = get_completion_class(shell)
    assert found is not None  # noqa: S101  click knows each of the choices
    click.echo(found(click.get_current_context().find_root().command, {}, PROGRAM, VARIABLE).source())


def machine_names(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Offer the stack file's machines, but none twice; nothing if the file cannot be read."""
    root = context.find_root()
    asked = root.obj if isinstance(root.obj, Invocation) else Invocation(root.params.get("file"))
    try:
        stack = asked.stack_file().stack
    except Exception:  # noqa: BLE001  a traceback in the middle of a command line that is being typed helps nobody
        return []
    given = context.params.get(parameter.name or "") or ()
    names = dict.fromkeys(stack.machine_names)
    return [name for name in names if name.startswith(incomplete) and name not in given]


def unit_names(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Offer the units that a stack's machines have."""
    del context, parameter
    return [name for name in ("app", "haproxy", "knot", "mysql", "nginx") if name.startswith(incomplete)]


COMMANDS: tuple[Any, ...] = (completion,)
