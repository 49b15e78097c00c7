"""One machine's whole: the parts that its roles ask for, put together."""

from collections.abc import Mapping

from colonnade.render import agent, database, edge, etcd, web
from colonnade.render.model import (
    Certificate,
    CertificateRequest,
    Desired,
    File,
    Package,
    Program,
    Release,
    Unit,
    User,
)
from colonnade.render.platform import Platform
from colonnade.render.text import render
from colonnade.secret import Secret
from colonnade.topology import (
    AGENT_PORT,
    DNS_PORT,
    ETCD_CLIENT_PORT,
    ETCD_PEER_PORT,
    HTTP_PORT,
    MYSQL_PORT,
    NGINX_PORT,
    Machine,
    Topology,
)

SYSCTL = "/etc/sysctl.d/60-colonnade.conf"
JOURNALD = "/etc/systemd/journald.conf.d/colonnade.conf"


def _every_machine() -> tuple[tuple[File, ...], tuple[Unit, ...]]:
    sysctl, journald = File(SYSCTL, render("sysctl.conf.j2")), File(JOURNALD, render("journald.conf.j2"))
    return (sysctl, journald), (
        Unit("systemd-journald.service", restart={JOURNALD: journald.sha256}),
        Unit("systemd-sysctl.service", restart={SYSCTL: sysctl.sha256}, runs=False),
    )


def certificate_requests(topology: Topology) -> tuple[CertificateRequest, ...]:
    """Return every certificate that the stack needs."""
    return (*etcd.certificate_requests(topology), *agent.certificate_requests(topology))


def _has_haproxy(machine: Machine) -> bool:
    """Say whether requests or the application's queries pass through it; a witness has neither."""
    return bool(machine.balancer or machine.server)


def packages(topology: Topology, machine: Machine, platform: Platform) -> tuple[Package, ...]:
    """Return what is installed on a machine, in order: the system's own suite before any other."""
    wanted = [*etcd.client_packages(), *agent.packages()]
    if _has_haproxy(machine):
        wanted += edge.haproxy_packages()
    if machine in topology.etcd_members:
        wanted += etcd.member_packages()
    if machine.balancer:
        wanted += edge.dns_packages()
    if machine.server:
        wanted += [*web.web_packages(topology), *database.mysql_packages(topology, platform)]
    return tuple(sorted(set(wanted), key=lambda package: (package.suite, package.name)))


def sources(topology: Topology, machine: Machine, platform: Platform) -> tuple[File, ...]:
    """Return apt's files for a machine."""
    return database.mysql_sources(topology, platform) if machine.server else ()


def render_machine(
    topology: Topology,
    machine: Machine,
    platform: Platform,
    secrets: Mapping[str, Secret],
    release: Release,
    *,
    program: Program,
    certificates: Mapping[str, Certificate],
) -> Desired:
    """Return all that one machine should be.

    ``secrets`` has a password for each of ``secret_names``, ``certificates`` one for each of ``certificate_requests``.
    """
    files, units = _every_machine()
    files += etcd.client_files(machine, certificates)
    if _has_haproxy(machine):
        files += edge.haproxy_files(topology, machine)
        units += (edge.haproxy_unit(machine, files),)
    files += agent.files(topology, machine, secrets, certificates, program)
    ports: tuple[int, ...] = (AGENT_PORT,)
    made = [*etcd.directories(), *agent.directories()]
    users: tuple[User, ...] = ()
    role, app, member = None, None, None
    if machine in topology.etcd_members:
        files += etcd.member_files(topology, machine, certificates)
        units += (etcd.etcd_unit(files),)
        member = etcd.etcd_role(topology, machine)
        ports += (ETCD_CLIENT_PORT, ETCD_PEER_PORT)
    if machine.balancer:
        dns = edge.dns_files(topology, machine)
        files += dns
        units += (edge.dns_unit(dns, machine),)
        made += edge.dns_directories()
        ports += (DNS_PORT, HTTP_PORT)
    if machine.server:
        nginx, application = web.nginx_files(topology, machine), web.app_files(topology, machine, secrets)
        mysql = database.mysql_files(topology, machine, platform)
        role = database.mysql_role(topology, machine, platform, secrets)
        files += nginx + application + mysql
        units += (
            database.mysql_unit(mysql, role.settings),
            web.nginx_unit(nginx),
            web.app_unit(topology, application, release),
        )
        made += [*web.app_directories(), *database.mysql_directories()]
        users = web.app_users()
        app = web.app_part(topology, release)
        ports += (MYSQL_PORT, NGINX_PORT)
    # Last: an agent that starts finds what it watches.
    units += (agent.unit(files),)
    return Desired(
        machine=machine.name,
        node=machine.node,
        program=program,
        packages=packages(topology, machine, platform),
        sources=sources(topology, machine, platform),
        users=users,
        directories=tuple(sorted(made, key=lambda directory: directory.path)),
        files=tuple(sorted(files, key=lambda file: file.path)),
        units=units,
        database=role,
        app=app,
        etcd=member,
        ports=ports,
    )
