"""Machines over SSH: all at once, one connection each, host keys pinned at first contact."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from shlex import quote
from typing import Any

import asyncssh

from colonnade.errors import UnreachableError
from colonnade.ports import Result
from colonnade.topology import Machine

CONNECT_SECONDS = 5
LOGIN_SECONDS = 10
KEEPALIVE_SECONDS = 5
"""A machine that is lost under way is noticed after three of these."""
HOST_KEY_ALGORITHMS = ("ssh-ed25519", "ecdsa-sha2-nistp256", "rsa-sha2-512")
CHUNK = 65536
KILLED = 128
"""What a shell adds to the number of the signal that ended a command."""


class KnownHosts:
    """The host keys seen at first contact, in OpenSSH's own format, so that ``ssh`` can use the file too."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._keys: dict[str, str] = {}
        if path.exists():
            for line in path.read_text().splitlines():
                host, _, key = line.partition(" ")
                self._keys[host] = key

    def accept(self, host: str, key: str) -> bool:
        """Return whether the key is the pinned one; a host without one is pinned now."""
        if host not in self._keys:
            self._keys[host] = key
            with self._path.open("a") as file:
                file.write(f"{host} {key}\n")
        return self._keys[host] == key

    def forget(self) -> None:
        """Forget all of them: the machines are gone."""
        self._keys.clear()
        self._path.unlink(missing_ok=True)


class _Pinned(asyncssh.SSHClient):
    def __init__(self, hosts: KnownHosts, name: str) -> None:
        self._hosts = hosts
        self._name = name
        self.mismatch = False

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        del host, addr, port
        algorithm_and_key = key.export_public_key("openssh").decode().split()[:2]
        accepted = self._hosts.accept(self._name, " ".join(algorithm_and_key))
        self.mismatch = not accepted
        return accepted


def host_name(address: str, port: int) -> str:
    """Return how OpenSSH's known_hosts names a host."""
    return address if port == asyncssh.DEFAULT_PORT else f"[{address}]:{port}"


