"""The properties, checked whenever something happens that could break one."""

from dataclasses import dataclass, field

from colonnade.ha import actions as do
from colonnade.ha.states import State
from colonnade.ha.transitions import ALLOWED
from colonnade.ha.view import How

from .agent import Agent
from .server import Gtid, Server
from .store import Store
from .world import Violation, World

LOST = "no acknowledged write is lost"
TWO = "never two servers that can acknowledge"
VANISHED = "nothing that was read from the primary vanishes"
HOPEFUL = "the record is never more hopeful than MySQL"
LATE = "a primary within a bounded time after the faults"
UNKNOWN = "no change of state that the table does not have"


@dataclass
class Checker:
    """What clients were told and shown, and the questions asked about it."""

    world: World
    store: Store
    servers: dict[str, Server] = field(default_factory=dict)
    safety_only: bool = False
    acknowledged: dict[Gtid, str] = field(default_factory=dict)
    shown: set[Gtid] = field(default_factory=set)
    _recent: list[Gtid] = field(default_factory=list)
    _shown_upto: dict[tuple[str, int], int] = field(default_factory=dict)

    def acknowledge(self, server: Server, gtid: Gtid) -> None:
        """A client was told that its write is committed."""
        self.acknowledged[gtid] = server.name
        self._recent.append(gtid)
        self._honest(self._recent[-1:])
        self._one_primary()

    def show(self, server: Server) -> None:
        """A client read all that is committed on a server that says it is the primary."""
        key = (server.member.incarnation, 0)
        start = self._shown_upto.get(key, 0)
        self.shown.update(server.binlog[start : server.committed])
        self._shown_upto[key] = server.committed

    def acted(self, agent: Agent, action: do.Action) -> None:
        """An agent has carried something out."""
        match action:
            case do.WriteContract(succession=begins):
                if begins is not None and begins.how is How.FORCED and agent.server is not None:
                    self._accept_loss(agent.server)
                self._honest(self._recent[-40:])
            case do.OpenForWrites():
                if agent.server is not None:
                    self.complete(agent.server)
                self._one_primary()
            case do.SetAcks() | do.LetClientsIn() | do.StartReceiver():
                self._one_primary()
            case _:
                pass

    def moved(self, agent: Agent, was: State, now_is: State) -> None:
        """An agent finds its server in another state than before."""
        self.world.note(agent.name, f"is {now_is.value}, was {was.value}")
        if (was, now_is) not in ALLOWED and not self.safety_only:
            raise Violation(UNKNOWN, f"{agent.name}: {was.value} → {now_is.value}")

    def complete(self, server: Server) -> None:
        """A server acts as primary: it must hold all that anybody was ever told or shown."""
        if self.store.contract is None or self.store.contract.primary != server.member:
            return
        if lost := [g for g in self.acknowledged if g not in server.physical]:
            raise Violation(
                LOST, f"{len(lost)} lost at {server.name}, first {lost[0]}, told by {self.acknowledged[lost[0]]}"
            )
        if vanished := [g for g in self.shown if g not in server.physical]:
            raise Violation(VANISHED, f"{len(vanished)} gone at {server.name}, first {vanished[0]}")

    def _accept_loss(self, server: Server) -> None:
        """Forget what a person accepted to lose: all that a server lacks that became primary by force."""
        self.acknowledged = {g: told for g, told in self.acknowledged.items() if g in server.physical}
        self.shown &= server.physical
        self._recent = [g for g in self._recent if g in server.physical]

    def _honest(self, gtids: list[Gtid]) -> None:
        contract = self.store.contract
        if contract is None or self.safety_only:
            return
        by_member = {each.member: each for each in self.servers.values()}
        standbys = [by_member[m] for m in contract.standbys if m in by_member]
        primary = by_member.get(contract.primary)
        for gtid in gtids:
            copies = sum(gtid in each.physical for each in standbys)
            if copies < contract.acks or (primary is not None and gtid not in primary.physical):
                raise Violation(HOPEFUL, f"{gtid} is on {copies} standbys of {contract}")

    def _one_primary(self) -> None:
        able = [each.name for each in self.servers.values() if self._able(each)]
        if len(able) > 1:
            raise Violation(TWO, f"{' and '.join(able)} can acknowledge a write")

    def _able(self, server: Server) -> bool:
        if not server.running or server.read_only or server.offline:
            return False
        attached = [
            other
            for other in self.servers.values()
            if other.source is server
            and other.receiving
            and other.latched
            and other.running
            and other.name not in server.locked
        ]
        return len(attached) >= server.acks
