"""The classic stack, brought up once in the lab for all tests that leave it as they found it."""

from collections.abc import Iterator

import pytest
from tests.lab.stack import Stack, copied


@pytest.fixture(scope="session")
def classic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One balancer, two servers, as the example has them; whoever breaks something mends it."""
    made = copied(tmp_path_factory.mktemp("classic") / "guestbook")
    try:
        made.colonnade("up")
        yield made
    finally:
        made.destroy()
