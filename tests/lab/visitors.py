"""Many visitors at once: kept-alive and new connections, every request written down with how it ended."""

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

PATHS = ("/", "/api/entries?after=0&limit=20", "/static/guestbook.css", "/healthz")
ANSWER_SECONDS = 40.0


@dataclass
class Visits:
    """What visitors saw: how many answers of each status, and whatever went wrong, in words."""

    statuses: Counter[int] = field(default_factory=Counter)
    servers: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    slowest: float = 0.0

    @property
    def total(self) -> int:
        return sum(self.statuses.values()) + len(self.failures)


class _Connection:
    """One connection as a browser has it: opened when needed, kept if the other side lets it."""

    def __init__(self, address: str, host: str) -> None:
        self._address = address
        self._host = host
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def request(
        self, method: str, path: str, *, body: bytes = b"", keep: bool
    ) -> tuple[int, dict[str, str], bytes]:
        # An idle connection may be closed by the other side as the request leaves: before the first byte of an
        # answer to a request that may be repeated, browsers open another (RFC 9110, 9.2.2; RFC 9112, 9.3.1).
        used = self._streams is not None
        try:
            return await self._request(method, path, body, keep=keep)
        except ConnectionError:
            self.close()
            if not used or method != "GET":
                raise
            return await self._request(method, path, body, keep=keep)
        except BaseException:
            self.close()
            raise

    async def _request(self, method: str, path: str, body: bytes, *, keep: bool) -> tuple[int, dict[str, str], bytes]:
        if self._streams is None:
            self._streams = await asyncio.open_connection(self._address, 80)
        reader, writer = self._streams
        head = f"{method} {path} HTTP/1.1\r\nHost: {self._host}\r\n"
        if body:
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        writer.write(f"{head}{'' if keep else 'Connection: close' + chr(13) + chr(10)}\r\n".encode() + body)
        await writer.drain()
        first = await reader.readline()
        if not first:
            raise ConnectionResetError("closed before an answer")
        status = int(first.split()[1])
        headers: dict[str, str] = {}
        try:
            while (line := (await reader.readline()).decode().strip()) != "":
                name, _, value = line.partition(":")
                headers[name.lower()] = value.strip()
            content = await _body(reader, headers)
        except ConnectionError as error:
            raise OSError(f"the answer broke off: {error}") from error
        if not keep or headers.get("connection", "").lower() == "close":
            self.close()
        return status, headers, content

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


async def _body(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    if headers.get("transfer-encoding", "").lower() == "chunked":
        content = b""
        while size := int((await reader.readline()).split(b";")[0], 16):
            content += await reader.readexactly(size)
            await reader.readexactly(2)
        await reader.readline()
        return content
    if "content-length" in headers:
        return await reader.readexactly(int(headers["content-length"]))
    return await reader.read()


async def visit(
    address: str,
    *,
    requests: int,
    at_once: int = 12,
    paths: Sequence[str] = PATHS,
    host: str = "www.foobar.com",
    until: asyncio.Event | None = None,
) -> Visits:
    """Send at least this many GETs, and go on ``until`` an event if there is one."""
    seen = Visits()
    left = iter(range(requests))
    dice = random.Random(7)  # noqa: S311  the same choices every time, not secrets

    async def visitor(number: int) -> None:
        connection = _Connection(address, host)
        try:
            while next(left, None) is not None or (until is not None and not until.is_set()):
                path = dice.choice(paths)
                # A third of the visitors never keep a connection, a third always do, the others now and then.
                keep = number % 3 == 1 or (number % 3 == 2 and dice.random() < 0.8)
                await _one(connection, path, seen, keep=keep)
        finally:
            connection.close()

    await asyncio.gather(*(visitor(number) for number in range(at_once)))
    return seen


async def _one(connection: _Connection, path: str, seen: Visits, *, keep: bool) -> None:
    clock = asyncio.get_running_loop().time
    began = clock()
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            status, headers, content = await connection.request("GET", path, keep=keep)
    except (OSError, ValueError, IndexError, KeyError, EOFError) as error:
        seen.failures.append(f"GET {path} after {clock() - began:.2f} s: {type(error).__name__}: {error}")
        return
    seen.slowest = max(seen.slowest, clock() - began)
    if status != 200:
        seen.failures.append(f"GET {path} after {clock() - began:.2f} s: {status} {content[:200]!r}")
        return
    seen.statuses[status] += 1
    seen.servers[headers.get("x-served-by", "")] += 1


@dataclass
class Written:
    """Texts of the entries that writers sent: those that were confirmed, and all that were tried."""

    confirmed: dict[str, int] = field(default_factory=dict)
    tried: set[str] = field(default_factory=set)


async def write(address: str, *, until: asyncio.Event, prefix: str, at_once: int = 2) -> Written:
    """Write entries, each with a text of its own and sent once only, until the event."""
    written = Written()

    async def writer(number: int) -> None:
        connection = _Connection(address, "www.foobar.com")
        count = 0
        while not until.is_set():
            count += 1
            text = f"{prefix}-{number}-{count}"
            written.tried.add(text)
            with suppress(OSError, ValueError, IndexError, KeyError, EOFError):
                async with asyncio.timeout(ANSWER_SECONDS):
                    body = f'{{"author": "writer", "text": "{text}"}}'.encode()
                    status, _, _ = await connection.request("POST", "/api/entries", body=body, keep=True)
                if status == 201:
                    written.confirmed[text] = status
            await asyncio.sleep(0.02)
        connection.close()

    await asyncio.gather(*(writer(number) for number in range(at_once)))
    return written
