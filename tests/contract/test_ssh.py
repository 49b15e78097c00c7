"""The SSH adapter against a real OpenSSH server, started here on 127.0.0.1 with keys of its own."""

import asyncio
import getpass
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import asyncssh
import pytest

from colonnade.adapters.ssh import SshFleet
from colonnade.errors import UnreachableError
from colonnade.ports import Result
from colonnade.topology import Machine

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
pytestmark = pytest.mark.skipif(SSHD is None, reason="needs sshd: apt-get install openssh-server")

MACHINE = Machine("web1", "127.0.0.1", None, "web1", 1, None)
MEGABYTES_5 = 5 * 1024 * 1024

T = TypeVar("T")


@dataclass
class Sshd:
    """A running server, and how to reach it."""

    directory: Path
    port: int
    key: Path

    @property
    def known_hosts(self) -> Path:
        return self.directory / "known_hosts"

    def fleet(self, *, key: Path | None = None, user: str | None = None) -> SshFleet:
        return SshFleet(
            user=user or getpass.getuser(), port=self.port, key=key or self.key, known_hosts=self.known_hosts
        )


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


def write_key(path: Path) -> str:
    key = asyncssh.generate_private_key("ssh-ed25519")
    path.write_bytes(key.export_private_key("openssh"))
    path.chmod(0o600)
    return key.export_public_key("openssh").decode()


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    directory = tmp_path_factory.mktemp("sshd")
    write_key(directory / "host_key")
    (directory / "authorized_keys").write_text(write_key(directory / "id"))
    # Whoever runs the tests logs in as themselves; for all but root the adapter goes through sudo, which is this.
    sudo = directory / "sudo"
    sudo.write_text('#!/bin/sh\n[ "$1 $2" = "-n --" ] && shift 2 && exec "$@"\n')
    sudo.chmod(0o755)
    server = Sshd(directory, free_port(), directory / "id")
    (directory / "sshd_config").write_text(
        f"Port {server.port}\nListenAddress 127.0.0.1\nHostKey {directory}/host_key\n"
        f"AuthorizedKeysFile {directory}/authorized_keys\nPidFile {directory}/pid\nUsePAM no\nStrictModes no\n"
        "PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\n"
        f"SetEnv PATH={directory}:{os.environ['PATH']}\nMaxStartups 100\n"
    )
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # root's sshd wants it; systemd would make it
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen([str(SSHD), "-D", "-e", "-f", str(directory / "sshd_config")], stderr=log)
    try:
        wait_for_banner(server.port, process)
        yield server
    finally:
        process.terminate()
        process.wait(timeout=10)


