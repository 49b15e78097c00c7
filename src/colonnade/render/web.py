"""A server's web part: Nginx, the application's unit and its environment."""

from collections.abc import Mapping
from shlex import quote
from urllib.parse import quote as percent

from colonnade import paths
from colonnade.render.model import App, Directory, File, Package, Release, Unit, User, Wave, fingerprint
from colonnade.render.text import render
from colonnade.secret import Secret
from colonnade.topology import LOCAL_PRIMARY_PORT, LOCAL_REPLICA_PORT, NGINX_PORT, Machine, Topology

NGINX_DROP_IN = "/etc/systemd/system/nginx.service.d/colonnade.conf"
APP_UNIT_FILE = f"/etc/systemd/system/{paths.APP_UNIT}"
APP_START = "/usr/local/lib/colonnade/start-app"
WRITER = "app"
READER = "app_read"


def web_packages(topology: Topology) -> tuple[Package, ...]:
    """Return what Nginx and the application need."""
    return (Package("nginx-light"), Package("curl"), *(Package(name) for name in topology.stack.app.packages))


def nginx_files(topology: Topology, machine: Machine) -> tuple[File, ...]:
    """Return Nginx's configuration, whole, and its unit's limits."""
    app = topology.stack.app
    config = render(
        "nginx.conf.j2",
        stack=topology.name,
        machine=machine.name,
        server=machine.server,
        address=f"[{machine.address}]" if ":" in machine.address else machine.address,
        balancers=[{"address": balancer.address} for balancer in topology.balancers],
        www=topology.www,
        health=app.health,
        health_path=app.health.partition("?")[0],
        static=app.static,
        app_timeout=app.timeout,
        concurrency=app.concurrency,
        app_socket=paths.APP_SOCKET,
        current=paths.CURRENT,
        nginx_port=NGINX_PORT,
    )
    return (
        File(paths.NGINX_CONFIG, config, check="nginx -t -q -c {file}"),
        File(NGINX_DROP_IN, render("nginx.service.conf.j2")),
    )


def nginx_unit(files: tuple[File, ...]) -> Unit:
    """Return Nginx's unit."""
    by_path = {file.path: file.sha256 for file in files}
    return Unit(
        "nginx.service",
        restart={NGINX_DROP_IN: by_path[NGINX_DROP_IN]},
        reload={paths.NGINX_CONFIG: by_path[paths.NGINX_CONFIG]},
        wave=Wave.SERVER,
    )


def app_users() -> tuple[User, ...]:
    """Return the account that the application runs as."""
    return (User(paths.APP_USER, paths.APP_HOME),)


def app_directories() -> tuple[Directory, ...]:
    """Return where releases are kept."""
    return (Directory(paths.APP_HOME), Directory(paths.RELEASES))


def app_environment(topology: Topology, machine: Machine, secrets: Mapping[str, Secret]) -> dict[str, str]:
    """Return what the application is told."""
    database = topology.stack.database_name

    def url(account: str, port: int) -> str:
        password = percent(secrets[f"mysql-{account}"].reveal(), safe="")
        return f"mysql://{account}:{password}@127.0.0.1:{port}/{database}"

    app = topology.stack.app
    return {
        **app.env,
        "CONCURRENCY": str(app.concurrency),
        "DATABASE_REPLICA_URL": url(READER, LOCAL_REPLICA_PORT),
        "DATABASE_URL": url(WRITER, LOCAL_PRIMARY_PORT),
        "SERVER_NAME": machine.server or machine.name,
        "SOCKET": paths.APP_SOCKET,
    }


def _foreground(start: str) -> str:
    """Let a single command take the shell's place, so that systemd's signals reach it."""
    if any(mark in start for mark in ";&|(){}\n") or start.startswith("exec "):
        return start
    # NAME=value before a command is the shell's, which exec does not know.
    return f"exec env {start}" if "=" in start.split(maxsplit=1)[0] else f"exec {start}"


def app_files(topology: Topology, machine: Machine, secrets: Mapping[str, Secret]) -> tuple[File, ...]:
    """Return the application's unit, how it is started, and its environment (secret)."""
    environment = app_environment(topology, machine, secrets)
    lines = ["# Written by Colonnade; edits are overwritten by the next apply."]
    lines += [f"{name}={quote(value)}" for name, value in sorted(environment.items())]
    unit = render(
        "app.service.j2",
        stack=topology.name,
        server=machine.server,
        www=topology.www,
        user=paths.APP_USER,
        current=paths.CURRENT,
        environment=paths.APP_ENVIRONMENT,
        launcher=APP_START,
        app_timeout=topology.stack.app.timeout,
    )
    start = render(
        "app-start.sh.j2",
        stack=topology.name,
        current=paths.CURRENT,
        start=quote(_foreground(topology.stack.app.start)),
    )
    return (
        File(paths.APP_ENVIRONMENT, "\n".join(lines) + "\n", mode=0o600, secret=True, check="sh -n {file}"),
        File(APP_START, start, mode=0o755, check="sh -n {file}"),
        File(APP_UNIT_FILE, unit),
    )


def app_unit(topology: Topology, files: tuple[File, ...], release: Release) -> Unit:
    """Return the application's unit: it is restarted for another release, environment or unit file."""
    return Unit(
        paths.APP_UNIT,
        restart={**{file.path: file.sha256 for file in files}, "release": fingerprint([release.identity])},
        wave=Wave.SERVER,
        after_release=True,
        probe=(topology.stack.app.health, topology.www),
    )


def app_part(topology: Topology, release: Release) -> App:
    """Return the release and what is to be done with it."""
    app = topology.stack.app
    return App(release, app.build, app.migrate)
