"""Many runs: ``python -m tests.simulation --runs N --seed S --jobs J [--mutation NAME]``."""

import argparse
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from . import mutation as mutations
from .run import Outcome, simulate


def _one(seed: int, name: str, *, safety_only: bool) -> Outcome:
    return simulate(seed, getattr(mutations, name)(), safety_only=safety_only)


def main() -> int:
    """Run the seeds, print the first failing trace, and say how many runs there were."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--mutation", default="Faithful", help="a class of tests/simulation/mutation.py")
    parser.add_argument("--safety", action="store_true", help="only: lost, vanished, two at once")
    parser.add_argument("--keep-going", action="store_true", help="list every failing seed instead of one trace")
    chosen = parser.parse_args()
    began, runs, told, terms, failed = time.monotonic(), 0, 0, 0, 0
    seeds = range(chosen.seed, chosen.seed + chosen.runs)
    with ProcessPoolExecutor(chosen.jobs) as pool:
        one = partial(_one, name=chosen.mutation, safety_only=chosen.safety)
        for outcome in pool.map(one, seeds, chunksize=20):
            runs, told, terms = runs + 1, told + outcome.acknowledged, terms + outcome.terms
            if outcome.violation is not None:
                failed += 1
                if not chosen.keep_going:
                    sys.stdout.write("\n".join(outcome.story) + "\n")
                sys.stdout.write(f"seed {outcome.seed}: {outcome.violation.property}: {outcome.violation.detail}\n")
                if not chosen.keep_going:
                    pool.shutdown(cancel_futures=True)
                    break
    took = time.monotonic() - began
    sys.stdout.write(
        f"{runs} runs in {took:.1f} s ({runs / took:.0f}/s): "
        f"{told} acknowledged writes, {terms} terms, {failed} failed\n"
    )
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
