"""Settings of this host's kernel that labs need: changed while there is a lab, then put back as they were."""

from pathlib import Path

from colonnade.lab.host import labs

_PROC = Path("/proc/sys")
_MARK = "host-had-"
"""A file of this name and the setting's holds the value that a lab found."""
_AT_LEAST = {
    # The machines' packets leave through this host.
    "net/ipv4/ip_forward": 1,
    # Every systemd holds several; the default of 128 for all of root's is used up by some ten machines.
    "fs/inotify/max_user_instances": 8192,
}


def provide() -> None:
    """Raise what is too low, and remember what it was."""
    for name, least in _AT_LEAST.items():
        setting = _PROC / name
        found = setting.read_text().strip()
        if int(found) < least:
            mark = _mark(name)
            if not mark.exists():
                mark.write_text(f"{found}\n")
            setting.write_text(f"{least}\n")


def restore() -> None:
    """Put back what labs changed, if no lab has a bridge any more."""
    if any(Path("/sys/class/net").glob("cn-*")):
        return
    for name in _AT_LEAST:
        mark = _mark(name)
        if mark.exists():
            (_PROC / name).write_text(mark.read_text())
            mark.unlink()


def _mark(name: str) -> Path:
    return labs() / f"{_MARK}{name.replace('/', '.')}"
