"""A small HTTPS server: one function answers every request; who asks is known by the certificate that was shown."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

import h11

IDLE_SECONDS = 60
REQUEST_SECONDS = 10
LARGEST_BODY = 1 << 20
CHUNK = 65536
AT_ONCE = 512
"""Connections; one more is closed at once."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request; ``who`` is the common name of the certificate shown, empty if none was."""

    method: str
    path: str
    body: bytes
    who: str


@dataclass(frozen=True, slots=True)
class Response:
    """What it is answered with."""

    status: int
    body: bytes = b""
    kind: str = "application/json"


Handler = Callable[[Request], Awaitable[Response]]


class Server:
    """Listens on one port of some addresses, until it is closed."""

    def __init__(self, handler: Handler, tls: ssl.SSLContext) -> None:
        self._handler = handler
        self._tls = tls
        self._servers: list[asyncio.Server] = []
        self._connections: set[asyncio.Task[None]] = set()

    async def listen(self, addresses: tuple[str, ...], port: int) -> None:
        """Begin to answer; an address that the machine does not have yet is an OSError."""
        for address in addresses:
            self._servers.append(
                await asyncio.start_server(
                    self._connected, address, port, ssl=self._tls, limit=CHUNK, ssl_handshake_timeout=REQUEST_SECONDS
                )
            )

    async def close(self) -> None:
        """Stop listening, and give up all connections."""
        for server in self._servers:
            server.close()
        for task in self._connections:
            task.cancel()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  streams run in tasks
        if len(self._connections) >= AT_ONCE:
            writer.transport.abort()
            return
        self._connections.add(task)
        try:
            await self._serve(reader, writer)
        except (OSError, h11.ProtocolError, TimeoutError, EOFError):
            pass
        finally:
            self._connections.discard(task)
            with suppress(OSError, RuntimeError):
                writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        http = h11.Connection(h11.SERVER)
        who = _common_name(writer)
        while True:
            request = await _read(http, reader, who)
            if request is None:
                return
            response = await self._handler(request)
            headers = [("Content-Type", response.kind), ("Content-Length", str(len(response.body)))]
            data = http.send(h11.Response(status_code=response.status, headers=headers)) or b""
            if response.body and request.method != "HEAD":
                data += http.send(h11.Data(response.body)) or b""
            data += http.send(h11.EndOfMessage()) or b""
            writer.write(data)
            await writer.drain()
            if http.our_state is not h11.DONE or http.their_state is not h11.DONE:
                # TLS is ended in order, so that the last bytes of the answer are not thrown away with the connection.
                writer.close()
                with suppress(TimeoutError, ssl.SSLError):
                    async with asyncio.timeout(REQUEST_SECONDS):
                        await writer.wait_closed()
                return
            http.start_next_cycle()


async def _read(http: h11.Connection, reader: asyncio.StreamReader, who: str) -> Request | None:
    """Return the next request; None if there is none any more, or it is too large. All of it has to come in time."""
    head: h11.Request | None = None
    body = bytearray()
    clock = asyncio.get_running_loop().time
    until, begun = clock() + IDLE_SECONDS, bool(http.trailing_data[0])
    while True:
        event = http.next_event()
        if event is h11.NEED_DATA:
            if begun:
                until = min(until, clock() + REQUEST_SECONDS)
            async with asyncio.timeout_at(until):
                chunk = await reader.read(CHUNK)
            begun = True
            if not chunk and head is None:
                return None
            http.receive_data(chunk)
        elif isinstance(event, h11.Request):
            head = event
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > LARGEST_BODY:
                return None
        elif isinstance(event, h11.EndOfMessage) and head is not None:
            return Request(head.method.decode(), head.target.decode(), bytes(body), who)
        elif isinstance(event, h11.ConnectionClosed):
            return None


def _common_name(writer: asyncio.StreamWriter) -> str:
    certificate = writer.get_extra_info("peercert") or {}
    for part in certificate.get("subject", ()):
        for name, value in part:
            if name == "commonName":
                return str(value)
    return ""
