"""Asks the agent beside it how it is, again and again. Runs on a machine, as a program of its own.

It prints one line of JSON for each answer: the node, the time, and what matters of the status; null for no answer.
It ends when nobody reads any more.
"""

import argparse
import http.client
import json
import ssl
import sys
import time
from typing import Any

ANSWER_SECONDS = 1.0


def condensed(status: dict[str, Any]) -> dict[str, Any]:
    """Return what a drill wants to know of a status document."""
    kept = {
        key: status.get(key)
        for key in ("state", "reason", "action", "serves", "claim", "clone", "warnings", "etcd", "wanted")
    }
    contract, mysql = status.get("contract"), status.get("mysql")
    if contract is not None:
        kept["contract"] = {key: contract.get(key) for key in ("primary", "term", "standbys", "acks")}
    if mysql is not None:
        kept["mysql"] = {key: mysql.get(key) for key in ("answers", "replication", "acks", "waiting", "offline")}
    return kept


class Agent:
    """The agent beside us, over one connection that is made anew when it breaks."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._port = options.port
        self._tls = ssl.create_default_context(cafile=options.authority)
        self._tls.load_cert_chain(options.certificate, options.key)
        self._connection: http.client.HTTPSConnection | None = None

    def status(self) -> dict[str, Any] | None:
        """Return what it says; None if it does not."""
        try:
            if self._connection is None:
                self._connection = http.client.HTTPSConnection(
                    "127.0.0.1", self._port, timeout=ANSWER_SECONDS, context=self._tls
                )
            self._connection.request("GET", "/status")
            response = self._connection.getresponse()
            document: dict[str, Any] = json.loads(response.read())
            return condensed(document) if response.status == http.client.OK else None
        except (OSError, http.client.HTTPException, ValueError, AttributeError):
            if self._connection is not None:
                self._connection.close()
            self._connection = None
            return None


def arguments() -> argparse.ArgumentParser:
    """Return the parser of what it is told."""
    parser = argparse.ArgumentParser(description="Prints the status of the agent beside it, again and again.")
    parser.add_argument("--node", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--authority", required=True)
    parser.add_argument("--certificate", required=True)
    parser.add_argument("--key", required=True)
    parser.add_argument("--every", type=float, required=True, help="seconds from one question to the next")
    return parser


def main() -> None:
    """Ask and print."""
    options = arguments().parse_args()
    agent, due = Agent(options), time.monotonic()
    while True:
        status = agent.status()
        line = json.dumps({"node": options.node, "at": time.time(), "status": status}, separators=(",", ":"))
        try:
            sys.stdout.write(line + "\n")
            sys.stdout.flush()
        except BrokenPipeError:
            return
        due = max(due + options.every, time.monotonic())
        time.sleep(due - time.monotonic())


if __name__ == "__main__":
    main()
