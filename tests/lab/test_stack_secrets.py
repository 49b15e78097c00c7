"""Passwords: on machines for root and their programs alone, here for their owner, and nowhere in what is said."""

import os
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Self

import pytest
from tests.lab.stack import Stack, copied

pytestmark = [pytest.mark.lab, pytest.mark.slow]


class Watcher:
    """Reads the command lines of all new processes of this host, and so of its machines, all the time."""

    def __init__(self) -> None:
        self.seen: set[bytes] = set()
        self._born: dict[str, float] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.01):
            now = time.monotonic()
            for pid in filter(str.isdigit, os.listdir("/proc")):  # noqa: PTH208  a hundred times a second
                # A process has its parent's command line until it has one of its own: a young one is read again.
                if now - self._born.setdefault(pid, now) < 0.3:
                    with suppress(OSError):  # it has ended
                        self.seen.add(Path("/proc", pid, "cmdline").read_bytes())


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stack, Watcher, str]]:
    """A stack that came up, was changed and repaired while command lines were watched; all that was said."""
    made = copied(tmp_path_factory.mktemp("secret") / "guestbook", ('"foobar"', '"secretive"'))
    try:
        with Watcher() as watcher:
            said = made.colonnade("up").said
            # Every path that handles a password once more: account, replication, environment, read again.
            made.sql("web1", "DROP USER app@'%'")
            made.sql("web2", "STOP REPLICA; RESET REPLICA ALL")
            made.ssh("web1", "echo '# by hand' >>/etc/colonnade/app.env")
            said += made.colonnade("plan").said + made.colonnade("plan", "--json").said
            said += made.apply().said
            made.ssh("web1", "chmod 644 /etc/colonnade/app.env")
            said += made.apply("--json").said
            said += made.colonnade("up", "--json").said
            said += made.colonnade("status").said + made.colonnade("status", "--json").said
            said += made.colonnade("logs", "--lines", "5000").said
        yield made, watcher, said
    finally:
        made.destroy()


def test_there_is_one_password_for_each_purpose(watched: tuple[Stack, Watcher, str]) -> None:
    passwords = watched[0].passwords()
    assert len(passwords) == len(set(passwords)) == 4  # the application's two and each server's for replication
    assert all(len(password) >= 24 for password in passwords)


def test_no_password_is_said(watched: tuple[Stack, Watcher, str]) -> None:
    stack, _, said = watched
    assert not [password for password in stack.passwords() if password in said]


def test_no_password_is_on_a_command_line(watched: tuple[Stack, Watcher, str]) -> None:
    stack, watcher, _ = watched
    assert any(b"mysqld" in line for line in watcher.seen)
    lines = b"\n".join(watcher.seen)
    assert not [password for password in stack.passwords() if password.encode() in lines]


@pytest.mark.parametrize("machine", ["lb1", "web1", "web2"])
def test_no_password_is_where_others_could_read_it(watched: tuple[Stack, Watcher, str], machine: str) -> None:
    stack, _, _ = watched
    patterns = "\n".join(stack.passwords())
    places = "/etc /var/lib/colonnade /var/lib/haproxy /srv /run /tmp /var/tmp /var/log /usr/local /root"
    # grep gets the patterns on its standard input: they are not to be on a command line here either.
    readable = stack.ssh(
        machine,
        f"find {places} -xdev -type f -perm -o=r -print0 2>/dev/null | xargs -0 grep -lFf <(cat) 2>/dev/null",
        stdin=patterns,
        code=None,
    )
    assert readable == ""
    held = stack.ssh(machine, f"grep -rlFf - {places} 2>/dev/null", stdin=patterns, code=None).split()
    # The kernel lets nobody but the application and root see the credential; the agent has the replication password.
    assert {path for path in held if not path.startswith("/run/credentials/colonnade-app.service/")} == (
        set() if machine == "lb1" else {"/etc/colonnade/app.env", "/etc/colonnade/agent-secrets.json"}
    )
    for journal in ("journalctl --no-pager -o export", "cat /var/lib/colonnade/staging/log"):
        assert stack.ssh(machine, f"{journal} 2>/dev/null | grep -cFf /dev/fd/3 3<&0", stdin=patterns, code=None) in {
            "",
            "0",
        }


def test_the_applications_environment_cannot_be_asked_of_systemd(watched: tuple[Stack, Watcher, str]) -> None:
    stack, _, _ = watched
    nobody = "setpriv --reuid=nobody --regid=nogroup --clear-groups"
    shown = stack.ssh("web1", f"{nobody} systemctl show colonnade-app; {nobody} systemctl cat colonnade-app")
    assert "LoadCredential=env:/etc/colonnade/app.env" in shown
    assert not [password for password in stack.passwords() if password in shown]
    assert stack.ssh("web1", "stat -c '%a %U:%G' /etc/colonnade/app.env") == "600 root:root"


def test_the_private_directory_is_private(watched: tuple[Stack, Watcher, str]) -> None:
    stack, _, _ = watched
    top = stack.private.parent
    assert (top / ".gitignore").read_text().splitlines()[-1] == "*"
    for path in (top, *top.rglob("*")):
        mode = stat.S_IMODE(path.stat().st_mode)
        if path.is_dir():
            assert mode == 0o700, path
    for name in ("secrets.json", "id_ed25519"):
        assert stat.S_IMODE((stack.private / name).stat().st_mode) == 0o600
    holders = {
        path.name
        for path in stack.directory.rglob("*")
        if path.is_file() and any(password.encode() in path.read_bytes() for password in stack.passwords())
    }
    assert holders == {"secrets.json"}
