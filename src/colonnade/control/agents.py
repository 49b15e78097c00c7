"""The agents, asked through their machines: each by the command that is on it."""

import json
from shlex import join
from typing import Any

from colonnade.control.observe import everywhere
from colonnade.errors import ColonnadeError, RefusedError, UnreachableError
from colonnade.paths import AGENT_COMMAND
from colonnade.ports import Remote
from colonnade.topology import Machine, Topology

SECONDS = 15.0
REFUSED, SILENT = 3, 4


async def words_of(topology: Topology, remote: Remote) -> tuple[dict[str, Any], dict[str, ColonnadeError]]:
    """Ask every agent what it knows; by node, and why some could not be asked."""

    async def one(machine: Machine) -> tuple[str, Any]:
        return machine.node, await tell(remote, machine, "status")

    found, failures = await everywhere(topology.machines, one)
    nodes = {machine.name: machine.node for machine in topology.machines}
    return dict(found.values()), {nodes[name]: error for name, error in failures.items()}


async def tell(remote: Remote, machine: Machine, *words: str, seconds: float = SECONDS) -> Any:
    """Run one verb of the agent's command on a machine and return its document.

    Raises:
        RefusedError: it would not be safe; the reason is the agent's.
        UnreachableError: the machine, or the agent on it, does not answer.
        ColonnadeError: it did not succeed.

    """
    result = await remote.run(machine, join([AGENT_COMMAND, *words]), seconds=seconds)
    try:
        document = json.loads(result.output)
    except ValueError:
        raise ColonnadeError(
            f"there is no agent: {result.complaint.strip()[-300:] or f'exit code {result.code}'}",
            where=machine.name,
            do="colonnade apply sets it up.",
        ) from None
    if result.code == 0:
        return document
    if result.code == REFUSED:
        raise RefusedError(str(document.get("refused", document)), where=machine.name)
    kind = UnreachableError if result.code == SILENT else ColonnadeError
    raise kind(
        str(document.get("error", document)),
        where=machine.name,
        do=f"colonnade logs {machine.name} --unit colonnade-agent",
    )


async def tell_any(topology: Topology, remote: Remote, *words: str, seconds: float = SECONDS) -> Any:
    """Say it to the first agent that answers, the servers' first; raises as ``tell`` does."""
    last: ColonnadeError | None = None
    for machine in (*topology.servers, *(m for m in topology.machines if not m.server)):
        try:
            return await tell(remote, machine, *words, seconds=seconds)
        except RefusedError:
            raise
        except (UnreachableError, ColonnadeError) as error:
            last = error
            if not isinstance(error, UnreachableError):
                raise
    raise last if last is not None else UnreachableError("no machine of the stack could be reached")
