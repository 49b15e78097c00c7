"""The facts script: POSIX sh, because a bare machine has no Python; one for all that is asked.

It prints one fact a line, tab-separated, the kind first; ``parse`` reads it. It changes nothing.
"""

from dataclasses import dataclass
from shlex import quote

from colonnade import paths
from colonnade.facts.agent import AGENT
from colonnade.facts.etcd import ETCD

LARGEST_SHOWN = 65536
"""Bytes; a larger file that differs is not fetched for a diff."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file that should be there; ``show`` allows its present text to be fetched for a diff."""

    path: str
    sha256: str
    show: bool


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of one machine."""

    files: tuple[Wanted, ...] = ()
    directories: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    database: bool = False
    variables: tuple[str, ...] = ()
    """Names of MySQL's global variables whose values are wanted."""
    etcd: bool = False
    agent: bool = False
    proxy: bool = False
    ports: tuple[int, ...] = ()
    wait_seconds: int = 0
    """How long to wait for an apply that is under way; 0: answer at once, whatever is going on."""
    nginx: tuple[str, str] | None = None
    """URL and Host header to ask Nginx with."""
    app: tuple[str, str] | None = None
    """Path and Host header to ask the application's own socket with."""


_HEAD = r"""
set -u
export LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
[ "$(id -u)" = 0 ] || { echo "not root" >&2; exit 77; }
tab='	'
ID= VERSION_ID= VERSION_CODENAME=
[ ! -r /etc/os-release ] || . /etc/os-release
printf 'os\t%s\t%s\t%s\n' "${ID:-unknown}" "${VERSION_ID:-}" "${VERSION_CODENAME:-}"
printf 'arch\t%s\n' "$(dpkg --print-architecture 2>/dev/null || uname -m)"
read -r init < /proc/1/comm; printf 'init\t%s\n' "$init"
while read -r key value _; do
  [ "$key" != MemTotal: ] || { printf 'memory\t%s\n' "$((value * 1024))"; break; }
done < /proc/meminfo
shown() {
  case $sums in *"$2  $1"*) return;; esac
  [ -f "$1" ] && [ "$(stat -c %s -- "$1")" -le LARGEST ] || return
  printf 'text\t%s\t%s\n' "$1" "$(base64 -w0 < "$1")"
}
""".replace("LARGEST", str(LARGEST_SHOWN))

_STATE = f"""
[ ! -r {paths.MANIFEST} ] || while read -r sum path; do
  printf 'managed\\t%s\\t%s\\n' "$sum" "$path"
done < {paths.MANIFEST}
for record in {paths.LOADED}/*; do
  [ -f "$record" ] && read -r restart reload < "$record" &&
    printf 'loaded\\t%s\\t%s\\t%s\\n' "${{record##*/}}" "$restart" "$reload"
done
for release in {paths.RELEASES}/*; do [ ! -d "$release" ] || printf 'release\\t%s\\n' "${{release##*/}}"; done
for program in {paths.AGENT_PROGRAMS}/*; do [ ! -d "$program" ] || printf 'program\\t%s\\n' "${{program##*/}}"; done
for mark in {paths.MIGRATED}/*; do [ ! -f "$mark" ] || printf 'migrated\\t%s\\n' "${{mark##*/}}"; done
[ ! -L {paths.CURRENT} ] || printf 'current\\t%s\\n' "$(basename "$(readlink {paths.CURRENT})")"
for mark in {paths.DRAINED}/*; do [ ! -f "$mark" ] || printf 'drained\\t%s\\n' "${{mark##*/}}"; done
[ ! -r {paths.GENERATION} ] || {{
  read -r generation < {paths.GENERATION} && printf 'generation\\t%s\\n' "$generation"
}}
for update in /var/lib/dpkg/updates/[0-9]*; do [ ! -e "$update" ] || printf 'half\\n'; break; done
"""

_PROXY = f"""
if [ -S {paths.HAPROXY_SOCKET} ]; then
  echo 'show stat' | timeout 3 socat -t 3 - UNIX-CONNECT:{paths.HAPROXY_SOCKET} 2>/dev/null |
    while IFS= read -r line; do printf 'stat\\t%s\\n' "$line"; done
fi
"""


