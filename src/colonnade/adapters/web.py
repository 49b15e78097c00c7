"""Asks a web server, as a visitor would."""

import asyncio
import http.client
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Answer:
    """A response; ``status`` is 0 and ``body`` the reason if there was none."""

    status: int
    headers: dict[str, str]
    body: str


async def get(address: str, port: int, host: str, path: str, *, seconds: float) -> Answer:
    """Ask with GET, by address, naming the host in the Host header."""
    return await asyncio.to_thread(_get, address, port, host, path, seconds)


def _get(address: str, port: int, host: str, path: str, seconds: float) -> Answer:
    connection = http.client.HTTPConnection(address, port, timeout=seconds)
    try:
        connection.request("GET", path, headers={"Host": host, "User-Agent": "colonnade"})
        response = connection.getresponse()
        body = response.read(65536).decode(errors="replace")
        return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, body)
    except (OSError, http.client.HTTPException) as error:
        return Answer(0, {}, str(error) or type(error).__name__)
    finally:
        connection.close()
