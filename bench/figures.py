"""What all benchmarks share: figures with their spread, goals, the table that is printed and the JSON file."""

import argparse
import json
import os
import platform
import signal
import statistics
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Series:
    """One thing measured several times; ``goal`` is what its median must not exceed, in the same unit."""

    name: str
    unit: str
    values: tuple[float, ...]
    goal: float | None = None

    @property
    def median(self) -> float:
        """The middle one; a shared machine's outliers do not move it."""
        return statistics.median(self.values)

    @property
    def missed(self) -> bool:
        """Whether there is a goal, and it was not reached."""
        return self.goal is not None and self.median > self.goal


def ratio(name: str, over: Series, under: Series) -> Series:
    """Return the quotients of two things that were measured in turn, round by round."""
    rounds = min(len(over.values), len(under.values))
    pairs = zip(over.values[:rounds], under.values[:rounds], strict=True)
    return Series(name, "times", tuple(a / b for a, b in pairs))


@dataclass
class Report:
    """All that one benchmark found."""

    title: str
    series: list[Series] = field(default_factory=list)
    load_before: float = field(default_factory=lambda: os.getloadavg()[0])
    began: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))

    def add(self, *found: Series) -> None:
        """Take in what was found."""
        self.series += found

    def table(self) -> str:
        """Return the figures for people, one thing a line."""
        width = max(len(series.name) for series in self.series)
        lines = [
            f"{self.title}: {machine()['summary']}, load {self.load_before:.2f} before, {self.began}",
            f"{'':<{width}}  {'unit':<5}  runs  {'min':>9}  {'median':>9}  {'max':>9}  goal",
        ]
        for series in self.series:
            figures = "  ".join(f"{_short(v):>9}" for v in (min(series.values), series.median, max(series.values)))
            goal = "" if series.goal is None else f"{_short(series.goal)} {'missed' if series.missed else 'reached'}"
            line = f"{series.name:<{width}}  {series.unit:<5}  {len(series.values):>4}  {figures}  {goal}"
            lines.append(line.rstrip())
        return "\n".join(lines)

    def document(self) -> dict[str, Any]:
        """Return the figures for programs, every single value with them."""
        return {
            "benchmark": self.title,
            "began": self.began,
            "load_before": self.load_before,
            "machine": machine(),
            "series": [
                {
                    "name": s.name,
                    "unit": s.unit,
                    "values": s.values,
                    "min": min(s.values),
                    "median": s.median,
                    "max": max(s.values),
                    "goal": s.goal,
                    "missed": s.missed,
                }
                for s in self.series
            ],
        }

    def finish(self, options: argparse.Namespace) -> int:
        """Print the table, write the JSON file if it is wanted, and return the exit code: 1 if a goal was missed."""
        print(self.table())
        if options.json is not None:
            options.json.write_text(json.dumps(self.document(), indent=2) + "\n")
        missed = [series.name for series in self.series if series.missed]
        if missed and options.goals:
            say(f"missed: {', '.join(missed)}")
            return 1
        return 0


def machine() -> dict[str, Any]:
    """Say what the figures were measured on; memory in bytes."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    cores = len(os.sched_getaffinity(0))
    release, python = platform.release(), platform.python_version()
    return {
        "cores": cores,
        "memory": memory,
        "kernel": release,
        "python": python,
        "summary": f"{cores} cores, {memory / (1 << 30):.0f} GiB, Linux {release}, Python {python}",
    }


def options(text: str | None, *, runs: int) -> argparse.ArgumentParser:
    """Return a parser with the options that every benchmark has."""
    parser = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=positive, default=runs, metavar="N", help="rounds (default: %(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every value to this file, too")
    parser.add_argument(
        "--no-goals", dest="goals", action="store_false", help="only measure: a missed goal is no failure"
    )
    return parser


def positive(text: str) -> int:
    """Read a count from the command line."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("it must be 1 or more")
    return number


def run(main: Callable[[], int]) -> None:
    """Run a benchmark as the program; being terminated takes its machines away like any other end does."""

    def terminated(number: int, _: object) -> None:
        sys.exit(128 + number)

    signal.signal(signal.SIGTERM, terminated)
    sys.exit(main())


def say(text: str) -> None:
    """Say what goes on, beside the figures."""
    print(text, file=sys.stderr, flush=True)


def _short(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) or abs(value) >= 1000 else f"{value:.3g}"  # noqa: PLR2004  as people write
