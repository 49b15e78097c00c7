"""What the machines' agents say together about the database: who is the primary, who stands by, what holds. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from colonnade.facts import AgentFact, ClaimFact, ContractFact, Facts
from colonnade.topology import Machine, Topology


@dataclass(frozen=True)
class Database:
    """The database as those agents know it that answer."""

    contract: ContractFact | None
    """The newest that any of them has read."""
    claim: ClaimFact | None
    """Of the highest term."""
    primary: Machine | None
    """The server that the contract names; None if there is no contract, or no server of the stack is it."""
    led: bool
    """Whether the contract's primary says itself that it serves."""
    etcd: bool
    """Whether any agent reaches etcd."""
    paused: bool

    @property
    def standbys(self) -> tuple[str, ...]:
        """Nodes whose acknowledgement the primary waits for."""
        return self.contract.standbys if self.contract else ()

    @property
    def acks(self) -> int:
        """How many of them it waits for."""
        return self.contract.acks if self.contract else 0


def database_of(topology: Topology, facts: Mapping[str, Facts]) -> Database:
    """Put together what the agents say; machines without facts could not be asked."""
    agents = {name: fact.agent for name, fact in facts.items() if fact.agent.answers}
    contracts = [agent.contract for agent in agents.values() if agent.contract is not None]
    claims = [agent.claim for agent in agents.values() if agent.claim is not None]
    contract = max(contracts, key=lambda each: each.revision, default=None)
    primary = next((m for m in topology.servers if contract is not None and m.node == contract.primary), None)
    return Database(
        contract=contract,
        claim=max(claims, key=lambda each: (each.term, each.alive), default=None),
        primary=primary,
        led=primary is not None and agents.get(primary.name, AgentFact()).serves_primary,
        etcd=any(agent.etcd for agent in agents.values()),
        paused=any(agent.paused for agent in agents.values()),
    )


def founded(facts: Mapping[str, Facts]) -> bool:
    """Say whether agents may have begun: from then on they, and not the file, say who is the primary."""
    return any(fact.agent.ran or fact.agent.contract is not None for fact in facts.values())


def primary_of(topology: Topology, facts: Mapping[str, Facts]) -> Machine:
    """Return the primary; before there is one, the server that begins as it."""
    return database_of(topology, facts).primary or topology.primary
