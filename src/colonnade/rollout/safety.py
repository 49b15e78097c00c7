"""The reasons to refuse a plan, and what must be said even if it is carried out."""

from collections.abc import Iterator, Mapping
from ipaddress import ip_address

from colonnade.database import database_of, founded
from colonnade.errors import ColonnadeError, RefusedError
from colonnade.etcd import cluster_of, members_explained
from colonnade.facts import Facts
from colonnade.gtid import GtidSet
from colonnade.paths import MYSQL_DATA
from colonnade.render import Desired, platform_of
from colonnade.topology import AGENT_PORT, Machine, Topology

OURS = frozenset({"etcd", "haproxy", "knotd", "mysqld", "nginx"})


def check(topology: Topology, desired: Mapping[str, Desired], facts: Mapping[str, Facts]) -> None:
    """Refuse what cannot be done, or could lose data.

    Raises:
        RefusedError: the primary was taken out of the file; an empty data directory would be made beside one that was
            set aside; or the agents would begin with a server that lacks what another has.
        ColonnadeError: another program holds a port that is needed.

    """
    for machine in topology.machines:
        _ports(machine, desired[machine.name], facts[machine.name])
        _data_set_aside(machine, desired[machine.name], facts[machine.name])
    _primary_stays(topology, facts)
    if not founded(facts):
        _primary(topology, facts)
        _errant(topology, facts)


def _ports(machine: Machine, desired: Desired, facts: Facts) -> None:
    everywhere = {"*", "0.0.0.0", "::", machine.address}  # noqa: S104  compared with, not bound to
    for address, port, program in facts.listeners:
        ours = program in OURS or (program, port) == ("python3", AGENT_PORT)
        if port in desired.ports and address in everywhere and not ours:
            raise ColonnadeError(
                f"port {port} is in use by {program or 'another program'}",
                where=machine.name,
                do="Stop it (and disable it), then run the command again."
                f" On {machine.name}: ss -ltnp 'sport = :{port}'.",
            )


def _data_set_aside(machine: Machine, desired: Desired, facts: Facts) -> None:
    """Refuse to make an empty database while an agent has put the data beside, or was cut off in doing so."""
    database = facts.database
    if desired.database is not None and not database.initialised and database.aside:
        raise RefusedError(
            f"{MYSQL_DATA} holds no database, but {', '.join(database.aside)} does",
            where=machine.name,
            do="If a copy is under way (colonnade status), wait for it. Else move the right one to its place, or all of"
            " them away from there. Nothing was changed.",
        )


def _primary_stays(topology: Topology, facts: Mapping[str, Facts]) -> None:
    """Refuse to go on without the primary: another one takes over first."""
    database = database_of(topology, facts)
    if database.contract is not None and database.primary is None:
        raise RefusedError(
            f"{database.contract.primary} is the primary of MySQL, and no server of the file is called so",
            do="With the file as it was: colonnade db switchover --to NAME, of a server that stays; then apply again."
            " Nothing was changed.",
        )


def _primary(topology: Topology, facts: Mapping[str, Facts]) -> None:
    """Refuse to begin with the file's first server, if the data's primary is another."""
    wanted = facts[topology.primary.name].database
    for machine in topology.replicas:
        database = facts[machine.name].database
        is_primary = (
            database.answers and not database.read_only and database.replica is None and bool(database.executed)
        )
        follows = wanted.replica is not None and wanted.replica.source == machine.address
        if is_primary or follows:
            raise RefusedError(
                f"{machine.server} is the primary of MySQL, but the file's first server is {topology.primary.server}",
                where=machine.name,
                do=f"Put [servers.{machine.server}] first in the file: the data is there. Nothing was changed.",
            )
    if wanted.replica is not None:
        raise RefusedError(
            f"MySQL is a replica of {wanted.replica.source}, which no server of the file is,"
            f" but the file's first server is {topology.primary.server}",
            where=topology.primary.name,
            do="What only the present primary has would be lost. Put its server first in the file again; or, if it is"
            f" gone for good, end replication on {topology.primary.name} yourself: STOP REPLICA; RESET REPLICA ALL."
            " Nothing was changed.",
        )


def _errant(topology: Topology, facts: Mapping[str, Facts]) -> None:
    """Refuse to begin with the file's first server, if another has what it lacks."""
    primary = facts[topology.primary.name].database
    for machine in topology.replicas:
        database = facts[machine.name].database
        if not database.answers or not (primary.answers or database.executed):
            continue
        if not primary.answers and primary.initialised:
            continue  # the primary is down, not empty: it is started first and compared by the next apply
        errant = GtidSet.parse(database.executed) - GtidSet.parse(primary.executed)
        replica = database.replica
        if replica is not None and (replica.source, replica.receiver) == (topology.primary.address, "Yes"):
            # The primary was asked a moment earlier: what it has written since is on its way, not errant.
            errant = errant.without_source(primary.server_uuid)
        if errant:
            raise RefusedError(
                f"MySQL has {len(errant)} transactions that the primary {topology.primary.server}"
                f" does not have: {errant}",
                where=machine.name,
                do="They would be lost if it followed the primary, so nothing was changed. If the first server of the"
                " file lost its data, put this one first. If they are not wanted, move the data directory away on"
                f" {machine.name} and apply again.",
            )


def warnings(topology: Topology, facts: Mapping[str, Facts]) -> tuple[str, ...]:
    """Return what a person should know although the plan goes on."""
    said = []
    untested = sorted(
        {
            f"{p.system} {p.version}"
            for m in topology.machines
            for p in (platform_of(m.name, facts[m.name]),)
            if not p.tested
        }
    )
    if untested:
        said.append(f"{', '.join(untested)}: the files for it are generated and checked, but nobody has run it yet.")
    if topology.stack.database.packages == "oracle":
        said.append(
            "MySQL from Oracle's repository: the files for it are generated and checked, but nobody has run it yet."
        )
    if len(topology.servers) == 1:
        said.append("There is one server: one copy of the data, and nothing to take over from it.")
    if topology.stack.database.durability == "strict" and len(topology.servers) == 2:  # noqa: PLR2004  a pair
        said.append(
            'durability is "strict", and there are two servers: while either of them is down, no write is accepted.'
        )
    if len(topology.balancers) == 1:
        said.append(f"There is one balancer: while {topology.balancers[0].balancer} is down, nobody reaches the stack.")
    said += _etcd_warnings(topology, facts)
    public = sorted({m.address for m in topology.servers if ip_address(m.address).is_global})
    if public:
        said.append(f"MySQL listens on public addresses ({', '.join(public)}), and this version sets up no firewall.")
    return tuple(said)


def _etcd_warnings(topology: Topology, facts: Mapping[str, Facts]) -> Iterator[str]:
    members = topology.etcd_members
    if len(members) == 1:
        yield members_explained(topology)
    cluster = cluster_of(topology, facts)
    if cluster.formed and cluster.majority_is_gone:
        lost = ", ".join(cluster.lost_names)
        yield (
            f"etcd has lost its majority for good: the data of {lost} is gone. Nothing of it is changed."
            " colonnade etcd recover makes it anew, while the primary serves."
        )
