"""etcd, which holds who is the primary: seen, and made anew when its majority is gone for good."""

from typing import Any

import click
from rich.table import Table

from colonnade.cli import show
from colonnade.cli.completion import machine_names
from colonnade.cli.context import command, invocation, on_terminal, opened, print_json, stack_file_option
from colonnade.cli.progress import progress
from colonnade.control.apply import apply as carry_out
from colonnade.control.observe import observe
from colonnade.control.recover import Intention, intended, make_anew
from colonnade.control.site import Site
from colonnade.errors import ColonnadeError, UnreachableError
from colonnade.etcd_status import etcd_document, etcd_problems, members_document
from colonnade.ha.recovery import Recovered
from colonnade.ports import Progress
from colonnade.rollout import plan as make_plan
from colonnade.topology import Topology

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document, and nothing else.")
yes_option = click.option("-y", "--yes", is_flag=True, help="Do not ask.")


@click.group()
def etcd() -> None:
    """Look at etcd, which holds who is the primary; make it anew when its majority is gone.

    \b
    Example:
      colonnade etcd status
    """


@etcd.command("status")
@stack_file_option
@json_option
@command
async def etcd_status(*, as_json: bool) -> int:
    """Show etcd's members, who leads, how many may fail, and what is wrong; exit code 1 if anything is.

    \b
    Example:
      colonnade etcd status
      colonnade etcd status --json | jq .tolerates
    """
    async with opened(invocation().stack_file()) as site:
        observation = await observe(site, wait=False)
    if not observation.facts:
        raise UnreachableError("no machine of the stack could be reached", do="Is it up? Try: colonnade up")
    wrong = list(etcd_problems(site.topology, observation.facts))
    seen = etcd_document(site.topology, observation.facts)
    members = members_document(site.topology, observation.facts)
    if as_json:
        problems = [{"where": p.where, "what": p.what, "do": p.do} for p in wrong]
        print_json({**seen, "members": members, "problems": problems})
    else:
        _table(members)
        spare = f"{seen['tolerates'] or 'none'} of them may fail" if seen["quorum"] else "there is no majority"
        leads = f"{seen['leader']} leads; " if seen["leader"] else ""
        click.echo(f"\n{leads}{spare}.")
        for problem in wrong:
            click.echo(f"! {problem.where}: {problem.what}\n    {problem.do}")
    return 0 if seen["quorum"] and not wrong and not observation.failures else 1


def _table(members: dict[str, Any]) -> None:
    table = Table("member", "address", "state", "version", "database", "log", box=None, pad_edge=False)
    for name, member in members.items():
        size = "" if member["bytes"] is None else f"{member['bytes'] / 2**20:.1f} MB"
        state = member["state"] + (", leads" if member["leads"] else "")
        table.add_row(name, member["address"], state, member["version"] or "", size, str(member["index"] or ""))
    show.rows(table)


@etcd.command()
@stack_file_option
@json_option
@yes_option
@click.option(
    "--members-are-off",
    "off",
    multiple=True,
    metavar="NAME",
    shell_complete=machine_names,
    help="A machine that cannot be reached, named as the sign that it is off for good. May be repeated.",
)
@click.option(
    "--primary",
    default="",
    metavar="NAME",
    shell_complete=machine_names,
    help="The server that was the primary; only where nobody serves and it does not follow from what is known.",
)
@command
async def recover(*, as_json: bool, yes: bool, off: tuple[str, ...], primary: str) -> int:
    """Make etcd anew when the majority of its members is gone for good; the primary serves meanwhile.

    Refused (exit code 3) as long as a majority may come back. The agents say who is the primary; the new etcd begins
    with one member and acks = 0, the others are added to it, and standbys are waited for again. Interrupted, it goes
    on when it is run again.

    \b
    Example:
      colonnade etcd recover
      colonnade etcd recover --members-are-off lb1 --members-are-off web2
    """
    async with opened(invocation().stack_file()) as site:
        names = tuple(site.topology.machine(name).name for name in off)
        node = site.topology.machine(primary).node if primary else ""
        with progress(quiet=as_json) as told:
            intention = await intended(site, told, off=names, primary=node)
        for line in _said(site.topology, intention):
            click.echo(line, err=True)
        if not yes and on_terminal():
            click.confirm("Do this?", abort=True, err=True)
        with progress(quiet=as_json) as told:
            record = None
            if intention.begins is not None:
                record = await make_anew(site, intention, told, primary=node)
            steps = await _members_join(site, told)
    _done(record, steps, as_json=as_json)
    return 0 if steps is not None else 1


def _said(topology: Topology, intention: Intention) -> list[str]:
    begins, record = intention.begins, intention.record
    if begins is None or record is None:
        return ["etcd was made anew already; what is missing is members."]
    others = ", ".join(machine.name for machine in begins.emptied)
    wanted = [machine.name for machine in topology.etcd_members]
    primary = f"{record.contract.primary} as the primary (term {record.claim_term}; {record.why})"
    lines = [
        f"A new etcd begins on {begins.machine.name}, with {primary}, and acks = 0.",
        *([f"etcd's old data is thrown away on {others}."] if others else []),
        f"Then members are added until there are {len(wanted)}: {', '.join(wanted)}.",
    ]
    if begins.silent:
        lines.append(
            f"{', '.join(begins.silent)} may have old data. When such a machine is back, colonnade apply replaces it."
        )
    if begins.danger:
        lines.append(
            "They are a majority of the old etcd: several of them on at once would go by what it said, and there could"
            " be two primaries. Switch them on one at a time, and apply after each; or empty their disks first."
        )
    return lines


async def _members_join(site: Site, told: Progress) -> int | None:
    """Do what ``apply`` does; None if it cannot, because a machine is away."""
    told.say("asking the machines what is there")
    observation = await observe(site, wait=True)
    if observation.failures:
        return None
    plan = make_plan(site.topology, observation.desired, observation.facts)
    try:
        return (await carry_out(site, plan, observation, told, interrupt=False)).steps
    except ColonnadeError as error:
        raise type(error)(
            f"etcd is made anew, but not all of its members were added: {error.what}",
            where=error.where,
            do=f"{error.do}\ncolonnade apply goes on.",
        ) from error


def _done(record: Recovered | None, steps: int | None, *, as_json: bool) -> None:
    if as_json:
        contract = record.contract if record is not None else None
        print_json(
            {
                "recovered": record is not None,
                "primary": contract.primary.name if contract is not None else None,
                "term": record.claim_term if record is not None else None,
                "steps": steps,
            }
        )
        return
    if steps is None:
        click.echo(
            "etcd is made anew, with one member: not every machine can be reached. When they are back: colonnade apply."
            " For one that is gone for good, take it out of the file first.",
            err=True,
        )
        return
    click.echo("etcd has all its members again. colonnade explain says when writes are on a standby, too.", err=True)


COMMANDS: tuple[Any, ...] = (etcd,)
