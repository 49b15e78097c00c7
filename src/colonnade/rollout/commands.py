"""The shell commands of each kind of step."""

from shlex import quote
from typing import assert_never

from colonnade import paths
from colonnade.render import Account
from colonnade.rollout.agent_commands import agent_commands
from colonnade.rollout.etcd_commands import ETCD_FUNCTIONS, etcd_commands, start_etcd
from colonnade.rollout.steps import (
    ActivateRelease,
    AddMember,
    AddUser,
    ChangeUnit,
    DaemonReload,
    Drain,
    InitialiseDatabase,
    InstallPackages,
    LeaveCluster,
    MakeDirectory,
    Migrate,
    PermitMember,
    PrepareSchema,
    PromoteMember,
    PutFile,
    PutProgram,
    PutRelease,
    Ready,
    RecordManifest,
    RemoveFile,
    RemoveMember,
    RemoveProgram,
    RemoveRelease,
    SealMember,
    SetVariables,
    Step,
    Switchover,
    WaitForPrimary,
    WaitWell,
)
from colonnade.rollout.units import loaded_configuration

Files = dict[str, bytes]

SHELL_FUNCTIONS = rf"""
versions() {{ dpkg-query -W -f='${{Status}} ${{Package}} ${{Version}}\n' | awk '$5 != "" {{print $4, $5}}'; }}
mark() {{
  # A unit's record: fingerprints of what it was restarted and reloaded with; "keep" leaves one as it is.
  restart=- reload=-
  [ ! -r {paths.LOADED}/"$1" ] || read -r restart reload < {paths.LOADED}/"$1"
  [ "$2" = keep ] || restart=$2
  [ "$3" = keep ] || reload=$3
  write_down {paths.LOADED}/"$1" "$restart $reload"
}}
there() {{ if [ -e {paths.STAGING}/files"$1" ]; then printf %s {paths.STAGING}/files"$1"; else printf %s "$1"; fi; }}
stage_file() {{
  mkdir -p "$(dirname "$1")"
  # A file that is not ours yet is kept as it was.
  if [ -e "$1" ] && ! grep -qsF " $1" {paths.MANIFEST} && [ ! -e {paths.ORIGINALS}"$1" ]; then
    mkdir -p {paths.ORIGINALS}"$(dirname "$1")"
    cp -a "$1" {paths.ORIGINALS}"$1"
  fi
  rm -f "$2"
  # The copy belongs to its owner before it holds anything that others may not read.
  (umask 077; cp {paths.STAGING}/files"$1" "$2")
  chown "$4" "$2"
  chmod "$3" "$2"
}}
sql() {{ mysql -u root --connect-timeout=10 "$@"; }}
until_true() {{
  # until_true SECONDS WHAT COMMAND...: asks again every fifth of a second, and says what it waited for in vain.
  deadline=$(($(date +%s) + $1)) what=$2
  shift 2
  until "$@"; do
    [ "$(date +%s)" -lt "$deadline" ] || {{ echo "waited in vain for: $what"; return 1; }}
    sleep 0.2
  done
}}
dpkg_goes_on() {{
  # 1 is a package that lacks what it depends on, which apt mends; 2 is dpkg itself: what was cut off may hold its lock.
  dpkg --configure -a --force-confdef --force-confold || [ $? = 1 ]
}}
mysql_answers() {{ timeout 5 mysql -u root --connect-timeout=2 -e 'SELECT 1' >/dev/null 2>&1; }}
app_answers() {{
  code=$(curl -s -o {paths.STAGING}/answer -m 3 -w '%{{http_code}}' --unix-socket {paths.APP_SOCKET} \
    -H "Host: $2" "http://app$1" 2>/dev/null) || code=000
  [ "$code" = 200 ]
}}
explain_app() {{
  echo "The application did not become healthy:" \
    "GET $1 with Host $2 on {paths.APP_SOCKET} answered $code (000: nothing listens)."
  head -c 600 {paths.STAGING}/answer 2>/dev/null || true
  echo "Its last lines:"
  journalctl -u {paths.APP_UNIT} -n 25 --no-pager -o cat 2>/dev/null || true
}}
{ETCD_FUNCTIONS}proxy() {{ echo "$1" | timeout 5 socat -t 5 - UNIX-CONNECT:{paths.HAPROXY_SOCKET}; }}
# Only what visitors ask for: where a balancer is a server too, its way to MySQL is never without a session.
proxy_servers() {{
  proxy 'show stat' | awk -F, -v s="$1" '($2 == s || $2 == s "{paths.UNCHECKED}") && $1 ~ /^(app|static)$/'
}}
set_servers() {{
  # set_servers SERVER STATE BACKEND...: a backend that this balancer does not have is skipped.
  server=$1 state=$2
  shift 2
  known=$(proxy 'show stat' | awk -F, -v s="$server" '$2 == s {{print $1}}')
  for backend in "$@"; do
    case " $(echo $known) " in *" $backend "*) ;; *) continue ;; esac
    for name in "$server" "$server"{paths.UNCHECKED}; do proxy "set server $backend/$name state $state"; done
  done
}}
idle() {{ [ "$(proxy_servers "$1" | awk -F, '{{n += $3 + $5}} END {{print n + 0}}')" = 0 ]; }}
checks_pass() {{ ! proxy_servers "$1" | awk -F, -v s="$1" '$2 == s {{print $37}}' | grep -qv 'L7OK'; }}
"""


