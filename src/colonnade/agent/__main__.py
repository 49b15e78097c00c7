"""The agent's command on its machine: the daemon, and what a person or an apply asks of it."""

import argparse
import asyncio
import contextlib
import gc
import json
import logging
import os
import signal
import socket
import sys
from typing import Any

from colonnade import __version__
from colonnade.agent.config import read_config

WATCHDOG_SECONDS = 2.0
TIDY_TURNS = 5
"""After so many of them what is left in circles is freed: left to itself, the interpreter lets it grow for minutes."""


def notify(text: str) -> None:
    """Tell systemd something, if it listens (sd_notify(3))."""
    path = os.environ.get("NOTIFY_SOCKET")
    if path:
        address = f"\0{path[1:]}" if path.startswith("@") else path
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
            out.sendto(text.encode(), address)


async def daemon() -> None:
    """Run until a signal comes; MySQL goes on without it."""
    # Only the daemon needs these: the command answers sooner without.
    from colonnade.agent.endpoints import Endpoints  # noqa: PLC0415
    from colonnade.agent.loop import Agent, clock  # noqa: PLC0415
    from colonnade.wire.server import Server  # noqa: PLC0415

    config = read_config()
    agent = Agent(config)
    server = Server(Endpoints(agent).answer, config.identity.server())
    await server.listen((config.address, "127.0.0.1"), config.port)
    loop = asyncio.get_running_loop()
    over = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, over.set)
    running = asyncio.ensure_future(agent.run())
    running.add_done_callback(lambda _: over.set())
    gc.collect()
    gc.freeze()
    notify("READY=1")
    turns = 0
    while not over.is_set():
        turns += 1
        if turns % TIDY_TURNS == 0:
            gc.collect()
        if clock() - agent.alive_at < WATCHDOG_SECONDS * 2:
            notify("WATCHDOG=1")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(WATCHDOG_SECONDS):
                await over.wait()
    notify("STOPPING=1")
    if running.done():
        running.result()
    running.cancel()
    await server.close()


def main() -> int:
    """Read the command line, and do what it says."""
    parser = argparse.ArgumentParser(prog="colonnade-agent", description=__doc__)
    parser.add_argument("--version", action="version", version=__version__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("run", help="the daemon")
    verbs.add_parser("status", help="what it knows, as JSON")
    switchover = verbs.add_parser("switchover", help="another server becomes the primary")
    switchover.add_argument("--to", default="")
    failover = verbs.add_parser("failover", help="the same without proof, by force")
    failover.add_argument("--to", required=True)
    failover.add_argument("--lost-ok", action="store_true", required=True, help="what may be lost was accepted")
    verbs.add_parser("pause", help="all agents only watch")
    verbs.add_parser("resume", help="all agents act again")
    rebuild = verbs.add_parser("rebuild", help="provision this server's data anew")
    rebuild.add_argument("--discard", action="store_true", help="although it may be the only copy of something")
    primary = verbs.add_parser("wait-primary", help="until somebody serves as primary")
    well = verbs.add_parser("wait-well", help="until this node is as good as it will be")
    for each in (switchover, failover, primary, well):
        each.add_argument("--seconds", type=float, default=60)
    chosen = parser.parse_args()
    if chosen.verb == "run":
        level = logging.DEBUG if os.environ.get("COLONNADE_AGENT_DEBUG") else logging.INFO
        logging.basicConfig(level=level, format="%(message)s", stream=sys.stderr)
        asyncio.run(daemon())
        return 0
    from colonnade.agent.control import control  # noqa: PLC0415  likewise

    code, document = asyncio.run(control(read_config(), vars(chosen)))
    print_document(document)
    return code


def print_document(document: Any) -> None:
    """Print JSON on standard output."""
    sys.stdout.write(json.dumps(document, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    raise SystemExit(main())