def facts_script(question: Question) -> str:  # noqa: C901  one branch for each part of the question
    """Return the script that answers the question when a root shell runs it."""
    parts = [_HEAD]
    if question.wait_seconds:
        parts.append(f"exec 9>{paths.LOCK}; flock -s -w {question.wait_seconds} 9 || {{ echo 'busy'; exit 75; }}")
    parts.append(_STATE)
    if question.directories:
        # A directory may be a link to a larger disk; a file that became a link is one that somebody changed.
        names = " ".join(quote(path) for path in question.directories)
        parts.append(f"stat -L -c 'path\t%F\t%a\t%U\t%G\t%n' -- {names} 2>/dev/null")
    if question.files:
        names = " ".join(quote(wanted.path) for wanted in question.files)
        parts.append(f"stat -c 'path\t%F\t%a\t%U\t%G\t%n' -- {names} 2>/dev/null")
        parts.append(f"sums=$(sha256sum -- {names} 2>/dev/null)")
        parts.append(
            'printf \'%s\\n\' "$sums" | while read -r sum path; do printf \'sum\\t%s\\t%s\\n\' "$sum" "$path"; done'
        )
        parts += [f"shown {quote(w.path)} {w.sha256}" for w in question.files if w.show]
    if question.units:
        names = " ".join(quote(unit) for unit in question.units)
        parts.append(
            "systemctl show -p Id,LoadState,ActiveState,SubState,UnitFileState,NeedDaemonReload"
            f" -- {names} 2>/dev/null | while IFS= read -r line; do printf 'unit\\t%s\\n' \"$line\"; done"
        )
    if question.packages:
        names = " ".join(quote(package) for package in question.packages)
        parts.append(
            f"dpkg-query -W -f='package\\t${{Package}}\\t${{db:Status-Status}}\\t${{Version}}\\n' {names} 2>/dev/null"
        )
    parts += [
        f"getent passwd {quote(user)} >/dev/null && printf 'user\\t%s\\n' {quote(user)}" for user in question.users
    ]
    if question.ports:
        wanted = "|".join(f"*:{port}" for port in question.ports)
        parts.append(
            "ss -Hltnp 2>/dev/null | while read -r _ _ _ local _ users; do"
            f' case $local in {wanted}) printf \'port\\t%s\\t%s\\n\' "$local" "$users";; esac; done'
        )
    if question.database:
        parts.append(_database(question.variables))
    if question.etcd:
        parts.append(ETCD)
    if question.agent:
        parts.append(AGENT)
    if question.proxy:
        parts.append(_PROXY)
    if question.nginx:
        url, host = question.nginx
        parts.append(_probe("nginx", f"-H {quote('Host: ' + host)} {quote(url)}"))
    if question.app:
        path, host = question.app
        parts.append(
            _probe(
                "app",
                f"--unix-socket {paths.APP_SOCKET} -H {quote('Host: ' + host)} {quote('http://app' + path)}",
            )
        )
    parts.append("printf 'end\\n'")
    return "\n".join(parts) + "\n"


def _probe(name: str, arguments: str) -> str:
    return (
        f"printf 'probe\\t{name}\\t%s\\n' \"$(curl -s -o /dev/null -m 3 -w '%{{http_code}}' {arguments} 2>/dev/null)\""
    )


def _database(variables: tuple[str, ...]) -> str:
    names = ", ".join(
        f"'{name}'" for name in (*variables, "version", "server_uuid", "read_only", "gtid_executed", "gtid_purged")
    )
    query = (
        "SELECT 'variable', variable_name, REPLACE(variable_value, '\\n', '') "  # noqa: S608  names of our own
        f"FROM performance_schema.global_variables WHERE variable_name IN ({names});"
        "SELECT 'schema', schema_name FROM information_schema.schemata;"
        "SELECT 'account', user, COALESCE(attribute->>'$.colonnade', '') FROM information_schema.user_attributes;"
    )
    return f"""
for other in {paths.MYSQL_DATA}.*; do
  # What an apply was making when it was cut off is no data of anybody's.
  [ "$other" = {paths.MYSQL_DATA}.new ] || [ ! -d "$other/mysql" ] || printf 'sql\\taside\\t%s\\n' "$other"
done
if [ -d {paths.MYSQL_DATA}/mysql ]; then
  printf 'sql\\tinitialised\\n'
  if timeout 5 mysql -u root -N -B --connect-timeout=2 -e {quote(query)} 2>&1; then
    echo answers
    timeout 5 mysql -u root -E --connect-timeout=2 -e 'SHOW REPLICA STATUS' 2>/dev/null | while IFS= read -r line; do
      printf 'replica\\t%s\\n' "$line"
    done
  fi | while IFS= read -r line; do printf 'sql\\t%s\\n' "$line"; done
fi"""
