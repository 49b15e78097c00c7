"""What people read: tables and summaries that fit 100 columns."""

from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from colonnade.rollout import Plan, describe, unified_diff
from colonnade.rollout.steps import PutFile
from colonnade.status import View, document, notes, problems

WIDTH = 100
COLOURS = {"up": "green", "down": "bold red", "drained": "yellow", "learner": "yellow", "unknown": "bold red"}


def _console(*, err: bool = False) -> Console:
    console = Console(stderr=err, highlight=False)
    if not console.is_terminal:
        console = Console(stderr=err, highlight=False, width=WIDTH, no_color=True)
    return console


def plan(made: Plan, *, diffs: bool, err: bool = False) -> None:
    """Print a plan: stages, machines, steps with reasons, and what changes inside files."""
    console = _console(err=err)
    for warning in made.warnings:
        console.print(Text(f"note: {warning}", style="yellow"))
    if not made:
        console.print("Nothing to do: every machine is as it should be.")
        return
    for number, stage in enumerate(made.stages, start=1):
        console.print(Text(f"\n{number}. {stage.title}", style="bold"))
        if stage.interrupts:
            console.print(Text(f"   {stage.interrupts}: wants --interrupt", style="bold red"))
        for machine, steps in stage.work.items():
            console.print(Text(f"   {machine}", style="cyan"))
            for step in steps:
                console.print(Text(f"     {describe(step)}  ({step.why})"), soft_wrap=True)
                if diffs and isinstance(step, PutFile):
                    for line in unified_diff(step).splitlines():
                        style = "green" if line.startswith("+") else "red" if line.startswith("-") else "dim"
                        console.print(Text(f"       {line}", style=style), soft_wrap=True)
    machines = {machine for machine, _ in made.steps}
    console.print(f"\n{_count(len(made.steps), 'step')} on {_count(len(machines), 'machine')}.")


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def applied(made: Plan, steps: int) -> None:
    """Say what an apply did."""
    if not made:
        click.echo("Nothing to do: every machine is as it should be.")
        return
    machines = {machine for machine, _ in made.steps}
    click.echo(f"Done: {_count(steps, 'step')} on {_count(len(machines), 'machine')}.")


def status(view: View) -> None:
    """Print how every part is, and what is wrong."""
    console = _console()
    seen = document(view)
    console.print(Text.assemble((seen["stack"], "bold"), f"  {seen['url']}  virtual IP {seen['virtual_ip']}"))
    balancers = Table("balancer", "address", "haproxy", "name server", "virtual IP", box=None, pad_edge=False)
    for name, part in seen["balancers"].items():
        holds = "holds it" if part["holds_virtual_ip"] else ""
        balancers.add_row(name, part["address"], _state(part["haproxy"]), _state(part["dns"]), holds)
    servers = Table("server", "address", "nginx", "app", "mysql", "role", "late", "release", box=None, pad_edge=False)
    for name, part in seen["servers"].items():
        mysql = part["mysql"]
        late = "" if mysql["lag_seconds"] is None else f"{mysql['lag_seconds']:.0f} s"
        servers.add_row(
            name,
            part["address"],
            _state(part["nginx"]),
            _state(part["app"]),
            _state(mysql["state"]),
            "standby" if mysql["standby"] else mysql["role"] or "",
            late,
            part["release"] or "",
        )
    console.print()
    console.print(balancers)
    console.print()
    console.print(servers)
    console.print()
    console.print(_etcd(seen["etcd"]))
    console.print(_database(seen["database"]))
    console.print()
    _problems(console, view)


def _etcd(seen: dict[str, Any]) -> Text:
    """Say in one line who is a member, who leads, and what it bears."""
    line = Text("etcd      ")
    for name, member in seen["members"].items():
        line.append(f"{name} ").append_text(_state(member["state"])).append(" (leads)  " if member["leads"] else "  ")
    if len(seen["members"]) == 1:
        return line.append("one member: failover is by hand below three machines", "dim")
    if not seen["quorum"]:
        return line.append("no majority", "bold red")
    return line.append(f"{seen['tolerates'] or 'none'} of them may fail", "dim" if seen["tolerates"] else "yellow")


def _database(seen: dict[str, Any]) -> Text:
    """Say in one line who leads, and what would be if it were lost."""
    line = Text("database  ")
    if seen["primary"] is None:
        return line.append("nobody leads", "bold red")
    line.append(f"{seen['primary']} leads in term {seen['term']}  ")
    failover = seen["failover"]
    if failover["possible"]:
        names = _few(seen["standbys"])
        return line.append(f"{names} could take over; a commit waits for {seen['acks']} of them", "dim")
    return line.append(f"no failover: {failover['why_not']}", "yellow")


def _few(names: list[str]) -> str:
    """Name the first ones; a line is only so long."""
    return ", ".join(names) if len(names) <= 3 else f"{', '.join(names[:2])} and {len(names) - 2} more"  # noqa: PLR2004  what fits


def _state(state: str) -> Text:
    return Text(state, style=COLOURS.get(state, ""))


def _problems(console: Console, view: View) -> None:
    wrong = list(problems(view))
    if not wrong:
        console.print(Text("Everything is well.", style="green"))
    for problem in wrong:
        console.print(Text.assemble(("! ", "bold red"), (problem.where, "bold"), f": {problem.what}"), soft_wrap=True)
        console.print(Text(f"    {problem.do}", style="dim"), soft_wrap=True)
    for note in notes(view):
        console.print(Text(f"note: {note.where}: {note.what}", style="yellow"), soft_wrap=True)
        console.print(Text(f"    {note.do}", style="dim"), soft_wrap=True)


def summary(view: View, steps: int, warnings: tuple[str, ...], *, in_lab: bool) -> None:
    """Print what a person wants to know after ``up``: is it well, what to open, how to look from elsewhere."""
    console = _console()
    for warning in warnings:
        console.print(Text(f"note: {warning}", style="yellow"), soft_wrap=True)
    status(view)
    topology = view.topology
    console.print()
    console.print(f"{_count(steps, 'step')} done." if steps else "Nothing had to be changed.")
    console.print(Text.assemble("Open ", (topology.url, "bold underline")), soft_wrap=True)
    address = topology.virtual_ip
    if in_lab:
        console.print(
            f"  from this machine:   curl --resolve {topology.www}:80:{address} {topology.url}", soft_wrap=True
        )
        console.print("                       or: colonnade up --hosts, then any browser here finds the name")
        console.print(
            f"  from your own:       ssh -L 8080:{address}:80 THIS-MACHINE, put '127.0.0.1 {topology.www}'",
            soft_wrap=True,
        )
        console.print(
            f"                       into its hosts file and open http://{topology.www}:8080/", soft_wrap=True
        )
    names = ", ".join(f"{name} ({where})" for name, where in topology.name_servers)
    console.print(f"  name servers:        {names}", soft_wrap=True)
    console.print(f"                       dig @{topology.name_servers[0][1]} {topology.www}", soft_wrap=True)


def rows(table: Table) -> None:
    """Print a table as wide as people's terminals are."""
    _console().print(table)
