"""The managed systems, and every name that differs between them."""

from dataclasses import dataclass

from colonnade.errors import ColonnadeError
from colonnade.facts import Facts

SUPPORTED = {("debian", "13"): "trixie", ("ubuntu", "24.04"): "noble"}
TESTED = frozenset({("debian", "13")})


@dataclass(frozen=True, slots=True)
class Platform:
    """A machine's system, and its memory in bytes."""

    system: str
    version: str
    memory: int

    @property
    def codename(self) -> str:
        """The release's name in package sources."""
        return SUPPORTED[self.system, self.version]

    @property
    def tested(self) -> bool:
        """Whether somebody ran Colonnade on it, rather than only looked at the files."""
        return (self.system, self.version) in TESTED

    @property
    def mysql_packages(self) -> str:
        """Where MySQL comes from if the file does not say: Debian's releases carry MariaDB instead."""
        return "debian-unstable" if self.system == "debian" else "distribution"


def platform_of(machine: str, facts: Facts) -> Platform:
    """Return the machine's platform.

    Raises:
        ColonnadeError: it is none that Colonnade manages.

    """
    if (facts.system, facts.version) not in SUPPORTED:
        known = ", ".join(f"{system.capitalize()} {version}" for system, version in SUPPORTED)
        raise ColonnadeError(
            f"runs {facts.system} {facts.version or '(no version)'}, which Colonnade does not manage",
            where=machine,
            do=f"Managed are {known}. Nothing was changed.",
        )
    if facts.init != "systemd":
        raise ColonnadeError(
            f"is run by {facts.init}, not by systemd",
            where=machine,
            do="Colonnade needs systemd. Nothing was changed.",
        )
    return Platform(facts.system, facts.version, facts.memory)
