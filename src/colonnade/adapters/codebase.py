"""The user's code base on disk, read into a release."""

import hashlib
import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

from colonnade.errors import ColonnadeError
from colonnade.render import Release

SKIPPED = frozenset(
    {".git", ".hg", ".svn", "__pycache__", ".venv", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".DS_Store"}
)
LARGEST = 512 << 20
"""Bytes; a code base beyond this is probably not what was meant."""


def read_release(directory: Path, *, build: str | None) -> Release:
    """Return the release that a directory's content makes; equal content, equal name.

    Raises:
        ColonnadeError: the directory is empty, too large, or has a link that leads out of it.

    """
    buffer = io.BytesIO()
    digest = hashlib.sha256((build or "").encode())
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path in _files(directory):
            member = tarfile.TarInfo(path.relative_to(directory).as_posix())
            content = b""
            if path.is_symlink():
                member.type = tarfile.SYMTYPE
                member.linkname = _inner_link(directory, path)
            elif path.is_dir():
                member.type = tarfile.DIRTYPE
                member.mode = 0o755
            else:
                content = path.read_bytes()
                member.size = len(content)
                member.mtime = _time_of(content)
                member.mode = 0o755 if path.stat().st_mode & 0o100 else 0o644
            digest.update(f"{member.name}\0{member.mode:o}\0{member.linkname}\0{len(content)}\0".encode() + content)
            tar.addfile(member, io.BytesIO(content))
            if buffer.tell() > LARGEST:
                raise ColonnadeError(
                    f"the code base is larger than {LARGEST >> 20} MiB",
                    where=str(directory),
                    do="Point [app] path at the code alone.",
                )
    if buffer.tell() <= tarfile.RECORDSIZE and not any(_files(directory)):
        raise ColonnadeError("the code base is empty", where=str(directory), do="Point [app] path at the code.")
    return Release(digest.hexdigest()[:12], buffer.getvalue())


def _time_of(content: bytes) -> int:
    """Return a time (seconds since 1970, between 2000 and 2020) that only the content decides.

    Nginx makes a file's ETag from its time and size: so equal files have equal ones on every server and in
    every release, and files that differ have different ones.
    """
    return 946684800 + int.from_bytes(hashlib.sha256(content).digest()[:8], "big") % (20 * 365 * 86400)


def _files(directory: Path) -> Iterator[Path]:
    for path in sorted(directory.iterdir()):
        if path.name in SKIPPED or path.suffix == ".pyc":
            continue
        yield path
        if path.is_dir() and not path.is_symlink():
            yield from _files(path)


def _inner_link(directory: Path, path: Path) -> str:
    target = path.readlink()
    if target.is_absolute() or not (path.parent / target).resolve().is_relative_to(directory.resolve()):
        raise ColonnadeError(
            f"leads out of the code base, to {target}", where=str(path), do="A release holds only its own files."
        )
    return target.as_posix()
