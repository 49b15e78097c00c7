"""Facts to what a person or a program wants to know: how every part is, and what is wrong. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from colonnade.database_status import (
    agents_document,
    database_document,
    database_notes,
    database_problems,
    mysql_document,
)
from colonnade.etcd_status import etcd_document, etcd_problems
from colonnade.facts import Facts
from colonnade.paths import APP_UNIT
from colonnade.problem import Problem
from colonnade.render import Desired
from colonnade.topology import Machine, Topology

OK = 200


@dataclass(frozen=True)
class View:
    """All that status is made from; a machine without facts could not be reached, for the reason given."""

    topology: Topology
    facts: Mapping[str, Facts]
    unreachable: Mapping[str, str]
    desired: Mapping[str, Desired]
    outside: str = ""
    """Why the stack's own address does not answer a visitor; empty if it does, or was not asked."""


def document(view: View, *, ca: str | None = None) -> dict[str, Any]:
    """Return the document of ``status --json``."""
    topology = view.topology
    return {
        "stack": topology.name,
        "url": topology.url,
        "virtual_ip": topology.virtual_ip,
        "dns": [machine.address for machine in topology.balancers],
        "ca": ca,
        "balancers": {m.balancer: _balancer(view, m) for m in topology.balancers},
        "servers": {m.server: _server(view, m) for m in topology.servers},
        "etcd": etcd_document(view.topology, view.facts),
        "database": database_document(view.topology, view.facts),
        "agents": agents_document(view.topology, view.facts),
        "problems": [{"where": problem.where, "what": problem.what, "do": problem.do} for problem in problems(view)],
        "notes": [{"where": note.where, "what": note.what, "do": note.do} for note in notes(view)],
    }


def _balancer(view: View, machine: Machine) -> dict[str, Any]:
    facts = view.facts.get(machine.name)
    return {
        "address": machine.address,
        "haproxy": _unit(facts, "haproxy.service"),
        "dns": _unit(facts, "knot.service"),
        "holds_virtual_ip": facts is not None and machine.address == view.topology.virtual_ip,
    }


def _server(view: View, machine: Machine) -> dict[str, Any]:
    facts = view.facts.get(machine.name)
    return {
        "address": machine.address,
        "nginx": _web(view, machine, facts, "nginx.service", "nginx"),
        "app": _web(view, machine, facts, APP_UNIT, "app"),
        "release": facts.release or None if facts else None,
        "mysql": mysql_document(view.topology, machine, view.facts),
    }


def _unit(facts: Facts | None, unit: str) -> str:
    if facts is None:
        return "unknown"
    return "up" if facts.active(unit) else "down"


def _web(view: View, machine: Machine, facts: Facts | None, unit: str, probe: str) -> str:
    if facts is None:
        return "unknown"
    if not facts.active(unit) or facts.probes.get(probe) != OK:
        return "down"
    return "drained" if _drained(view, machine) else "up"


def _drained(view: View, machine: Machine) -> bool:
    return any(
        row.server == machine.server and row.backend == "app" and row.status.startswith(("DRAIN", "MAINT"))
        for balancer in view.topology.balancers
        for row in (view.facts[balancer.name].proxy if balancer.name in view.facts else ())
    )


def notes(view: View) -> Iterator[Problem]:
    """Yield what is not wrong, and waits for somebody to look at it."""
    yield from database_notes(view.topology, view.facts)


def problems(view: View) -> Iterator[Problem]:
    """Yield what is wrong, what matters most first."""
    topology = view.topology
    if view.outside:
        yield Problem(
            topology.url,
            view.outside,
            f"Look at the problems of {topology.balancers[0].balancer} and the servers below.",
        )
    for machine in topology.machines:
        if machine.name in view.unreachable:
            yield Problem(
                machine.name, view.unreachable[machine.name], "Check its power and cable; then: colonnade status"
            )
    for machine in topology.machines:
        facts = view.facts.get(machine.name)
        if facts is not None:
            yield from _units(machine, view.desired[machine.name], facts)
    for machine in topology.servers:
        facts = view.facts.get(machine.name)
        if facts is not None:
            yield from _application(view, machine, facts)
    yield from etcd_problems(topology, view.facts)
    yield from database_problems(topology, view.facts)
    releases = {facts.release for m in topology.servers if (facts := view.facts.get(m.name)) and facts.release}
    if len(releases) > 1:
        yield Problem("servers", f"they run different releases: {', '.join(sorted(releases))}", "colonnade apply")


def _units(machine: Machine, desired: Desired, facts: Facts) -> Iterator[Problem]:
    for unit in desired.units:
        if not unit.runs:
            continue
        fact = facts.units.get(unit.name)
        if fact is None or fact.load == "not-found":
            yield Problem(machine.name, f"{unit.name} is not set up", "colonnade apply")
        elif not fact.is_active:
            yield Problem(
                machine.name,
                f"{unit.name} is {fact.active}",
                f"colonnade apply starts it; colonnade logs {machine.name} --unit {unit.name} says why",
            )
        elif fact.enabled == "disabled":
            yield Problem(machine.name, f"{unit.name} would not start at boot: it is disabled", "colonnade apply")


def _application(view: View, machine: Machine, facts: Facts) -> Iterator[Problem]:
    for unit, probe, what in (("nginx.service", "nginx", "Nginx"), (APP_UNIT, "app", "the application")):
        code = facts.probes.get(probe, 0)
        if facts.active(unit) and code != OK:
            yield Problem(
                machine.name,
                f"{what} runs, but answers {code or 'nothing'} when asked whether it is well",
                f"colonnade logs {machine.name} --unit {unit}",
            )
    for balancer in view.topology.balancers:
        for row in view.facts[balancer.name].proxy if balancer.name in view.facts else ():
            if row.server != machine.server or row.backend != "app":
                continue
            if row.status.startswith("DRAIN"):
                yield Problem(machine.name, f"it is drained on {balancer.balancer}", "colonnade apply puts it back")
            elif row.status.startswith("DOWN") and facts.probes.get("app") == OK:
                yield Problem(
                    machine.name,
                    f"{balancer.balancer} finds it down ({row.check or 'no reason given'})",
                    f"Check the network between {balancer.balancer} and {machine.name}.",
                )
