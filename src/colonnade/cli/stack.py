"""The stack as a whole: up, plan, apply, status, destroy."""

import shutil
from typing import Any

import click

from colonnade.cli import show
from colonnade.cli.context import (
    StackFile,
    command,
    invocation,
    on_terminal,
    opened,
    placed,
    print_json,
    stack_file_option,
)
from colonnade.cli.progress import progress
from colonnade.control.apply import apply as carry_out
from colonnade.control.look import look, until_healthy
from colonnade.control.observe import Observation, observe
from colonnade.control.remove import remove_from_machines
from colonnade.control.site import Site
from colonnade.errors import UnreachableError, UsageError
from colonnade.lab import Recipe, hosts, image
from colonnade.ports import Progress
from colonnade.render import Platform, fingerprint
from colonnade.rollout import Plan, as_document
from colonnade.rollout import plan as make_plan
from colonnade.rollout.recipe import image_recipe
from colonnade.status import View, document, problems

HEALTHY_SECONDS = 90
LAB_PLATFORM = Platform("debian", "13", 0)

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document, and nothing else.")
yes_option = click.option("-y", "--yes", is_flag=True, help="Do not ask.")
interrupt_option = click.option(
    "--interrupt", is_flag=True, help="Go on even where something that has no second stops for a moment."
)


@click.command()
@stack_file_option
@json_option
@yes_option
@interrupt_option
@click.option("--hosts/--no-hosts", "want_hosts", default=None, help="Write the names into this machine's hosts file.")
@command
async def up(*, as_json: bool, yes: bool, interrupt: bool, want_hosts: bool | None) -> int:
    """Bring the whole stack up and wait until it is well.

    Without addresses in the file, its machines are made in the lab on this host. What is up already is
    left alone.

    \b
    Example:
      colonnade up
      colonnade -f shop/colonnade.toml up --yes
    """
    file = invocation().stack_file()
    if file.stack.in_lab:
        with progress() as told:
            await _lab_up(file, told)
    async with opened(file) as site:
        with progress() as told:
            observation, plan = await _planned(site, told)
        if plan and not yes and not file.stack.in_lab:
            _agree(plan)
        with progress() as told:
            report = await carry_out(site, plan, observation, told, interrupt=interrupt)
            told.say("waiting until everything is well")
            view = await until_healthy(site, seconds=HEALTHY_SECONDS, seen=None if plan else observation)
        identity = file.lab.identity if file.stack.in_lab else ""
    steps = report.steps
    if file.stack.in_lab:
        _hosts(identity, view, want_hosts)
    if as_json:
        print_json({**document(view, ca=_authority(file)), "steps": steps, "warnings": list(plan.warnings)})
    else:
        show.summary(view, steps, plan.warnings, in_lab=file.stack.in_lab)
    return 1 if list(problems(view)) else 0


def _authority(file: StackFile) -> str | None:
    """Return where the certificate of the stack's own authority is, once there is one."""
    return str(file.private.authority) if file.private.authority.exists() else None


async def _lab_up(file: StackFile, told: Progress) -> None:
    topology, _ = await placed(file)
    key = file.private.ensure_ssh_key()
    recipe = None
    if file.stack.lab.image == "baked":
        script = image_recipe(topology, LAB_PLATFORM)
        recipe = Recipe(script, fingerprint([script]))
    built = await image.ensure(file.stack.lab.image, recipe=recipe, progress=told.say)
    names = [machine.name for machine in topology.machines]
    told.say(f"{len(names)} machines in the lab")
    await file.lab.up(names, image=built, authorized_key=key, progress=told.say)


def _hosts(identity: str, view: View, wanted: bool | None) -> None:  # noqa: FBT001  a choice of three
    names = {view.topology.www: view.topology.virtual_ip, view.topology.apex: view.topology.virtual_ip}
    if wanted is None and on_terminal() and not hosts.has(identity, names):
        wanted = click.confirm(f"Add {view.topology.www} to this machine's hosts file?", default=False, err=True)
    if wanted:
        hosts.add(identity, names)
    elif wanted is False:
        hosts.remove(identity)


async def _planned(site: Site, told: Progress) -> tuple[Observation, Plan]:
    told.say("asking the machines what is there")
    observation = (await observe(site, wait=True)).complete()
    return observation, make_plan(site.topology, observation.desired, observation.facts)


def _agree(plan: Plan) -> None:
    """Show a person the plan and ask; a no ends the command. Without a terminal nobody can be asked."""
    if on_terminal():
        show.plan(plan, diffs=False, err=True)
        click.confirm("Do this?", abort=True, err=True)


