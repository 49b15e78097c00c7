"""Requests per second through HAProxy and Nginx, against Nginx alone on the same machine, as ratios.

wrk asks, from this host, for a static file and for three of the guestbook's pages: through the balancer (HAProxy,
which spreads over both servers) and from the first server's Nginx directly. The two take turns, round by round, so
that what else the machine does meets both alike. No request may fail, and MySQL may not have more than 300 MB
resident afterwards.

It works on a copy of the example in the lab, and takes root and wrk. Everything shares this host's processors, wrk too.
"""

import argparse
import http.client
import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench import figures
from bench.example import WWW, Example, copied
from bench.figures import Report, Series, ratio

from colonnade.topology import HTTP_PORT, NGINX_PORT

PATHS = {
    "static file": "/static/guestbook.css",
    "guestbook /healthz": "/healthz",
    "guestbook /": "/",
    "guestbook /api/entries": "/api/entries",
}
ENTRIES = 25
CREATED = 201
CONNECTIONS = 8
"""As many as the application of one server handles at once, so that nothing queues on purpose."""
WARM_SECONDS = 2
GOAL_ERRORS = 0.0
GOAL_MYSQL_MB = 300.0
SCRIPT = Path(__file__).with_name("wrk-report.lua")
ERRORS = ("connect", "read", "write", "status", "timeout")


@dataclass(frozen=True)
class Load:
    """What one run of wrk found."""

    rate: float
    p99_ms: float
    errors: int


def load(address: str, port: int, path: str, seconds: int) -> Load:
    """Ask for one path as fast as it goes."""
    command = ["wrk", "-t", "1", "-c", str(CONNECTIONS), "-d", f"{seconds}s", "-H", f"Host: {WWW}"]
    command += ["-s", str(SCRIPT), f"http://{address}:{port}{path}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=seconds + 60)
    found = json.loads(done.stdout.splitlines()[-1])
    return Load(found["requests"] / found["seconds"], found["p99"] * 1000, sum(found[kind] for kind in ERRORS))


def fill(address: str) -> None:
    """Give the guestbook something to show."""
    for number in range(ENTRIES):
        connection = http.client.HTTPConnection(address, HTTP_PORT, timeout=10)
        body = json.dumps({"author": f"Visitor {number}", "text": f"Line {number} of a guestbook that is read a lot."})
        headers = {"Host": WWW, "Content-Type": "application/json"}
        connection.request("POST", "/api/entries", body, headers)
        status = connection.getresponse().status
        connection.close()
        assert status == CREATED, f"an entry was answered with {status}"


def mysql_megabytes(example: Example, server: str) -> float:
    """Return what MySQL on a server has resident, everything that it shares with others included."""
    _, said = example.run("exec", server, "--", "ps -C mysqld -o rss=")
    return int(said.split()[0]) * 1024 / 1e6


def rounds(example: Example, options: argparse.Namespace) -> Iterator[Series]:
    """Measure every path both ways, in turn."""
    balancer, server = example.address("lb1"), example.address("web1")
    assert balancer is not None
    assert server is not None
    ways = {"HAProxy and Nginx": (balancer, HTTP_PORT), "Nginx alone": (server, NGINX_PORT)}
    fill(balancer)
    for title, path in PATHS.items():
        found: dict[str, list[Load]] = {way: [] for way in ways}
        for address, port in ways.values():
            load(address, port, path, WARM_SECONDS)
        for number in range(1, options.runs + 1):
            figures.say(f"{title}, round {number} of {options.runs}")
            for way, (address, port) in ways.items():
                found[way].append(load(address, port, path, options.seconds))
        rates = {
            way: Series(f"{title}: {way}", "req/s", tuple(each.rate for each in loads)) for way, loads in found.items()
        }
        both, alone = rates.values()
        yield both
        yield alone
        yield ratio(f"{title}: HAProxy and Nginx / Nginx alone", both, alone)
        for way, loads in found.items():
            yield Series(f"{title}: {way}, 99 % within", "ms", tuple(each.p99_ms for each in loads))
        errors = sum(each.errors for loads in found.values() for each in loads)
        yield Series(f"{title}: failed requests, all rounds", "", (float(errors),), GOAL_ERRORS)


def main() -> int:
    """Measure and report."""
    parser = figures.options(__doc__, runs=5)
    parser.add_argument(
        "--seconds", type=figures.positive, default=8, help="how long each load lasts (default: %(default)s)"
    )
    options = parser.parse_args()
    with copied(own_store=False) as example:
        figures.say("bringing the stack up")
        example.run("up", "--yes")
        report = Report(f"throughput, wrk with {CONNECTIONS} connections, {options.seconds} s each")
        report.add(*rounds(example, options))
        for server in ("web1", "web2"):
            resident = mysql_megabytes(example, server)
            report.add(Series(f"MySQL on {server}: resident afterwards", "MB", (resident,), GOAL_MYSQL_MB))
    return report.finish(options)


if __name__ == "__main__":
    figures.run(main)
