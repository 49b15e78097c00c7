"""Has this machine's HAProxy know at once who serves, instead of at its next check."""

import asyncio
from collections.abc import Mapping

from colonnade.adapters.haproxy import Haproxy
from colonnade.agent.config import ProxyConfig
from colonnade.ha.view import Peer


class Routing:
    """Pushes changes of role; what did not change is left to the checks."""

    def __init__(self, proxy: ProxyConfig, servers: tuple[str, ...]) -> None:
        self._proxy = proxy
        self._haproxy = Haproxy(proxy.socket)
        self._servers = servers
        self._leads: dict[str, bool] = {}
        self._pushing: set[asyncio.Task[None]] = set()

    def update(self, me: str, peers: Mapping[str, Peer], *, leads: bool, now: float, fresh: float) -> None:
        """Push what is new: ``leads`` says whether this server serves as primary.

        Where one is known to serve, all others are down, whether they can be asked or not.
        """
        known = {name: peer.report for name, peer in peers.items() if now - peer.at <= fresh}
        serving = [name for name, report in known.items() if report.serves]
        leader = me if leads else max(serving, key=lambda name: known[name].leads, default="")
        commands = []
        for name in self._servers:
            if not leader and name != me and name not in known:
                continue
            serves = name == leader
            if self._leads.get(name) != serves:
                self._leads[name] = serves
                health = "up" if serves else "down"
                commands.append(f"set server {self._proxy.primary}/{name} health {health}")
        if commands:
            # Who is down goes first: there is never a moment with two.
            commands.sort(key=lambda command: command.endswith(" up"))
            task = asyncio.get_running_loop().create_task(self._push(commands))
            self._pushing.add(task)
            task.add_done_callback(self._pushing.discard)

    async def _push(self, commands: list[str]) -> None:
        await self._haproxy.say(commands)
