"""Who gets which address: one network of 254 addresses per stack, and the same addresses every time."""

import hashlib
import ipaddress
import json
import os
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from colonnade.errors import ColonnadeError
from colonnade.lab.host import call, labs

# Reserved for benchmarks (RFC 2544), so it clashes with nobody's network.
POOL = ipaddress.IPv4Network("198.18.0.0/15")
_FIRST_MACHINE = 11
_LAST_MACHINE = 250
_MEMORY = 512 * 1024**2


@dataclass(frozen=True)
class Placement:
    """Where a stack's machines are; ``memory`` is what each may use, in bytes.

    The addresses ending in 2 to 10 never belong to a machine: they are left for virtual IPs.
    """

    subnet: str
    gateway: str
    addresses: Mapping[str, str]
    memory: int = _MEMORY


def identity_of(directory: Path) -> str:
    """Return six hex digits for the stack of this private directory, the same ones every time.

    They come from the directory's path and from a random part saved in it, so that neither a copy of
    the directory nor a new stack at an old path takes over machines that are not its own.
    """
    file = directory / "lab.json"
    if not file.exists():
        fresh = directory / f".lab.json.{os.getpid()}"
        write_json(fresh, {"random": secrets.token_hex(16)})
        try:
            os.link(fresh, file)  # unlike a rename, this cannot replace what another process just wrote
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    saved = read_json(file)
    if saved is None or not isinstance(saved.get("random"), str):
        raise ColonnadeError(
            "the lab's identity cannot be read from this file",
            where=str(file),
            do="Restore the file, or remove it: then the stack gets new machines, and the old ones stay.",
        )
    return hashlib.sha256(f"{directory.resolve()}\n{saved['random']}".encode()).hexdigest()[:6]


def saved_placement(identity: str) -> Placement | None:
    """Return what was placed before, or None."""
    saved = read_json(_file(identity))
    if saved is None:
        return None
    addresses = saved["addresses"]
    if not isinstance(addresses, dict):
        raise ColonnadeError("no table of addresses is in this file", where=str(_file(identity)))
    return Placement(subnet=str(saved["subnet"]), gateway=str(saved["gateway"]), addresses=addresses)


def save_placement(identity: str, placement: Placement, *, stack: str, directory: Path) -> None:
    """Record a placement, so that it lasts and no other stack takes the same network."""
    file = _file(identity)
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_json(
        file,
        {
            "stack": stack,
            "directory": str(directory),
            "subnet": placement.subnet,
            "gateway": placement.gateway,
            "addresses": dict(placement.addresses),
        },
    )


def placed_subnets() -> list[ipaddress.IPv4Network]:
    """Return the networks of all stacks on this host."""
    found = [saved_placement(file.parent.name) for file in labs().glob("*/placement.json")]
    return [ipaddress.IPv4Network(placement.subnet) for placement in found if placement]


def routed_networks() -> list[ipaddress.IPv4Network]:
    """Return every network that this host has a route to, the default route aside."""
    routes = json.loads(call(["ip", "-j", "-4", "route", "show", "table", "all"]) or "[]")
    return [ipaddress.IPv4Network(route["dst"], strict=False) for route in routes if route["dst"] != "default"]


def free_subnet(identity: str, taken: Iterable[ipaddress.IPv4Network]) -> ipaddress.IPv4Network:
    """Return a /24 of the pool that overlaps nothing taken; raise ColonnadeError if there is none."""
    taken = list(taken)
    candidates = list(POOL.subnets(new_prefix=24))
    # Starting at a place of its own, a stack that is made anew tends to get its old network back.
    start = int(identity, 16) % len(candidates)
    for candidate in candidates[start:] + candidates[:start]:
        if not any(candidate.overlaps(network) for network in taken):
            return candidate
    raise ColonnadeError(
        f"no /24 of {POOL} is free on this host",
        do="Destroy a stack that is no longer needed, or remove the route that covers this range.",
    )


def with_machines(placement: Placement, names: Sequence[str]) -> Placement:
    """Return the placement with an address for each of ``names``; those it had stay as they were."""
    addresses = dict(placement.addresses)
    network = ipaddress.IPv4Network(placement.subnet)
    free = (
        str(network[number])
        for number in range(_FIRST_MACHINE, _LAST_MACHINE + 1)
        if str(network[number]) not in addresses.values()
    )
    for name in names:
        if name not in addresses:
            address = next(free, None)
            if address is None:
                raise ColonnadeError(f"a lab has room for {_LAST_MACHINE - _FIRST_MACHINE + 1} machines", where=name)
            addresses[name] = address
    return Placement(subnet=placement.subnet, gateway=placement.gateway, addresses=addresses)


def read_json(file: Path) -> dict[str, object] | None:
    """Return the object saved in ``file``, or None if there is no such file or it is damaged."""
    try:
        value = json.loads(file.read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    return value if isinstance(value, dict) else None


def write_json(file: Path, value: Mapping[str, object]) -> None:
    """Replace ``file`` at one stroke: a reader, or a crash, finds the old object or the new one."""
    fresh = file.with_name(f".{file.name}.{os.getpid()}.new")
    with fresh.open("w") as stream:
        json.dump(value, stream, indent=1, sort_keys=True)
        stream.write("\n")
        stream.flush()
        os.fsync(stream.fileno())
    fresh.rename(file)


def _file(identity: str) -> Path:
    return labs() / identity / "placement.json"
