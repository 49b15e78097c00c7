"""What the agent is told by files that apply puts on its machine."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from colonnade.ha.view import Wanted
from colonnade.secret import Secret
from colonnade.wire.tls import Identity

CONFIG = Path("/etc/colonnade/agent.json")
SECRETS = Path("/etc/colonnade/agent-secrets.json")


@dataclass(frozen=True, slots=True)
class Node:
    """Another machine, or this one: where its agent is, and whether it has MySQL."""

    address: str
    server: bool


@dataclass(frozen=True, slots=True)
class MysqlConfig:
    """This machine's MySQL."""

    socket: str
    data: Path
    unit: str
    port: int
    accounts: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ProxyConfig:
    """This machine's HAProxy: its socket, and the backends that lead to MySQL."""

    socket: str
    primary: str
    replica: str


@dataclass(frozen=True, slots=True)
class Config:
    """All that an agent is told."""

    stack: str
    node: str
    address: str
    port: int
    nodes: Mapping[str, Node]
    etcd: tuple[str, ...]
    identity: Identity
    wanted: Wanted
    mysql: MysqlConfig | None
    proxy: ProxyConfig | None
    state: Path
    password: Secret

    @property
    def has_member(self) -> bool:
        """Whether a member of etcd runs on this machine: then it is the first of the list."""
        return bool(self.etcd) and f"//{_host(self.address)}:" in self.etcd[0]


def _host(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def read_config(config: Path = CONFIG, secrets: Path = SECRETS) -> Config:
    """Read the files.

    Raises:
        OSError, ValueError, KeyError: they are not there, or not as apply writes them.

    """
    told: dict[str, Any] = json.loads(config.read_text())
    secret: dict[str, str] = json.loads(secrets.read_text()) if secrets.exists() else {}
    nodes = {name: Node(node["address"], bool(node["server"])) for name, node in told["nodes"].items()}
    servers = tuple(name for name, node in nodes.items() if node.server)
    wanted = told["wanted"]
    mysql, proxy, tls = told["mysql"], told["haproxy"], told["tls"]
    return Config(
        stack=told["stack"],
        node=told["node"],
        address=told["address"],
        port=int(told["port"]),
        nodes=nodes,
        etcd=tuple(told["etcd"]),
        identity=Identity(tls["authority"], tls["certificate"], tls["key"]),
        wanted=Wanted(
            servers=servers,
            agents=len(nodes),
            founder=wanted["founder"],
            standbys=int(wanted["standbys"]),
            acks=int(wanted["acks"]),
            strict=bool(wanted["strict"]),
        ),
        mysql=MysqlConfig(
            mysql["socket"], Path(mysql["data"]), mysql["unit"], int(mysql["port"]), dict(mysql["accounts"])
        )
        if mysql
        else None,
        proxy=ProxyConfig(proxy["socket"], proxy["primary"], proxy["replica"]) if proxy else None,
        state=Path(told["state"]),
        password=Secret(secret.get("replication", "")),
    )
