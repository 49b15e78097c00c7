"""How the stack is, in one round trip per machine."""

import asyncio

from colonnade.adapters import web
from colonnade.control.observe import Observation, observe
from colonnade.control.site import Site
from colonnade.status import View, problems
from colonnade.topology import HTTP_PORT

ASK_SECONDS = 4.0
OK = 200


async def look(site: Site) -> View:
    """Observe every machine and ask the stack's own address as a visitor would, all at once."""
    observation, outside = await asyncio.gather(observe(site, wait=False), _outside(site))
    return view_of(site, observation, outside)


def view_of(site: Site, observation: Observation, outside: str) -> View:
    """Put together what was seen."""
    unreachable = {machine: error.what for machine, error in observation.failures.items()}
    return View(site.topology, observation.facts, unreachable, observation.desired, outside)


async def _outside(site: Site) -> str:
    topology = site.topology
    path = topology.stack.app.health
    answer = await web.get(topology.virtual_ip, HTTP_PORT, topology.www, path, seconds=ASK_SECONDS)
    if answer.status == OK:
        return ""
    if answer.status:
        return f"GET {path} answers {answer.status}, not 200"
    return f"{topology.virtual_ip} does not answer: {answer.body}"


async def until_healthy(site: Site, *, seconds: float, seen: Observation | None = None) -> View:
    """Look again until nothing is wrong or the time is over; return what was seen last.

    ``seen`` is what was observed just now, if nothing was changed since: then that may be all there is to look at.
    """
    deadline = asyncio.get_running_loop().time() + seconds
    view = view_of(site, seen, await _outside(site)) if seen else await look(site)
    while list(problems(view)) and (left := deadline - asyncio.get_running_loop().time()) > 0:
        await asyncio.sleep(min(0.3, left))
        view = await look(site)
    return view
