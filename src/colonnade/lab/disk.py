"""A machine's disk: an overlay on the image that holds what is the machine's own, kept over power cycles."""

import asyncio
import ipaddress
import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import asyncssh

from colonnade.errors import ColonnadeError
from colonnade.lab import build
from colonnade.lab.host import call
from colonnade.lab.image import Image
from colonnade.lab.placement import Placement, read_json, write_json

Storage = Literal["overlay", "copy"]

_MARK = "# Written by Colonnade's lab when the machine was made."
_RESOLVERS = (Path("/etc/resolv.conf"), Path("/run/systemd/resolve/resolv.conf"))


@dataclass(frozen=True)
class Disk:
    """What a machine's directory holds; ``image`` is the file system below the overlay."""

    directory: Path
    image: Path
    storage: Storage

    @property
    def own(self) -> Path:
        """The part that is the machine's own and that may be written while the machine is off."""
        return self.directory / ("upper" if self.storage == "overlay" else "root")

    @property
    def root(self) -> Path:
        """Where the machine's file system is mounted, seen by the machine only."""
        return self.directory / "root"

    @property
    def console(self) -> Path:
        """What the machine printed while it booted."""
        return self.directory / "console.log"


def find(directory: Path) -> Disk | None:
    """Return the disk in a machine's directory, or None if no machine was made there."""
    saved = read_json(directory / "machine.json")
    if saved is None:
        return None
    return Disk(directory, Path(str(saved["image"])), "copy" if saved["storage"] == "copy" else "overlay")


async def create(
    directory: Path, image: Image, *, name: str, placement: Placement, authorized_key: str, storage: Storage
) -> Disk:
    """Make a machine's disk; it appears at once and complete, or, if we are interrupted, not at all."""
    unfinished = directory.with_name(f".new-{directory.name}")
    if unfinished.exists():
        await asyncio.to_thread(shutil.rmtree, unfinished)
    unfinished.mkdir(mode=0o700, parents=True)
    disk = Disk(unfinished, image.root, storage)
    if storage == "copy":
        log = unfinished / "copy.log"
        await build.run(["cp", "-a", "--reflink=auto", str(image.root), str(disk.root)], log=log)
        log.unlink()
    else:
        for part in (disk.own, disk.root, unfinished / "work"):
            part.mkdir(mode=0o755)
    for path, content, mode in _own_files(name, placement):
        _put(disk, path, content, mode=mode)
    authorize(disk, authorized_key)
    write_json(unfinished / "machine.json", {"image": str(image.root), "storage": storage})
    unfinished.rename(directory)
    return Disk(directory, image.root, storage)


def authorize(disk: Disk, key: str) -> None:
    """Let the holder of ``key`` in as root, beside whom the machine lets in already; it must be off."""
    file = disk.own / "root/.ssh/authorized_keys"
    lines = file.read_text().splitlines() if file.exists() else []
    if key.strip() not in lines:
        _put(disk, "root/.ssh/authorized_keys", "\n".join([*lines, key.strip()]) + "\n", mode=0o600)


def refresh_resolvers(disk: Disk) -> None:
    """Follow the host to other name servers, unless somebody set the machine's own; it must be off."""
    file = disk.own / "etc/resolv.conf"
    if file.is_file() and not file.is_symlink() and file.read_text().startswith(_MARK):
        _put(disk, "etc/resolv.conf", _resolv_conf(), mode=0o644)


def upstream_resolvers() -> list[str]:
    """Return the name servers that this host asks, as far as its machines can ask them too."""
    for file in _RESOLVERS:
        if file.exists():
            words = [line.split() for line in file.read_text().splitlines()]
            servers = [line[1] for line in words if len(line) > 1 and line[0] == "nameserver"]
            usable = [server for server in servers if _reachable_from_machines(server)]
            if usable:
                return usable
    return []


def usable_storage(directory: Path) -> Storage:
    """Return ``overlay`` if the file system of ``directory`` can carry one (another overlay cannot)."""
    trial = directory / ".trial"
    parts = [trial / part for part in ("lower", "upper", "work", "root")]
    for part in parts:
        part.mkdir(parents=True, exist_ok=True)
    try:
        options = "lowerdir={},upperdir={},workdir={}".format(*parts)
        mount = ["mount", "-t", "overlay", "overlay", "-o", options, str(parts[3])]
        call(["unshare", "--mount", "--propagation", "private", *mount])
    except ColonnadeError:
        return "copy"
    finally:
        shutil.rmtree(trial)
    return "overlay"


def _own_files(name: str, placement: Placement) -> list[tuple[str, str, int]]:
    prefix = ipaddress.IPv4Network(placement.subnet).prefixlen
    # Before 80-container-host0.network, or systemd-networkd takes that one and a link-local address.
    network = (
        f"{_MARK}\n[Match]\nName=host0\n\n[Network]\nAddress={placement.addresses[name]}/{prefix}\n"
        f"Gateway={placement.gateway}\nIPv6AcceptRA=no\nLLDP=no\nEmitLLDP=no\n"
    )
    key = asyncssh.generate_private_key("ssh-ed25519", comment=f"root@{name}")
    return [
        ("etc/hostname", f"{name}\n", 0o644),
        ("etc/hosts", f"127.0.0.1 localhost\n127.0.1.1 {name}\n::1 localhost ip6-localhost\n", 0o644),
        ("etc/machine-id", f"{uuid.uuid4().hex}\n", 0o444),
        ("etc/resolv.conf", _resolv_conf(), 0o644),
        ("etc/ssh/ssh_host_ed25519_key", key.export_private_key().decode(), 0o600),
        ("etc/ssh/ssh_host_ed25519_key.pub", key.export_public_key().decode(), 0o644),
        ("etc/systemd/network/10-lab.network", network, 0o644),
    ]


def _resolv_conf() -> str:
    return "".join([f"{_MARK}\n", *(f"nameserver {server}\n" for server in upstream_resolvers())])


def _reachable_from_machines(server: str) -> bool:
    try:
        address = ipaddress.ip_address(server)
    except ValueError:
        return False
    return address.version == 4 and not address.is_loopback  # noqa: PLR2004  the machines have IPv4 only


def _put(disk: Disk, path: str, content: str, *, mode: int) -> None:
    """Write a file of a machine that is off, into directories as the image has them."""
    directory = disk.own
    for part in Path(path).parts[:-1]:
        directory /= part
        if not directory.exists():
            directory.mkdir()
            below = disk.image / directory.relative_to(disk.own)
            directory.chmod(below.stat().st_mode & 0o7777 if below.exists() else 0o700)
    file = disk.own / path
    file.unlink(missing_ok=True)
    file.touch(mode=0o600)
    file.write_text(content)
    file.chmod(mode)
