"""Who is the primary: seen, explained, changed on purpose."""

import asyncio
import time
from datetime import UTC, datetime
from typing import Any

import click
from rich.table import Table

from colonnade import words as say
from colonnade.adapters.ssh import SshFleet
from colonnade.cli import show
from colonnade.cli.completion import machine_names
from colonnade.cli.context import command, invocation, on_terminal, print_json, reached, stack_file_option
from colonnade.cli.database import db
from colonnade.cli.progress import progress
from colonnade.control.agents import tell, tell_any, words_of
from colonnade.errors import ColonnadeError, RefusedError, UnreachableError, UsageError
from colonnade.gtid import GtidSet
from colonnade.topology import Machine, Topology

STOP_SECONDS = 20
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document, and nothing else.")
yes_option = click.option("-y", "--yes", is_flag=True, help="Do not ask.")


async def _words(topology: Topology, fleet: SshFleet) -> tuple[dict[str, Any], dict[str, ColonnadeError]]:
    words, failures = await words_of(topology, fleet)
    if not words:
        raise next(iter(failures.values()), UnreachableError("no machine of the stack could be reached"))
    return words, failures


@db.command("status")
@stack_file_option
@json_option
@command
async def db_status(*, as_json: bool) -> int:
    """Show who is primary, who follows, what a commit is worth, and why.

    \b
    Example:
      colonnade db status
      colonnade db status --json | jq .contract
    """
    async with reached(invocation().stack_file()) as (topology, fleet):
        words, failures = await _words(topology, fleet)
    contract = say.newest_contract(words)
    sentences = say.explain(words, sorted(failures))
    if as_json:
        print_json(
            {
                "contract": contract,
                "serving": say.serving(words),
                "explain": sentences,
                "agents": words,
                "silent": {node: error.what for node, error in failures.items()},
            }
        )
    else:
        _table(topology, words, contract)
        for sentence in sentences:
            click.echo(sentence)
    return 0 if say.serving(words) and not failures else 1


def _table(topology: Topology, words: dict[str, Any], contract: Any) -> None:
    table = Table("node", "state", "role", "executed", "behind", "late", "agent", box=None, pad_edge=False)
    for machine in topology.machines:
        word = words.get(machine.node)
        mysql = (word or {}).get("mysql") or {}
        late = (word or {}).get("lag_seconds")
        table.add_row(
            machine.node,
            word["state"] if word else "unknown",
            say.role(machine.node, word, contract) if machine.server else "",
            str(len(_held(mysql))) if mysql.get("answers") else "",
            _behind(words, contract, mysql),
            "" if late is None else f"{late:.1f} s",
            "up" if word else "silent",
        )
    show.rows(table)
    claim = next((w["claim"] for w in words.values() if w.get("claim") and w.get("etcd")), None)
    if contract is not None:
        held = f"lease held by {claim['holder']}, term {claim['term']}" if claim and claim["alive"] else "no live lease"
        click.echo(
            f"\ncontract: {contract['primary']} and {contract['acks']} of"
            f" {', '.join(contract['standbys']) or 'nobody'}, term {contract['term']}; {held}\n"
        )


def _held(mysql: dict[str, Any]) -> GtidSet:
    return GtidSet.parse(mysql.get("executed", "")) if mysql.get("answers") else GtidSet()


def _behind(words: dict[str, Any], contract: Any, mysql: dict[str, Any]) -> str:
    primary = ((words.get(contract["primary"]) if contract else None) or {}).get("mysql") or {}
    if not _held(primary) or not _held(mysql):
        return ""
    return str(len(_held(primary) - _held(mysql)))


@click.command()
@stack_file_option
@json_option
@command
async def explain(*, as_json: bool) -> int:
    """Say in a few sentences whether writes are safe, what one more failure would do, and why it is so.

    \b
    Example:
      colonnade explain
    """
    async with reached(invocation().stack_file()) as (topology, fleet):
        words, failures = await _words(topology, fleet)
    sentences = say.explain(words, sorted(failures))
    if as_json:
        print_json({"explain": sentences})
    else:
        click.echo("\n".join(sentences))
    return 0


