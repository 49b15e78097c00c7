"""What every command needs: the stack file found and read, the way to its machines, and how to speak."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import click

from colonnade.adapters.codebase import read_release
from colonnade.adapters.private import PrivateDirectory
from colonnade.adapters.program import read_program
from colonnade.adapters.ssh import SshFleet
from colonnade.control.site import Site
from colonnade.errors import ColonnadeError, SpecError, UnreachableError, UsageError
from colonnade.lab import Lab, Placement
from colonnade.spec import Stack, decode, parse
from colonnade.topology import Topology, resolve

FILE = "colonnade.toml"
EXAMPLE = Path(__file__).parents[3] / "examples" / "guestbook" / FILE

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class StackFile:
    """A stack file that was read."""

    path: Path
    stack: Stack

    @property
    def private(self) -> PrivateDirectory:
        """The stack's private directory."""
        return PrivateDirectory(self.path.parent, self.stack.name)

    @property
    def lab(self) -> Lab:
        """The lab of this stack."""
        return Lab(self.stack.name, self.private.path)


@dataclass
class Invocation:
    """How the command was called."""

    file: Path | None

    def stack_file(self) -> StackFile:
        """Find and read the stack file.

        Raises:
            SpecError: it cannot be used.
            UsageError: there is none.

        """
        path = self.file if self.file is not None else find_file(Path.cwd())
        path = path / FILE if path.is_dir() else path
        try:
            data = path.read_bytes()
        except OSError as error:
            raise SpecError(
                f"cannot be read: {error.strerror}", where=str(path), do="Name a stack file with -f, or: colonnade init"
            ) from error
        directory = path.resolve().parent
        text = decode(data, str(path))
        stack = parse(text, filename=str(path), directory_exists=lambda name: (directory / name).is_dir())
        return StackFile(path.resolve(), stack)


def find_file(start: Path) -> Path:
    """Return the stack file here or above; else the example's.

    Raises:
        UsageError: there is neither.

    """
    for directory in (start, *start.parents):
        if (directory / FILE).is_file():
            return directory / FILE
    if EXAMPLE.is_file():
        return EXAMPLE
    raise UsageError(f"there is no {FILE} here or above", do="Name one with -f FILE, or write one: colonnade init")


async def placed(file: StackFile) -> tuple[Topology, Placement | None]:
    """Return the stack with every machine's address; the lab is asked for those that the file does not give."""
    if not file.stack.in_lab:
        return resolve(file.stack, {}), None
    file.private.ensure()
    placement = await file.lab.place(file.stack.machine_names)
    memory = dict.fromkeys(file.stack.servers, placement.memory)
    return resolve(file.stack, placement.addresses, memory), placement


@asynccontextmanager
async def reached(file: StackFile) -> AsyncIterator[tuple[Topology, SshFleet]]:
    """Give the placed stack and the way to its machines; neither the code base nor a password is read.

    Raises:
        UnreachableError: no machine of it runs in the lab.

    """
    if file.stack.in_lab and not _runs_in_lab(file):
        raise UnreachableError(f"no machine of {file.stack.name} is running", do="Bring it up: colonnade up")
    topology, placement = await placed(file)
    file.private.ensure()
    user, port, key = file.stack.ssh.user, file.stack.ssh.port, _key(file)
    if placement is not None:
        file.private.ensure_ssh_key()
        user, port, key = "root", 22, file.private.ssh_key
    fleet = SshFleet(user=user, port=port, key=key, known_hosts=file.private.known_hosts)
    try:
        yield topology, fleet
    finally:
        await fleet.close()


def _runs_in_lab(file: StackFile) -> bool:
    """Say whether a machine is on; a stack that never was in the lab has no directory, and asking makes none."""
    known = file.private.path.is_dir()
    return known and any(state in {"running", "cut"} for state in file.lab.states().values())


@asynccontextmanager
async def opened(file: StackFile) -> AsyncIterator[Site]:
    """Give the site for as long as it is needed; connections are closed afterwards."""
    async with reached(file) as (topology, fleet):
        release = read_release(file.path.parent / file.stack.app.path, build=file.stack.app.build)
        yield Site(topology, fleet, file.private, release, read_program())


def _key(file: StackFile) -> Path | None:
    name = file.stack.ssh.key
    if not name:
        return None
    path = (file.path.parent / Path(name).expanduser()).resolve()
    if not path.is_file():
        raise SpecError(f"`ssh.key` names {path}, which is not there", where=str(file.path), do="Correct the path.")
    return path


def command(function: Callable[P, Coroutine[Any, Any, int | None]]) -> Callable[P, int]:
    """Run an async command to its end; what it returns is the exit code."""

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> int:
        return asyncio.run(function(*args, **kwargs)) or 0

    return run


def stack_file_option(function: Callable[P, T]) -> Callable[P, T]:
    """Let ``-f FILE`` stand after the verb too."""

    def keep(context: click.Context, _: click.Parameter, value: Path | None) -> None:
        if value is not None:
            context.find_root().obj = Invocation(value)

    return click.option(
        "-f",
        "--file",
        type=click.Path(path_type=Path),
        expose_value=False,
        is_eager=True,
        callback=keep,
        help="The stack file; may stand before the command, too.",
    )(function)


def invocation() -> Invocation:
    """Return how the running command was called."""
    found = click.get_current_context().find_root().obj
    assert isinstance(found, Invocation)  # noqa: S101  main() puts it there
    return found


def say_error(error: ColonnadeError) -> None:
    """Tell a person what went wrong: once, on standard error."""
    where = f"{error.where}: " if error.where else ""
    click.secho("error: ", fg="red", bold=True, nl=False, err=True)
    click.echo(f"{where}{error.what}", err=True)
    if error.do:
        click.echo(error.do, err=True)


def print_json(document: object) -> None:
    """Print one JSON document on standard output."""
    click.echo(json.dumps(document, indent=2, ensure_ascii=False))


def on_terminal() -> bool:
    """Whether a person can be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty()
