"""The stack's private directory: passwords, the SSH key, pinned host keys, what is remembered of machines."""

import fcntl
import json
import os
import secrets
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import asyncssh

from colonnade.errors import ColonnadeError
from colonnade.secret import Secret

DIRECTORY = ".colonnade"
PASSWORD_BYTES = 24
"""Random bytes of a password: 32 characters, the most that MySQL takes for replication."""


class PrivateDirectory:
    """``.colonnade/NAME`` beside the stack file: for its owner only, and never in version control."""

    def __init__(self, beside: Path, stack: str) -> None:
        self.top = beside / DIRECTORY
        self.path = self.top / stack

    def ensure(self) -> None:
        """Make it, with its rights, if it is not there."""
        for directory in (self.top, self.path):
            directory.mkdir(mode=0o700, exist_ok=True)
            directory.chmod(0o700)
        ignore = self.top / ".gitignore"
        if not ignore.exists():
            ignore.write_text("# Passwords and keys: not for version control.\n*\n")

    @property
    def known_hosts(self) -> Path:
        """Pinned SSH host keys."""
        return self.path / "known_hosts"

    @property
    def ssh_key(self) -> Path:
        """The stack's own SSH key."""
        return self.path / "id_ed25519"

    def ensure_ssh_key(self) -> str:
        """Return the public half of the stack's own key, made if it is not there."""
        with self.locked():
            if not self.ssh_key.exists():
                key = asyncssh.generate_private_key("ssh-ed25519", comment=f"colonnade {self.path.name}")
                write_private(self.ssh_key, key.export_private_key("openssh").decode())
            return asyncssh.read_private_key(str(self.ssh_key)).export_public_key("openssh").decode().strip()

    def secrets(self, names: Iterable[str]) -> dict[str, Secret]:
        """Return a password for each name; those that do not exist yet are generated and kept.

        Raises:
            ColonnadeError: the file cannot be read; it is never replaced, since the machines know its passwords.

        """
        file = self.path / "secrets.json"
        with self.locked():
            try:
                kept: dict[str, str] = json.loads(file.read_text()) if file.exists() else {}
            except ValueError as error:
                raise ColonnadeError(
                    "the stack's passwords cannot be read", where=str(file), do="Restore the file from a copy."
                ) from error
            missing = [name for name in names if name not in kept]
            if missing:
                kept |= {name: secrets.token_urlsafe(PASSWORD_BYTES) for name in missing}
                write_private(file, json.dumps(kept, indent=1, sort_keys=True) + "\n")
        return {name: Secret(text) for name, text in kept.items()}

    def remembered(self) -> dict[str, dict[str, str | int]]:
        """Return what was remembered of machines, by address; only ever a guess, checked against facts."""
        file = self.path / "machines.json"
        try:
            loaded: dict[str, dict[str, str | int]] = json.loads(file.read_text())
        except (OSError, ValueError):
            return {}
        return loaded

    def remember(self, machines: Mapping[str, Mapping[str, str | int]]) -> None:
        """Keep what saves a round trip next time."""
        if self.remembered() != machines:
            write_private(self.path / "machines.json", json.dumps(machines, indent=1, sort_keys=True) + "\n")

    def forget_machines(self) -> None:
        """Forget host keys and what was remembered: the machines are gone."""
        for file in (self.known_hosts, self.path / "machines.json"):
            file.unlink(missing_ok=True)

    @property
    def authority(self) -> Path:
        """The certificate of the stack's own authority."""
        return self.path / "ca.crt"

    def read(self, name: str) -> str | None:
        """Return the text of a file in it; None if there is none."""
        file = self.path / name
        return file.read_text() if file.exists() else None

    def write(self, name: str, text: str) -> None:
        """Write a file in it, whole or not at all."""
        write_private(self.path / name, text)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes out meanwhile."""
        self.ensure()
        with (self.path / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def write_private(path: Path, text: str) -> None:
    """Write a file for its owner alone, whole or not at all."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
