"""Who runs what, where: the stack with an address for every machine.

A *machine* is one Linux host; it may be a balancer, a server or both (one address as a balancer and a
server is one machine). Everything that is generated is generated from this.
"""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from colonnade.errors import SpecError, UsageError
from colonnade.spec import Stack

HTTP_PORT = 80
NGINX_PORT = 8080
"""Nginx's own port, so that one machine can be a balancer and a server."""
MYSQL_PORT = 3306
LOCAL_PRIMARY_PORT = 3306
"""On 127.0.0.1 of every server: leads to the primary."""
LOCAL_REPLICA_PORT = 3307
"""On 127.0.0.1 of every server: leads to a replica, to the primary when there is none."""
DNS_PORT = 53
ETCD_CLIENT_PORT = 2379
ETCD_PEER_PORT = 2380
AGENT_PORT = 2382

ETCD_SIZES = ((5, 5), (3, 3), (1, 1))
"""Machines, and how many members of etcd that many run: an even number tolerates no more than one fewer does."""


@dataclass(frozen=True, slots=True)
class Machine:
    """One host: its names as a balancer and as a server, and how it is reached."""

    name: str
    address: str
    balancer: str | None
    server: str | None
    server_id: int
    memory: int | None
    """Bytes that may be used; None: all that the machine has."""

    @property
    def names(self) -> tuple[str, ...]:
        """The names that a person may call it by."""
        return tuple(dict.fromkeys(name for name in (self.name, self.server, self.balancer) if name))

    @property
    def host(self) -> str:
        """The address as it stands in a URL."""
        return f"[{self.address}]" if ":" in self.address else self.address

    @property
    def etcd_peer(self) -> str:
        """The URL at which other members of etcd reach a member on it; it tells members apart."""
        return f"https://{self.host}:{ETCD_PEER_PORT}"


@dataclass(frozen=True)
class Topology:
    """The whole stack, placed."""

    stack: Stack
    machines: tuple[Machine, ...]

    @property
    def name(self) -> str:
        """The stack's name."""
        return self.stack.name

    @property
    def apex(self) -> str:
        """The domain itself; it redirects to ``www``."""
        return self.stack.domain

    @property
    def www(self) -> str:
        """The name that is served."""
        return f"www.{self.stack.domain}"

    @cached_property
    def balancers(self) -> tuple[Machine, ...]:
        """The machines that run HAProxy for the world and the zone's name server, in the file's order."""
        order = list(self.stack.balancers)
        return tuple(sorted((m for m in self.machines if m.balancer), key=lambda m: order.index(m.balancer or "")))

    @cached_property
    def servers(self) -> tuple[Machine, ...]:
        """The machines that run Nginx, the app server and MySQL, in the file's order."""
        return tuple(m for m in self.machines if m.server)

    @property
    def primary(self) -> Machine:
        """The server whose MySQL takes writes: the first of the file."""
        return self.servers[0]

    @property
    def replicas(self) -> tuple[Machine, ...]:
        """The servers whose MySQL follows the primary."""
        return self.servers[1:]

    @cached_property
    def etcd_members(self) -> tuple[Machine, ...]:
        """The machines that run a member of etcd, one each: five, three or one of them.

        Balancers come first, then servers in the file's order, the first server last: what outlives
        the primary should not be lost with it.
        """
        count = next(members for machines, members in ETCD_SIZES if len(self.machines) >= machines)
        ordered = sorted(self.machines, key=lambda m: (m == self.primary, m.balancer is None))
        return tuple(ordered[:count])

    @property
    def virtual_ip(self) -> str:
        """The address that ``www`` resolves to: the first balancer's own."""
        return self.balancers[0].address

    @property
    def name_servers(self) -> tuple[tuple[str, str], ...]:
        """Name (``ns1.DOMAIN``) and address of each of the zone's name servers."""
        return tuple((f"ns{n}.{self.apex}", m.address) for n, m in enumerate(self.balancers, start=1))

    @property
    def url(self) -> str:
        """What a person opens."""
        return f"http://{self.www}/"

    @cached_property
    def _by_name(self) -> dict[str, Machine]:
        return {name: machine for machine in self.machines for name in machine.names}

    def machine(self, name: str) -> Machine:
        """Return the machine called so.

        Raises:
            UsageError: no machine has that name.

        """
        if name not in self._by_name:
            raise UsageError(f"no machine is called {name!r}", do=f"The stack has {', '.join(sorted(self._by_name))}.")
        return self._by_name[name]


def replication_account(server: str) -> str:
    """Name of the MySQL account that a server's replica logs in with: one each, so that one can be shut out.

    MySQL allows 32 characters; a longer name is cut and made unique by a checksum.
    """
    name = f"repl_{server}".replace("-", "_")
    return name if len(name) <= 32 else f"{name[:23]}_{zlib.crc32(server.encode()):08x}"  # noqa: PLR2004  MySQL's limit


def resolve(stack: Stack, addresses: Mapping[str, str], memory: Mapping[str, int] | None = None) -> Topology:
    """Give every machine of the stack its address.

    ``addresses`` and ``memory`` (bytes) are for machines whose table in the file does not say.

    Raises:
        SpecError: two servers' names give the same MySQL server id.

    """
    memory = memory or {}
    machines: dict[str, Machine] = {}
    ids: dict[int, str] = {}
    balancer_at = {balancer.address or addresses[name]: name for name, balancer in stack.balancers.items()}
    for name, server in stack.servers.items():
        address = server.address or addresses[name]
        number = zlib.crc32(name.encode()) or 1
        if number in ids:
            raise SpecError(
                f"servers.{name} and servers.{ids[number]} have the same MySQL server id, which is made from the name",
                do="Give one of them another name.",
            )
        ids[number] = name
        machines[address] = Machine(
            name=name,
            address=address,
            balancer=balancer_at.get(address),
            server=name,
            server_id=number,
            memory=server.memory if server.memory is not None else memory.get(name),
        )
    for name, balancer in stack.balancers.items():
        address = balancer.address or addresses[name]
        if address not in machines:
            machines[address] = Machine(
                name=name, address=address, balancer=name, server=None, server_id=0, memory=memory.get(name)
            )
    only_balancers = [m for m in machines.values() if not m.server]
    return Topology(stack, (*only_balancers, *(m for m in machines.values() if m.server)))
