"""A model of etcd: linearizable, one revision for all keys; a node may not reach it, and all of it may stall."""

from dataclasses import dataclass, field, replace

from colonnade.ha.actions import ClaimLease, ReleaseLease, RenewLease, WriteContract
from colonnade.ha.view import Claim, Contract, Succession

from .world import World

Write = ClaimLease | RenewLease | ReleaseLease | WriteContract


@dataclass
class Store:
    """What etcd holds for the stack."""

    world: World
    ttl: float
    revision: int = 1
    holder: str = ""
    term: int = 0
    claim_revision: int = 0
    expires: float = 0.0
    contract: Contract | None = None
    successions: list[Succession] = field(default_factory=list)
    wish: str = ""
    forced: bool = False
    paused: bool = False
    stalled: bool = False

    def reachable(self, node: str) -> bool:
        return not self.stalled and self.world.talk(node, "etcd")

    @property
    def alive(self) -> bool:
        return self.world.now < self.expires

    def claim(self) -> Claim | None:
        return Claim(self.holder, self.term, self.claim_revision, self.alive) if self.holder else None

    def write(self, node: str, action: Write) -> bool:  # noqa: C901  one case per transaction
        """Carry out one transaction; its comparisons may fail."""
        match action:
            case ClaimLease(term, expected):
                if self.claim_revision != expected or term <= self.term:
                    return False
                self.revision += 1
                self.holder, self.term, self.claim_revision = node, term, self.revision
                self.expires = self.world.now + self.ttl
            case RenewLease(term, expected):
                if (self.holder, self.term, self.claim_revision) != (node, term, expected):
                    return False
                self.expires = self.world.now + self.ttl
            case ReleaseLease(term, expected):
                if (self.holder, self.term, self.claim_revision) != (node, term, expected):
                    return False
                self.expires = self.world.now
            case WriteContract(contract, expected, claim_term, succession, done):
                there = self.contract.revision if self.contract else 0
                if there != expected or (self.holder, self.term) != (node, claim_term):
                    return False
                self.revision += 1
                self.contract = replace(contract, revision=self.revision)
                if succession is not None:
                    self.successions.append(succession)
                if done and done == self.wish:
                    self.wish = ""
        return True

    def change_leader(self) -> None:
        """Give every lease its full time again, as etcd does."""
        if self.alive:
            self.expires = self.world.now + self.ttl
