"""etcd: a member's configuration, its unit, and the certificates that members and agents show.

What a member starts with the first time (which cluster, new or existing) is not in these files: it
is a leave that a step gives once and takes back, so that no member ever starts empty by itself.
"""

from collections.abc import Mapping

from colonnade import paths
from colonnade.render.model import Certificate, CertificateRequest, Directory, EtcdRole, File, Package, Unit, Wave
from colonnade.render.text import render
from colonnade.topology import ETCD_CLIENT_PORT, Machine, Topology

MEMBER_COMMON_NAME = "etcd-member"
"""Only a certificate with this name may speak as a member, so that an agent's may not."""
HEARTBEAT_MS = 100
ELECTION_MS = 1000
"""Also bounds the shortest time to live of a lease: one and a half of it, rounded up to seconds."""
QUOTA_BYTES = 512 << 20
SNAPSHOT_COUNT = 10000
"""Entries kept in memory between snapshots; the default of 100,000 costs tens of megabytes."""
CPUS = 2


def certificate_requests(topology: Topology) -> tuple[CertificateRequest, ...]:
    """Return etcd's certificates: one for each member, and one for each machine, to ask with."""
    return (
        *(
            CertificateRequest(
                _member(m), MEMBER_COMMON_NAME, (*_hosts(m), "localhost", "127.0.0.1", "::1"), server=True
            )
            for m in topology.etcd_members
        ),
        *(CertificateRequest(_client(m), m.name, _hosts(m), server=False) for m in topology.machines),
    )


def _member(machine: Machine) -> str:
    return f"etcd-member-{machine.name}"


def _client(machine: Machine) -> str:
    return f"etcd-client-{machine.name}"


def _hosts(machine: Machine) -> tuple[str, ...]:
    return (machine.name, machine.address)


def client_packages() -> tuple[Package, ...]:
    """Return what asking etcd needs; every machine does."""
    return (Package("curl"), Package("etcd-client"))


def member_packages() -> tuple[Package, ...]:
    """Return what a member is."""
    return (Package("etcd-server"),)


def directories() -> tuple[Directory, ...]:
    """Return where certificates are; each key has rights of its own."""
    return (Directory(paths.TLS),)


def client_files(machine: Machine, certificates: Mapping[str, Certificate]) -> tuple[File, ...]:
    """Return the authority's certificate, and the one that this machine shows to etcd."""
    certificate = certificates[_client(machine)]
    return (
        File(paths.AUTHORITY, certificate.authority),
        File(paths.ETCD_CLIENT_CERTIFICATE, certificate.text),
        File(paths.ETCD_CLIENT_KEY, certificate.key.reveal(), mode=0o600, secret=True),
    )


def member_files(topology: Topology, machine: Machine, certificates: Mapping[str, Certificate]) -> tuple[File, ...]:
    """Return a member's configuration, its unit's changes, its certificate and key."""
    certificate = certificates[_member(machine)]
    config = render(
        "etcd.env.j2",
        stack=topology.name,
        machine=machine.name,
        host=machine.host,
        client_port=ETCD_CLIENT_PORT,
        peer=machine.etcd_peer,
        data=paths.ETCD_DATA,
        authority=paths.AUTHORITY,
        certificate=paths.ETCD_CERTIFICATE,
        key=paths.ETCD_KEY,
        common_name=MEMBER_COMMON_NAME,
        heartbeat=HEARTBEAT_MS,
        election=ELECTION_MS,
        quota=QUOTA_BYTES,
        snapshot_count=SNAPSHOT_COUNT,
    )
    drop_in = render(
        "etcd.service.conf.j2", config=paths.ETCD_CONFIG, data=paths.ETCD_DATA, join=paths.ETCD_JOIN, cpus=CPUS
    )
    return (
        File(paths.ETCD_CONFIG, config),
        File(paths.ETCD_DROP_IN, drop_in),
        File(paths.ETCD_CERTIFICATE, certificate.text),
        File(paths.ETCD_KEY, certificate.key.reveal(), mode=0o640, group="etcd", secret=True),
    )


def etcd_unit(files: tuple[File, ...]) -> Unit:
    """Return etcd's unit; it reads certificates and keys anew for each connection, but its authority only at start."""
    read_at_start = (paths.AUTHORITY, paths.ETCD_CONFIG, paths.ETCD_DROP_IN)
    return Unit(
        paths.ETCD_UNIT,
        restart={file.path: file.sha256 for file in files if file.path in read_at_start},
        wave=Wave.ETCD,
    )


def etcd_role(topology: Topology, machine: Machine) -> EtcdRole:
    """Return the member that the machine should be."""
    return EtcdRole(machine.name, machine.etcd_peer, tuple((m.name, m.etcd_peer) for m in topology.etcd_members))
