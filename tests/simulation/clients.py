"""Clients: each writes and reads through a proxy that asks the agents who is primary, sometimes a moment late."""

from collections.abc import Callable
from dataclasses import dataclass

from .agent import Agent
from .checker import Checker
from .server import Server
from .world import World

CHECK_EVERY = 0.2
GIVES_UP = 1.5


@dataclass(eq=False)
class Client:
    """One application process beside one server."""

    world: World
    place: str
    agents: dict[str, Agent]
    checker: Checker
    target: Server | None = None
    checked_at: float = -1.0
    written: int = 0
    last_ok: float = 0.0
    _turn: int = 0

    def begin(self) -> None:
        self.world.after(self.world.chance.uniform(0.0, 0.2), self.go)

    def _route(self) -> Server | None:
        if self.world.now - self.checked_at >= CHECK_EVERY:
            self.checked_at, self.target = self.world.now, None
            for name, agent in self.agents.items():
                if (
                    agent.server is not None
                    and agent.alive
                    and not agent.frozen
                    and self.world.now < agent.serving_until
                    and self.world.talk(self.place, name)
                ):
                    self.target = agent.server
        return self.target

    def go(self) -> None:
        self._turn += 1
        turn, world = self._turn, self.world
        server = self._route()
        if server is None or not server.answers or not world.talk(self.place, server.name) or server.offline:
            world.after(world.chance.uniform(0.05, 0.2), self._next(turn))
            return
        if world.chance.random() < 0.4:
            self.checker.show(server)
        if server.read_only:
            self.checked_at = -1.0
            world.after(0.1, self._next(turn))
            return
        ok = []

        def tell(done: bool) -> None:  # noqa: FBT001  the answer itself
            if done:
                ok.append(1)
                if gtids:
                    self.checker.acknowledge(server, gtids[0])
                self.last_ok = world.now
            world.after(world.chance.uniform(0.02, 0.2), self._next(turn))

        gtids: list[tuple[str, int]] = []
        gtids.append(server.write(tell))
        if ok:
            self.checker.acknowledge(server, gtids[0])
        world.after(GIVES_UP, self._next(turn))

    def _next(self, turn: int) -> Callable[[], None]:
        def go() -> None:
            if turn == self._turn:
                self.go()

        return go
