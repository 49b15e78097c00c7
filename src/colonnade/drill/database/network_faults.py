"""Connections that are cut one by one by a packet filter on a machine: the rest of it is reached as before."""

from collections.abc import Iterable

from colonnade.drill.act import Act, Do, Part, Pause
from colonnade.drill.database.limits import NOTHING, STANDBY_LOST
from colonnade.drill.fault import Fault, Limits, Load
from colonnade.topology import ETCD_CLIENT_PORT, ETCD_PEER_PORT, MYSQL_PORT

TABLE = "inet colonnade_drill"
"""A packet filter's table of the drill's own; the firewall's rules are not touched."""


def drop(on: Part, rules: Iterable[str], *, first: str = "", incoming: bool = True) -> Do:
    """Drop the packets that a rule matches, without telling the other end; ``first`` is shell that comes before."""
    hooks = ("input", "output") if incoming else ("output",)
    each = " ".join(f"{rule} drop;" for rule in rules)
    chains = "".join(
        f"  chain {hook} {{ type filter hook {hook} priority -300; policy accept; {each} }}\n" for hook in hooks
    )
    return Do(
        on,
        f"set -eu\ncommand -v nft >/dev/null || {{ echo 'nft is not installed' >&2; exit 1; }}\n{first}"
        f"nft -f - <<RULES\ntable {TABLE}\ndelete table {TABLE}\ntable {TABLE} {{\n{chains}}}\nRULES",
    )


def pass_again(on: Part) -> Do:
    """Take the drill's table away, if it is there."""
    return Do(on, f"nft delete table {TABLE} 2>/dev/null || :")


ETCD = tuple(f"tcp {end} {{ {ETCD_CLIENT_PORT}, {ETCD_PEER_PORT} }}" for end in ("dport", "sport"))
"""Packets to and from etcd's members, the machine's own included."""


def mysql_of(address: str) -> tuple[str, ...]:
    """Match MySQL's packets to and from an address, which the shell knows."""
    family = f"$(case {address} in *:*) echo ip6;; *) echo ip;; esac)"
    return tuple(
        f"{family} {end} {address} tcp {port} {MYSQL_PORT}" for end in ("daddr", "saddr") for port in ("dport", "sport")
    )


CUT_REPLICATION = drop(Part.STANDBY, mysql_of("$PRIMARY"))
HEAL_REPLICATION: tuple[Act, ...] = (pass_again(Part.STANDBY),)

FAULTS = (
    Fault(
        "replication-cut",
        "MySQL's port between primary and standby is blocked both ways; everything else gets through",
        inject=(CUT_REPLICATION,),
        heal=HEAL_REPLICATION,
        limits=STANDBY_LOST,
    ),
    Fault(
        "primary-without-etcd",
        "the primary is cut off from etcd alone",
        inject=(drop(Part.PRIMARY, ETCD),),
        heal=(pass_again(Part.PRIMARY),),
        hold=15.0,
        # Its standbys confirm it while the claim lasts; a change of primary in order is fine, too.
        limits=STANDBY_LOST,
    ),
    Fault(
        "standby-without-etcd",
        "the standby is cut off from etcd alone",
        inject=(drop(Part.STANDBY, ETCD),),
        heal=(pass_again(Part.STANDBY),),
        limits=NOTHING,
    ),
    Fault(
        "acknowledgement-lost",
        "a standby has the commit, its acknowledgement is lost, and the application waits instead of writing again",
        inject=(
            # What the receiver's connection sends is dropped: commits arrive, their acknowledgements do not.
            drop(
                Part.STANDBY,
                (f"tcp sport {{ $ports }} tcp dport {MYSQL_PORT}",),
                first='ports=$(ss -Htnp state established dst "$PRIMARY" | awk \'/mysqld/ { sub(/.*:/, "", $3);'
                " print $3 }' | paste -sd, -)\n",
                incoming=False,
            ),
            Pause(0.3),
            # A receiver that connects anew says that it has them already, so nobody sends or acknowledges them again.
            Do(Part.STANDBY, "mysql -u root -e 'STOP REPLICA IO_THREAD; START REPLICA IO_THREAD'"),
        ),
        heal=HEAL_REPLICATION,
        hold=8.0,
        limits=Limits(gap=5.0, median=3.0),
        load=Load(patience=30.0),
    ),
    Fault(
        "grant-waiting",
        "a change of accounts waits for its acknowledgement on the primary, which keeps every new login out",
        inject=(
            CUT_REPLICATION,
            Pause(0.1),
            Do(
                Part.PRIMARY,
                'mysql -u root -e "CREATE USER colonnade_drill@localhost ACCOUNT LOCK;'
                ' GRANT SELECT ON \\`$SCHEMA\\`.* TO colonnade_drill@localhost"',
                background=True,
            ),
        ),
        heal=(
            *HEAL_REPLICATION,
            Pause(3.0),
            # On whoever is the primary by now; the others refuse, as they are read-only.
            Do(
                Part.SERVERS,
                "timeout 5 mysql -u root -e 'DROP USER IF EXISTS colonnade_drill@localhost' 2>/dev/null || :",
            ),
        ),
        limits=STANDBY_LOST,
    ),
)
