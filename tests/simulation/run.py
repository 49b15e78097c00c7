"""One run: a cluster, a schedule, clients, and the verdict."""

from collections.abc import Callable
from dataclasses import dataclass

from colonnade.ha.actions import Action
from colonnade.ha.states import State
from colonnade.ha.view import How, Member, Wanted

from .agent import Agent
from .checker import LATE, Checker
from .clients import Client
from .faults import Faults
from .mutation import Faithful
from .server import Server
from .store import Store
from .world import Violation, World

CALM = 1.8
FAULTS_UNTIL = 8.0
HEALED = 9.5
BOUND = 20.0  # seconds after the last fault within which clients can write, and the contract is as wanted
STEP = 0.03


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run found; ``story`` is its trace, if a property did not hold."""

    seed: int
    violation: Violation | None
    acknowledged: int
    terms: int
    story: tuple[str, ...] = ()


def _wanted(world: World, sizes: tuple[int, ...]) -> Wanted:
    chance = world.chance
    count = chance.choice(sizes)
    servers = tuple(f"web{n + 1}" for n in range(count))
    standbys = 1 if count == 2 else chance.randint(1, 2)
    acks = chance.randint(1, standbys)
    return Wanted(
        servers,
        agents=count + 1,
        founder="web1",
        standbys=standbys,
        acks=acks,
        strict=chance.random() < 0.25,
        lag=20,
    )


class Cluster:
    """Everything of one run."""

    def __init__(self, seed: int, mutation: Faithful, *, safety_only: bool = False) -> None:
        self.world = world = World(seed)
        self.wanted = wanted = _wanted(world, mutation.sizes)
        self.store = store = Store(world, wanted.ttl)
        self.checker = checker = Checker(world, store, safety_only=safety_only)
        self.servers = {
            name: Server(
                world,
                name,
                Member(name, f"{name}-1/1"),
                keeps_relay_log=mutation.keeps_relay_log,
                starts_shut=mutation.starts_shut,
            )
            for name in wanted.servers
        }
        checker.servers = self.servers

        def acted(agent: Agent, action: Action) -> None:
            checker.acted(agent, action)

        def moved(agent: Agent, was: State, now_is: State) -> None:
            checker.moved(agent, was, now_is)

        self.agents = {
            name: Agent(world, store, wanted, name, self.servers.get(name), mutation, acted, moved)
            for name in (*wanted.servers, "lb1")
        }
        for name, agent in self.agents.items():
            agent.others = {other: a for other, a in self.agents.items() if other != name}
            world.after(world.chance.uniform(0, 0.2), agent.begin)
        self.clients = [Client(world, name, self.agents, checker) for name in wanted.servers[:2]]
        for client in self.clients:
            client.begin()
        for server in self.servers.values():
            world.after(world.chance.uniform(0, STEP), self._stepping(server))
        self.faults = Faults(world, store, self.agents, self.servers, mutation)

    def _stepping(self, server: Server) -> Callable[[], None]:
        world = self.world

        def step() -> None:
            server.step()
            world.after(STEP * world.chance.uniform(0.6, 1.6), step)

        return step

    def settled(self, since: float) -> bool:
        """Say whether clients write again and the contract is as wanted."""
        contract = self.store.contract
        if contract is None or any(client.last_ok <= since for client in self.clients):
            return False
        return contract.acks == self.wanted.acks and len(contract.standbys) == self.wanted.standbys

    def _rebuild_kept(self) -> None:
        """After a failover by force a person decides what becomes of data that nothing proves to be superfluous."""
        if any(each.how is How.FORCED for each in self.store.successions):
            for agent in self.agents.values():
                if agent.reason.startswith("kept untouched"):
                    agent.provision_anew()

    def verdict(self) -> None:
        """Run the schedule to its end, and until all is well again.

        Raises:
            Violation: a property did not hold.

        """
        world = self.world
        self.faults.schedule(world.chance.randint(2, 8), CALM, FAULTS_UNTIL)
        world.run(HEALED)
        self.faults.heal_all()
        while not self.settled(HEALED):
            if world.now > HEALED + BOUND:
                if self.checker.safety_only:
                    break
                raise Violation(LATE, f"not as wanted {BOUND:g} s after the faults: {self.store.contract}")
            world.run(world.now + 0.25)
            self._rebuild_kept()
        contract = self.store.contract
        if contract is not None:
            self.checker.complete(self.servers[contract.primary.name])


def simulate(seed: int, mutation: Faithful | None = None, *, safety_only: bool = False, tell: bool = False) -> Outcome:
    """Run one schedule; ``safety_only`` looks at what is lost, vanished or served twice, and at nothing else."""
    cluster = Cluster(seed, mutation or Faithful(), safety_only=safety_only)
    found: Violation | None = None
    try:
        cluster.verdict()
    except Violation as violation:
        found = violation
    terms = len(cluster.store.successions)
    story = (f"{cluster.wanted}", *cluster.world.story()) if found or tell else ()
    return Outcome(seed, found, len(cluster.checker.acknowledged), terms, story)
