"""A server's MySQL: its configuration, its accounts, how it is stopped. It starts shut; the agent opens it."""

from collections.abc import Mapping
from importlib import resources

from colonnade import paths
from colonnade.accounts import replication_account
from colonnade.render.model import (
    Account,
    DatabaseRole,
    Directory,
    File,
    Package,
    Unit,
    Wave,
    fingerprint,
)
from colonnade.render.platform import Platform
from colonnade.render.text import render
from colonnade.render.web import READER, WRITER
from colonnade.secret import Secret
from colonnade.topology import MYSQL_PORT, Machine, Topology

MIB = 1 << 20
GIB = 1 << 30
CHUNK = 128 * MIB
"""Bytes of a buffer pool's chunk: MySQL's default."""
OTHERS_SHARE = 448 * MIB
"""Bytes of memory that Nginx, the application and MySQL's own overhead need before the buffer pool grows."""
SMALLEST_POOL = 32 * MIB
SMALL_MACHINE = 2048 * MIB

DROP_IN = f"/etc/systemd/system/{paths.MYSQL_UNIT}.d/colonnade.conf"
BOOTSTRAP = "/etc/mysql/colonnade-bootstrap.sql"
APPARMOR = "/etc/apparmor.d/local/usr.sbin.mysqld"
REPLICATION_RIGHTS = "BACKUP_ADMIN, CONNECTION_ADMIN, REPLICATION SLAVE ON *.*"
"""To fetch the binary log, to be cloned from, and to stay connected while clients are shut out in a switchover."""
ORACLE_KEY = "/etc/apt/keyrings/colonnade-mysql.asc"


def secret_names(topology: Topology) -> tuple[str, ...]:
    """Return the names of the passwords that MySQL's accounts need, one for each purpose."""
    return (
        f"mysql-{WRITER}",
        f"mysql-{READER}",
        *(f"mysql-{replication_account(m.server or m.name)}" for m in topology.servers),
    )


def mysql_packages(topology: Topology, platform: Platform) -> tuple[Package, ...]:
    """Return MySQL's packages and the suite that they come from."""
    origin = topology.stack.database.packages or platform.mysql_packages
    suite = "sid" if origin == "debian-unstable" else ""
    return (Package("mysql-server", suite), Package("mysql-client", suite))


def mysql_sources(topology: Topology, platform: Platform) -> tuple[File, ...]:
    """Return the package source that MySQL comes from, if it is not the system's own."""
    origin = topology.stack.database.packages or platform.mysql_packages
    head = "# Written by Colonnade; edits are overwritten by the next apply.\n"
    if origin == "debian-unstable":
        return (
            File(
                "/etc/apt/preferences.d/colonnade-unstable",
                f"{head}# Debian's unstable is for MySQL alone: nothing else comes from it unless asked for by name.\n"
                "Package: *\nPin: release n=sid\nPin-Priority: 100\n",
            ),
            File(
                "/etc/apt/sources.list.d/colonnade-unstable.sources",
                f"{head}Types: deb\nURIs: http://deb.debian.org/debian\nSuites: sid\nComponents: main\n"
                "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n",
            ),
        )
    if origin == "oracle":
        key = resources.files("colonnade.render").joinpath("keys/mysql.asc").read_text()
        return (
            File(ORACLE_KEY, key),
            File(
                "/etc/apt/preferences.d/colonnade-mysql",
                f"{head}# Oracle's repository is for MySQL alone.\n"
                "Package: *\nPin: origin repo.mysql.com\nPin-Priority: -1\n\n"
                "Package: mysql-* libmysqlclient*\nPin: origin repo.mysql.com\nPin-Priority: 900\n",
            ),
            File(
                "/etc/apt/sources.list.d/colonnade-mysql.sources",
                f"{head}Types: deb\nURIs: http://repo.mysql.com/apt/{platform.system}\nSuites: {platform.codename}\n"
                f"Components: mysql-8.4-lts\nSigned-By: {ORACLE_KEY}\n",
            ),
        )
    return ()


