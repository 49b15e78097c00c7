"""A relay that makes a TCP connection feel as far away as wanted: every byte arrives half a round trip later.

It stands in for ``tc netem`` where the kernel has none. It does not limit the rate, and reorders nothing.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

CHUNK = 65536


class Relay:
    """Passes connections on to one address; ``round_trip`` is in seconds."""

    def __init__(self, address: str, port: int, round_trip: float) -> None:
        self._address = address
        self._port = port
        self._one_way = round_trip / 2

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass one connection on until both sides have closed it."""
        # The relay is next door, so its handshake costs nothing; a far machine's costs a round trip.
        await asyncio.sleep(2 * self._one_way)
        try:
            far_reader, far_writer = await asyncio.open_connection(self._address, self._port)
        except OSError:
            writer.close()
            return
        with suppress(OSError):
            await asyncio.gather(self._pass_on(reader, far_writer), self._pass_on(far_reader, writer))
        writer.close()
        far_writer.close()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read at once, write when it is due: what follows a chunk does not wait for it."""
        loop = asyncio.get_running_loop()
        under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

        async def deliver() -> None:
            while True:
                due, chunk = await under_way.get()
                await asyncio.sleep(max(0.0, due - loop.time()))
                if not chunk:
                    writer.write_eof()
                    return
                writer.write(chunk)
                await writer.drain()

        delivering = asyncio.create_task(deliver())
        try:
            while True:
                chunk = await reader.read(CHUNK)
                under_way.put_nowait((loop.time() + self._one_way, chunk))
                if not chunk:
                    break
            await delivering
        finally:
            delivering.cancel()


@asynccontextmanager
async def relayed(addresses: dict[str, str], *, target_port: int, port: int, round_trip: float) -> AsyncIterator[None]:
    """Relay each key, a loopback address of this host, to its value; ``round_trip`` is in seconds."""
    servers = [
        await asyncio.start_server(Relay(target, target_port, round_trip).serve, here, port)
        for here, target in addresses.items()
    ]
    try:
        yield
    finally:
        for server in servers:
            server.close()
