"""The thin client and the thin server against each other, over TLS with an authority of the test's own."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.contract.test_record_store import free_port, identity_in

from colonnade.wire import server as serving
from colonnade.wire.client import Connection, UnansweredError
from colonnade.wire.server import Request, Response, Server
from colonnade.wire.tls import Identity


class Told:
    """Answers with what it was asked, slowly where the path says so, and keeps all of it."""

    def __init__(self) -> None:
        self.requests: list[Request] = []

    async def answer(self, request: Request) -> Response:
        self.requests.append(request)
        if request.path == "/slow":
            await asyncio.sleep(0.3)
        if request.path == "/never":
            await asyncio.sleep(60)
        return Response(200, f"{request.method} {request.path} {request.who} {len(request.body)}".encode())


@pytest.fixture
def identity(tmp_path: Path) -> Identity:
    return identity_in(tmp_path)


@asynccontextmanager
async def serve(told: Told, identity: Identity, port: int) -> AsyncIterator[Server]:
    server = Server(told.answer, identity.server())
    await server.listen(("127.0.0.1",), port)
    try:
        yield server
    finally:
        await server.close()


def talk(identity: Identity, go: Callable[[Told, Connection, int], Awaitable[None]]) -> Told:
    """Have a client and a server talk, and return what the server was asked."""
    told, port = Told(), free_port()

    async def both() -> None:
        async with serve(told, identity, port):
            client = Connection("127.0.0.1", port, identity.client())
            try:
                await go(told, client, port)
            finally:
                client.close()

    asyncio.run(both())
    return told


async def plain(port: int, context: ssl.SSLContext, data: bytes) -> bytes:
    """Send bytes as they are, and return all that comes back."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    try:
        writer.write(data)
        return await asyncio.wait_for(reader.read(), 5)
    except ConnectionError:
        return b""
    finally:
        writer.transport.abort()


def nameless(identity: Identity) -> ssl.SSLContext:
    return ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=identity.authority)


def test_a_connection_is_kept_and_who_asks_is_known(identity: Identity) -> None:
    async def go(_: Told, client: Connection, __: int) -> None:
        first = await client.request("GET", "/a", seconds=5)
        kept = client._streams  # noqa: SLF001  that it is the same one is the point
        second = await client.request("POST", "/b", b"x" * 100_000, seconds=5)
        assert client._streams is kept  # noqa: SLF001
        assert first.body == b"GET /a web1 0"
        assert second.body == b"POST /b web1 100000"

    assert len(talk(identity, go).requests) == 2


def test_without_a_certificate_nobody_asks_and_another_authority_is_refused(identity: Identity, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = identity_in(tmp_path / "other")

    async def go(_: Told, __: Connection, port: int) -> None:
        said = await plain(port, nameless(identity), b"GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert said.endswith(b"\r\n\r\nGET /a  0")
        mixed = Identity(identity.authority, other.certificate, other.key)
        for stranger in (other, mixed):
            with pytest.raises(UnansweredError):
                await Connection("127.0.0.1", port, stranger.client()).request("GET", "/a", seconds=5)

    assert [each.who for each in talk(identity, go).requests] == [""]


def test_a_head_has_the_length_and_no_body(identity: Identity) -> None:
    async def go(_told: Told, _: Connection, port: int) -> None:
        said = await plain(port, nameless(identity), b"HEAD /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        head, _empty, body = said.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        assert b"ontent-" in head
        assert b"ength: 10" in head
        assert body == b""

    talk(identity, go)


def test_a_body_that_is_too_large_is_not_read(identity: Identity) -> None:
    async def go(_: Told, client: Connection, __: int) -> None:
        with pytest.raises(UnansweredError) as raised:
            await client.request("POST", "/a", b"x" * (serving.LARGEST_BODY + 1), seconds=5)
        assert raised.value.sent
        assert (await client.request("GET", "/b", seconds=5)).status == 200

    assert [each.path for each in talk(identity, go).requests] == ["/b"]


def test_nobody_may_be_slow_for_ever(identity: Identity, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "REQUEST_SECONDS", 0.3)

    async def go(_: Told, __: Connection, port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=nameless(identity))
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            writer.write(b"GET /a HTTP/1.1\r\n")
            for _line in range(100):
                writer.write(b"X-More: 1\r\n")  # a line now and then is not enough
                await writer.drain()
                if reader.at_eof():
                    break
                await asyncio.sleep(0.05)
        except ConnectionError:
            pass
        finally:
            writer.transport.abort()
        assert loop.time() - began < 3

    assert talk(identity, go).requests == []


def test_what_was_closed_meanwhile_is_opened_again_if_asking_changes_nothing(identity: Identity) -> None:
    told, port = Told(), free_port()

    async def go() -> None:
        client = Connection("127.0.0.1", port, identity.client())
        for method in ("GET", "POST"):
            async with serve(told, identity, port):
                await client.request("GET", "/first", seconds=5)
            await asyncio.sleep(0.05)
            async with serve(told, identity, port):
                if method == "GET":
                    assert (await client.request("GET", "/again", seconds=5)).status == 200
                else:
                    with pytest.raises(UnansweredError) as raised:
                        await client.request("POST", "/change", seconds=5)
                    assert raised.value.sent, "it may have been carried out"
                    assert (await client.request("POST", "/change", seconds=5)).status == 200
                client.close()
            await asyncio.sleep(0.05)
        client.close()

    asyncio.run(go())
    assert [each.path for each in told.requests] == ["/first", "/again", "/first", "/change"]


def test_a_request_that_was_not_answered_says_whether_it_was_sent(identity: Identity) -> None:
    async def go(_: Told, client: Connection, __: int) -> None:
        with pytest.raises(UnansweredError, match="no answer within") as raised:
            await client.request("GET", "/never", seconds=0.3)
        assert raised.value.sent
        nobody = Connection("127.0.0.1", free_port(), identity.client())
        with pytest.raises(UnansweredError) as raised:
            await nobody.request("POST", "/a", seconds=1)
        assert not raised.value.sent

    talk(identity, go)


def test_who_waits_in_vain_for_its_turn_does_not_end_the_one_under_way(identity: Identity) -> None:
    async def go(_: Told, client: Connection, __: int) -> None:
        first = asyncio.ensure_future(client.request("POST", "/slow", seconds=5))
        await asyncio.sleep(0.1)
        with pytest.raises(UnansweredError) as raised:
            await client.request("POST", "/b", seconds=0.05)
        assert not raised.value.sent
        assert (await first).body == b"POST /slow web1 0"

    assert [each.path for each in talk(identity, go).requests] == ["/slow"]


def test_who_is_interrupted_leaves_nothing_half_read(identity: Identity) -> None:
    async def go(_: Told, client: Connection, __: int) -> None:
        first = asyncio.ensure_future(client.request("GET", "/slow", seconds=5))
        await asyncio.sleep(0.1)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        assert (await client.request("GET", "/b", seconds=5)).body == b"GET /b web1 0"

    talk(identity, go)
