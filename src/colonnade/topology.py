"""Who runs what, where: the stack with an address for every machine.

A *machine* is one Linux host; it may be a balancer, a server or both (one address as a balancer and a
server is one machine), or a witness. Everything that is generated is generated from this.
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

LEAST_MACHINES = 3
"""For automatic failover: the fewest of which one may be lost while the others are a majority."""


@dataclass(frozen=True, slots=True)
class Machine:
    """One host: its names as a balancer, as a server or as a witness, and how it is reached."""

    name: str
    address: str
    balancer: str | None
    server: str | None
    server_id: int
    memory: int | None
    """Bytes that may be used; None: all that the machine has."""
    witness: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The names that a person may call it by."""
        return tuple(dict.fromkeys(name for name in (self.name, self.server, self.balancer) if name))

    @property
    def node(self) -> str:
        """What agents call it, in the lease, the contract and HAProxy's backends: as a server, if it is one."""
        return self.server or self.name

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

    @cached_property
    def witnesses(self) -> tuple[Machine, ...]:
        """The machines that run nothing but what decides who may be the primary, in the file's order."""
        return tuple(m for m in self.machines if m.witness)

    @property
    def primary(self) -> Machine:
        """The server that begins as the primary, the first of the file; later the agents decide who is."""
        return self.servers[0]

    @property
    def replicas(self) -> tuple[Machine, ...]:
        """The servers that begin as replicas."""
        return self.servers[1:]

    @cached_property
    def etcd_members(self) -> tuple[Machine, ...]:
        """The machines that run a member of etcd, one each: five, three or one of them.

        Those that would be missed least come first: witnesses, balancers, servers, those that are both; within each
        in the file's order, and the first server last: what outlives the primary should not be lost with it.
        """
        count = next(members for machines, members in ETCD_SIZES if len(self.machines) >= machines)

        def missed(machine: Machine) -> tuple[bool, bool, bool]:
            return machine == self.primary, machine.server is not None, machine.balancer is not None

        return tuple(sorted(self.machines, key=missed)[:count])

    @property
    def standbys(self) -> int:
        """How many replicas should be standbys."""
        return self.stack.standbys

    @property
    def acks(self) -> int:
        """How many standbys should hold a commit before it is acknowledged."""
        return self.stack.acks

    @property
    def failover_automatic(self) -> bool:
        """Whether another server becomes the primary by itself when the primary is lost."""
        return not self.failover_by_hand

    @property
    def failover_by_hand(self) -> str:
        """Why failover is not automatic, in words that follow a colon; empty if it is."""
        if len(self.servers) == 1:
            return "there is one server, and nothing to take over from it"
        if len(self.machines) < LEAST_MACHINES:
            return "with fewer than three machines nothing can tell a dead machine from a cut cable"
        return ""

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
            machines[address] = _without_mysql(name, address, memory.get(name), balancer=name)
    only_balancers = [m for m in machines.values() if not m.server]
    servers = [m for m in machines.values() if m.server]
    witnesses = [
        _without_mysql(name, witness.address or addresses[name], memory.get(name), witness=name)
        for name, witness in stack.witnesses.items()
    ]
    return Topology(stack, (*only_balancers, *servers, *witnesses))


def _without_mysql(
    name: str, address: str, memory: int | None, *, balancer: str | None = None, witness: str | None = None
) -> Machine:
    return Machine(name, address, balancer=balancer, server=None, witness=witness, server_id=0, memory=memory)
