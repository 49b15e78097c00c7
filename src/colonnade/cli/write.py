"""What is written rather than done: a first stack file, its schema, the stack as a picture."""

import re
from pathlib import Path
from shlex import quote
from typing import Any

import click

from colonnade import diagram as pictures
from colonnade.cli.context import FILE, StackFile, invocation, on_terminal, print_json, stack_file_option
from colonnade.errors import UsageError
from colonnade.lab.placement import saved_placement
from colonnade.spec import schema as stack_schema
from colonnade.spec import starter
from colonnade.topology import Topology, resolve


@click.command()
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False), default=Path())
@click.option("--name", help="The stack's name. Default: from the directory's.")
@click.option("--domain", help="The domain that is served. Default: NAME.example.")
def init(directory: Path, name: str | None, domain: str | None) -> None:
    """Write a commented stack file to start from; the code base is yours to add.

    On a terminal it asks for what is not given.

    \b
    Example:
      colonnade init --name shop --domain shop.example shop
    """
    file = directory / FILE
    if file.exists() or file.is_symlink():
        raise _there_already(file)
    name = name or _asked("The stack's name", name_from(directory))
    domain = domain or _asked("The domain that it serves", f"{name}.example")
    text = starter(name, domain)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with file.open("x") as new:
            new.write(text)
    except FileExistsError:
        raise _there_already(file) from None
    except OSError as error:
        raise UsageError(f"cannot be written: {error.strerror}", where=str(file)) from error
    click.echo(f"Wrote {file}.", err=True)
    click.echo(f"Put the code base into {directory / 'app'}, then: colonnade -f {quote(str(file))} up", err=True)


def _there_already(file: Path) -> UsageError:
    return UsageError("there is one already", where=str(file), do="Edit it, or name another directory.")


def _asked(question: str, default: str) -> str:
    return str(click.prompt(question, default=default, err=True)) if on_terminal() else default


def name_from(directory: Path) -> str:
    """Make a stack's name out of a directory's."""
    letters = re.sub(r"[^a-z0-9]+", "-", directory.resolve().name.lower())
    return letters.strip("-")[:40].rstrip("-") or "stack"


@click.command()
def schema() -> None:
    """Print the JSON schema of the stack file, for editors.

    \b
    Example:
      colonnade schema > colonnade.schema.json
    """
    print_json(stack_schema())


@click.command()
@stack_file_option
@click.option("--mermaid", is_flag=True, help="Mermaid, for a document, instead of a picture for the terminal.")
def diagram(*, mermaid: bool) -> None:
    """Draw the stack. Nothing is asked or changed; a lab's machines have addresses once it was up.

    \b
    Example:
      colonnade diagram
      colonnade diagram --mermaid > stack.mmd
    """
    topology = drawn(invocation().stack_file())
    click.echo(pictures.mermaid(topology) if mermaid else pictures.text(topology))


def drawn(file: StackFile) -> Topology:
    """Return the stack with the addresses that are known; a machine without one is at its own name."""
    known = _known_addresses(file) if file.stack.in_lab else {}
    return resolve(file.stack, {name: known.get(name, name) for name in file.stack.machine_names})


def _known_addresses(file: StackFile) -> dict[str, str]:
    """Return where the lab's machines were placed; nothing if they were not, or if root alone may know."""
    try:
        if not (file.private.path / "lab.json").exists():
            return {}
        placement = saved_placement(file.lab.identity)
    except OSError:
        return {}
    return dict(placement.addresses) if placement else {}


COMMANDS: tuple[Any, ...] = (init, schema, diagram)
