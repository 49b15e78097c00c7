"""What a bare machine holds: a Debian 13 as one rents it, with systemd and sshd and not even Python."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from colonnade.lab import build
from colonnade.lab.host import call

SUITE = "trixie"
PACKAGES = (
    "ca-certificates",
    "dbus",
    "iproute2",
    "iputils-ping",
    "libpam-systemd",
    "netbase",
    "openssh-server",
    "procps",
    "systemd",
    "systemd-sysv",
    "tzdata",
)
SOURCES = f"""\
deb http://deb.debian.org/debian {SUITE} main
deb http://deb.debian.org/debian {SUITE}-updates main
deb http://deb.debian.org/debian-security {SUITE}-security main
"""
# Only for the time of the build: an image that a power loss cut short is built anew anyway.
UNSAFE_IO = "etc/dpkg/dpkg.cfg.d/zz-build"

FILES = {
    # A mirror of the operator's own may be weeks behind, and its Release file then past its date.
    "etc/apt/apt.conf.d/10-lab": 'Acquire::Check-Valid-Until "false";\nAcquire::Languages "none";\n',
    "etc/default/locale": "LANG=C.UTF-8\n",
    "etc/dpkg/dpkg.cfg.d/10-lab": (
        "path-exclude=/usr/share/doc/*\npath-include=/usr/share/doc/*/copyright\n"
        "path-exclude=/usr/share/man/*\npath-exclude=/usr/share/info/*\n"
        "path-exclude=/usr/share/locale/*\n"
    ),
    # Polling for the banner is no attack: the host that boots the machines is exempt from penalties.
    "etc/ssh/sshd_config.d/10-lab.conf": (
        "PermitRootLogin prohibit-password\nPasswordAuthentication no\n"
        "KbdInteractiveAuthentication no\nUseDNS no\nPerSourcePenaltyExemptList 198.18.0.0/15\n"
    ),
    "etc/systemd/journald.conf.d/10-lab.conf": ("[Journal]\nStorage=persistent\nSystemMaxUse=64M\nRuntimeMaxUse=16M\n"),
}
ENABLED = ("systemd-networkd.service",)
# Timers that would lock dpkg, or trim the host's disk, in the middle of a measurement; a console nobody sees.
MASKED = ("apt-daily.timer", "apt-daily-upgrade.timer", "console-getty.service", "fstrim.timer")

_IDENTIFYING = (
    "etc/hostname",
    "etc/resolv.conf",
    "etc/ssh/ssh_host_*",
    "var/lib/dbus/machine-id",
    "var/lib/systemd/random-seed",
)
_LEFT_BY_A_BUILD = (
    UNSAFE_IO,
    "etc/apt/apt.conf.d/99mmdebstrap",
    "etc/dpkg/dpkg.cfg.d/99mmdebstrap",
    "usr/sbin/policy-rc.d",
    "var/cache/apt/*.bin",
    "var/cache/apt/archives/*.deb",
    "var/lib/apt/lists/*_*",
    "var/log/apt/*",
    "var/log/dpkg.log",
    "var/log/alternatives.log",
    "var/log/bootstrap.log",
)
_HOST_AUTHORITIES = Path("/usr/local/share/ca-certificates")


def host_settings() -> dict[str, str]:
    """Return the files by which the host's own way to a mirror (proxy, authorities) reaches the image."""
    files = {
        f"usr/local/share/ca-certificates/{file.name}": file.read_text()
        for file in sorted(_HOST_AUTHORITIES.glob("*.crt"))
    }
    settings = call(["apt-config", "dump", "--format", "%F %v%n"]) if shutil.which("apt-config") else ""
    proxies = dict(
        line.split(" ", 1)
        for line in settings.splitlines()
        if line.lower().startswith(("acquire::http::proxy ", "acquire::https::proxy "))
    )
    for scheme in ("http", "https"):
        value = os.environ.get(f"{scheme}_proxy")
        if value:
            proxies.setdefault(f"Acquire::{scheme}::Proxy", value)
    lines = "".join(f'{name} "{value}";\n' for name, value in sorted(proxies.items()) if value.strip())
    return {**files, "etc/apt/apt.conf.d/20-proxy": lines} if lines else files


async def install(root: Path, *, log: Path, line: Callable[[str], None]) -> None:
    """Make a bare machine's file system at ``root``, which does not exist yet."""
    settings = host_settings()
    aptopts = [
        *FILES["etc/apt/apt.conf.d/10-lab"].splitlines(),
        *_lines(settings, "etc/apt/apt.conf.d/20-proxy"),
    ]
    dpkgopts = [*FILES["etc/dpkg/dpkg.cfg.d/10-lab"].splitlines(), "force-unsafe-io"]
    await build.run(
        [
            *("mmdebstrap", "--mode=root", "--variant=apt", "--format=directory"),
            f"--include={','.join(PACKAGES)}",
            *(f"--aptopt={option}" for option in aptopts),
            *(f"--dpkgopt={option}" for option in dpkgopts),
            *(SUITE, str(root), "-"),
        ],
        log=log,
        stdin=SOURCES,
        line=line,
    )
    for name, content in {**FILES, **settings}.items():
        put(root, name, content)
    call(["chroot", str(root), "update-ca-certificates"])
    call(["chroot", str(root), "systemctl", "enable", *ENABLED])
    call(["chroot", str(root), "systemctl", "mask", *MASKED])
    finish(root)


def finish(root: Path) -> None:
    """Remove what a build leaves in an image, and what would make all its machines the same one."""
    for pattern in (*_IDENTIFYING, *_LEFT_BY_A_BUILD):
        for file in root.glob(pattern):
            if file.is_dir() and not file.is_symlink():
                shutil.rmtree(file)
            else:
                file.unlink()
    put(root, "etc/hosts", "127.0.0.1 localhost\n::1 localhost\n")
    # Empty, and not absent: systemd then takes what it is given, and does not call it a first boot.
    put(root, "etc/machine-id", "")
    # Says "caches are as new as /usr", or every first boot rebuilds them (systemd-update-done.service(8)).
    stamp = (root / "usr").stat().st_mtime_ns
    for name in ("etc/.updated", "var/.updated"):
        put(root, name, "")
        os.utime(root / name, ns=(stamp, stamp))


def put(root: Path, name: str, content: str, *, mode: int = 0o644) -> None:
    """Write a file into a file system that nothing runs on."""
    file = root / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.unlink(missing_ok=True)
    file.write_text(content)
    file.chmod(mode)


def _lines(files: dict[str, str], name: str) -> list[str]:
    return files.get(name, "").splitlines()
