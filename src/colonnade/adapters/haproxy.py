"""HAProxy's runtime socket: what a server's health is told to be until the next check."""

import asyncio
from collections.abc import Iterable

SECONDS = 1.0


class Haproxy:
    """The HAProxy of this machine."""

    def __init__(self, socket: str) -> None:
        self._socket = socket

    async def say(self, commands: Iterable[str]) -> str:
        """Run commands and return what it answers; empty if it does not.

        Health is pushed and never ``state``: so the next check corrects a push that was wrong, and what a person
        drained stays drained.
        """
        line = ";".join(commands) + "\n"
        try:
            async with asyncio.timeout(SECONDS):
                reader, writer = await asyncio.open_unix_connection(self._socket)
                try:
                    writer.write(line.encode())
                    await writer.drain()
                    return (await reader.read()).decode(errors="replace")
                finally:
                    writer.close()
        except (OSError, TimeoutError):
            return ""
