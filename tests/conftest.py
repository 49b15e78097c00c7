"""What all tests share: the option that writes golden files, and how Hypothesis searches."""

import os
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# The tests are no package, and have parts that several of them use: `from tests.properties.made import …`.
sys.path.insert(0, str(Path(__file__).parents[1]))

# The same examples in every run, so that a failure is the change's; `HYPOTHESIS_PROFILE=search` looks further.
settings.register_profile(
    "repeatable", derandomize=True, deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile(
    "search", deadline=None, max_examples=2000, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--write-golden",
        action="store_true",
        help="write the files that tests/golden expects, instead of comparing with them",
    )