@db.command()
@stack_file_option
@json_option
@click.option("--lines", "-n", type=click.IntRange(1), default=50, show_default=True, help="How many of the newest.")
@command
async def history(*, as_json: bool, lines: int) -> int:
    """Show what the agents decided, with their reasons, in the order of time.

    \b
    Example:
      colonnade db history -n 20
    """
    async with reached(invocation().stack_file()) as (topology, fleet):
        words, _ = await _words(topology, fleet)
    entries = say.history(words)[-lines:]
    if as_json:
        print_json(entries)
        return 0
    for entry in entries:
        at = datetime.fromtimestamp(entry["at"], UTC)
        click.echo(
            f"{at:%Y-%m-%d %H:%M:%S}.{at.microsecond // 1000:03d}  {entry['node']:<10} {entry['state']:<10} "
            f"{entry['action']}: {entry['reason']}"
        )
    return 0


@db.command()
@stack_file_option
@json_option
@click.option("--to", default="", shell_complete=machine_names, help="The server; default: the best standby.")
@click.option("--seconds", type=click.IntRange(1, 600), default=30, show_default=True, help="How long to wait.")
@command
async def switchover(*, as_json: bool, to: str, seconds: int) -> int:
    """Make another server the primary, without losing a write; refused (exit code 3) where that is not certain.

    \b
    Example:
      colonnade db switchover
      colonnade db switchover --to web2
    """
    async with reached(invocation().stack_file()) as (topology, fleet):
        node = _server(topology, to).node if to else ""
        began = time.monotonic()
        with progress(quiet=as_json) as told:
            told.say("switching over")
            words = ["switchover", "--seconds", str(seconds), *(["--to", node] if node else [])]
            done = await tell_any(topology, fleet, *words, seconds=seconds + 15)
    took = round(time.monotonic() - began, 2)
    if as_json:
        print_json({**done, "seconds": took})
    else:
        click.echo(f"{done['primary']} is the primary now (term {done['term']}), {done['before']} was; {took} s.")
    return 0


def _server(topology: Topology, name: str) -> Machine:
    machine = topology.machine(name)
    if not machine.server:
        raise UsageError(f"{name} is no server", do=f"Servers: {', '.join(m.node for m in topology.servers)}.")
    return machine


@db.command()
@stack_file_option
@click.option("--to", required=True, shell_complete=machine_names, help="The server that is to be the primary.")
@click.option("--is-off", default="", help="Name of the old primary's machine, typed as the sign that it is off.")
@click.option("--may-be-lost", default="", help="Name of the new primary, typed as the sign that losses are accepted.")
@click.option("--seconds", type=click.IntRange(1, 600), default=60, show_default=True, help="How long to wait.")
@command
async def failover(*, to: str, is_off: str, may_be_lost: str, seconds: int) -> int:
    """Force a server to be the primary although nothing proves that it holds every write.

    Only for when the agents cannot do it: `colonnade explain` says why. The old primary is stopped first; if it cannot
    be reached, you have to know that its machine is off.

    \b
    Example:
      colonnade db failover --to web2
    """
    async with reached(invocation().stack_file()) as (topology, fleet):
        target = _server(topology, to)
        words, failures = await _words(topology, fleet)
        contract = say.newest_contract(words)
        if contract is None:
            raise RefusedError("no agent knows who was the primary", do="colonnade etcd recover")
        if contract["primary"] == target.node:
            raise UsageError(f"{to} is the primary already")
        for sentence in (*say.explain(words, sorted(failures)), *_losses(words, contract, target)):
            click.echo(sentence, err=True)
        # Before anything is stopped: who reads this far and goes no further has changed nothing.
        if _typed(may_be_lost, f"Type {to} to make it the primary all the same") != to:
            raise RefusedError("nobody accepted the loss", do=f"Add --may-be-lost {to}. Nothing was changed.")
        old = next((m for m in topology.servers if m.node == contract["primary"]), None)
        fenced = old is None or await _stopped(fleet, old)
        if not fenced and old is not None and _typed(is_off, f"Type {old.name} if that machine is off") != old.name:
            raise RefusedError(
                f"{old.name} could not be stopped, and may still take writes",
                do=f"Turn the machine off, then say so: --is-off {old.name}. Nothing was changed.",
            )
        with progress() as told:
            told.say(f"making {to} the primary by force")
            done = await tell(
                fleet,
                target,
                "failover",
                "--to",
                target.node,
                "--lost-ok",
                "--seconds",
                str(seconds),
                seconds=seconds + 15,
            )
    click.echo(f"{done['primary']} is the primary now (term {done['term']}), by force.")
    return 0


