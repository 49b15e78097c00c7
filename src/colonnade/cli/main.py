"""The outermost layer: the group of all commands, and errors turned into messages and exit codes."""

import asyncio
import json
import sys
from pathlib import Path

import click

from colonnade import __version__
from colonnade.cli import completion, database, drill, etcd, failover, lab, machines, stack, write
from colonnade.cli.context import Invocation, say_error
from colonnade.errors import ColonnadeError

INTERRUPTED = 130


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, "-V", "--version", message="colonnade %(version)s")
@click.option(
    "-f",
    "--file",
    type=click.Path(path_type=Path),
    help="The stack file. Default: colonnade.toml here or above, else the example's.",
)
@click.pass_context
def cli(context: click.Context, file: Path | None) -> None:
    """Stand up and operate a highly available web stack on ordinary Linux machines, from one file.

    \b
    Example:
      colonnade up        the whole stack, running; on this machine if the file names no addresses
      colonnade status    what is running, who is primary, what is wrong
    """
    context.obj = Invocation(file)


for module in (stack, machines, database, drill, etcd, failover, lab, write, completion):
    for command in module.COMMANDS:
        cli.add_command(command)


def main() -> None:
    """Run the command line and end the process with its exit code."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:  # noqa: PLR0911  one way out for each way in which it can end
    """Run one command and return its exit code."""
    try:
        code = cli.main(arguments, prog_name="colonnade", standalone_mode=False)
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.UsageError as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        # Click makes the one of the other, and of a "no" to a question too.
        click.echo("Stopped. What is under way on a machine ends by itself; run the command again to go on.", err=True)
        return INTERRUPTED
    except asyncio.CancelledError:
        return INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except ColonnadeError as error:
        if "--json" in arguments:
            document = {"error": {"where": error.where, "what": error.what, "do": error.do}}
            click.echo(json.dumps(document, indent=2, ensure_ascii=False))
        say_error(error)
        return error.exit_code
    return int(code or 0)