def buffer_pool(topology: Topology, machine: Machine, platform: Platform) -> int:
    """Return the bytes of InnoDB's buffer pool: as the file says, else half of what the others leave."""
    if topology.stack.database.buffer_pool is not None:
        return _whole_chunks(int(topology.stack.database.buffer_pool))
    memory = int(machine.memory or platform.memory)
    return _whole_chunks(max(SMALLEST_POOL, (memory - OTHERS_SHARE) // 2))


def _whole_chunks(size: int) -> int:
    """Round a pool (bytes) down to what MySQL takes without rounding it up: chunks of 128 MiB in each of its instances.

    Source: MySQL manual, innodb_buffer_pool_size; ``pool_instances`` keeps chunks times instances at 1 GiB or less.
    """
    chunk = GIB if size >= GIB else CHUNK if size >= CHUNK else MIB
    return size // chunk * chunk


def pool_instances(size: int) -> int:
    """Return in how many instances a pool (bytes) is divided: one for each GiB, at most eight."""
    return min(8, max(1, size // GIB))


def settings(topology: Topology, machine: Machine, platform: Platform) -> dict[str, str]:
    """Return the dynamic settings, as MySQL shows them: they are compared with the running server's."""
    return {
        "binlog_expire_logs_seconds": str(7 * 24 * 3600),
        "innodb_buffer_pool_size": str(buffer_pool(topology, machine, platform)),
        "long_query_time": "1.000000",
        "max_allowed_packet": str(64 * MIB),
        "max_connect_errors": "1000000",
        "max_connections": "151",
    }


def mysql_files(topology: Topology, machine: Machine, platform: Platform) -> tuple[File, ...]:
    """Return MySQL's configuration, its unit's changes and what a new data directory begins with."""
    config = render(
        "mysql.cnf.j2",
        stack=topology.name,
        server=machine.server,
        address=machine.address,
        server_id=machine.server_id,
        data=paths.MYSQL_DATA,
        socket=paths.MYSQL_SOCKET,
        port=MYSQL_PORT,
        pool_instances=pool_instances(buffer_pool(topology, machine, platform)),
        small=(machine.memory or platform.memory) < SMALL_MACHINE,
        settings=sorted(settings(topology, machine, platform).items()),
    )
    drop_in = render(
        "mysql.service.conf.j2", socket=paths.MYSQL_SOCKET, config=paths.MYSQL_CONFIG, stop=paths.MYSQL_STOP
    )
    return (
        File(paths.MYSQL_CONFIG, config, check="mysqld --defaults-file={file} --validate-config --user=mysql"),
        File(BOOTSTRAP, render("mysql-bootstrap.sql.j2")),
        File(DROP_IN, drop_in),
        File(paths.MYSQL_STOP, render("mysql-stop.sh.j2", socket=paths.MYSQL_SOCKET), mode=0o755, check="sh -n {file}"),
        File(
            APPARMOR,
            render("mysql-apparmor.j2", data=paths.MYSQL_DATA, config=paths.MYSQL_CONFIG),
            after="[ ! -e /sys/kernel/security/apparmor/profiles ]"
            " || apparmor_parser -r /etc/apparmor.d/usr.sbin.mysqld",
        ),
    )


def mysql_directories() -> tuple[Directory, ...]:
    """Return MySQL's data directory: its own, so that one which was there before is never touched."""
    return (Directory(paths.MYSQL_DATA, 0o750, "mysql", "mysql"),)


def mysql_unit(files: tuple[File, ...], dynamic: Mapping[str, str]) -> Unit:
    """Return MySQL's unit: restarted for what cannot be set in the running server, and for nothing else."""
    by_path = {file.path: file for file in files}
    static = "\n".join(
        line for line in by_path[paths.MYSQL_CONFIG].text.splitlines() if line.partition(" = ")[0] not in dynamic
    )
    return Unit(
        paths.MYSQL_UNIT,
        restart={paths.MYSQL_CONFIG: fingerprint([static]), DROP_IN: by_path[DROP_IN].sha256},
        wave=Wave.DATABASE,
    )


def mysql_role(topology: Topology, machine: Machine, platform: Platform, secrets: Mapping[str, Secret]) -> DatabaseRole:
    """Return what MySQL on this machine should be; the accounts are every server's, for any may be the primary."""
    schema = topology.stack.database_name
    accounts = [
        Account(WRITER, secrets[f"mysql-{WRITER}"], (f"ALL PRIVILEGES ON `{schema}`.*",)),
        Account(READER, secrets[f"mysql-{READER}"], (f"SELECT ON `{schema}`.*",)),
    ]
    for server in topology.servers:
        name = replication_account(server.node)
        accounts.append(Account(name, secrets[f"mysql-{name}"], (REPLICATION_RIGHTS,), tls=True))
    return DatabaseRole(schema, tuple(accounts), settings(topology, machine, platform))
