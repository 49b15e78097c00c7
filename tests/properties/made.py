"""Stacks made for a test: placed, rendered, and the machines that they begin with."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path

from colonnade.facts import Facts, UnitFact
from colonnade.render import (
    Certificate,
    Desired,
    Platform,
    Program,
    Release,
    certificate_requests,
    render_machine,
    secret_names,
)
from colonnade.rollout import Plan, plan
from colonnade.secret import Secret
from colonnade.spec import Stack, parse
from colonnade.topology import Topology, resolve

DEBIAN = Platform("debian", "13", 4 << 30)
AUTHORITY = (Path(__file__).parent / "authority.pem").read_text()
"""A certificate that a program can read; its key was thrown away."""
PROGRAM = Program("00a9e47c0de5", b"the agent")
UBUNTU = Platform("ubuntu", "24.04", 4 << 30)


@dataclass(frozen=True)
class Site:
    """A stack with everything that makes its files."""

    topology: Topology
    secrets: Mapping[str, Secret]
    release: Release
    platform: Platform
    certificates: Mapping[str, Certificate] = field(repr=False)
    program: Program

    def __repr__(self) -> str:
        """Show what it is made from, for the one who looks at an example that failed."""
        return f"Site({self.topology.stack!r}, {self.release.identity}, {self.platform.system})"

    @cached_property
    def desired(self) -> dict[str, Desired]:
        """What every machine should be."""
        return {
            machine.name: render_machine(
                self.topology,
                machine,
                self.platform,
                self.secrets,
                self.release,
                program=self.program,
                certificates=self.certificates,
            )
            for machine in self.topology.machines
        }

    def plan(self, facts: Mapping[str, Facts]) -> Plan:
        """The plan from these facts to this stack."""
        return plan(self.topology, self.desired, facts)


def addresses_of(stack: Stack) -> dict[str, str]:
    """Give every machine an address, as the lab would."""
    return {name: f"198.18.{number // 250}.{number % 250 + 2}" for number, name in enumerate(stack.machine_names)}


def site_of(
    stack: Stack,
    *,
    platform: Platform = DEBIAN,
    release: str = "0123456789ab",
    addresses: Mapping[str, str] | None = None,
) -> Site:
    """Render a stack, with passwords that a test can look for."""
    topology = resolve(stack, addresses or addresses_of(stack))
    secrets = {name: Secret(f"secret-{name}") for name in secret_names(topology)}
    return Site(topology, secrets, Release(release, b"the code base"), platform, made_certificates(topology), PROGRAM)


def made_certificates(topology: Topology) -> dict[str, Certificate]:
    """Return texts that stand for certificates of a real authority; the keys are such that a test can look for them."""
    return {
        name: Certificate(f"certificate of {name}\n", Secret(f"secret-key-{name}\n"), AUTHORITY)
        for name in (request.name for request in certificate_requests(topology))
    }


@cache
def classic(more: str = "", *, balancers: int = 1, servers: int = 2, release: str = "0123456789ab") -> Site:
    """One balancer and two servers, or as many as asked for; ``more`` is put into the table ``[app]``."""
    text = f"""
name = "foobar"
domain = "foobar.com"

[app]
path = "app"
start = "serve $SOCKET"
static = "static"
migrate = "migrate"
{more}
"""
    text += "".join(f"[balancers.lb{n}]\n" for n in range(1, balancers + 1))
    text += "".join(f"[servers.web{n}]\n" for n in range(1, servers + 1))
    return site_of(parse(text, filename="colonnade.toml"), release=release)


def bare(platform: Platform = DEBIAN) -> Facts:
    """Return what a freshly installed machine says of itself."""
    return Facts(
        system=platform.system,
        version=platform.version,
        codename=platform.codename,
        architecture="amd64",
        init="systemd",
        memory=platform.memory,
        units={
            "systemd-journald.service": UnitFact("loaded", "active", "running", "static"),
            "systemd-sysctl.service": UnitFact("loaded", "active", "exited", "static"),
        },
    )


def bare_machines(site: Site) -> dict[str, Facts]:
    """Return freshly installed machines, one for each of the stack."""
    return {machine.name: bare(site.platform) for machine in site.topology.machines}
