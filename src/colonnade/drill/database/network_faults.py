"""Connections that are cut one by one on a machine: the rest of it is reached as before.

By rules of policy routing, which every Linux has: packets that match go nowhere, and nobody is told. What a server
answers is what is dropped, on its way in and on its way out: so no conversation goes on, and none begins, in either
direction, and every new connection waits as if the cable were out.
"""

from collections.abc import Iterable

from colonnade.drill.act import Act, Do, Part, Pause
from colonnade.drill.database.limits import NOTHING, STANDBY_LOST
from colonnade.drill.fault import Fault, Limits, Load
from colonnade.topology import ETCD_CLIENT_PORT, ETCD_PEER_PORT, MYSQL_PORT

FAMILIES = "-4 -6"
OURS = 1
LOCAL = 10
"""Preferences of rules. That for the machine's own addresses is 0, and nothing comes before it unless it is moved."""

MOVED = f"""
set -eu
for family in {FAMILIES}; do
  if ip $family rule add pref {LOCAL} lookup local; then ip $family rule del pref 0; fi
done
"""
HEALED = f"""
for family in {FAMILIES}; do
  ip $family rule | grep -q '^{LOCAL}:' || continue
  ip $family rule add pref 0 lookup local 2>/dev/null || :
  while ip $family rule del pref {OURS} 2>/dev/null; do :; done
  ip $family rule del pref {LOCAL}
done
"""
FAMILY = "case $PRIMARY in *:*) family=-6;; *) family=-4;; esac\n"


def drop(on: Part, rules: Iterable[str], before: str) -> Do:
    """Drop what matches one of the rules, which begin with the family of addresses; ``before`` is shell."""
    added = "".join(f"ip {rule} blackhole\n" for rule in rules)
    return Do(on, f"{MOVED}{before}{added}")


def pass_again(on: Part) -> Do:
    """Take the drill's rules away, if they are there."""
    return Do(on, HEALED)


CUT_REPLICATION = drop(
    Part.STANDBY,
    [f'"$family" rule add pref {OURS} {way} "$PRIMARY" ipproto tcp sport {MYSQL_PORT}' for way in ("from", "to")],
    FAMILY,
)

CUT_ETCD = f"""{MOVED}for family in {FAMILIES}; do
  if ip $family rule | grep -q '^{LOCAL}:'; then
    ip $family rule add pref {OURS} ipproto tcp sport {ETCD_CLIENT_PORT}-{ETCD_PEER_PORT} blackhole
  fi
done
"""
"""Drop what etcd's members answer, the machine's own included."""

RECEIVER_PORT = f"""port=$(ss -Htnp state established dst "$PRIMARY" dport = :{MYSQL_PORT} | awk '/mysqld/ {{
  sub(/.*:/, "", $3); print $3; exit
}}')
[ -n "$port" ] || {{ echo "the receiver has no connection to $PRIMARY" >&2; exit 1; }}
"""

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
        inject=(Do(Part.PRIMARY, CUT_ETCD),),
        heal=(pass_again(Part.PRIMARY),),
        hold=15.0,
        # Its standbys confirm it while the claim lasts; a change of primary in order is fine, too.
        limits=STANDBY_LOST,
    ),
    Fault(
        "standby-without-etcd",
        "the standby is cut off from etcd alone",
        inject=(Do(Part.STANDBY, CUT_ETCD),),
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
                [f'"$family" rule add pref {OURS} ipproto tcp sport "$port" dport {MYSQL_PORT}'],
                f"{FAMILY}{RECEIVER_PORT}",
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
