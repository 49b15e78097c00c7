"""The agent's files: what it is told of the stack, its password, its certificate, its command and its unit."""

import json
from collections.abc import Mapping
from typing import Any

from colonnade import paths
from colonnade.accounts import replication_account
from colonnade.render.model import (
    Certificate,
    CertificateRequest,
    Directory,
    File,
    Package,
    Program,
    Unit,
    Wave,
)
from colonnade.render.text import render
from colonnade.secret import Secret
from colonnade.topology import (
    AGENT_PORT,
    ETCD_CLIENT_PORT,
    MYSQL_PORT,
    Machine,
    Topology,
)

UNIT_FILE = f"/etc/systemd/system/{paths.AGENT_UNIT}"
PRIMARY_BACKEND = "mysql_primary"
REPLICA_BACKEND = "mysql_replica"
"""Backends of HAProxy in which every server is named by its node."""
CHECK = "python3 -m json.tool {file} /dev/null"
READ_AT_START = (
    paths.AGENT_COMMAND,
    paths.AGENT_CONFIG,
    paths.AGENT_SECRETS,
    paths.AUTHORITY,
    paths.AGENT_CERTIFICATE,
    paths.AGENT_KEY,
    UNIT_FILE,
)


def certificate_requests(topology: Topology) -> tuple[CertificateRequest, ...]:
    """Return what each machine's agent shows: to the other agents, to HAProxy, and to etcd."""
    return tuple(
        CertificateRequest(_certificate(m), m.node, (*m.names, m.address, "localhost", "127.0.0.1", "::1"), server=True)
        for m in topology.machines
    )


def _certificate(machine: Machine) -> str:
    return f"agent-{machine.name}"


def packages() -> tuple[Package, ...]:
    """Return what the agent runs on: all of the system's Python, of which the minimal one lacks TLS."""
    return (Package("python3"),)


def directories() -> tuple[Directory, ...]:
    """Return where its programs are, and what it keeps."""
    return (Directory(paths.AGENT_PROGRAMS), Directory(paths.AGENT_STATE, 0o700))


def config(topology: Topology, machine: Machine) -> dict[str, Any]:
    """Return what the agent of a machine is told; names are those of nodes."""
    members = sorted(topology.etcd_members, key=lambda member: member != machine)
    return {
        "stack": topology.name,
        "node": machine.node,
        "server": machine.server,
        "address": machine.address,
        "port": AGENT_PORT,
        "nodes": {m.node: {"address": m.address, "server": m.server is not None} for m in topology.machines},
        "etcd": [f"https://{member.host}:{ETCD_CLIENT_PORT}" for member in members],
        "tls": {"authority": paths.AUTHORITY, "certificate": paths.AGENT_CERTIFICATE, "key": paths.AGENT_KEY},
        "wanted": {
            "founder": topology.primary.node,
            "standbys": topology.standbys,
            "acks": topology.acks,
            "strict": topology.stack.database.durability == "strict",
        },
        "mysql": _mysql(topology) if machine.server else None,
        "haproxy": _haproxy() if machine.server else None,
        "state": paths.AGENT_STATE,
    }


def _mysql(topology: Topology) -> dict[str, Any]:
    return {
        "socket": paths.MYSQL_SOCKET,
        "data": paths.MYSQL_DATA,
        "config": paths.MYSQL_CONFIG,
        "unit": paths.MYSQL_UNIT,
        "port": MYSQL_PORT,
        "accounts": {m.node: replication_account(m.node) for m in topology.servers},
    }


def _haproxy() -> dict[str, Any]:
    return {"socket": paths.HAPROXY_SOCKET, "primary": PRIMARY_BACKEND, "replica": REPLICA_BACKEND}


def files(
    topology: Topology,
    machine: Machine,
    secrets: Mapping[str, Secret],
    certificates: Mapping[str, Certificate],
    program: Program,
) -> tuple[File, ...]:
    """Return the agent's files; the command names the program, so that another one is another command."""
    certificate = certificates[_certificate(machine)]
    known = {"replication": secrets[f"mysql-{replication_account(machine.node)}"].reveal()} if machine.server else {}
    unit = render(
        "agent.service.j2",
        stack=topology.name,
        machine=machine.name,
        command=paths.AGENT_COMMAND,
        server=machine.server,
        state=paths.AGENT_STATE,
    )
    command = render("agent.sh.j2", programs=paths.AGENT_PROGRAMS, program=program.identity)
    return (
        File(paths.AGENT_COMMAND, command, mode=0o755, check="sh -n {file}"),
        File(paths.AGENT_CONFIG, _json(config(topology, machine)), check=CHECK),
        File(paths.AGENT_SECRETS, _json(known), mode=0o600, secret=True, check=CHECK),
        File(paths.AGENT_CERTIFICATE, certificate.text),
        File(paths.AGENT_KEY, certificate.key.reveal(), mode=0o600, secret=True),
        File(UNIT_FILE, unit),
    )


def _json(document: Mapping[str, Any]) -> str:
    return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def unit(files: tuple[File, ...]) -> Unit:
    """Return the agent's unit; it reads all of its files when it starts."""
    return Unit(
        paths.AGENT_UNIT,
        restart={file.path: file.sha256 for file in files if file.path in READ_AT_START},
        wave=Wave.AGENT,
    )
