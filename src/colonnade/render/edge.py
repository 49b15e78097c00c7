"""A balancer's files: HAProxy for the world, and the zone's name server; a server has the same HAProxy."""

from colonnade import paths
from colonnade.render.agent import PRIMARY_BACKEND, REPLICA_BACKEND
from colonnade.render.model import Directory, File, Package, Unit, Wave, fingerprint
from colonnade.render.text import render
from colonnade.topology import (
    AGENT_PORT,
    DNS_PORT,
    HTTP_PORT,
    LOCAL_PRIMARY_PORT,
    LOCAL_REPLICA_PORT,
    MYSQL_PORT,
    NGINX_PORT,
    Machine,
    Topology,
)

MAXCONN = 8000
"""Connections at once; HAProxy needs two files for each, and refuses to start if it may not have them."""
LIMIT_NOFILE = 20000

SORRY = "/etc/haproxy/errors/colonnade-503.http"
DROP_IN = "/etc/systemd/system/haproxy.service.d/colonnade.conf"
STATE_DROP_IN = "/etc/systemd/system/haproxy.service.d/mysql-colonnade.conf"
"""Sorts after the other; what it changes is systemd's to do, so that a running HAProxy need not restart for it."""
STATIC_MAXCONN = 512
MAXQUEUE = 256
"""Requests that wait for one server."""


def haproxy_packages() -> tuple[Package, ...]:
    """Return what HAProxy and asking it needs."""
    return (Package("haproxy"), Package("socat"))


def haproxy_files(topology: Topology, machine: Machine) -> tuple[File, ...]:
    """Return HAProxy's files for one machine, whatever its roles."""
    app = topology.stack.app
    backends = [
        {
            "name": "app",
            "check": app.health,
            "maxconn": app.concurrency,
            "maxconn_why": "what the application of one server handles at once ([app] concurrency)",
        },
    ]
    if app.static:
        backends.append(
            {
                "name": "static",
                "check": "/.colonnade/nginx",
                "maxconn": STATIC_MAXCONN,
                "maxconn_why": "files cost Nginx little",
            }
        )
    config = render(
        "haproxy.cfg.j2",
        stack=topology.name,
        machine=machine.name,
        address=machine.address,
        balancer=machine.balancer,
        server=machine.server,
        servers=[{"name": m.server, "address": m.address} for m in topology.servers],
        agent_port=AGENT_PORT,
        authority=paths.AUTHORITY,
        backends=backends,
        maxqueue=MAXQUEUE,
        unchecked=paths.UNCHECKED,
        static=app.static,
        app_timeout=app.timeout,
        www=topology.www,
        apex=topology.apex,
        maxconn=MAXCONN,
        socket=paths.HAPROXY_SOCKET,
        state_file=paths.HAPROXY_STATE,
        sorry_file=SORRY,
        http_port=HTTP_PORT,
        nginx_port=NGINX_PORT,
        mysql_port=MYSQL_PORT,
        local_primary_port=LOCAL_PRIMARY_PORT,
        local_replica_port=LOCAL_REPLICA_PORT,
    )
    drop_in = render(
        "haproxy.service.conf.j2",
        limit_nofile=LIMIT_NOFILE,
        socket=paths.HAPROXY_SOCKET,
        state_file=paths.HAPROXY_STATE,
    )
    named = (SORRY, paths.AUTHORITY) if machine.server else (SORRY,)
    sorry = render("haproxy-sorry.http.j2", www=topology.www).replace("\n", "\r\n", 6)
    return (
        File(SORRY, sorry),
        # What the file names may be as new as itself: while it is checked, that is read from where it is now.
        File(
            paths.HAPROXY_CONFIG,
            config,
            check=f'sed "{"; ".join(_where_it_is(path) for path in named)}" {{file}} | haproxy -c -f /dev/stdin',
        ),
        File(DROP_IN, drop_in),
        *(_initial_state(topology) if machine.server else ()),
    )


def _where_it_is(path: str) -> str:
    return f"s#{path}#$(there {path})#"


def _initial_state(topology: Topology) -> tuple[File, ...]:
    """Return what HAProxy starts from, and how: else it would count every server of MySQL as up until it has asked."""
    servers = [{"name": m.node, "address": m.address} for m in topology.servers]
    state = render(
        "haproxy-initial-state.j2",
        backends=(PRIMARY_BACKEND, REPLICA_BACKEND),
        servers=servers,
        mysql_port=MYSQL_PORT,
        agent_port=AGENT_PORT,
    )
    drop_in = render(
        "haproxy-state.service.conf.j2",
        socket=paths.HAPROXY_SOCKET,
        state_file=paths.HAPROXY_STATE,
        initial=paths.HAPROXY_INITIAL_STATE,
    )
    return File(paths.HAPROXY_INITIAL_STATE, state), File(STATE_DROP_IN, drop_in)


def haproxy_unit(machine: Machine, files: tuple[File, ...]) -> Unit:
    """Return HAProxy's unit: all of its configuration is reloaded, only the unit's own limits need a restart.

    ``files`` have the authority's certificate, too, by which a server's HAProxy knows the agents.
    """
    by_path = {file.path: file.sha256 for file in files}
    read = (paths.HAPROXY_CONFIG, SORRY, *((paths.AUTHORITY,) if machine.server else ()))
    return Unit(
        "haproxy.service",
        restart={DROP_IN: by_path[DROP_IN]},
        reload={path: by_path[path] for path in read},
        wave=Wave.BALANCER if machine.balancer else Wave.SERVER,
    )


def dns_packages() -> tuple[Package, ...]:
    """Return what the name server needs."""
    return (Package("knot"), Package("knot-dnssecutils"))


def dns_files(topology: Topology, machine: Machine) -> tuple[File, ...]:
    """Return the name server's configuration and the zone."""
    zone_path = f"{paths.ZONES}/{topology.apex}.zone"
    config = render(
        "knot.conf.j2",
        stack=topology.name,
        machine=machine.name,
        address=machine.address,
        port=DNS_PORT,
        apex=topology.apex,
        storage=paths.ZONES,
        zone_file=zone_path,
    )
    zone = render(
        "zone.j2",
        stack=topology.name,
        apex=topology.apex,
        name_servers=topology.name_servers,
        virtual_ip=topology.virtual_ip,
        kind="AAAA" if ":" in topology.virtual_ip else "A",
    )
    return (
        File(paths.KNOT_CONFIG, config, mode=0o640, group="knot", check="knotc -c {file} conf-check"),
        File(zone_path, zone, owner="knot", group="knot", check=f"kzonecheck -o {topology.apex} {{file}}"),
    )


def dns_unit(files: tuple[File, ...], machine: Machine) -> Unit:
    """Return the name server's unit; a zone and a configuration are both reloaded, another address is bound anew."""
    return Unit(
        "knot.service",
        restart={"listen": fingerprint([machine.address])},
        reload={file.path: file.sha256 for file in files},
        wave=Wave.BALANCER,
    )


def dns_directories() -> tuple[Directory, ...]:
    """Return where zones are kept."""
    return (Directory(paths.ZONES, 0o750, "knot", "knot"),)
