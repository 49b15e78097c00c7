"""Drills: faults on purpose, under load, and what they cost."""

from collections.abc import Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from colonnade.cli.context import StackFile, command, invocation, on_terminal, print_json, reached, stack_file_option
from colonnade.cli.progress import progress
from colonnade.cli.show import WIDTH
from colonnade.control.drill.database import Drilled, Ground
from colonnade.control.drill.database import drill as rehearse
from colonnade.drill import Fault, Part, Series, series
from colonnade.drill.database import FAULTS, LEFT_OUT, Result
from colonnade.drill.database.result import document
from colonnade.errors import ColonnadeError, RefusedError, UsageError


@click.group()
def drill() -> None:
    """Break things on purpose, under load, and prove that nothing acknowledged is lost.

    \b
    Example:
      colonnade drill database --list
      colonnade drill database mysqld-killed
    """


def fault_names(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Offer the faults that were not named yet."""
    given = context.params.get(parameter.name or "") or ()
    return [name for name in FAULTS if name.startswith(incomplete) and name not in given]


@drill.command()
@stack_file_option
@click.argument("faults", metavar="[FAULT...]", nargs=-1, shell_complete=fault_names)
@click.option("--list", "only_list", is_flag=True, help="Show every fault, what it does and what it may cost.")
@click.option("--all", "every", is_flag=True, help="Rehearse every fault that these machines allow.")
@click.option("--repeat", type=click.IntRange(1), default=1, metavar="N", help="Rehearse each so often.")
@click.option("--hold", type=click.FloatRange(0), metavar="SECONDS", help="How long a fault lasts, if not as listed.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document, and nothing else.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@command
async def database(
    *, faults: tuple[str, ...], only_list: bool, every: bool, repeat: int, hold: float | None, as_json: bool, yes: bool
) -> int:
    """Break the database in one way while clients write and read, mend it, and check what is there.

    Passed means: no acknowledged write is lost, nothing that was read vanished, transactions are whole, writes
    were possible again in time, and full redundancy came back. Each drill leaves a document, a picture and all
    that was seen in .colonnade/STACK/drills beside the stack file. Exit code 1 if one failed.

    \b
    Example:
      colonnade drill database --list
      colonnade drill database mysqld-killed primary-cable
      colonnade drill database switchover --repeat 10
      colonnade drill database --all --yes
    """
    if only_list:
        _list(as_json=as_json)
        return 0
    file = invocation().stack_file()
    if every == bool(faults):
        raise UsageError("name the faults to rehearse, or --all", do="See them: colonnade drill database --list")
    async with reached(file) as (topology, fleet):
        hardware = file.lab if file.stack.in_lab else None
        ground = Ground(topology, fleet, file.private, hardware)
        chosen = _chosen(ground, faults)
        _agree(file, chosen, yes=yes)
        changed = [fault if hold is None else replace(fault, hold=hold) for fault in chosen]
        done: list[Drilled] = []
        try:
            with progress() as told:
                for fault in changed:
                    for number in range(1, repeat + 1):
                        told.say(f"{fault.name}, {number} of {repeat}" if repeat > 1 else fault.name)
                        done.append(await rehearse(ground, fault, told))
        except ColonnadeError:
            # What was found until then is worth seeing.
            if not as_json:
                show_drills(done)
            raise
    if as_json:
        print_json(as_document(done))
    else:
        show_drills(done)
    return 0 if all(each.result.verdict.passed for each in done) and all(s.passed for s in together(done)) else 1


def _chosen(ground: Ground, names: Sequence[str]) -> list[Fault]:
    """Return the faults of these names; without names, all that can be rehearsed here."""
    unknown = [name for name in names if name not in FAULTS]
    if unknown:
        close = get_close_matches(unknown[0], FAULTS, n=1)
        hint = f" Did you mean {close[0]}?" if close else ""
        raise UsageError(f"there is no fault {unknown[0]!r}.{hint}", do="See them: colonnade drill database --list")
    for name in names:
        obstacle = ground.obstacle(FAULTS[name])
        if obstacle:
            raise UsageError(f"{name}: {obstacle}", do="See all: colonnade drill database --list")
    if names:
        return [FAULTS[name] for name in dict.fromkeys(names)]
    left_out = {name: obstacle for name, fault in FAULTS.items() if (obstacle := ground.obstacle(fault))}
    for name, obstacle in left_out.items():
        click.echo(f"note: {name} is left out: {obstacle}", err=True)
    return [fault for name, fault in FAULTS.items() if name not in left_out]


def _agree(file: StackFile, chosen: Sequence[Fault], *, yes: bool) -> None:
    """Have a person agree before anything is broken that is not the lab's."""
    if yes or file.stack.in_lab:
        return
    if not on_terminal():
        raise RefusedError(
            f"this breaks {file.stack.name} on purpose, and nobody can be asked here", do="If you mean it: --yes"
        )
    for fault in chosen:
        click.echo(f"{fault.name}: {fault.words}", err=True)
    click.confirm(f"This breaks {file.stack.name} on purpose, for its users too. Do it?", abort=True, err=True)


def together(done: Sequence[Drilled]) -> list[Series]:
    """Return median and worst of each fault that was rehearsed more than once."""
    by_fault: dict[str, list[Drilled]] = {}
    for each in done:
        by_fault.setdefault(each.result.fault.name, []).append(each)
    return [
        series(own[0].result.fault, [each.result.verdict for each in own]) for own in by_fault.values() if len(own) > 1
    ]


def as_document(done: Sequence[Drilled]) -> dict[str, Any]:
    """Return all drills, and those that were repeated together, for programs."""
    return {
        "drills": [{**document(each.result), "directory": str(each.directory)} for each in done],
        "series": [
            {
                "fault": each.fault,
                "runs": each.runs,
                "gap": {"median": round(each.median, 4), "worst": round(each.worst, 4)},
                "failed": each.failed,
                "passed": each.passed,
                "reasons": list(each.reasons),
            }
            for each in together(done)
        ],
    }


def _console() -> Console:
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=WIDTH, no_color=True)


