"""How long nobody can write when the primary is lost, is changed on purpose, or loses its standby.

Each event is a drill of `colonnade drill database`, --runs times, on a copy of the guestbook's stack in the lab with a
client on every server that writes every 10 ms. Both the median and the worst have goals, and no acknowledged write
may be lost in any of them: one that is makes this end with 1, whatever the goals. It takes root, and about a minute
for each round of an event. --fault NAME (may be repeated) measures only that one.
"""

import json
import subprocess
from collections import Counter
from typing import Any

from bench import figures
from bench.example import Example, copied
from bench.figures import Report, Series

from colonnade.drill.database import FAULTS

EVENTS = {
    "mysqld-killed": "SIGKILL of the primary's mysqld",
    "primary-cable": "cable of the primary cut",
    "primary-power": "power of the primary cut",
    "mysqld-frozen": "the primary's mysqld frozen",
    "switchover": "switchover",
    "standby-cable": "standby lost: its cable",
    "standby-power": "standby lost: its power",
}


def drilled(example: Example, fault: str, runs: int) -> list[dict[str, Any]]:
    """Rehearse a fault so often; return what came of each.

    Raises:
        RuntimeError: the drill could not be carried out.

    """
    command = example.command("drill", "database", fault, "--repeat", str(runs), "--json")
    done = subprocess.run(command, env=example.environment, stdout=subprocess.PIPE, text=True, check=False)
    document = json.loads(done.stdout or "{}")
    if "drills" not in document:
        raise RuntimeError(f"`colonnade drill database {fault}` failed ({done.returncode}): {document.get('error')}")
    found: list[dict[str, Any]] = document["drills"]
    return found


def series(fault: str, drills: list[dict[str, Any]]) -> list[Series]:
    """Return the gaps of an event, its worst as a figure of its own, and how long full redundancy took."""
    name, limits = EVENTS[fault], FAULTS[fault].limits
    gaps = tuple(float(drill["gap"]["seconds"]) for drill in drills)
    made = [
        Series(f"{name}: no write for", "s", gaps, limits.median),
        Series(f"{name}: the worst of them", "s", (max(gaps),), limits.gap),
    ]
    whole = tuple(float(after) for drill in drills if (after := drill["redundant"]["after_begin"]) is not None)
    return [*made, Series(f"{name}: whole again after", "s", whole)] if whole else made


def broken(drills: list[dict[str, Any]]) -> list[str]:
    """Return what must never be, in whichever drill: each reason that is not about time."""
    return [
        f"{drill['fault']['name']}: {len(ids)} writes {what} ({drill['directory']})"
        for drill in drills
        for what, ids in (("lost", drill["writes"]["lost"]), ("vanished", drill["reads"]["vanished"]))
        if ids
    ]


def leaders(drills: list[dict[str, Any]]) -> str:
    """Say where etcd's leader was, and how often."""
    counted = Counter(
        f"{machine}{' (the primary)' if machine in drill['cast']['the primary'] else ''}"
        for drill in drills
        for machine in drill["cast"].get("etcd's leader", ["nobody"])
    )
    return ", ".join(f"{machine} {times} times" for machine, times in sorted(counted.items()))


def main() -> int:
    """Measure and report."""
    parser = figures.options(__doc__, runs=10)
    parser.add_argument("--fault", action="append", choices=sorted(EVENTS), metavar="NAME", help="only this event")
    options = parser.parse_args()
    report = Report("failover")
    wrong: list[str] = []
    with copied(own_store=False) as example:
        figures.say("the stack comes up")
        example.run("up", "--yes")
        for fault in options.fault or EVENTS:
            figures.say(f"{fault}, {options.runs} times")
            drills = drilled(example, fault, options.runs)
            figures.say(f"etcd was led by {leaders(drills)}")
            report.add(*series(fault, drills))
            wrong += broken(drills)
    code = report.finish(options)
    for text in wrong:
        figures.say(text)
    return 1 if wrong else code


if __name__ == "__main__":
    figures.run(main)
