"""The script that takes off a machine what Colonnade put there, and nothing else."""

from dataclasses import dataclass

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
        _functions(data=data),
        # It may be off the machine already, and the data still there.
        f"[ -e {paths.MANIFEST} ] || {{ remove_data; exit 0; }}",
        # The order in which visitors notice least: what faces them goes first.
        *(f"systemctl disable -q --now {unit} 2>/dev/null" for unit in (*OUR_UNITS, *PACKAGED_UNITS)),
        f"installed=$(sort -u {paths.INSTALLED} 2>/dev/null)",
        f'while read -r sum path; do rm -f "$path"; original={paths.ORIGINALS}$path',
        '  if [ -e "$original" ]; then cp -a "$original" "$path"; fi',
        f"done < {paths.MANIFEST}",
        "systemctl daemon-reload",
        '[ -z "$installed" ] || apt-get -q -y -o DPkg::Lock::Timeout=120 purge $installed >&2 || exit 1',
        # Of what nobody needs any more, only what came with ours.
        f"unneeded=$(apt-get -s autoremove | awk '$1 == \"Remv\" {{print $2}}' | grep -sFxf {paths.BROUGHT})",
        '[ -z "$unneeded" ] || apt-get -q -y -o DPkg::Lock::Timeout=120 purge $unneeded >&2',
        # What came with them goes too, even if another package would merely like to have it; dpkg refuses to remove
        # what is depended on, so it takes some rounds, and what somebody else needs by now stays.
        "removed=1",
        "while [ $removed = 1 ]; do removed=0",
        f"  for package in $(apt-mark showauto | grep -sFxf {paths.BROUGHT}); do",
        # Without acting first: a purge that is refused leaves a mark, and somebody's next removal would act on it.
        '    if dpkg --no-act --purge "$package" >/dev/null 2>&1 && dpkg --purge "$package" >/dev/null 2>&1; then',
        "      removed=1",
        "    fi",
        "  done",
        "done",
        f"rm -rf {paths.APP_HOME} {APP_START.rpartition('/')[0]}",
        f"rmdir {paths.TLS} 2>/dev/null",
        f"rmdir /etc/colonnade {paths.ZONES} 2>/dev/null",
        # Units that were there before us get their own files back, and go on with them.
        *(f"systemctl cat {unit} >/dev/null 2>&1 && systemctl enable -q --now {unit}" for unit in PACKAGED_UNITS),
        f"! getent passwd {paths.APP_USER} >/dev/null || userdel {paths.APP_USER}",
        # Transactions that the agent saved as SQL are data, too.
        *(() if data else (f"[ ! -d {_ERRANT} ] || {{ mkdir -p {SAVED} && cp -a {_ERRANT}/. {SAVED}/; }} || exit 1",)),
        "remove_data",
        # What etcd holds is about a stack that is no more; data are MySQL's.
        f"rm -rf {paths.ETCD_DATA} {paths.ETCD_JOIN} {paths.ETCD_JOINED} {paths.ETCD_RECOVERED} {paths.ETCD_RECOVERY}",
        f"stays newer {paths.UPGRADED}",
        f"stays needed {paths.BROUGHT}",
        f"rm -rf {paths.STATE}",
        "exit 0",
    ]
    return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class Stayed:
    """Packages that could not be taken away."""

    newer: tuple[str, ...] = ()
    """They were there before, and ours needed a newer one: Debian has no way back to an older."""
    needed: tuple[str, ...] = ()
    """They came with ours, and what stays needs them."""


def stayed(output: str) -> Stayed:
    """Read what the script said."""
    rows = [line.split("\t") for line in output.splitlines() if line.count("\t") == 1]
    return Stayed(
        newer=tuple(sorted({name for word, name in rows if word == "newer"})),
        needed=tuple(sorted({name for word, name in rows if word == "needed"})),
    )


def _functions(*, data: bool) -> str:
    kept = "remove_data() { :; }"
    gone = f"""remove_data() {{
  rm -rf {paths.MYSQL_DATA} {paths.MYSQL_DATA}.*
  # What MySQL's package made and left; not while somebody's MySQL is there, nor what has more in it than at first.
  if ! command -v mysqld >/dev/null && [ -e {paths.MYSQL_MADE} ]; then
    sort -u {paths.MYSQL_MADE} | while read -r made; do
      case $made in
        mysql) ! getent passwd mysql >/dev/null || userdel mysql >/dev/null ;;
        *)
          find "$made" -mindepth 1 -maxdepth 1 -type d 2>/dev/null |
            grep -qvE '/(mysql|sys|performance_schema|#.*)$' || rm -rf "$made"
          ;;
      esac
    done
    rmdir /etc/mysql 2>/dev/null
  fi
  rm -f {paths.MYSQL_MADE}
}}"""
    return f"""stays() {{
  [ -e "$2" ] || return 0
  cut -d' ' -f1 "$2" | sort -u | while read -r package; do
    status=$(dpkg-query -W -f='${{db:Status-Abbrev}}' "$package" 2>/dev/null)
    case $status in ?i*) printf '%s\\t%s\\n' "$1" "$package" ;; esac
  done
}}
{gone if data else kept}"""
