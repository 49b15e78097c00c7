"""The stack's own network on this host: a bridge, the way out through it, and every machine's cable."""

import asyncio
import json
import time
from pathlib import Path

from colonnade.lab import kernel
from colonnade.lab.host import call
from colonnade.lab.placement import Placement

# Maximum segment sizes are clamped because the host's own link may carry smaller packets than the bridge.
# New connections from elsewhere are dropped: who turns forwarding on must not open the machines by it.
_RULES = """\
table ip {table}
delete table ip {table}
table ip {table} {{
  chain postrouting {{
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr {subnet} ip daddr != {subnet} masquerade
  }}
  chain forward {{
    type filter hook forward priority filter; policy accept;
    iifname "{bridge}" tcp flags syn tcp option maxseg size set rt mtu
    oifname "{bridge}" tcp flags syn tcp option maxseg size set rt mtu
    iifname "{bridge}" accept
    oifname "{bridge}" ct state established,related accept
    oifname "{bridge}" drop
  }}
}}
"""


class Network:
    """The bridge, the packet filter's table and the cables of the stack with this identity."""

    def __init__(self, identity: str) -> None:
        self.bridge = f"cn-{identity}"
        self._table = f"colonnade_{identity}"
        # Left to itself a bridge takes its lowest port's address, and changes it as machines come and go.
        self._mac = "02:cb:00:" + ":".join(identity[i : i + 2] for i in (0, 2, 4))

    def ensure(self, placement: Placement) -> None:
        """Make what is missing of the bridge, its address, the rules and the host's settings."""
        if not self._exists():
            call(["ip", "link", "add", self.bridge, "address", self._mac, "type", "bridge"])
        gateway = f"{placement.gateway}/{placement.subnet.partition('/')[2]}"
        call(["ip", "address", "replace", gateway, "dev", self.bridge])
        call(["ip", "link", "set", self.bridge, "up"])
        rules = _RULES.format(table=self._table, subnet=placement.subnet, bridge=self.bridge)
        call(["nft", "-f", "-"], stdin=rules)
        kernel.provide()

    def ensure_absent(self) -> None:
        """Remove the rules, the cables and the bridge, whatever of them there is."""
        for cable in self._ports():
            call(["ip", "link", "delete", str(cable["ifname"])])
        if self._exists():
            call(["ip", "link", "delete", self.bridge])
        # Declared first, because deleting a table that is not there is an error.
        call(["nft", "-f", "-"], stdin=f"table ip {self._table}\ndelete table ip {self._table}\n")

    def cables(self) -> dict[str, bool]:
        """Return the machine at the end of each cable, and whether the cable carries."""
        found = {}
        for port in self._ports():
            # A name of over 15 characters is shortened by nspawn; the full one is then an alternative name.
            for name in (str(port["ifname"]), *_strings(port.get("altnames"))):
                found[name.removeprefix("vb-")] = "UP" in _strings(port.get("flags"))
        return found

    def plug(self, machine: str, *, carries: bool) -> None:
        """Cut the cable of a running machine, or heal it."""
        call(["ip", "link", "set", "dev", f"vb-{machine}", "up" if carries else "down"])

    async def unplugged(self, machine: str, *, seconds: float) -> None:
        """Wait until a machine that was powered off has left the bridge, and take its link away if it has not.

        A connection to a machine whose cable was cut can keep the dead machine's network, and so the link, for minutes.
        """
        deadline = time.monotonic() + seconds
        while machine in self.cables():
            if time.monotonic() > deadline:
                call(["ip", "link", "delete", "dev", f"vb-{machine}"])
                return
            await asyncio.sleep(0.02)

    def obstacles(self) -> list[str]:
        """Return advice on other packet filters of this host that keep the machines from the outside."""
        ruleset = json.loads(call(["nft", "-j", "list", "chains"]) or "{}")
        chains = [entry["chain"] for entry in ruleset.get("nftables", ()) if "chain" in entry]
        dropping = [
            f"{chain['family']} {chain['table']} {chain['name']}"
            for chain in chains
            if chain.get("hook") == "forward" and chain.get("policy") == "drop"
        ]
        return [
            f"this host's firewall drops what it forwards (nft chain {chain}), so the machines may not reach "
            f"package mirrors, nor each other. To allow it: nft insert rule {chain} iifname {self.bridge} "
            f"accept; nft insert rule {chain} oifname {self.bridge} accept"
            for chain in dropping
        ]

    def _exists(self) -> bool:
        return Path("/sys/class/net", self.bridge).exists()

    def _ports(self) -> list[dict[str, object]]:
        if not self._exists():
            return []
        ports: list[dict[str, object]] = json.loads(call(["ip", "-j", "link", "show", "master", self.bridge]) or "[]")
        return [port for port in ports if port]


def _strings(value: object) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else []
