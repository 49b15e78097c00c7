"""All that an agent can do, as values: one of these per round, and never a second before the first has ended.

Whoever carries them out must keep that: an action ends when its effect was seen, or its session was killed and seen
gone (``EndSessions`` does that for sessions left behind); a view taken while one is under way may prove what is not so.
"""

from dataclasses import dataclass

from colonnade.gtid import GtidSet
from colonnade.ha.view import Contract, Member, Succession


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing is to be done until something changes."""


@dataclass(frozen=True, slots=True)
class ClaimLease:
    """Take the claim in a new term, if it is still at the revision that was read."""

    term: int
    expected: int


@dataclass(frozen=True, slots=True)
class RenewLease:
    """Make one's own claim live for another time to live, if it is still at the revision that was read."""

    term: int
    expected: int


@dataclass(frozen=True, slots=True)
class ReleaseLease:
    """End one's own claim at once, so that nobody waits for its time to live."""

    term: int
    expected: int


@dataclass(frozen=True, slots=True)
class WriteContract:
    """Swap the contract, comparing its revision and the claim's holder and term, in one transaction."""

    contract: Contract
    expected: int
    claim_term: int
    succession: Succession | None = None
    done: str = ""  # the name of a switchover request that is fulfilled with it


@dataclass(frozen=True, slots=True)
class AskPromises:
    """Ask the agents of the standbys for their promise; what they say is seen in their reports."""

    term: int
    revision: int
    of: frozenset[Member]


@dataclass(frozen=True, slots=True)
class Promise:
    """Write the term to disk, synchronously, so that no earlier term is ever received again."""

    term: int


@dataclass(frozen=True, slots=True)
class EndSessions:
    """Kill what an earlier agent process left in MySQL, and see it gone."""


@dataclass(frozen=True, slots=True)
class StopReceiver:
    """Stop the receiver and see it OFF; the relay log and the applier stay."""


@dataclass(frozen=True, slots=True)
class StartReceiver:
    """Write the term to disk as the last one followed, repoint (receiver-only form), start receiver and applier."""

    source: Member
    term: int


@dataclass(frozen=True, slots=True)
class StartApplier:
    """Let what was received be executed."""


@dataclass(frozen=True, slots=True)
class RemoveReplication:
    """Forget the source and its relay log, all of it executed, and turn the replica side of semi-sync off."""


@dataclass(frozen=True, slots=True)
class SetAcknowledging:
    """Turn the replica side of semi-sync on or off, and stop the receiver, which reads it only when it starts."""

    on: bool


@dataclass(frozen=True, slots=True)
class Fence:
    """Shut clients out (``offline_mode``), which ends waiting commits without an answer, and see them gone."""


@dataclass(frozen=True, slots=True)
class LetClientsIn:
    """End ``offline_mode``."""


@dataclass(frozen=True, slots=True)
class Demote:
    """Set ``super_read_only``; no commit waits any more."""


@dataclass(frozen=True, slots=True)
class OpenForWrites:
    """Write the term to disk as the last one led, and end ``read_only``; clients are out until ``LetClientsIn``.

    A wish that its data be made anew is void from here on.
    """

    term: int


@dataclass(frozen=True, slots=True)
class SetAcks:
    """Make commits wait for so many acknowledgements; 0 turns the source side off and releases who waits."""

    acks: int


@dataclass(frozen=True, slots=True)
class FreshCommit:
    """Begin the agent's own small write, without waiting for it; how it ends is in the next views."""


@dataclass(frozen=True, slots=True)
class LockAccount:
    """Lock a replica's account without binary log, kill its dump thread and see it gone."""

    name: str


@dataclass(frozen=True, slots=True)
class UnlockAccount:
    """Let a replica connect again, without binary log."""

    name: str


@dataclass(frozen=True, slots=True)
class SaveErrant:
    """Save transactions that the primary lacks as readable SQL, under a dated directory."""

    transactions: GtidSet


@dataclass(frozen=True, slots=True)
class Clone:
    """Provision a second data directory from the donor, as a new incarnation, and set the old one aside.

    The ``server_uuid`` is new too: the numbers of the old one are taken by transactions that are gone. ``term`` is the
    one in which the donor is primary: what the new data has takes part in that term.
    """

    donor: Member
    term: int


Action = (
    Wait
    | ClaimLease
    | RenewLease
    | ReleaseLease
    | WriteContract
    | AskPromises
    | Promise
    | EndSessions
    | StopReceiver
    | StartReceiver
    | StartApplier
    | RemoveReplication
    | SetAcknowledging
    | Fence
    | LetClientsIn
    | Demote
    | OpenForWrites
    | SetAcks
    | FreshCommit
    | LockAccount
    | UnlockAccount
    | SaveErrant
    | Clone
)


@dataclass(frozen=True, slots=True)
class Decision:
    """One action, and why; the same value is logged, shown and kept as history."""

    action: Action
    reason: str
