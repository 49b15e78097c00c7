"""Makes etcd anew when its majority is gone for good, while the primary serves.

Every step can be repeated: whatever moment this is interrupted at, run again it begins with what is there. Until the
new cluster's first member starts, no agent reads anything; from then on there is a leader, and ``apply`` does the rest.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass

from colonnade.control.agents import words_of
from colonnade.control.observe import Observation, everywhere, observe
from colonnade.control.site import Site
from colonnade.errors import ColonnadeError, RefusedError
from colonnade.etcd import cluster_of
from colonnade.ha.record import PREFIX
from colonnade.ha.recovery import Recovered, Survivor, read_keys, recovered
from colonnade.ports import Progress
from colonnade.rollout import etcd_recovery as scripts
from colonnade.rollout.etcd_survivors import Beginning, beginning
from colonnade.topology import Machine

SCRIPT_SECONDS = 240


@dataclass(frozen=True, slots=True)
class Intention:
    """What is about to be done; ``record`` is None if etcd was made anew already and only its members are missing."""

    observation: Observation
    begins: Beginning | None
    record: Recovered | None


async def intended(site: Site, told: Progress, *, off: tuple[str, ...], primary: str) -> Intention:
    """Look whether etcd must be made anew, and as what; change nothing.

    Raises:
        RefusedError: its majority may come back, or who is the primary is not certain.

    """
    told.say("asking the machines what is left of etcd")
    observation = await observe(site, wait=True)
    if not observation.facts:
        raise next(iter(observation.failures.values()))
    cluster = cluster_of(site.topology, observation.facts)
    anew = any(facts.etcd.recovered_at for facts in observation.facts.values())
    complete = all(cluster.member(machine) is not None for machine in site.topology.etcd_members)
    if cluster.has_leader and anew and not complete:
        return Intention(observation, None, None)
    begins = beginning(site.topology, observation.facts, off)
    told.say("asking the agents who is the primary")
    return Intention(observation, begins, await _record(site, Survivor(), primary))


async def _record(site: Site, survivor: Survivor, primary: str) -> Recovered:
    words, _ = await words_of(site.topology, site.remote)
    return recovered(words, tuple(m.node for m in site.topology.servers), survivor, typed=primary)


async def make_anew(site: Site, intention: Intention, told: Progress, *, primary: str) -> Recovered:
    """Make a cluster of one member with the corrected record in it.

    Raises:
        ColonnadeError: a machine was lost, or something on it failed; run again, it goes on.

    """
    begins = intention.begins
    if begins is None or intention.record is None:
        raise AssertionError("there is nothing to make anew")
    machine, at = begins.machine, int(time.time())
    told.say("what is left of the old etcd stops")
    await _on_all(site, (machine, *begins.emptied), scripts.HALT)
    survivor = await _survivor(site, machine, told) if begins.survives else Survivor()
    # Asked again: now nothing can change who is the primary any more.
    record = await _record(site, survivor, primary)
    if record.contract.primary != intention.record.contract.primary:
        raise RefusedError(
            f"the primary is {record.contract.primary} now, and was {intention.record.contract.primary} a moment ago",
            do="Run the command again. etcd is stopped; nothing else was changed.",
        )
    told.say(f"a new etcd begins on {machine.name}: {record.contract.primary} is the primary, acks = 0")
    role = intention.observation.desired[machine.name].etcd
    if role is None:
        raise AssertionError(f"{machine.name} is to be no member of etcd")
    script = scripts.build(role, site.topology.name, record.texts(), above=record.revision, at=at)
    identity = (await _run(site, machine, script)).strip()
    told.say("the old data goes from the other machines")
    await _on_all(site, begins.emptied, scripts.wipe(identity, at=at))
    told.say(f"etcd starts on {machine.name}")
    await _run(site, machine, scripts.start())
    return record


async def _survivor(site: Site, machine: Machine, told: Progress) -> Survivor:
    """Read what the surviving member has; a copy that cannot be read is worth no more than none."""
    told.say(f"reading what {machine.name} has, from a copy")
    try:
        return read_keys(await _run(site, machine, scripts.read(PREFIX)))
    except (ColonnadeError, ValueError) as error:
        told.say(f"it cannot be read ({error}); the agents' own words are enough")
        return Survivor()


async def _on_all(site: Site, machines: Iterable[Machine], script: str) -> None:
    async def one(machine: Machine) -> None:
        await _run(site, machine, script)

    _, failures = await everywhere(machines, one)
    if failures:
        raise next(iter(failures.values()))


async def _run(site: Site, machine: Machine, script: str) -> str:
    """Run a script, which comes on standard input so that nothing of it stands in a list of processes."""
    result = await site.remote.run(machine, "exec sh -s", stdin=script.encode(), seconds=SCRIPT_SECONDS)
    if result.code != 0:
        raise ColonnadeError(
            f"etcd could not be made anew: {result.complaint.strip()[-1500:] or f'exit code {result.code}'}",
            where=machine.name,
            do="The primary serves on. Mend the cause and run the command again: it goes on.",
        )
    return result.output
