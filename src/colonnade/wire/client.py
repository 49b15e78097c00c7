"""One kept-alive HTTPS connection to one place, used by one request at a time."""

import asyncio
import ssl
from contextlib import suppress
from dataclasses import dataclass

import h11

CHUNK = 65536
_LOST = (OSError, h11.ProtocolError, EOFError)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request was answered with."""

    status: int
    body: bytes


class UnansweredError(Exception):
    """The request got no answer; ``sent`` says whether it may have been carried out all the same."""

    def __init__(self, why: str, *, sent: bool) -> None:
        super().__init__(why)
        self.sent = sent


class Connection:
    """A connection that is opened when it is needed, and kept."""

    def __init__(self, host: str, port: int, tls: ssl.SSLContext) -> None:
        self._host = host
        self._port = port
        self._tls = tls
        self._lock = asyncio.Lock()
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._http: h11.Connection | None = None

    async def request(self, method: str, path: str, body: bytes = b"", *, seconds: float) -> Answer:
        """Send a request and return its answer, within so many seconds in all.

        Raises:
            UnansweredError: it was not answered in time, or the connection could not be made or was lost.

        """
        sent = False
        try:
            async with asyncio.timeout(seconds), self._lock:
                kept = self._streams is not None
                try:
                    if not kept:
                        await self._connect()
                    sent = True
                    return await self._exchange(method, path, body)
                except _LOST:
                    # A kept connection that the other side has closed meanwhile says so now; nothing was carried out
                    # if what is asked changes nothing.
                    self.close()
                    if not kept or method != "GET":
                        raise
                    await self._connect()
                    return await self._exchange(method, path, body)
        except TimeoutError as error:
            raise UnansweredError(f"no answer within {seconds:g} s", sent=sent) from error
        except _LOST as error:
            raise UnansweredError(str(error) or type(error).__name__, sent=sent) from error

    async def _connect(self) -> None:
        self._streams = await asyncio.open_connection(
            self._host, self._port, ssl=self._tls, server_hostname=self._host, limit=CHUNK
        )
        self._http = h11.Connection(h11.CLIENT)

    async def _exchange(self, method: str, path: str, body: bytes) -> Answer:
        try:
            return await self._exchanged(method, path, body)
        except BaseException:
            self.close()  # what is half read in it is no answer to the next question
            raise

    async def _exchanged(self, method: str, path: str, body: bytes) -> Answer:
        assert self._streams is not None  # noqa: S101  just connected
        assert self._http is not None  # noqa: S101
        reader, writer = self._streams
        http = self._http
        headers = [("Host", self._host), ("Content-Length", str(len(body)))]
        data = http.send(h11.Request(method=method, target=path, headers=headers)) or b""
        if body:
            data += http.send(h11.Data(body)) or b""
        writer.write(data + (http.send(h11.EndOfMessage()) or b""))
        await writer.drain()
        status, content = 0, bytearray()
        while True:
            event = http.next_event()
            if event is h11.NEED_DATA:
                chunk = await reader.read(CHUNK)
                if not chunk:
                    raise EOFError("the connection was closed")
                http.receive_data(chunk)
            elif isinstance(event, h11.Response):
                status = event.status_code
            elif isinstance(event, h11.Data):
                content += event.data
            elif isinstance(event, h11.EndOfMessage):
                break
        if http.our_state is h11.DONE and http.their_state is h11.DONE:
            http.start_next_cycle()
        else:
            self.close()
        return Answer(status, bytes(content))

    def close(self) -> None:
        """Give the connection up."""
        if self._streams is not None:
            with suppress(OSError, RuntimeError):
                self._streams[1].transport.abort()
        self._streams = self._http = None