def _losses(words: dict[str, Any], contract: Any, target: Machine) -> list[str]:
    word = words.get(target.node)
    if word is None:
        return [f"The agent of {target.node} does not answer, so what it holds is not known."]
    mysql = word.get("mysql") or {}
    count, primary = len(_held(mysql)), contract["primary"]
    lines = [f"{target.node} holds {count} transactions. Whatever {primary} acknowledged beyond is lost."]
    if held := _held((words.get(primary) or {}).get("mysql") or {}):
        lines.append(f"{primary} holds {len(held)} by its agent's last word.")
    return lines


async def _stopped(fleet: SshFleet, machine: Machine) -> bool:
    try:
        line = "systemctl disable --now mysql.service && ! systemctl is-active -q mysql.service"
        return (await fleet.run(machine, line, seconds=STOP_SECONDS)).code == 0
    except UnreachableError:
        return False


def _typed(given: str, question: str) -> str:
    if given or not on_terminal():
        return given
    answer: str = click.prompt(question, default="", show_default=False, err=True)
    return answer


@db.command()
@stack_file_option
@command
async def pause() -> int:
    """Have the agents only watch, while you work on the database; nothing fails over meanwhile.

    \b
    Example:
      colonnade db pause
    """
    async with reached(invocation().stack_file()) as (topology, fleet):
        await tell_any(topology, fleet, "pause")
    click.echo("Paused: the agents only watch, and keep the primary's lease. colonnade db resume ends it.", err=True)
    return 0


@db.command()
@stack_file_option
@command
async def resume() -> int:
    """Have the agents act again.

    \b
    Example:
      colonnade db resume
    """
    async with reached(invocation().stack_file()) as (topology, fleet):
        await tell_any(topology, fleet, "resume")
    click.echo("The agents act again.", err=True)
    return 0


@db.command()
@stack_file_option
@yes_option
@click.argument("name", shell_complete=machine_names)
@click.option("--discard", is_flag=True, help="Although it is kept because it may be the only copy of something.")
@click.option("--seconds", type=click.IntRange(1), default=3600, show_default=True, help="How long to wait.")
@command
async def rebuild(*, yes: bool, name: str, discard: bool, seconds: int) -> int:
    """Provision a server's data anew from the primary; its old data is kept aside until the new has caught up.

    Refused (exit code 3) for the primary, and for data that is kept because it may be the only copy of something.

    \b
    Example:
      colonnade db rebuild web2
    """
    async with reached(invocation().stack_file()) as (topology, fleet):
        machine = _server(topology, name)
        if not yes and on_terminal():
            click.confirm(f"Make the data of {name} anew from the primary?", abort=True, err=True)
        before = (await tell(fleet, machine, "status")).get("incarnation")
        await tell(fleet, machine, "rebuild", *(["--discard"] if discard else []))
        with progress() as told:
            told.say(f"{name} leaves the standbys, and is provisioned from the primary")
            await _rebuilt(fleet, machine, before, told, seconds)
    click.echo(f"{name} is provisioned anew and follows the primary.", err=True)
    return 0


async def _rebuilt(fleet: SshFleet, machine: Machine, before: str, told: Any, seconds: float) -> None:
    until = time.monotonic() + seconds
    while True:
        status = await tell(fleet, machine, "status")
        clone = status.get("clone")
        told.machine(machine.name, f"{clone['stage'].lower()} {clone['percent']} %" if clone else status["reason"])
        if status.get("incarnation") != before and status["state"] in {"standby", "following"}:
            told.machine(machine.name, "")
            return
        if time.monotonic() > until:
            raise ColonnadeError(f"not done within {seconds:g} s: {status['reason']}", where=machine.name)
        await asyncio.sleep(0.5)


COMMANDS: tuple[Any, ...] = (explain,)
