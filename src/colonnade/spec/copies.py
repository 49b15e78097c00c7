"""How many standbys, and how many acknowledgements: the defaults, and what is refused, with the arithmetic.

Of ``s`` standbys ``k`` must acknowledge a commit. A failover needs the promises of ``s - k + 1`` standbys: any ``k`` of
``s`` share one with them, so they hold whatever was acknowledged (``colonnade.ha.contract``). With ``n`` servers:

- *The primary is lost.* All ``s`` standbys are left, and ``s - k + 1 <= s`` whenever ``k >= 1``: a failover is
  possible. With ``k = 0`` nobody but the primary is known to hold what was acknowledged: nobody could be promoted,
  so two servers or more need ``k >= 1``, and so ``s >= 1``.
- *A standby is lost.* The other ``s - 1`` can acknowledge if ``k <= s - 1``. Then the lost one is removed after some
  seconds, by a fresh commit that they acknowledge, and replaced by another replica if there is one. If ``k = s``,
  commits wait until the contract is loosened, which ``durability = "available"`` does after about a second, and
  ``"strict"`` never: the lost one is then neither removed nor replaced, and writes are blocked until it is back.
  With three servers or more that need not be, and is refused; with two it is what "strict" means, and ``plan`` says so.
- *The primary and a standby are lost before the standby was removed.* Then ``s - 1`` can promise, which is enough only
  if ``k >= 2``. Two machines within those seconds are more than one, so this refuses nothing: the defaults take
  part in it, because waiting for two standbys makes every commit as slow as the slower one.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from colonnade.spec.findings import Finding

MOST_STANDBYS: Final = 100
"""Far beyond what helps: a failover asks each of them."""

_MANY: Final = 3  # servers from which one may be lost while two copies are left


def default_standbys(servers: int) -> int:
    """Return how many standbys so many servers have if the file does not say: every replica, but two at most."""
    return min(servers - 1, 2)


def default_acks(standbys: int) -> int:
    """Return how many of them acknowledge a commit if the file does not say."""
    return min(standbys, 1)


@dataclass(frozen=True)
class Copies:
    """What a file with so many servers says about copies; None is what it leaves out."""

    servers: int
    standbys: int | None
    acks: int | None
    strict: bool

    def refused(self) -> Iterator[Finding]:
        """Yield what cannot be, or would leave one lost machine to stop a failover or all writes; one at most."""
        replicas = self.servers - 1
        standbys = default_standbys(self.servers) if self.standbys is None else self.standbys
        acks = default_acks(standbys) if self.acks is None else self.acks
        if standbys > replicas:
            yield Finding(
                ("database", "standbys"),
                f"`database.standbys` is {standbys}, and beside the primary there {_servers(replicas)}",
                f"write {replicas} at most, or add servers" if replicas else "leave it out, or add a server",
            )
        elif acks > standbys:
            said = "" if self.standbys is not None else ", which is the default with " + _count(self.servers, "server")
            yield Finding(
                ("database", "acks"),
                f"`database.acks` is {acks}, more than there are standbys ({standbys}{said})",
                f"write acks = {standbys} or less, or more standbys" if standbys else "leave it out, or add a server",
            )
        elif replicas and acks == 0:
            key = "standbys" if standbys == 0 else "acks"
            yield Finding(
                ("database", key),
                f"`database.{key}` is 0: when the primary is lost nobody could be promoted, because no other server is"
                " known to hold what was acknowledged",
                f"write {key} = 1, or leave it out",
            )
        elif self.strict and self.servers >= _MANY and acks == standbys:
            more = f"standbys = {acks + 1}" if acks < replicas else f"acks = {acks - 1}"
            yield Finding(
                ("database", "acks" if self.acks is not None else "standbys"),
                f'`database.acks` is {acks} of {_count(standbys, "standby")}, and durability is "strict": one lost'
                " standby would block all writes until it is back",
                f'write {more}, or durability = "available"',
            )


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _servers(number: int) -> str:
    return {0: "is no server", 1: "is one server"}.get(number, f"are {number} servers")
