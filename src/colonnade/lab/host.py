"""What the lab needs of this host: root, a few programs, and where it keeps things there."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from colonnade.errors import ColonnadeError

_STORE = "/var/lib/colonnade"

# Root's PATH after `su` lacks the sbin directories on Debian, and everything here lives in them.
SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# program → the Debian package that brings it
_PROGRAMS = {
    "ip": "iproute2",
    "mmdebstrap": "mmdebstrap",
    "nft": "nftables",
    "setpriv": "util-linux",
    "setsid": "util-linux",
    "systemd-nspawn": "systemd-container",
    "unshare": "util-linux",
}
_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_KEYRING_PACKAGE = "debian-archive-keyring"


def host_packages() -> tuple[str, ...]:
    """Return the Debian packages that this host needs for a lab, sorted."""
    return tuple(sorted({*_PROGRAMS.values(), _KEYRING_PACKAGE}))


def images() -> Path:
    """Return the directory of the images; ``COLONNADE_STORE`` moves it to a larger disk."""
    return Path(os.environ.get("COLONNADE_STORE", _STORE), "images")


def labs() -> Path:
    """Return the directory of every stack's machines, one entry per stack's identity."""
    return Path(os.environ.get("COLONNADE_STORE", _STORE), "lab")


def remove_empty_store() -> None:
    """Remove the directories that hold nothing any more."""
    for directory in (labs(), images(), labs().parent):
        with contextlib.suppress(OSError):
            directory.rmdir()


def remove_nspawn_traces(machine: str) -> None:
    """Remove what systemd-nspawn leaves in /run for a machine that is off."""
    for kind in ("propagate", "unix-export"):
        shutil.rmtree(Path("/run/systemd/nspawn", kind, machine), ignore_errors=True)


def environment() -> dict[str, str]:
    """Return what the lab's commands get: no more of the caller's environment than proxies."""
    kept = {name: value for name, value in os.environ.items() if name.lower().endswith("_proxy")}
    return {
        **kept,
        "PATH": SEARCH_PATH,
        "LC_ALL": "C.UTF-8",
        "DEBIAN_FRONTEND": "noninteractive",
        "SYSTEMD_NSPAWN_LOCK": "0",  # the lab has its own locks, and nspawn's leave files in /run
    }


def require_root() -> None:
    """Raise ColonnadeError unless this process may make machines."""
    if os.geteuid() != 0:
        raise ColonnadeError(
            "the lab makes machines on this host, and that takes root",
            do="Run the command again with sudo, or give every machine an address in the stack file.",
        )


def require_programs() -> None:
    """Raise ColonnadeError, naming the command that installs them, if programs are missing."""
    missing = {package for program, package in _PROGRAMS.items() if shutil.which(program, path=SEARCH_PATH) is None}
    if not _KEYRING.exists():
        missing.add(_KEYRING_PACKAGE)
    if missing:
        names = " ".join(sorted(missing))
        raise ColonnadeError(
            f"the lab needs programs that this host does not have (packages: {names})",
            do=f"Install them: apt-get install --no-install-recommends {names}",
        )


def call(argv: Sequence[str], *, stdin: str = "") -> str:
    """Run a command that answers within milliseconds and return what it printed.

    Raises ColonnadeError with the command's own words if it fails or takes over 30 seconds.
    """
    try:
        done = subprocess.run(  # noqa: PLW1510  the outcome is looked at below, with a better message
            list(argv), input=stdin, capture_output=True, text=True, env=environment(), timeout=30
        )
    except (OSError, subprocess.TimeoutExpired) as reason:
        raise ColonnadeError(f"`{' '.join(argv)}` could not be run: {reason}", where="this host") from reason
    if done.returncode != 0:
        words = done.stderr.strip() or done.stdout.strip() or f"exit code {done.returncode}"
        raise ColonnadeError(f"`{' '.join(argv)}` failed: {words}", where="this host")
    return done.stdout
