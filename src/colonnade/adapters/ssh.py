"""Machines over SSH: all at once, one connection each, host keys pinned at first contact."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from shlex import quote
from typing import Any

import asyncssh

from colonnade.errors import UnreachableError
from colonnade.ports import Result
from colonnade.topology import Machine

CONNECT_SECONDS = 10
KEEPALIVE_SECONDS = 5
"""A machine that is lost under way is noticed after three of these."""


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
                login_timeout=CONNECT_SECONDS,
                keepalive_interval=KEEPALIVE_SECONDS,
                server_host_key_algs=["ssh-ed25519", "ecdsa-sha2-nistp256", "rsa-sha2-512"],
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
        connection = await self._connection(machine)
        wrapped = command if self._user == "root" else f"sudo -n -- sh -c {quote(command)}"
        try:
            async with asyncio.timeout(seconds), connection.create_process(wrapped, encoding=None) as process:
                reading = asyncio.gather(_lines(process.stdout, on_line), process.stderr.read())
                if stdin:
                    process.stdin.write(stdin)
                process.stdin.write_eof()
                output, complaint = await reading
                await process.wait()
        except TimeoutError as error:
            raise UnreachableError(
                f"did not finish within {seconds:g} s", where=machine.name, do="Run the command again."
            ) from error
        except (OSError, asyncssh.Error) as error:
            self._connections.pop(machine.address, None)
            raise UnreachableError(
                f"the connection was lost: {_reason(error)}",
                where=machine.name,
                do="Run the command again when the machine is back: it goes on where it was.",
            ) from error
        code = process.returncode
        if code is None or (code == -1 and process.exit_signal is None):
            self._connections.pop(machine.address, None)
            raise UnreachableError(
                "the connection was lost",
                where=machine.name,
                do="Run the command again when the machine is back: it goes on where it was.",
            )
        return Result(code, output, bytes(complaint).decode(errors="replace"))

    async def close(self) -> None:
        """Give up all connections."""
        for task in self._connections.values():
            if task.done() and not task.cancelled() and task.exception() is None:
                task.result().close()
            else:
                task.cancel()
        self._connections.clear()


async def _lines(stream: "asyncssh.SSHReader[bytes]", on_line: Callable[[str], None] | None) -> str:
    if on_line is None:
        return bytes(await stream.read()).decode(errors="replace")
    read: list[str] = []
    async for line in stream:
        text = line.decode(errors="replace").rstrip("\n")
        read.append(text)
        on_line(text)
    return "\n".join(read)


def _reason(error: BaseException) -> str:
    text = str(error) or type(error).__name__
    return text if not isinstance(error, TimeoutError) else f"no answer within {CONNECT_SECONDS} s"
