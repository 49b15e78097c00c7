"""Takes the stack off machines that it does not own: only what Colonnade put there."""

from colonnade.control.observe import everywhere
from colonnade.control.site import Site
from colonnade.errors import ColonnadeError
from colonnade.ports import Progress
from colonnade.rollout.removal import Stayed, removal_script, stayed
from colonnade.topology import Machine

SECONDS = 600


async def remove_from_machines(site: Site, progress: Progress, *, data: bool) -> dict[str, Stayed]:
    """Stop our units, remove our files and the packages that we installed; the database's data only if asked.

    Returns what could not be taken away, by machine.

    Raises:
        ColonnadeError: on some machine it did not end well; run again, it goes on.

    """

    async def one(machine: Machine) -> Stayed:
        progress.machine(machine.name, "removing what was installed")
        result = await site.remote.run(machine, "exec sh -s", stdin=removal_script(data=data).encode(), seconds=SECONDS)
        if result.code != 0:
            raise ColonnadeError(
                f"removal ended with {result.code}: {result.complaint.strip()[-600:]}",
                where=machine.name,
                do="Run the command again: it goes on where it was.",
            )
        progress.machine(machine.name, "")
        return stayed(result.output)

    progress.say("removing the stack from its machines")
    done, failures = await everywhere(site.topology.machines, one)
    for error in failures.values():
        raise error
    site.private.forget_machines()
    return done
