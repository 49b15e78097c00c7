"""What the durability contract costs: single-row inserts by --clients clients for --seconds, with it and without.

On a copy of the guestbook's stack in the lab. With: as the agents run it, every commit on the standby before it is
acknowledged. Without: the same primary, its agents paused, semi-sync off and no replica connected: a lone MySQL. The
two take turns, so that a machine whose speed drifts moves both. Then what an agent costs when nothing happens.
"""

import json
import statistics
import time
from typing import Any

from bench import figures
from bench.example import Example, copied
from bench.figures import Report, Series, ratio

LOAD = r"""
import json, re, shlex, sys, threading, time
sys.path[:0] = sorted(__import__("glob").glob("/usr/local/lib/colonnade/agent/*/"))
import pymysql
from urllib.parse import unquote, urlsplit
clients, seconds = int(sys.argv[1]), float(sys.argv[2])
words = dict(word.split("=", 1) for word in shlex.split(open("/etc/colonnade/app.env").read(), comments=True))
url = urlsplit(words["DATABASE_URL"])
def connect():
    return pymysql.connect(host=url.hostname, port=url.port, user=url.username, password=unquote(url.password),
                           database=url.path[1:], autocommit=True)
first = connect().cursor()
first.execute("CREATE TABLE IF NOT EXISTS bench_contract (id BIGINT AUTO_INCREMENT PRIMARY KEY, text VARCHAR(100))")
counts, over = [0] * clients, time.monotonic() + seconds
def work(number):
    cursor = connect().cursor()
    while time.monotonic() < over:
        cursor.execute("INSERT INTO bench_contract (text) VALUES ('a row of the usual length, more or less')")
        counts[number] += 1
threads = [threading.Thread(target=work, args=(n,)) for n in range(clients)]
[t.start() for t in threads]
[t.join() for t in threads]
print(json.dumps(sum(counts) / seconds))
"""
LONE = "SET GLOBAL rpl_semi_sync_source_enabled = OFF"
KEPT = "SET GLOBAL rpl_semi_sync_source_enabled = ON"
IDLE_SECONDS = 30.0
IDLE_MEMORY, IDLE_SHARE = 50.0, 3.0
"""What an agent may take: MiB resident, per cent of a core."""


def status(example: Example) -> dict[str, Any]:
    """Return the document of ``status --json``."""
    document: dict[str, Any] = json.loads(example.run("status", "--json")[1])
    return document


def load(example: Example, machine: str, clients: int, seconds: float) -> float:
    """Insert rows from a server; return how many a second."""
    line = f"python3 -c {_quoted(LOAD)} {clients} {seconds}"
    return float(example.run("exec", machine, "--", line)[1])


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def sql(example: Example, machine: str, statement: str) -> None:
    """Run one statement as MySQL's root."""
    example.run("exec", machine, "--", f'mysql -e "{statement}"')


def agent_cost(example: Example, machine: str) -> tuple[float, float]:
    """Return an agent's resident MiB, and its per cent of a core while nothing happens."""
    look = (
        "p=$(systemctl show -p MainPID --value colonnade-agent);"
        " awk '{print $14+$15}' /proc/$p/stat; awk '/VmRSS/{print $2}' /proc/$p/status"
    )
    before = example.run("exec", machine, "--", look)[1].split()
    began = time.monotonic()
    time.sleep(IDLE_SECONDS)
    after = example.run("exec", machine, "--", look)[1].split()
    share = (int(after[0]) - int(before[0])) / (time.monotonic() - began)  # ticks are hundredths of a second
    return int(after[1]) / 1024, share


def main() -> int:
    """Measure and report."""
    parser = figures.options(__doc__, runs=5)
    parser.add_argument("--clients", type=figures.positive, default=16, metavar="N", help="(default: %(default)s)")
    parser.add_argument("--seconds", type=figures.positive, default=8, metavar="N", help="(default: %(default)s)")
    options = parser.parse_args()
    report = Report("contract")
    with copied(own_store=False) as example:
        figures.say("the stack comes up")
        example.run("up", "--yes")
        cost = [agent_cost(example, name) for name in ("web1", "web2")]
        database = status(example)["database"]
        primary, standby = database["primary"], database["standbys"][0]
        kept: list[float] = []
        lone: list[float] = []
        load(example, primary, options.clients, options.seconds)
        example.run("db", "pause")
        try:
            for number in range(options.runs):
                figures.say(f"round {number + 1}")
                sql(example, standby, "START REPLICA")
                sql(example, primary, KEPT)
                kept.append(load(example, primary, options.clients, options.seconds))
                sql(example, primary, LONE)
                sql(example, standby, "STOP REPLICA IO_THREAD")
                lone.append(load(example, primary, options.clients, options.seconds))
            sql(example, standby, "START REPLICA")
        finally:
            example.run("db", "resume")
        with_it, without = Series("with the contract", "/s", tuple(kept)), Series("a lone MySQL", "/s", tuple(lone))
        report.add(with_it, without, ratio("with it / without", with_it, without))
        report.add(Series("an idle agent: resident", "MiB", tuple(c[0] for c in cost), IDLE_MEMORY))
        report.add(Series("an idle agent: of a core", "%", tuple(c[1] for c in cost), IDLE_SHARE))
        figures.say(f"median ratio {statistics.median(a / b for a, b in zip(kept, lone, strict=True)):.2f}")
    return report.finish(options)


if __name__ == "__main__":
    figures.run(main)