def commands(step: Step, number: int) -> tuple[list[str], Files]:  # noqa: C901, PLR0911, PLR0912  one for each kind
    """Return a step's commands, and the files that they need below the staging directory."""
    match step:
        case InstallPackages():
            return _install(step), {}
        case AddUser(user):
            options = f"--system --user-group --no-create-home --shell /usr/sbin/nologin --home-dir {quote(user.home)}"
            command = f"useradd {options} {user.name}"
            return [f"getent passwd {user.name} >/dev/null || {command}"], {}
        case MakeDirectory(directory):
            rights = f"-m {directory.mode:o} -o {directory.owner} -g {directory.group}"
            return [f"install -d {rights} {quote(directory.path)}"], {}
        case PutFile():
            raise AssertionError("files are put together, by the script")
        case RemoveFile(path):
            return [f"rm -f {quote(path)}"], {}
        case RecordManifest(entries):
            text = "".join(f"{digest} {path}\n" for path, digest in entries.items())
            name = f"sql/manifest-{number}"
            return [
                f"cp {paths.STAGING}/{name} {paths.MANIFEST}.new",
                f"mv -f {paths.MANIFEST}.new {paths.MANIFEST}",
            ], {name: text.encode()}
        case DaemonReload():
            return ["systemctl daemon-reload"], {}
        case InitialiseDatabase():
            return _initialise(), {}
        case ChangeUnit():
            return _unit(step), {}
        case SetVariables(settings):
            statements = [f"SET GLOBAL {name} = {_literal(value)};" for name, value in sorted(settings.items())]
            return _sql(number, statements, wait=True)
        case PrepareSchema(schema, accounts):
            statements = [f"CREATE DATABASE IF NOT EXISTS `{schema}`;"]
            for account in accounts:
                statements += _account(account)
            lines, files = _sql(number, statements, wait=True)
            return [lines[0], _TAKES_WRITES, *lines[1:]], files
        case PutRelease():
            return _release(step)
        case Migrate(release, command):
            return _migrate(release, command), {}
        case ActivateRelease(release):
            link = f"{paths.APP_HOME}/.current.colonnade-new"
            return [f"ln -sfn releases/{release} {link}", f"mv -fT {link} {paths.CURRENT}"], {}
        case RemoveRelease(release):
            return [f"rm -rf {paths.RELEASES}/{quote(release)}"], {}
        case Drain(server, backends, seconds):
            return [
                f": >{paths.DRAINED}/{server}",
                f"set_servers {server} drain {' '.join(backends)}",
                f"until_true {seconds} 'the last requests of {server} to finish' idle {server}",
            ], {}
        case Ready(server, backends, seconds):
            return [
                f"until_true {seconds} 'the checks of {server} to pass on this balancer' checks_pass {server}",
                f"set_servers {server} ready {' '.join(backends)}",
                f"rm -f {paths.DRAINED}/{server}",
            ], {}
        case PermitMember() | SealMember() | AddMember() | PromoteMember() | RemoveMember() | LeaveCluster():
            return etcd_commands(step), {}
        case PutProgram() | RemoveProgram() | WaitForPrimary() | WaitWell() | Switchover():
            return agent_commands(step)
        case _:
            assert_never(step)


