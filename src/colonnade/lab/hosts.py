"""Lines in this host's /etc/hosts by which a browser on it finds the stack; each says whose it is."""

import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from colonnade.errors import ColonnadeError

HOSTS = Path("/etc/hosts")


def add(identity: str, names: Mapping[str, str], *, file: Path = HOSTS) -> None:
    """Make ``names`` (host name → address) the stack's lines, instead of any it had.

    Raises ColonnadeError if the file cannot be written.
    """
    addresses = sorted(set(names.values()))
    lines = [
        f"{address} {' '.join(sorted(name for name in names if names[name] == address))} {_mark(identity)}"
        for address in addresses
    ]
    _replace(file, [*_others(identity, file), *lines])


def remove(identity: str, *, file: Path = HOSTS) -> None:
    """Take the stack's lines out; a file without any is not touched."""
    others = _others(identity, file)
    if others != _lines(file):
        _replace(file, others)


def _mark(identity: str) -> str:
    return f"# colonnade {identity}"


def _lines(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.exists() else []


def _others(identity: str, file: Path) -> list[str]:
    return [line for line in _lines(file) if not line.endswith(_mark(identity))]


def _replace(file: Path, lines: Iterable[str]) -> None:
    text = "".join(f"{line}\n" for line in lines)
    fresh = file.with_name(f".{file.name}.colonnade")
    try:
        try:
            fresh.write_text(text)
            if file.exists():
                shutil.copystat(file, fresh)
                owner = file.stat()
                os.chown(fresh, owner.st_uid, owner.st_gid)
            fresh.rename(file)
        except OSError:
            # In a container the file is a mount of its own, which nothing can be renamed over.
            fresh.unlink(missing_ok=True)
            file.write_text(text)
    except OSError as reason:
        raise ColonnadeError(
            f"the host names could not be changed: {reason}",
            where=str(file),
            do="Run the command again as root, or edit the file yourself.",
        ) from reason


def has(identity: str, names: Mapping[str, str], *, file: Path = HOSTS) -> bool:
    """Return whether the stack's lines are there and lead where they should."""
    words = [line.split() for line in _lines(file) if line.endswith(_mark(identity))]
    return all(any(line[0] == address and name in line for line in words) for name, address in names.items())
