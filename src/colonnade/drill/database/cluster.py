"""How the cluster was seen while a drill ran: samples of every agent's status, and when it was whole again."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from colonnade.drill.database.events import documents

CLONING = "being provisioned"
LEADING = "leading"
WHOLE = "part of a whole cluster"
"""What an act may wait for, as `holds` knows it."""

FRESH_SECONDS = 3.0
"""A sample that is older than this says nothing of now."""
SILENT = "silent"
"""The state, in the picture, of a node whose agent did not answer."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the cluster is when it is whole: its servers, and what the contract must say, if no agent says what."""

    nodes: tuple[str, ...]
    """Every machine's node: servers and witnesses."""
    servers: tuple[str, ...]
    acks: int
    standbys: int


@dataclass(frozen=True, slots=True)
class Sample:
    """What one agent said of itself at a moment (seconds since the epoch); silent ones have no state."""

    node: str
    at: float
    state: str = ""
    reason: str = ""
    leads: bool = False
    """It serves clients as the primary."""
    mysql: bool = False
    receiver: str = ""
    """How the receiver of a replica is; empty if it has none."""
    applying: bool = False
    cloning: bool = False
    term: int = 0
    contract_primary: str = ""
    acks: int = 0
    standbys: tuple[str, ...] = ()
    wanted: tuple[int, int] | None = None
    """Standbys and acks that the agent was told to have; None if it does not say."""
    warnings: tuple[str, ...] = ()

    @property
    def answers(self) -> bool:
        """Whether the agent answered."""
        return bool(self.state)


def sample(node: str, at: float, status: Mapping[str, Any] | None) -> Sample:
    """Return what an agent's status document says, or that it said nothing."""
    if status is None:
        return Sample(node, at)
    contract, mysql = status.get("contract") or {}, status.get("mysql") or {}
    replication, claim = mysql.get("replication") or {}, status.get("claim") or {}
    return Sample(
        node=node,
        at=at,
        state=str(status.get("state") or "unknown"),
        reason=str(status.get("reason") or ""),
        leads=bool((status.get("serves") or {}).get("primary")),
        mysql=bool(mysql.get("answers")),
        receiver=str(replication.get("receiver") or ""),
        applying=bool(replication.get("applying")),
        cloning=status.get("clone") is not None,
        term=int(contract.get("term") or claim.get("term") or 0),
        contract_primary=str(contract.get("primary") or ""),
        acks=int(contract.get("acks") or 0),
        standbys=tuple(str(name) for name in contract.get("standbys") or ()),
        wanted=_wanted(status.get("wanted")),
        warnings=tuple(str(text) for text in status.get("warnings") or ()),
    )


def _wanted(said: Any) -> tuple[int, int] | None:
    return (int(said["standbys"]), int(said["acks"])) if isinstance(said, Mapping) else None


def parse_samples(text: str) -> tuple[Sample, ...]:
    """Read what a sampler on a machine printed: a line with ``node``, ``at`` and ``status``, which may be null."""
    return tuple(
        sample(document["node"], document["at"], document.get("status"))
        for document in documents(text)
        if isinstance(document.get("node"), str) and isinstance(document.get("at"), float)
    )


def troubles(samples: Mapping[str, Sample], wanted: Wanted) -> Iterator[str]:
    """Yield why the cluster is not whole, from every node's newest sample."""
    for node in wanted.nodes:
        if node not in samples or not samples[node].answers:
            yield f"the agent of {node} does not answer"
    leading = [node for node in wanted.servers if node in samples and samples[node].leads]
    if len(leading) != 1:
        yield "no server leads" if not leading else f"more than one server leads: {', '.join(leading)}"
        return
    primary = samples[leading[0]]
    if primary.contract_primary != primary.node:
        yield f"the contract's primary is {primary.contract_primary or 'nobody'}, not {primary.node}"
    standbys, acks = primary.wanted or (wanted.standbys, wanted.acks)
    standbys = min(standbys, len(wanted.servers) - 1)
    if primary.acks < min(acks, standbys):
        yield f"the contract says acks = {primary.acks}; it should be {min(acks, standbys)}"
    if len(primary.standbys) < standbys:
        yield f"the contract lists {', '.join(primary.standbys) or 'no standby'}; {standbys} should be listed"
    for node in wanted.servers:
        if node != primary.node and node in samples and samples[node].answers:
            yield from _replica(samples[node])


def _replica(found: Sample) -> Iterator[str]:
    if not found.mysql:
        yield f"the MySQL of {found.node} does not answer"
    elif found.cloning:
        yield f"{found.node} is being provisioned"
    elif found.receiver != "on" or not found.applying:
        yield f"{found.node} does not follow: its receiver is {found.receiver or 'off'}, it is {found.state}"


def newest(samples: Iterable[Sample], now: float) -> dict[str, Sample]:
    """Return every node's last sample; one that is no longer fresh counts as silence."""
    found: dict[str, Sample] = {}
    for each in samples:
        if each.node not in found or each.at > found[each.node].at:
            found[each.node] = each
    return {node: each if now - each.at <= FRESH_SECONDS else Sample(node, now) for node, each in found.items()}


def redundant_since(samples: Sequence[Sample], wanted: Wanted, begin: float) -> float | None:
    """Return since when the cluster has been whole without a break, at ``begin`` at the earliest; None if it is not.

    Before a fault is noticed everything still looks whole, so that it is the last break that counts.
    """
    known: dict[str, Sample] = {}
    since: float | None = None
    for each in sorted(samples, key=lambda sample: sample.at):
        known[each.node] = each
        current = newest(known.values(), each.at)
        if any(True for _ in troubles(current, wanted)):
            since = None
        elif since is None:
            since = each.at
    return None if since is None else max(since, begin)


def warned(samples: Iterable[Sample], text: str, begin: float) -> bool:
    """Whether some agent warned of something after ``begin``."""
    return any(text in warning for each in samples if each.at >= begin for warning in each.warnings)


def holds(what: str, node: str, samples: Mapping[str, Sample], wanted: Wanted) -> bool:
    """Whether something that an act waits for is seen of a node.

    Raises:
        ValueError: nothing is called so.

    """
    if what == CLONING:
        return node in samples and samples[node].cloning
    if what == LEADING:
        return node in samples and samples[node].leads
    if what == WHOLE:
        return not any(True for _ in troubles(samples, wanted))
    raise ValueError(f"nobody can be awaited to be {what}")