_TAKES_WRITES = (
    '[ "$(sql -N -B -e "SELECT @@GLOBAL.super_read_only")" = 0 ] ||'
    " { echo 'MySQL takes no writes here: another server is the primary by now. Run the command again.'; exit 1; }"
)

APT_OPTIONS = "-o DPkg::Lock::Timeout=120 -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold"


def install_commands(packages: tuple[str, ...], suite: str) -> list[str]:
    """Return the commands that install packages; what they bring does not start, for it is not configured yet."""
    if not packages:
        return []
    target = f" -t {suite}" if suite else ""
    names = " ".join(quote(name) for name in packages)
    return [
        f"apt-get -q -y {APT_OPTIONS} --no-install-recommends{target} install {names}",
    ]


def _install(step: InstallPackages) -> list[str]:
    target = f" -t {step.suite}" if step.suite else ""
    policy, ours = "/usr/sbin/policy-rc.d", "# colonnade: nothing starts before it is configured"
    return [
        # What an installation that was cut off left may lack what it depends on: then apt must mend that first.
        "until_true 120 'dpkg to go on with what was cut off' dpkg_goes_on",
        f"if [ ! -e {policy} ] || grep -q '^# colonnade' {policy}; then",
        f"  printf '#!/bin/sh\\n{ours}\\nexit 101\\n' >{policy}; chmod 755 {policy}",
        "fi",
        "apt-get -q -o DPkg::Lock::Timeout=120 update",
        *(f"echo {quote(name)} >>{paths.INSTALLED}" for name in step.packages),
        *(_note_mysql() if "mysql-server" in step.packages else ()),
        # Kept until the installation has ended, so that one that is cut off still tells what it brought.
        f'[ -e {paths.PACKAGES_BEFORE} ] || write_down {paths.PACKAGES_BEFORE} "$(versions)"',
        f"apt-get -q check || apt-get -q -y {APT_OPTIONS} --no-install-recommends --fix-broken{target} install",
        *(
            # Seen once, when dpkg had been killed: a package's own script failed, and not again. Then it is an error.
            f"{line} || {{ until_true 120 'dpkg to go on' dpkg_goes_on; {line}; }}"
            for line in install_commands(step.packages, step.suite)
        ),
        (
            "versions | awk 'NR == FNR {was[$1] = $2; next} !($1 in was) {print $1}'"
            f" {paths.PACKAGES_BEFORE} - >>{paths.BROUGHT}"
        ),
        (
            "versions | awk 'NR == FNR {was[$1] = $2; next} $1 in was && was[$1] != $2 {print $1, was[$1], $2}'"
            f" {paths.PACKAGES_BEFORE} - >>{paths.UPGRADED}"
        ),
        f"rm {paths.PACKAGES_BEFORE}",
        f"! grep -qs '^# colonnade' {policy} || rm -f {policy}",
    ]


def _note_mysql() -> list[str]:
    """Note what MySQL's package is about to make and will not take away again: what was there before is not ours."""
    return [
        *(f"[ -e {path} ] || echo {path} >>{paths.MYSQL_MADE}" for path in paths.MYSQL_PACKAGED),
        f"getent passwd mysql >/dev/null || echo mysql >>{paths.MYSQL_MADE}",
    ]


def _initialise() -> list[str]:
    new = f"{paths.MYSQL_DATA}.new"
    return [
        # Made beside its place and renamed when it is whole: half a data directory never looks like one.
        f"rm -rf {new}",
        f"install -d -m 750 -o mysql -g mysql {new}",
        (
            f"mysqld --defaults-file={paths.MYSQL_CONFIG} --user=mysql --datadir={new}"
            " --read-only=OFF --super-read-only=OFF --offline-mode=OFF"
            " --disable-log-bin --initialize-insecure --init-file=/etc/mysql/colonnade-bootstrap.sql"
        ),
        f"sync -f {new}",
        f"rmdir {paths.MYSQL_DATA}",
        f"mv -T {new} {paths.MYSQL_DATA}",
    ]