def show_drills(done: Sequence[Drilled]) -> None:
    """Print a line for each drill, then what is to be said about them."""
    if not done:
        return
    console = _console()
    table = Table("fault", "", "no write for", "lost", "vanished", "unacked", "whole after", "etcd led by", box=None)
    for each in done:
        table.add_row(*_row(each.result))
    console.print(table)
    for each in done:
        result = each.result
        for text in result.verdict.reasons:
            console.print(Text.assemble(("! ", "bold red"), (result.fault.name, "bold"), f": {text}"), soft_wrap=True)
        for text in result.notes:
            console.print(Text(f"note: {result.fault.name}: {text}", style="yellow"), soft_wrap=True)
    for found in together(done):
        figures = f"median {found.median:.2f} s, worst {found.worst:.2f} s without a write in {found.runs} runs"
        console.print(Text.assemble((found.fault, "bold"), f": {figures}"), soft_wrap=True)
        for text in found.reasons:
            console.print(Text.assemble(("! ", "bold red"), (found.fault, "bold"), f": {text}"), soft_wrap=True)
    console.print(Text(f"Documents and pictures: {done[-1].directory.parent}", style="dim"), soft_wrap=True)


def _row(result: Result) -> tuple[Text | str, ...]:
    verdict, found = result.verdict, result.found
    limit = result.fault.limits.gap
    passed = Text("passed", style="green") if verdict.passed else Text("failed", style="bold red")
    whole = verdict.redundant_after_begin
    return (
        result.fault.name,
        passed,
        f"{verdict.gap.seconds:.2f} s" + ("" if limit is None else f" of {limit:g} s"),
        str(len(found.lost)),
        str(len(found.vanished)),
        str(len(found.unacknowledged_present)),
        "never" if whole is None else f"{whole:.1f} s",
        ", ".join(result.cast.get(Part.ETCD_LEADER, ("nobody",))),
    )


def _list(*, as_json: bool) -> None:
    if as_json:
        print_json(
            [
                {
                    "name": fault.name,
                    "words": fault.words,
                    "hold": fault.hold,
                    "gap": fault.limits.gap,
                    "median": fault.limits.median,
                    "redundant": fault.limits.redundant,
                    "only_lab": bool(fault.needs_lab),
                }
                for fault in FAULTS.values()
            ]
        )
        return
    console = _console()
    table = Table("fault", "what it does", "no write for", "", box=None)
    for fault in FAULTS.values():
        limit = fault.limits.gap
        table.add_row(
            Text(fault.name, style="bold"),
            fault.words,
            "any time" if limit is None else f"at most {limit:g} s",
            "lab only" if fault.needs_lab else "",
        )
    console.print(table)
    for name, why in LEFT_OUT.items():
        console.print(Text(f"Not rehearsed: {name}, {why}.", style="dim"))


COMMANDS: tuple[Any, ...] = (drill,)
