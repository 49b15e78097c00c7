"""A secret does not print itself, whatever it is put into."""

import copy
import json
import logging
import pickle
import traceback
from dataclasses import dataclass

import pytest

from colonnade.secret import Secret

TEXT = "correct horse battery staple"


@dataclass
class Holder:
    password: Secret


@pytest.mark.parametrize(
    "shown",
    [
        repr(Secret(TEXT)),
        str(Secret(TEXT)),
        f"{Secret(TEXT)}",
        f"{Secret(TEXT):>40}",
        f"{Secret(TEXT)!r}",
        "{}".format(Secret(TEXT)),  # noqa: UP032  the old ways must not show it either
        "%s" % Secret(TEXT),  # noqa: UP031  same
        repr(Holder(Secret(TEXT))),
        repr({"password": [Secret(TEXT)]}),
    ],
)
def test_it_is_masked(shown: str) -> None:
    assert "•••" in shown
    assert TEXT not in shown


def test_it_is_masked_in_a_log(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("test").warning("password %s", Secret(TEXT))
    assert "•••" in caplog.text
    assert TEXT not in caplog.text


def test_it_is_masked_in_an_error_and_its_traceback() -> None:
    def connect(password: Secret) -> None:
        raise ConnectionError(f"refused with {password}")

    with pytest.raises(ConnectionError) as caught:
        connect(Secret(TEXT))
    told = "".join(traceback.TracebackException.from_exception(caught.value, capture_locals=True).format())
    assert "password = Secret(•••)" in told
    assert TEXT not in told


def test_nothing_writes_it_down_by_accident() -> None:
    with pytest.raises(TypeError):
        pickle.dumps(Secret(TEXT))
    with pytest.raises(TypeError):
        copy.deepcopy(Secret(TEXT))
    with pytest.raises(TypeError):
        json.dumps({"password": Secret(TEXT)})


def test_it_is_equal_by_value_to_another_secret_only() -> None:
    assert Secret(TEXT) == Secret(TEXT)
    assert hash(Secret(TEXT)) == hash(Secret(TEXT))
    assert Secret(TEXT) != Secret("other")
    assert Secret(TEXT) != TEXT
    assert Secret(TEXT).reveal() == TEXT