def _unit(step: ChangeUnit) -> list[str]:
    name = step.unit.name
    record = loaded_configuration(step.unit)
    lines = {
        "enable": [f"systemctl unmask -q {name}", f"systemctl enable -q {name}"],
        "start": [f"systemctl reset-failed {name} 2>/dev/null || true", f"systemctl start {name}"],
        "restart": [f"systemctl reset-failed {name} 2>/dev/null || true", f"systemctl restart {name}"],
        "reload": [f"systemctl reload-or-restart {name}"],
    }[step.action]
    if step.action == "enable":
        return lines
    if name == paths.ETCD_UNIT:
        return [*start_etcd(step.action), f"mark {name} {record.restart} {record.reload}"]
    if step.action != "reload":
        lines = [
            f"{lines[-1]} || {{ journalctl -u {name} -n 25 --no-pager -o cat; exit 1; }}" if line == lines[-1] else line
            for line in lines
        ]
        if name == paths.MYSQL_UNIT:
            lines.append("until_true 60 'MySQL to answer' mysql_answers")
    if step.unit.probe is not None and step.action != "reload":
        path, host = step.unit.probe
        asked = f"{quote(path)} {quote(host)}"
        lines.append(
            f"until_true 30 'the application to answer' app_answers {asked} || {{ explain_app {asked}; exit 1; }}"
        )
    recorded = f"mark {name} {record.restart} {record.reload}"
    if step.action == "start" and step.unit.probe is None:
        # It did not run, so it reads the files as they are now. Written down first: an interruption between the two
        # would otherwise have it restarted, and what has no second is not restarted without being insisted on.
        return [recorded, *lines]
    return [*lines, recorded]


def _sql(number: int, statements: list[str], *, wait: bool) -> tuple[list[str], Files]:
    name = f"sql/{number}.sql"
    before = ["until_true 60 'MySQL to answer' mysql_answers"] if wait else []
    return [*before, f"sql <{paths.STAGING}/{name}"], {name: ("\n".join(statements) + "\n").encode()}


def _literal(value: str) -> str:
    number = value.replace(".", "", 1).removeprefix("-")
    return value if number.isdigit() or value in {"ON", "OFF"} else text(value)


def text(value: str) -> str:
    """Quote a text for SQL."""
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


def _account(account: Account) -> list[str]:
    who = f"{text(account.name)}@'%'"
    tls = "SSL" if account.tls else "NONE"
    attribute = text(f'{{"colonnade": "{account.digest}"}}')
    return [
        f"CREATE USER IF NOT EXISTS {who} IDENTIFIED BY {text(account.password.reveal())};",
        f"ALTER USER {who} IDENTIFIED BY {text(account.password.reveal())} REQUIRE {tls};",
        f"REVOKE IF EXISTS ALL PRIVILEGES, GRANT OPTION FROM {who};",
        *(f"GRANT {grant} TO {who};" for grant in account.grants),
        # Last: until the digest is there, the account counts as unfinished.
        f"ALTER USER {who} ATTRIBUTE {attribute};",
    ]


def _release(step: PutRelease) -> tuple[list[str], Files]:
    identity = step.release.identity
    name, part, place = (
        f"release/{identity}.tar",
        f"{paths.RELEASES}/.{identity}.part",
        f"{paths.RELEASES}/{identity}",
    )
    build = []
    if step.build:
        build = [f"chown -R {paths.APP_USER}: {part}", _as_app(part, step.build), f"chown -R root: {part}"]
    return [
        f"rm -rf {part}",
        f"mkdir -m 755 {part}",
        f"tar -xf {paths.STAGING}/{name} -C {part} --no-same-owner",
        *build,
        f"sync -f {part}",
        f"mv -T {part} {place}",
    ], {name: step.release.archive}


def _as_app(folder: str, command: str, *, environment: bool = False) -> str:
    """Return the command that runs a shell command of the user's as the application's account."""
    load = f"set -a; . {paths.APP_ENVIRONMENT}; set +a; " if environment else ""
    run = f"setpriv --reuid={paths.APP_USER} --regid={paths.APP_USER} --init-groups /bin/sh -c {quote(command)}"
    return f"( {load}cd {folder}; HOME={folder} {run} )"


def _migrate(release: str, command: str) -> list[str]:
    return [
        "until_true 60 'MySQL to answer' mysql_answers",
        (
            "until_true 30 'HAProxy to lead to the primary'"
            " eval \"proxy 'show stat' | grep -q '^mysql_primary,BACKEND,.*,UP,'\""
        ),
        f"RELEASE={release}; export RELEASE",
        _as_app(f"{paths.RELEASES}/{release}", command, environment=True),
        f": >{paths.MIGRATED}/{release}",
    ]
