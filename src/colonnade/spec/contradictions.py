"""What no single key is wrong about: machines that share a name or an address, promises that cannot hold.

The checks read what TOML gave, not the models: a file with a misspelt key is told of its contradictions
in the same message. So nothing here relies on a type; what has the wrong one was found before.
"""

from collections.abc import Iterator, Mapping
from typing import TypeGuard

from pydantic_core import PydanticCustomError

from colonnade.spec.checks import address
from colonnade.spec.copies import MOST_STANDBYS, Copies
from colonnade.spec.findings import Finding
from colonnade.spec.places import dotted
from colonnade.spec.sizes import buffer_pool_size, memory_size

_KINDS = {"balancers": "balancer", "servers": "server", "witnesses": "witness"}

_MachinePath = tuple[str, str]
_Machines = dict[_MachinePath, Mapping[str, object]]


def contradictions(data: Mapping[str, object]) -> list[Finding]:
    """Find what the keys of a stack file say against each other."""
    machines: _Machines = {
        (kind, name): table
        for kind in _KINDS
        for name, table in _table(data, kind).items()
        if isinstance(table, Mapping)
    }
    return [
        *_one_name_twice(machines),
        *_some_addresses(machines),
        *_one_address_twice(machines),
        *_strict_alone(data),
        *_copies(data),
        *_pool_too_large(data, machines),
    ]


def _table(data: Mapping[str, object], key: str) -> Mapping[str, object]:
    found = data.get(key)
    return found if isinstance(found, Mapping) else {}


def _one_name_twice(machines: _Machines) -> Iterator[Finding]:
    first: dict[str, _MachinePath] = {}
    for path in machines:
        kind, name = path
        before = first.setdefault(name, path)
        if before != path:
            together = (
                "a witness is a machine of its own"
                if kind == "witnesses"
                else "one machine is both if the two have one address"
            )
            yield Finding(
                path,
                f"`{dotted(path)}` has the name of a {_KINDS[before[0]]} (`{dotted(before)}`)",
                f"rename one, names are host names; {together}",
            )


def _some_addresses(machines: _Machines) -> Iterator[Finding]:
    without = [path for path, table in machines.items() if "address" not in table]
    having = [path for path, table in machines.items() if "address" in table]
    if without and having:
        others = len(without) - 1
        more = f" (nor {'has 1 other' if others == 1 else f'have {others} others'})" if others else ""
        yield Finding(
            without[0],
            f"`{dotted(without[0])}` has no `address`{more}, though `{dotted(having[0])}` has one",
            "give every machine an `address`, or none for the lab",
        )


def _one_address_twice(machines: _Machines) -> Iterator[Finding]:
    first: dict[tuple[str, str], _MachinePath] = {}
    for path, table in machines.items():
        written = table.get("address")
        if not isinstance(written, str):
            continue
        try:
            canonical = address(written)
        except PydanticCustomError:
            continue
        kind = path[0]
        before = first.setdefault((kind, canonical), path)
        way_out = f"give each of the {kind} its own; only a balancer and a server may be one machine"
        if kind == "witnesses" and before == path:
            # It would go down with the machine that it is to outlive.
            before = first.get(("balancers", canonical)) or first.get(("servers", canonical)) or path
            way_out = "a witness adds nothing there: give it a machine of its own, or leave it out"
        if before != path:
            yield Finding(
                (*path, "address"),
                f"`{dotted((*path, 'address'))}` is {canonical}, the address of `{dotted(before)}` already",
                way_out,
            )


def _strict_alone(data: Mapping[str, object]) -> Iterator[Finding]:
    if _table(data, "database").get("durability") == "strict" and len(_table(data, "servers")) == 1:
        yield Finding(
            ("database", "durability"),
            '`database.durability` is "strict", which needs two servers: with one, no write is ever accepted',
            'add a server, or write durability = "available"',
        )


def _copies(data: Mapping[str, object]) -> Iterator[Finding]:
    database, servers = _table(data, "database"), len(_table(data, "servers"))
    standbys, acks = database.get("standbys"), database.get("acks")
    if servers and _is_number_or_left_out(standbys) and _is_number_or_left_out(acks):
        yield from Copies(servers, standbys, acks, strict=database.get("durability") == "strict").refused()


def _is_number_or_left_out(value: object) -> TypeGuard[int | None]:
    return value is None or (isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_STANDBYS)


def _pool_too_large(data: Mapping[str, object], machines: _Machines) -> Iterator[Finding]:
    try:
        pool = buffer_pool_size(_table(data, "database").get("buffer_pool"))
    except PydanticCustomError:
        return
    for path, table in machines.items():
        try:
            memory = memory_size(table.get("memory"))
        except PydanticCustomError:
            continue
        if path[0] == "servers" and pool >= memory:
            yield Finding(
                (*path, "memory"),
                f"`{dotted((*path, 'memory'))}` is {memory}, too small for `database.buffer_pool` ({pool})",
                "make the buffer pool smaller, half of the memory at most, or leave it out",
            )
