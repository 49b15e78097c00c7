from concurrent.futures import ProcessPoolExecutor
from functools import partial

import pytest

from . import mutation as mutations
from .checker import LOST, TWO, VANISHED
from .run import simulate

RUNS = 2000


def test_random_schedules() -> None:
    with ProcessPoolExecutor(2) as pool:
        outcomes = list(pool.map(simulate, range(RUNS), chunksize=25))
    failed = [each for each in outcomes if each.violation is not None]
    assert not failed, "\n".join((*failed[0].story, f"seed {failed[0].seed}: {failed[0].violation}"))
    # The schedules are worth something: clients wrote, and primaries changed in many of them.
    assert sum(each.acknowledged for each in outcomes) > 50 * RUNS
    assert sum(each.terms > 1 for each in outcomes) > RUNS / 5


def test_a_run_is_repeatable() -> None:
    assert simulate(7, tell=True) == simulate(7, tell=True)


# Each rule is broken on purpose: within so many seeds a client has to lose something by it, or two servers acknowledge.
WITHIN = 3000
AT_ONCE = 200
BROKEN = [
    mutations.WithoutFencing,
    mutations.LowersMysqlFirst,
    mutations.RaisesRecordFirst,
    mutations.SwapsBeforePromises,
    mutations.WithoutFreshCommit,
    mutations.InheritsContract,
    mutations.UnlistedAcknowledges,
    mutations.BreaksPromises,
    mutations.StopsGracefully,
    mutations.RecoversRelayLog,
]


def _noticed(mutation: type[mutations.Faithful], seed: int) -> str:
    found = simulate(seed, mutation(), safety_only=True).violation
    return found.property if found is not None else ""


@pytest.mark.parametrize("mutation", BROKEN, ids=lambda each: each.__name__)
def test_a_broken_rule_is_noticed(mutation: type[mutations.Faithful]) -> None:
    found: set[str] = set()
    with ProcessPoolExecutor(2) as pool:
        for first in range(0, WITHIN, AT_ONCE):
            seeds = range(first, first + AT_ONCE)
            found = set(pool.map(partial(_noticed, mutation), seeds, chunksize=10)) - {""}
            if found:
                break
    assert found, f"{WITHIN} schedules, and nobody noticed"
    assert found <= {LOST, TWO, VANISHED}
