"""What may go wrong, each with its end; a schedule is a handful of them at random moments."""

from collections.abc import Callable
from dataclasses import dataclass

from .agent import Agent
from .mutation import Faithful
from .server import Server
from .store import Store
from .world import World

OTHERS = ("etcd",)
STEP = 0.05
GIVES_UP = 5.0


@dataclass
class Faults:
    """Injects faults, and takes all of them back in the end."""

    world: World
    store: Store
    agents: dict[str, Agent]
    servers: dict[str, Server]
    mutation: Faithful
    healed: bool = False

    def schedule(self, count: int, begin: float, end: float) -> None:
        chance = self.world.chance
        kinds = [
            self.kill_mysql, self.kill_mysql, self.power_cut, self.freeze_mysql, self.freeze_agent, self.kill_agent,
            self.cut_link, self.cut_link, self.isolate, self.isolate, self.from_etcd, self.stall_etcd, self.etcd_leader,
            self.stop_mysql, self.switchover, self.all_power, self.half_cut, self.but_one, self.slow_applier,
            self.slow_applier, self.rebuild, self.rebuild, self.pause, self.force,
        ]  # fmt: skip
        likely = [getattr(self, name) for name in self.mutation.likely]
        at = chance.uniform(begin, end)
        for _ in range(count):
            chosen = likely if likely and chance.random() < 0.8 else kinds
            self.world.after(at, self._unless_healed(chance.choice(chosen)))
            # Faults come in bursts: the second one is the one that hurts.
            at = at + chance.uniform(0.0, 0.8) if chance.random() < 0.6 else chance.uniform(begin, end)

    def _unless_healed(self, kind: Callable[[], None]) -> Callable[[], None]:
        def go() -> None:
            if not self.healed:
                kind()

        return go

    def _length(self) -> float:
        return self.world.chance.choice((0.2, 0.6, 1.2, 2.5, 4.0, 7.0)) * self.world.chance.uniform(0.7, 1.3)

    def _some(self) -> Server:
        """Pick a server, more often the primary than not."""
        names = sorted(self.servers)
        contract = self.store.contract
        if contract is not None and self.world.chance.random() < 0.5:
            return self.servers[contract.primary.name]
        return self.servers[self.world.chance.choice(names)]

    def _say(self, what: str) -> None:
        self.world.note("FAULT", what)

    def kill_mysql(self) -> None:
        server = self._some()
        self._say(f"mysqld of {server.name} killed")
        server.crash()
        self.world.after(self.world.chance.choice((0.4, 1.0, 2.5, 5.0)), lambda: self._restart(server))

    def _restart(self, server: Server) -> None:
        if server.powered and not server.running:
            self._say(f"mysqld of {server.name} starts")
            server.start()

    def power_cut(self) -> None:
        self._power(self._some())

    def _power(self, server: Server) -> None:
        self._say(f"power of {server.name} cut")
        server.crash(power=True)
        self.agents[server.name].crash()
        self.world.after(self._length(), lambda: self._power_on(server))

    def _power_on(self, server: Server) -> None:
        if not server.powered:
            self._say(f"{server.name} boots")
            server.start()
            self.agents[server.name].begin()

    def all_power(self) -> None:
        for server in self.servers.values():
            self._power(server)

    def freeze_mysql(self) -> None:
        server = self._some()
        self._say(f"mysqld of {server.name} frozen")
        server.frozen = server.running
        self.world.after(self._length(), lambda: self._thaw(server))

    def _thaw(self, server: Server) -> None:
        if server.frozen:
            self._say(f"mysqld of {server.name} goes on")
            server.frozen = False

    def freeze_agent(self) -> None:
        agent = self.agents[self._some().name]
        self._say(f"agent of {agent.name} frozen")
        agent.freeze()
        self.world.after(self._length(), agent.thaw)

    def kill_agent(self) -> None:
        agent = self.agents[self._some().name]
        if agent.alive:
            self._say(f"agent of {agent.name} killed")
            agent.crash()
            self.world.after(self.world.chance.uniform(0.2, 2.0), lambda: self._agent_on(agent))

    def _agent_on(self, agent: Agent) -> None:
        if not agent.alive and agent.server is not None and agent.server.powered:
            self._say(f"agent of {agent.name} starts")
            agent.begin()

    def _cut(self, pairs: list[tuple[str, str]]) -> None:
        self.world.cuts.update(pairs)
        self.world.after(self._length(), lambda: self._heal(pairs))

    def _heal(self, pairs: list[tuple[str, str]]) -> None:
        self._say(f"healed: {pairs[0][0]} to {pairs[0][1]} and what was cut with it")
        self.world.cuts.difference_update(pairs)

    def cut_link(self) -> None:
        a, b = self._some().name, self._some().name
        pairs = [(a, b), (b, a)]
        if a != b:
            self._say(f"cut: {a} and {b}")
            self._cut(pairs)

    def half_cut(self) -> None:
        a, b = self._some().name, self.world.chance.choice([*sorted(self.agents), "etcd"])
        if a != b:
            pair = (a, b) if self.world.chance.random() < 0.5 else (b, a)
            self._say(f"cut one way: {pair[0]} to {pair[1]}")
            self._cut([pair])

    def isolate(self) -> None:
        name = self._some().name
        self._say(f"cable of {name} cut")
        rest = [each for each in [*self.agents, *OTHERS] if each != name]
        self._cut([(name, each) for each in rest] + [(each, name) for each in rest])

    def but_one(self) -> None:
        """Leave a server, mostly the primary, with one other server for company: not with etcd, nor with the rest."""
        name = self._some().name
        company = self.world.chance.choice(sorted(each for each in self.servers if each != name))
        self._say(f"{name} reaches nobody but {company}")
        rest = [each for each in [*self.agents, *OTHERS] if each not in {name, company}]
        self._cut([(name, each) for each in rest] + [(each, name) for each in rest])

    def from_etcd(self) -> None:
        name = self._some().name
        self._say(f"cut: {name} and etcd")
        self._cut([(name, "etcd"), ("etcd", name)])

    def stall_etcd(self) -> None:
        self._say("etcd stalls")
        self.store.stalled = True
        self.world.after(self._length(), self._unstall)

    def _unstall(self) -> None:
        self.store.stalled = False

    def etcd_leader(self) -> None:
        self._say("etcd's leader changes")
        self.store.change_leader()

    def slow_applier(self) -> None:
        server = self._some()
        self._say(f"the applier of {server.name} stalls")
        server.stalled_until = self.world.now + self._length()

    def stop_mysql(self) -> None:
        server = self._some()
        if not server.answers:
            return
        self._say(f"mysqld of {server.name} stopped by systemd")
        if self.mutation.stops_safely:
            server.fence()
            server.crash()
        else:
            server.terminate()
        self.world.after(self.world.chance.uniform(0.3, 2.0), lambda: self._restart(server))

    def rebuild(self) -> None:
        """Have a server's data made anew, as a person may at any moment; the rule says when that is refused."""
        agent = self.agents[self.world.chance.choice(sorted(self.servers))]
        if agent.provision_anew():
            self._say(f"a person wishes {agent.name} to be provisioned anew")

    def pause(self) -> None:
        self._say("a person pauses the agents")
        self.store.paused = True
        self.world.after(self._length(), self._resume)

    def _resume(self) -> None:
        self._say("a person has the agents act again")
        self.store.paused = False

    def force(self) -> None:
        """Make a server primary by force: the old one's machine is off first, as a person has to say."""
        contract = self.store.contract
        if contract is None:
            return
        others = sorted(name for name in self.servers if name != contract.primary.name)
        target, old = self.world.chance.choice(others), self.servers[contract.primary.name]
        self._say(f"a person turns {old.name} off, and wishes {target} to be primary by force")
        old.crash(power=True)
        self.agents[old.name].crash()
        self.store.wish, self.store.forced = target, True
        self.world.after(STEP, lambda: self._forcing(old, target, self.world.now + GIVES_UP))

    def _forcing(self, old: Server, target: str, until: float) -> None:
        """Keep the old primary off until the other is primary, or the wish is taken back."""
        contract = self.store.contract
        done = contract is not None and contract.primary.name == target
        if not done and not old.powered and self.world.now < until and not self.healed:
            self.world.after(STEP, lambda: self._forcing(old, target, until))
            return
        if self.store.forced:
            self.store.wish, self.store.forced = "", False
        self.world.after(self._length(), lambda: self._power_on(old))

    def switchover(self) -> None:
        self.store.wish, self.store.forced = self.world.chance.choice(sorted(self.servers)), False
        self._say(f"a person wishes {self.store.wish} to be primary")

    def heal_all(self) -> None:
        self._say("all faults end")
        self.healed = True
        self.world.cuts.clear()
        self.store.stalled, self.store.wish, self.store.forced, self.store.paused = False, "", False, False
        for server in self.servers.values():
            server.frozen, server.stalled_until = False, 0.0
            server.start()
        for agent in self.agents.values():
            agent.thaw()
            if not agent.alive:
                agent.begin()