class SshFleet:
    """Connections to a stack's machines; opened when first needed, kept until closed."""

    def __init__(self, *, user: str, port: int, key: Path | None, known_hosts: Path) -> None:
        self._user = user
        self._port = port
        self._key = key
        self._hosts = KnownHosts(known_hosts)
        self._known_hosts = known_hosts
        self._connections: dict[str, asyncio.Task[asyncssh.SSHClientConnection]] = {}

    async def _connection(self, machine: Machine) -> asyncssh.SSHClientConnection:
        task = self._connections.get(machine.address)
        if task is None or (task.done() and (task.cancelled() or task.exception() is not None)):
            task = asyncio.ensure_future(self._connect(machine))
            self._connections[machine.address] = task
        return await asyncio.shield(task)

    async def _connect(self, machine: Machine) -> asyncssh.SSHClientConnection:
        client = _Pinned(self._hosts, host_name(machine.address, self._port))
        identity: dict[str, Any] = {}
        if self._key is not None:
            identity = {"client_keys": [str(self._key)], "config": None, "agent_path": None}
        try:
            return await asyncssh.connect(
                machine.address,
                self._port,
                username=self._user,
                known_hosts=([], [], []),
                client_factory=lambda: client,
                connect_timeout=CONNECT_SECONDS,
                login_timeout=LOGIN_SECONDS,
                keepalive_interval=KEEPALIVE_SECONDS,
                server_host_key_algs=list(HOST_KEY_ALGORITHMS),
                **identity,
            )
        except asyncssh.HostKeyNotVerifiable as error:
            raise UnreachableError(
                "its SSH host key is not the one that was seen at first contact",
                where=machine.name,
                do="If the machine was installed anew, remove its line from"
                f" {self._known_hosts}; if not, somebody may be in between.",
            ) from error
        except asyncssh.PermissionDenied as error:
            key = f"with the key {self._key}" if self._key else "with the keys of your SSH agent"
            raise UnreachableError(
                f"{self._user}@{machine.address} does not let us in {key}",
                where=machine.name,
                do=f"Add the public key to ~{self._user}/.ssh/authorized_keys there, or set [ssh] user and key.",
            ) from error
        except (OSError, asyncssh.Error, TimeoutError) as error:
            raise UnreachableError(
                f"{machine.address} port {self._port} does not answer: {_reason(error)}",
                where=machine.name,
                do="Check that it is on, and that its address and [ssh] port in the file are right.",
            ) from error

    async def run(
        self,
        machine: Machine,
        command: str,
        *,
        stdin: bytes = b"",
        on_line: Callable[[str], None] | None = None,
        seconds: float | None = None,
    ) -> Result:
        """Run a shell command as root; see ``ports.Remote``."""
        output, complaint, lines = bytearray(), bytearray(), Lines(on_line or (lambda _: None))

        def on_output(chunk: bytes) -> None:
            output.extend(chunk)
            lines.add(chunk)

        await self._connection(machine)
        try:
            async with asyncio.timeout(seconds):
                code = await self._session(machine, command, _pieces(stdin), on_output, complaint.extend)
        except TimeoutError as error:
            raise UnreachableError(
                f"did not finish within {seconds:g} s", where=machine.name, do="Run the command again."
            ) from error
        lines.end()
        return Result(code, output.decode(errors="replace"), complaint.decode(errors="replace"))

    async def stream(
        self,
        machine: Machine,
        command: str,
        *,
        stdin: AsyncIterable[bytes] | None = None,
        on_output: Callable[[bytes], object],
        on_complaint: Callable[[bytes], object],
    ) -> int:
        """Run a shell command as root, pass on its bytes as they come and return its exit code.

        If this is cancelled, the command is left to itself: it ends when it next writes to nobody. (A server
        passes no signals on to root's commands.) One that a signal ended gives 128 and its number, as in a shell.

        Raises:
            UnreachableError: the machine does not answer, is not the one that was pinned, or was lost under way.

        """
        return await self._session(machine, command, stdin, on_output, on_complaint)

    async def _session(
        self,
        machine: Machine,
        command: str,
        stdin: AsyncIterable[bytes] | None,
        on_output: Callable[[bytes], object],
        on_complaint: Callable[[bytes], object],
    ) -> int:
        connection = await self._connection(machine)
        try:
            process = await connection.create_process(self.as_root(command), encoding=None)
        except (OSError, asyncssh.Error) as error:
            raise self._lost(machine, error) from error

        async def pass_on(stream: "asyncssh.SSHReader[bytes]", take: Callable[[bytes], object]) -> None:
            while True:
                try:
                    chunk = bytes(await stream.read(CHUNK))
                except (OSError, asyncssh.Error) as error:
                    raise self._lost(machine, error) from error
                if not chunk:
                    return
                take(chunk)

        flows = (_feed(process.stdin, stdin), pass_on(process.stdout, on_output), pass_on(process.stderr, on_complaint))
        tasks = [asyncio.create_task(flow) for flow in flows]
        try:
            await asyncio.gather(*tasks[1:])
            await process.wait_closed()
        finally:
            # Closed without waiting for the other side's word: sshd gives it only when the command has ended.
            for task in tasks:
                task.cancel()
            process.close()
        code = process.returncode
        if code is None or (code == -1 and process.exit_signal is None):
            raise self._lost(machine, None)
        return code if code >= 0 else KILLED - code

    def _lost(self, machine: Machine, error: BaseException | None) -> UnreachableError:
        self._connections.pop(machine.address, None)
        return UnreachableError(
            "the connection was lost" + (f": {_reason(error)}" if error else ""),
            where=machine.name,
            do="Run the command again when the machine is back: it goes on where it was.",
        )

    def as_root(self, command: str) -> str:
        """Return the shell command that does this one as root, whoever logs in."""
        return command if self._user == "root" else f"sudo -n -- sh -c {quote(command)}"

    def openssh(self, machine: Machine) -> list[str]:
        """Return the OpenSSH client's options for this machine: same user, port, key and pinned host keys."""
        options = {
            "User": self._user,
            "Port": str(self._port),
            "UserKnownHostsFile": f'"{_literal(self._known_hosts)}"',
            "GlobalKnownHostsFile": "/dev/null",
            "HostKeyAlias": host_name(machine.address, self._port),
            "StrictHostKeyChecking": "accept-new",
            "HostKeyAlgorithms": ",".join(HOST_KEY_ALGORITHMS),
            # Each of these would write lines of its own into the file of pinned keys, or ignore ours.
            "HashKnownHosts": "no",
            "UpdateHostKeys": "no",
            "CheckHostIP": "no",
            "ConnectTimeout": str(CONNECT_SECONDS),
            "ServerAliveInterval": str(KEEPALIVE_SECONDS),
            "LogLevel": "ERROR",
        }
        identity: list[str] = []
        if self._key is not None:
            identity = ["-F", "none", "-i", _literal(self._key), "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none"]
        settings = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
        return [*identity, *settings, machine.address]

    async def close(self) -> None:
        """Give up all connections."""
        for task in self._connections.values():
            if task.done() and not task.cancelled() and task.exception() is None:
                task.result().close()
            else:
                task.cancel()
        self._connections.clear()


class Lines:
    """Cuts bytes that come in pieces into lines of text, without their line ends."""

    def __init__(self, take: Callable[[str], object]) -> None:
        self._take = take
        self._begun = bytearray()

    def add(self, chunk: bytes) -> None:
        """Hand on every line that is complete now."""
        *complete, rest = chunk.split(b"\n")
        for part in complete:
            self._begun += part
            self._hand_on()
        self._begun += rest

    def end(self) -> None:
        """Hand on a last line that has no end."""
        if self._begun:
            self._hand_on()

    def _hand_on(self) -> None:
        text = self._begun.decode(errors="replace")
        self._begun.clear()
        self._take(text)


async def _pieces(data: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(data), CHUNK):
        yield data[start : start + CHUNK]


async def _feed(stdin: "asyncssh.SSHWriter[bytes]", data: AsyncIterable[bytes] | None) -> None:
    # A command need not read what it is given; that the connection is lost is noticed by whoever reads.
    if data is not None:
        async for piece in data:
            try:
                stdin.write(piece)
                await stdin.drain()
            except (OSError, asyncssh.Error):
                return
    with suppress(OSError):
        stdin.write_eof()


def _literal(path: Path) -> str:
    return str(path).replace("%", "%%")  # OpenSSH would put its own words for %h and the like


def _reason(error: BaseException) -> str:
    text = str(error) or type(error).__name__
    return text if not isinstance(error, TimeoutError) else f"no answer within {CONNECT_SECONDS} s"
