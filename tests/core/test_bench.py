import json
import subprocess
import sys
from pathlib import Path

import pytest
from bench import failover, figures, generated
from bench.figures import Report, Series, ratio

from colonnade.facts import parse as parse_facts
from colonnade.rollout import plan
from colonnade.spec import parse
from colonnade.topology import resolve

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "name", ["agents", "apply_noop", "contract", "failover", "plan_scale", "rejoin", "throughput", "up"]
)
def test_every_benchmark_says_what_it_does_and_takes_the_options_that_all_have(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", f"bench.{name}", "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert {"--runs N", "--json FILE", "--no-goals"} <= {
        part.strip() for part in done.stdout.replace("  ", "\n").split("\n")
    }


def report(*series: Series) -> Report:
    return Report("a test", list(series), load_before=0.5, began="2026-01-02T03:04:05+00:00")


def test_a_goal_is_missed_by_the_median_and_only_by_it() -> None:
    assert Series("slow", "s", (1.0, 2.5, 2.6), goal=2.0).missed
    assert not Series("one outlier", "s", (1.0, 2.0, 9.0), goal=2.0).missed
    assert not Series("no goal", "s", (9.0,)).missed


def test_a_missed_goal_fails_unless_only_measuring(tmp_path: Path) -> None:
    missed = report(Series("slow", "s", (3.0,), goal=2.0), Series("fast", "s", (1.0,), goal=2.0))
    options = figures.options("", runs=1)
    assert missed.finish(options.parse_args([])) == 1
    assert missed.finish(options.parse_args(["--no-goals"])) == 0
    file = tmp_path / "figures.json"
    assert report(Series("fast", "s", (1.0,), goal=2.0)).finish(options.parse_args(["--json", str(file)])) == 0
    assert json.loads(file.read_text())["series"][0]["values"] == [1.0]


def test_the_table_has_the_spread_and_says_which_goal_was_missed() -> None:
    rows = report(Series("slow", "s", (3.0, 1.0, 4.0), goal=2.0)).table().splitlines()
    assert rows[-1].split() == ["slow", "s", "3", "1", "3", "4", "2", "missed"]


def test_a_ratio_is_of_the_same_rounds() -> None:
    halves = ratio("half", Series("a", "s", (1.0, 3.0)), Series("b", "s", (2.0, 6.0, 100.0)))
    assert halves.values == (0.5, 0.5)


def test_a_count_of_rounds_is_one_or_more(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        figures.options("", runs=1).parse_args(["--runs", "0"])
    assert "it must be 1 or more" in capsys.readouterr().err


def test_recorded_facts_of_a_stack_in_place_leave_nothing_to_plan() -> None:
    topology = resolve(parse(generated.stack_file(2, 3), filename="colonnade.toml"), {})
    facts = {name: parse_facts(generated.recorded(known)) for name, known in generated.facts_in_place(topology).items()}
    assert not plan(topology, generated.rendered(topology), facts)
    assert len(facts["lb1"].proxy) == 3 * len(generated.BACKENDS)
    bare = {machine.name: generated.bare_facts() for machine in topology.machines}
    assert plan(topology, generated.rendered(topology), bare)


def test_failover_reports_median_worst_and_what_must_never_be() -> None:
    drills = [
        {
            "fault": {"name": "switchover"},
            "gap": {"seconds": seconds},
            "redundant": {"after_begin": 2.0},
            "writes": {"lost": lost},
            "reads": {"vanished": []},
            "cast": {"the primary": ["web1"], "etcd's leader": [leader]},
            "directory": "drills/one",
        }
        for seconds, lost, leader in ((0.2, [], "lb1"), (0.3, [], "web1"), (1.2, ["web1.0:7"], "lb1"))
    ]
    gaps, worst, whole = failover.series("switchover", drills)
    assert (gaps.median, gaps.goal, gaps.missed) == (0.3, 0.4, False)
    assert (worst.values, worst.goal, worst.missed) == ((1.2,), 1.0, True)
    assert whole.values == (2.0, 2.0, 2.0)
    assert failover.broken(drills) == ["switchover: 1 writes lost (drills/one)"]
    assert failover.leaders(drills) == "lb1 2 times, web1 (the primary) 1 times"
