"""A stack together with all that is needed to work on it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property

from colonnade.adapters.authority import Authority
from colonnade.adapters.private import PrivateDirectory
from colonnade.ports import Remote
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
from colonnade.secret import Secret
from colonnade.topology import Machine, Topology


@dataclass(frozen=True)
class Site:
    """The placed stack, the way to its machines, its private directory, and what goes on them as it is now."""

    topology: Topology
    remote: Remote
    private: PrivateDirectory
    release: Release
    program: Program

    @cached_property
    def secrets(self) -> Mapping[str, Secret]:
        """The stack's passwords, generated when first needed."""
        return self.private.secrets(secret_names(self.topology))

    @cached_property
    def certificates(self) -> Mapping[str, Certificate]:
        """The certificates of the stack's own authority, issued when first needed, anew when worn."""
        authority = Authority(self.private, self.topology.name, datetime.now(UTC))
        return authority.issue(certificate_requests(self.topology))

    def desired(self, machine: Machine, platform: Platform) -> Desired:
        """Return what a machine should be."""
        return render_machine(
            self.topology,
            machine,
            platform,
            self.secrets,
            self.release,
            program=self.program,
            certificates=self.certificates,
        )