@click.command()
@stack_file_option
@json_option
@click.option("--no-diff", is_flag=True, help="Leave out what changes inside files.")
@command
async def plan(*, as_json: bool, no_diff: bool) -> int:
    """Show what apply would do, with reasons; change nothing.

    \b
    Example:
      colonnade plan
      colonnade plan --json | jq .steps
    """
    file = invocation().stack_file()
    async with opened(file) as site:
        with progress(quiet=as_json) as told:
            _, made = await _planned(site, told)
    if as_json:
        print_json(as_document(made))
    else:
        show.plan(made, diffs=not no_diff)
    return 0


@click.command()
@stack_file_option
@json_option
@yes_option
@interrupt_option
@command
async def apply(*, as_json: bool, yes: bool, interrupt: bool) -> int:
    """Make the machines what the file says; on a terminal, ask first.

    \b
    Example:
      colonnade apply --yes
    """
    file = invocation().stack_file()
    async with opened(file) as site:
        with progress() as told:
            observation, made = await _planned(site, told)
        if made and not yes:
            _agree(made)
        with progress() as told:
            steps = (await carry_out(site, made, observation, told, interrupt=interrupt)).steps
    if as_json:
        print_json({**as_document(made), "done": steps})
    else:
        show.applied(made, steps)
    return 0


@click.command()
@stack_file_option
@json_option
@command
async def status(*, as_json: bool) -> int:
    """Show how every part is, and what is wrong; exit code 1 if anything is.

    \b
    Example:
      colonnade status
      colonnade status --json | jq .problems
    """
    file = invocation().stack_file()
    async with opened(file) as site:
        view = await look(site)
    if as_json:
        print_json(document(view, ca=_authority(file)))
    else:
        show.status(view)
    if not view.facts:
        raise UnreachableError("no machine of the stack could be reached", do="Is it up? Try: colonnade up")
    return 1 if list(problems(view)) else 0


@click.command()
@stack_file_option
@yes_option
@click.option("--keep-image", is_flag=True, help="Lab: keep the image, so that the next up is fast.")
@click.option("--data", is_flag=True, help="Machines with addresses: remove the database's data, too.")
@click.option("--name", help="The stack's name, typed as the sign that you mean it (machines with addresses).")
@command
async def destroy(*, yes: bool, keep_image: bool, data: bool, name: str | None) -> int:
    """Remove the stack: the lab's machines whole; from machines with addresses what Colonnade installed.

    \b
    Example:
      colonnade destroy --yes --keep-image
      colonnade -f shop/colonnade.toml destroy --name shop
    """
    file = invocation().stack_file()
    if file.stack.in_lab:
        if not yes and on_terminal():
            click.confirm(f"Remove the lab of {file.stack.name}, with all its data?", abort=True, err=True)
        with progress() as told:
            await _destroy_lab(file, told, keep_image=keep_image)
        click.echo(f"{file.stack.name} is gone.", err=True)
        return 0
    if name is None and on_terminal():
        name = click.prompt(f"This takes {file.stack.name} off its machines. Type its name", err=True)
    if name != file.stack.name:
        raise UsageError(
            f"the name given is not {file.stack.name!r}", do=f"If you mean it: destroy --name {file.stack.name}"
        )
    async with opened(file) as site:
        with progress() as told:
            left = await remove_from_machines(site, told, data=data)
    click.echo(f"{file.stack.name} is off its machines{'' if data else '; the data is where it was'}.", err=True)
    for machine, stayed in sorted(left.items()):
        if stayed.newer:
            words = f"what was installed needed newer {', '.join(stayed.newer)}; they stay, for Debian cannot go back"
            click.echo(f"note: {machine}: {words}{_with(stayed.needed)}.", err=True)
    return 0


def _with(packages: tuple[str, ...]) -> str:
    return f", and {', '.join(packages)} with them" if packages else ""


async def _destroy_lab(file: StackFile, told: Progress, *, keep_image: bool) -> None:
    file.private.ensure()
    identity = file.lab.identity
    await file.lab.destroy(keep_image=keep_image, progress=told.say)
    hosts.remove(identity)
    shutil.rmtree(file.private.path)
    if {entry.name for entry in file.private.top.iterdir()} <= {".gitignore"}:
        shutil.rmtree(file.private.top)


COMMANDS: tuple[Any, ...] = (up, plan, apply, status, destroy)
