"""The script that takes off a machine what Colonnade put there, and nothing else."""

from colonnade import paths
from colonnade.render.web import APP_START

OUR_UNITS = (paths.APP_UNIT, paths.AGENT_UNIT)
PACKAGED_UNITS = ("nginx.service", paths.MYSQL_UNIT, "knot.service", "haproxy.service", paths.ETCD_UNIT)

_ERRANT = paths.AGENT_ERRANT
SAVED = f"{paths.MYSQL_DATA}.errant"
"""Where saved transactions are kept when all else of the stack goes."""


def removal_script(*, data: bool) -> str:
    """Return the script; ``data`` says that MySQL's data directory goes too."""
    lines = [
        "set -u",
        "export LC_ALL=C DEBIAN_FRONTEND=noninteractive",
        "export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        f"exec 9>{paths.LOCK}; flock -w 120 9 || exit 75",
        f"[ -e {paths.MANIFEST} ] || exit 0",
        # The order in which visitors notice least: what faces them goes first.
        *(f"systemctl disable -q --now {unit} 2>/dev/null" for unit in (*OUR_UNITS, *PACKAGED_UNITS)),
        f"installed=$(sort -u {paths.INSTALLED} 2>/dev/null)",
        f'while read -r sum path; do rm -f "$path"; original={paths.ORIGINALS}$path',
        '  if [ -e "$original" ]; then cp -a "$original" "$path"; fi',
        f"done < {paths.MANIFEST}",
        "systemctl daemon-reload",
        '[ -z "$installed" ] || apt-get -q -y -o DPkg::Lock::Timeout=120 purge $installed >&2 || exit 1',
        '[ -z "$installed" ] || apt-get -q -y -o DPkg::Lock::Timeout=120 autoremove --purge >&2',
        # What came with them goes too, even if another package would merely like to have it; dpkg refuses to remove
        # what is depended on, so it takes some rounds, and what somebody else needs by now stays.
        "removed=1",
        "while [ $removed = 1 ]; do removed=0",
        f"  for package in $(apt-mark showauto | grep -sFxf {paths.BROUGHT}); do",
        '    if dpkg --purge "$package" >/dev/null 2>&1; then removed=1; fi',
        "  done",
        "done",
        f"rm -rf {paths.APP_HOME} {APP_START.rpartition('/')[0]}",
        f"rmdir {paths.TLS} 2>/dev/null",
        f"rmdir /etc/colonnade {paths.ZONES} 2>/dev/null",
        # Units that were there before us get their own files back, and go on with them.
        *(f"systemctl cat {unit} >/dev/null 2>&1 && systemctl enable -q --now {unit}" for unit in PACKAGED_UNITS),
        f"! getent passwd {paths.APP_USER} >/dev/null || userdel {paths.APP_USER}",
        f"rm -rf {paths.MYSQL_DATA} {paths.MYSQL_DATA}.*" if data else ":",
        # What etcd holds is about a stack that is no more; data are MySQL's.
        f"rm -rf {paths.ETCD_DATA} {paths.ETCD_JOIN} {paths.ETCD_JOINED} {paths.ETCD_RECOVERED} {paths.ETCD_RECOVERY}",
        # Transactions that the agent saved as SQL are data, too.
        *(() if data else (f"[ ! -d {_ERRANT} ] || {{ mkdir -p {SAVED} && cp -a {_ERRANT}/. {SAVED}/; }} || exit 1",)),
        f"rm -rf {paths.STATE}",
        "exit 0",
    ]
    return "\n".join(lines) + "\n"
