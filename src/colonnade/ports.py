"""What the deciding code needs of the world, as protocols; the adapters fulfil them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from colonnade.topology import Machine


@dataclass(frozen=True, slots=True)
class Result:
    """What a command on a machine ended with."""

    code: int
    output: str
    complaint: str = ""


class Remote(Protocol):
    """Machines that can be reached."""

    async def run(
        self,
        machine: Machine,
        command: str,
        *,
        stdin: bytes = b"",
        on_line: Callable[[str], None] | None = None,
        seconds: float | None = None,
    ) -> Result:
        """Run a shell command as root, feeding it ``stdin``; ``on_line`` gets each line of output as it comes.

        Raises:
            UnreachableError: the machine does not answer, is not the one that was pinned, or was lost under way.

        """
        ...

    async def close(self) -> None:
        """Give up all connections."""
        ...


class Hardware(Protocol):
    """Cables and power of machines, by the machine's name."""

    async def cut(self, name: str) -> None:
        """Pull the network cable."""
        ...

    async def heal(self, name: str) -> None:
        """Put the network cable back."""
        ...

    async def kill(self, name: str) -> None:
        """Cut the power without warning."""
        ...

    async def start(self, name: str) -> None:
        """Put the power back on and wait until the machine can be reached."""
        ...


class Progress(Protocol):
    """Tells a person what goes on."""

    def say(self, text: str) -> None:
        """Say something that happened."""
        ...

    def machine(self, machine: str, text: str) -> None:
        """Say what a machine is doing now."""
        ...