def wait_for_banner(port: int, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
                if connection.recv(4) == b"SSH-":
                    return
        except OSError:
            time.sleep(0.05)
    pytest.fail(f"sshd did not come up: exit {process.poll()}")


def with_fleet(fleet: SshFleet, use: Callable[[SshFleet], Awaitable[T]]) -> T:
    async def body() -> T:
        try:
            async with asyncio.timeout(60):
                return await use(fleet)
        finally:
            await fleet.close()

    return asyncio.run(body())


@pytest.fixture
def fresh(sshd: Sshd) -> Sshd:
    """The server, met for the first time."""
    sshd.known_hosts.unlink(missing_ok=True)
    return sshd


def run(server: Sshd, command: str, *, stdin: bytes = b"", seconds: float | None = None) -> Result:
    return with_fleet(server.fleet(), lambda fleet: fleet.run(MACHINE, command, stdin=stdin, seconds=seconds))


def test_output_complaint_and_exit_code(fresh: Sshd) -> None:
    assert run(fresh, "echo out; echo err >&2; exit 3") == Result(3, "out\n", "err\n")


def test_a_command_that_a_signal_ends_gives_what_a_shell_gives(fresh: Sshd) -> None:
    assert run(fresh, "kill -TERM $$").code == 128 + signal.SIGTERM


def test_the_command_reads_its_standard_input_to_the_end(fresh: Sshd) -> None:
    assert run(fresh, "wc -c", stdin=b"x" * MEGABYTES_5).output.strip() == str(MEGABYTES_5)


def test_without_standard_input_the_command_sees_its_end(fresh: Sshd) -> None:
    assert run(fresh, "cat; echo end", seconds=20).output == "end\n"


def test_a_command_need_not_read_its_input(fresh: Sshd) -> None:
    assert run(fresh, "exit 7", stdin=b"x" * MEGABYTES_5).code == 7


def test_large_output_arrives_whole(fresh: Sshd) -> None:
    result = run(fresh, f"head -c {MEGABYTES_5} /dev/zero | tr '\\0' x")
    assert (result.code, len(result.output), set(result.output)) == (0, MEGABYTES_5, {"x"})


def test_lines_come_one_by_one_however_long_and_the_output_is_kept_too(fresh: Sshd) -> None:
    lines: list[str] = []
    command = f"echo first; head -c {MEGABYTES_5} /dev/zero | tr '\\0' x; echo; printf last"
    result = with_fleet(fresh.fleet(), lambda fleet: fleet.run(MACHINE, command, on_line=lines.append))
    assert [len(line) for line in lines] == [5, MEGABYTES_5, 4]
    assert result.output == "\n".join(lines)


def test_a_line_is_handed_on_while_the_command_runs(fresh: Sshd, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    command = f"echo waiting; while [ ! -e {gate} ]; do sleep 0.05; done; echo done"
    result = with_fleet(
        fresh.fleet(), lambda fleet: fleet.run(MACHINE, command, on_line=lambda _: gate.touch(), seconds=30)
    )
    assert result == Result(0, "waiting\ndone\n")


def test_bytes_pass_unchanged_both_ways(fresh: Sshd) -> None:
    data = bytes(range(256)) * 4096
    output, complaint = bytearray(), bytearray()

    async def pieces() -> AsyncIterator[bytes]:
        yield data[:1000]
        yield data[1000:]

    code = with_fleet(
        fresh.fleet(),
        lambda fleet: fleet.stream(
            MACHINE,
            "tee /dev/stderr; exit 9",
            stdin=pieces(),
            on_output=output.extend,
            on_complaint=complaint.extend,
        ),
    )
    assert (code, bytes(output), bytes(complaint)) == (9, data, data)


def test_what_the_receiver_of_bytes_raises_is_not_taken_for_a_lost_connection(fresh: Sshd) -> None:
    def closed(_: bytes) -> None:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        with_fleet(
            fresh.fleet(), lambda fleet: fleet.stream(MACHINE, "yes", on_output=closed, on_complaint=lambda _: None)
        )


def test_a_stream_can_be_cancelled_at_any_moment_and_the_connection_used_on(fresh: Sshd) -> None:
    async def cancel_when_it_runs(fleet: SshFleet) -> Result:
        started = asyncio.Event()
        streaming = asyncio.create_task(
            fleet.stream(
                MACHINE,
                "while echo again; do sleep 0.05; done",
                on_output=lambda _: started.set(),
                on_complaint=lambda _: None,
            )
        )
        await started.wait()
        streaming.cancel()
        with pytest.raises(asyncio.CancelledError):
            await streaming
        return await fleet.run(MACHINE, "echo on")

    assert with_fleet(fresh.fleet(), cancel_when_it_runs) == Result(0, "on\n")


def test_a_time_limit_does_not_wait_for_the_command(fresh: Sshd) -> None:
    began = time.monotonic()
    with pytest.raises(UnreachableError, match=r"did not finish within 0\.5 s"):
        run(fresh, "sleep 20", seconds=0.5)
    assert time.monotonic() - began < 10


def test_many_commands_share_one_connection(fresh: Sshd) -> None:
    async def ask_all(fleet: SshFleet) -> list[Result]:
        return await asyncio.gather(*(fleet.run(MACHINE, "echo $SSH_CONNECTION") for _ in range(8)))

    answers = with_fleet(fresh.fleet(), ask_all)
    assert len(answers) == 8
    assert len({answer.output for answer in answers}) == 1


def test_a_connection_lost_under_way_is_said_and_made_anew(fresh: Sshd) -> None:
    async def lose_it(fleet: SshFleet) -> tuple[UnreachableError, Result]:
        with pytest.raises(UnreachableError, match="the connection was lost") as lost:
            # Its parent is the server's process for this connection.
            await fleet.run(MACHINE, "echo begun; kill -KILL $PPID; sleep 20")
        return lost.value, await fleet.run(MACHINE, "echo back")

    error, after = with_fleet(fresh.fleet(), lose_it)
    assert error.where == "web1"
    assert after == Result(0, "back\n")


def test_the_first_host_key_is_pinned_and_another_one_refused(fresh: Sshd) -> None:
    run(fresh, "true")
    public = asyncssh.read_private_key(fresh.directory / "host_key").export_public_key("openssh").decode()
    assert fresh.known_hosts.read_text() == f"[127.0.0.1]:{fresh.port} {public}"
    write_other_key(fresh)
    with pytest.raises(UnreachableError, match="not the one that was seen at first contact") as refused:
        run(fresh, "true")
    assert str(fresh.known_hosts) in refused.value.do


def write_other_key(server: Sshd) -> None:
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key("openssh").decode().strip()
    server.known_hosts.write_text(f"[127.0.0.1]:{server.port} {other}\n")


def test_a_key_that_is_not_authorized(fresh: Sshd, tmp_path: Path) -> None:
    write_key(tmp_path / "stranger")
    with pytest.raises(UnreachableError, match="does not let us in with the key") as denied:
        with_fleet(fresh.fleet(key=tmp_path / "stranger"), lambda fleet: fleet.run(MACHINE, "true"))
    assert "authorized_keys" in denied.value.do


def test_nothing_listens(fresh: Sshd) -> None:
    nobody = Sshd(fresh.directory, free_port(), fresh.key)
    with pytest.raises(UnreachableError, match=f"127.0.0.1 port {nobody.port} does not answer"):
        run(nobody, "true")


def ssh(server: Sshd, command: str) -> "subprocess.CompletedProcess[str]":
    arguments = ["ssh", "-T", *server.fleet().openssh(MACHINE), command]
    return subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL)


needs_ssh = pytest.mark.skipif(shutil.which("ssh") is None, reason="needs ssh: apt-get install openssh-client")


@needs_ssh
def test_the_openssh_client_trusts_the_key_that_we_pinned_and_adds_nothing(fresh: Sshd) -> None:
    run(fresh, "true")
    pinned = fresh.known_hosts.read_text()
    done = ssh(fresh, "echo in; exit 5")
    assert (done.returncode, done.stdout, done.stderr) == (5, "in\n", "")
    assert fresh.known_hosts.read_text() == pinned


@needs_ssh
def test_we_trust_the_key_that_the_openssh_client_pinned(fresh: Sshd) -> None:
    assert ssh(fresh, "true").returncode == 0
    pinned = fresh.known_hosts.read_text()
    assert run(fresh, "echo in") == Result(0, "in\n")
    assert fresh.known_hosts.read_text() == pinned


@needs_ssh
def test_the_openssh_client_refuses_another_key_than_the_pinned_one(fresh: Sshd) -> None:
    write_other_key(fresh)
    done = ssh(fresh, "true")
    assert done.returncode == 255
    assert "verification failed" in done.stderr


PASS_THROUGH = """
import asyncio, sys
from pathlib import Path
from colonnade.adapters.ssh import SshFleet
from colonnade.cli.machines import pass_through
from colonnade.topology import Machine

async def main(user, port, key, known_hosts, line):
    fleet = SshFleet(user=user, port=int(port), key=Path(key), known_hosts=Path(known_hosts))
    try:
        return await pass_through(fleet, Machine("web1", "127.0.0.1", None, "web1", 1, None), line)
    finally:
        await fleet.close()

sys.exit(asyncio.run(main(*sys.argv[1:])))
"""


def passing_through(server: Sshd, line: str) -> list[str]:
    way = [getpass.getuser(), str(server.port), str(server.key), str(server.known_hosts)]
    return [sys.executable, "-c", PASS_THROUGH, *way, line]


def test_what_exec_runs_has_our_standard_input_output_and_exit_code(fresh: Sshd) -> None:
    data = os.urandom(MEGABYTES_5)
    arguments = passing_through(fresh, "tee /dev/stderr; exit 3")
    done = subprocess.run(arguments, input=data, capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stdout == data, done.stderr == data) == (3, True, True)


@pytest.mark.parametrize("text", [b"some\n", b""])
def test_exec_reads_a_file_to_its_end(text: bytes, fresh: Sshd, tmp_path: Path) -> None:
    (tmp_path / "input").write_bytes(text)
    with (tmp_path / "input").open("rb") as stdin:
        done = subprocess.run(passing_through(fresh, "cat"), stdin=stdin, capture_output=True, timeout=60, check=True)
    assert done.stdout == text


def test_exec_ends_with_its_command_though_its_standard_input_stays_open(fresh: Sshd) -> None:
    with subprocess.Popen(passing_through(fresh, "exit 4"), stdin=subprocess.PIPE) as process:
        assert process.wait(timeout=60) == 4
        assert process.stdin is not None
        assert not process.stdin.closed


def test_exec_passes_output_on_at_once(fresh: Sshd) -> None:
    arguments = passing_through(fresh, "printf prompt; read answer; echo $answer")
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.read(6) == b"prompt"
        process.stdin.write(b"typed\n")
        process.stdin.flush()
        assert process.stdout.read() == b"typed\n"
        assert process.wait(timeout=60) == 0
