"""The checker: what clients were told and read, against what is there at the end."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from colonnade.drill.database.events import Kind, Log, Outcome, Write
from colonnade.drill.database.rows import PARTS, Rows

SHOWN = 5
"""How many ids a reason names."""


def parts_of(kind: Kind) -> tuple[int, ...]:
    """Return the parts that a write of this kind has in the table when it is whole."""
    return tuple(range(PARTS)) if kind is Kind.ROWS else (0,)


@dataclass(frozen=True)
class Check:
    """What was found, by id of the write; ``counter`` with the bounds that it must keep."""

    acknowledged: int
    refused: int
    unknown: int
    lost: tuple[str, ...]
    """Acknowledged, and not there."""
    unacknowledged_present: tuple[str, ...]
    """There, though nobody was told so: allowed, since no answer says nothing."""
    refused_present: tuple[str, ...]
    """There, though the client was told that nothing was done."""
    duplicated: tuple[str, ...]
    torn: tuple[str, ...]
    """Of several rows in one transaction only some are there."""
    vanished: tuple[str, ...]
    """Read by somebody, and not there."""
    unexplained: tuple[str, ...]
    """There, and no client says that it tried; allowed only if a client's own record was lost with its machine."""
    counter: int | None
    counter_least: int
    counter_most: int
    counter_read: int
    """The most that anybody read of it."""
    differing: Mapping[str, tuple[str, ...]]
    """Servers whose rows are not the primary's, and the writes they differ in."""
    stale: int

    @property
    def reasons(self) -> tuple[str, ...]:
        """What must not be, in words; empty if all is as it should be."""
        return tuple(_reasons(self))


def check(log: Log, primary: Rows, replicas: Mapping[str, Rows]) -> Check:
    """Compare all that is known of every write with the rows of the primary, and those with every replica's."""
    by_outcome: dict[Outcome, list[Write]] = {outcome: [] for outcome in Outcome}
    kinds = {write.id: write.kind for write in log.writes}
    for write in log.writes:
        by_outcome[write.outcome].append(write)
    increments = [write for write in log.writes if write.kind is Kind.INCREMENT]
    present = primary.parts

    def there(outcome: Outcome) -> tuple[str, ...]:
        return tuple(write.id for write in by_outcome[outcome] if write.id in present)

    return Check(
        acknowledged=len(by_outcome[Outcome.ACKNOWLEDGED]),
        refused=len(by_outcome[Outcome.REFUSED]),
        unknown=len(by_outcome[Outcome.UNKNOWN]),
        lost=tuple(write.id for write in by_outcome[Outcome.ACKNOWLEDGED] if write.id not in present),
        unacknowledged_present=there(Outcome.UNKNOWN),
        refused_present=there(Outcome.REFUSED),
        duplicated=tuple(id_ for id_, parts in present.items() if len(parts) != len(set(parts))),
        torn=tuple(id_ for id_, parts in present.items() if id_ in kinds and set(parts) != set(parts_of(kinds[id_]))),
        vanished=tuple(id_ for id_ in log.seen if id_ not in present),
        unexplained=tuple(id_ for id_ in present if id_ not in kinds),
        counter=primary.counter,
        counter_least=sum(write.outcome is Outcome.ACKNOWLEDGED for write in increments),
        counter_most=sum(write.outcome is not Outcome.REFUSED for write in increments),
        counter_read=max((value for _, value in log.counters), default=0),
        differing={name: ids for name, rows in replicas.items() if (ids := _difference(primary, rows))},
        stale=len(log.stale),
    )


def _difference(primary: Rows, replica: Rows) -> tuple[str, ...]:
    ids = {id_ for id_ in {*primary.parts, *replica.parts} if primary.parts.get(id_) != replica.parts.get(id_)}
    return (*sorted(ids), *(() if primary.counter == replica.counter else ("the counter",)))


def _reasons(found: Check) -> Iterable[str]:
    told = (
        (found.lost, "acknowledged and lost"),
        (found.vanished, "read and then vanished"),
        (found.duplicated, "there twice"),
        (found.torn, "there in part, though they were one transaction"),
        (found.refused_present, "there, though the client was told that they failed"),
        (found.unexplained, "there, and no client says that it tried"),
    )
    yield from (f"{_count(ids)} {what}: {_some(ids)}" for ids, what in told if ids)
    if not found.acknowledged:
        yield "no write was acknowledged at all"
    if found.counter is None:
        yield "the counter is gone"
    elif not found.counter_least <= found.counter <= found.counter_most:
        between = f"{found.counter_least} acknowledged and {found.counter_most} tried"
        yield f"the counter is {found.counter}, which is not between the increments that were {between}"
    elif found.counter < found.counter_read:
        yield f"the counter is {found.counter}; somebody had read {found.counter_read}"
    for name, ids in found.differing.items():
        yield f"{name} differs from the primary in {_some(ids)}"


def _count(ids: tuple[str, ...]) -> str:
    return f"{len(ids)} {'write' if len(ids) == 1 else 'writes'}"


def _some(ids: tuple[str, ...]) -> str:
    return ", ".join(ids[:SHOWN]) + (f" and {len(ids) - SHOWN} more" if len(ids) > SHOWN else "")
