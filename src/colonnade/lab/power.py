"""Powering machines on and off: systemd-nspawn, detached from us, in a control group of its own."""

import asyncio
import re
import time

from colonnade.errors import ColonnadeError
from colonnade.lab.cgroups import Cgroup
from colonnade.lab.disk import Disk
from colonnade.lab.host import environment, remove_nspawn_traces

_SSH_PORT = 22
_ATTEMPT_SECONDS = 1.0
_RETRY_SECONDS = 0.05
_LAST_LINES = 20
_REBOOT_CODE = 133

# Runs in a mount namespace of its own, so that the host never sees the overlay and it ends with the machine.
# systemd-nspawn with --keep-unit leaves a reboot to its caller and says so by this exit code (nspawn.c,
# EXIT_FORCE_RESTART). "0" in cgroup.procs is the writer itself.
_SUPERVISE = """\
group=$1 root=$2 overlay=$3
shift 3
if [ -n "$overlay" ]; then mount -t overlay overlay -o "$overlay" "$root" || exit; fi
while :; do
  sh -c 'echo 0 > "$1/machine/cgroup.procs" && shift && exec "$@"' sh "$group" "$@"
  code=$?
  [ "$code" = {reboot} ] || exit "$code"
done
"""
_ENTER = 'echo 0 > "$0/power/cgroup.procs" && exec "$@"'
_TERMINAL_CODES = re.compile(
    r"\x1b(\[[0-9;?!]*[a-zA-Z]|[()][A-Z0-9]|\][^\x07\x1b]*(\x07|\x1b\\)|.)|[\x00-\x08\x0e-\x1f]"
)


async def on(machine: str, name: str, *, bridge: str, disk: Disk, group: Cgroup) -> None:
    """Boot the machine ``machine`` (its host name is ``name``); returns when it has been started, not before.

    It lives on when we end. Raises ColonnadeError if it could not even be started.
    """
    if disk.storage == "overlay" and not disk.image.is_dir():
        raise ColonnadeError(
            f"its disk is an overlay on an image that is gone ({disk.image})",
            where=name,
            do="Destroy the stack and bring it up anew.",
        )
    group.make()
    if disk.console.exists():
        disk.console.replace(disk.console.with_suffix(".log.1"))
    overlay = f"lowerdir={disk.image},upperdir={disk.own},workdir={disk.directory / 'work'}"
    with disk.console.open("ab") as console:
        process = await asyncio.create_subprocess_exec(
            *("sh", "-c", _ENTER, str(group.path)),
            *("setsid", "--fork", "unshare", "--mount", "--propagation", "private"),
            *("sh", "-c", _SUPERVISE.format(reboot=_REBOOT_CODE), f"colonnade-{machine}"),
            *(str(group.path), str(disk.root), overlay if disk.storage == "overlay" else ""),
            *("systemd-nspawn", "--quiet", "--boot", "--register=no", "--keep-unit"),
            *(f"--machine={machine}", f"--hostname={name}", f"--directory={disk.root}"),
            *(f"--network-bridge={bridge}", "--capability=CAP_NET_ADMIN", "--console=read-only"),
            *("--resolv-conf=off", "--timezone=off", "--link-journal=no"),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=console,
            stderr=console,
            cwd="/",
            env={**environment(), "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"},
        )
        code = await process.wait()
    if code != 0:
        raise ColonnadeError(f"it could not be started{_last_words(disk)}", where=name)


async def answers(name: str, address: str, *, disk: Disk, group: Cgroup, seconds: float) -> None:
    """Wait until the machine's sshd shows its banner.

    Raises ColonnadeError with the console's last lines if it powers off or if ``seconds`` pass.
    """
    deadline = time.monotonic() + seconds
    while not await _shows_banner(address):
        if not group.populated():
            raise ColonnadeError(f"it powered off instead of booting{_last_words(disk)}", where=name)
        if time.monotonic() > deadline:
            raise ColonnadeError(
                f"no SSH banner at {address} after {seconds:.0f} seconds{_last_words(disk)}", where=name
            )
        await asyncio.sleep(_RETRY_SECONDS)


def forget(machine: str, group: Cgroup) -> None:
    """Remove what a machine that is off left in the host's /run and among its control groups."""
    group.remove()
    remove_nspawn_traces(machine)


async def _shows_banner(address: str) -> bool:
    try:
        async with asyncio.timeout(_ATTEMPT_SECONDS):
            reader, writer = await asyncio.open_connection(address, _SSH_PORT)
            try:
                return (await reader.readline()).startswith(b"SSH-")
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return False


def _last_words(disk: Disk) -> str:
    text = disk.console.read_text(errors="replace") if disk.console.exists() else ""
    lines = [_TERMINAL_CODES.sub("", line).strip() for line in text.splitlines()]
    tail = [line for line in lines if line][-_LAST_LINES:]
    return "; its console said last:\n" + "\n".join(tail) if tail else " (its console said nothing)"
