"""How long `plan` takes, and how much memory, for a stack of 3 balancers and 500 servers.

Each run is a process of its own that reads the stack file and recorded facts (what the facts script would have
printed on every machine, made from a first plan's claims), renders every file of every machine, plans, and prints the
plan as JSON. Two cases: everything is in place, and everything is missing. Goal: 3 s and 300 MB, the whole process.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

from bench import figures, generated
from bench.figures import Report, Series

from colonnade.facts import parse as parse_facts
from colonnade.rollout import as_document, plan
from colonnade.spec import parse
from colonnade.topology import resolve

GOAL_SECONDS = 3.0
GOAL_MEGABYTES = 300.0
CASES = ("in place", "missing")
PARTS = ("read the stack file", "read the facts", "render", "plan", "print")


def write(directory: Path, balancers: int, servers: int) -> None:
    """Write the stack file, and the facts of both cases."""
    text = generated.stack_file(balancers, servers)
    (directory / "colonnade.toml").write_text(text)
    topology = resolve(parse(text, filename="colonnade.toml"), {})
    bare = dict.fromkeys((m.name for m in topology.machines), generated.bare_facts())
    for case, facts in {"in place": generated.facts_in_place(topology), "missing": bare}.items():
        (directory / case).mkdir()
        for machine, known in facts.items():
            (directory / case / machine).write_text(generated.recorded(known))


def plan_once(directory: Path, case: str) -> None:
    """Do what `plan` does, from files to output, and say on standard error what it took."""
    marks = [time.perf_counter()]
    stack = parse((directory / "colonnade.toml").read_text(), filename="colonnade.toml")
    topology = resolve(stack, {})
    marks.append(time.perf_counter())
    facts = {machine.name: parse_facts((directory / case / machine.name).read_text()) for machine in topology.machines}
    marks.append(time.perf_counter())
    desired = generated.rendered(topology)
    marks.append(time.perf_counter())
    made = plan(topology, desired, facts)
    marks.append(time.perf_counter())
    json.dump(as_document(made), sys.stdout)
    sys.stdout.flush()
    marks.append(time.perf_counter())
    parts = dict(zip(PARTS, (after - before for before, after in pairwise(marks)), strict=True))
    usage = resource.getrusage(resource.RUSAGE_SELF)
    used = {"memory": usage.ru_maxrss * 1024, "processor": usage.ru_utime + usage.ru_stime}
    json.dump({"parts": parts, "steps": len(made.steps), **used}, sys.stderr)


def measure(directory: Path, case: str) -> dict[str, float]:
    """Run it in a process of its own; seconds and megabytes by what they are of."""
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "bench.plan_scale", "--inside", str(directory), case],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        check=False,
        text=True,
        cwd=Path(__file__).parents[1],
    )
    seconds = time.perf_counter() - began
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stderr)
    assert (said["steps"] == 0) == (case == "in place"), f"{said['steps']} steps with everything {case}"
    whole = {"whole process": seconds, "processor": said["processor"], "memory": said["memory"] / 1e6}
    return {**whole, **said["parts"]}


def main() -> int:
    """Measure and report."""
    parser = figures.options(__doc__, runs=5)
    parser.add_argument("--balancers", type=figures.positive, default=3, help="(default: %(default)s)")
    parser.add_argument("--servers", type=figures.positive, default=500, help="(default: %(default)s)")
    parser.add_argument("--inside", nargs=2, metavar=("DIRECTORY", "CASE"), help="be one of the measured processes")
    options = parser.parse_args()
    if options.inside:
        plan_once(Path(options.inside[0]), options.inside[1])
        return os.EX_OK
    report = Report(f"plan of {options.balancers} balancers and {options.servers} servers")
    with tempfile.TemporaryDirectory(prefix="colonnade-bench-") as name:
        figures.say("recording facts")
        write(Path(name), options.balancers, options.servers)
        found: dict[str, list[dict[str, float]]] = {case: [] for case in CASES}
        for number in range(1, options.runs + 1):
            figures.say(f"round {number} of {options.runs}")
            for case in CASES:
                found[case].append(measure(Path(name), case))
    for case in CASES:
        values = {key: tuple(row[key] for row in found[case]) for key in found[case][0]}
        title = f"everything {case}:"
        report.add(Series(f"{title} the whole process", "s", values["whole process"], GOAL_SECONDS))
        report.add(Series(f"{title} its processor time", "s", values["processor"]))
        report.add(Series(f"{title} its memory", "MB", values["memory"], GOAL_MEGABYTES))
        report.add(*(Series(f"{title} {part}", "s", values[part]) for part in PARTS))
    return report.finish(options)


if __name__ == "__main__":
    figures.run(main)
