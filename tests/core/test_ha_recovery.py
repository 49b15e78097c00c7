"""The record that etcd is made anew with: from what agents say, never more hopeful than it must be."""

import base64
import json
from typing import Any

import pytest

from colonnade.errors import RefusedError
from colonnade.gtid import GtidSet
from colonnade.ha.record import CLAIM, PAUSED, SYNC, contract_of, contract_text, succession_key, succession_text
from colonnade.ha.recovery import Recovered, Survivor, read_keys, recovered
from colonnade.ha.view import Contract, How, Member, Succession

U1, U2 = "10000000-0000-0000-0000-000000000000", "20000000-0000-0000-0000-000000000000"
A, B = Member("web1", f"{U1}/a"), Member("web2", f"{U2}/b")
DATA = GtidSet.parse(f"{U1}:1-9")
SERVERS = ("web1", "web2")
CONTRACT = Contract(A, 5, frozenset({B}), 1, DATA, revision=40)
FOUNDED = Succession(5, 0, A, How.FOUNDED)


def word(
    me: Member | None, contract: Contract | None = CONTRACT, *, serves: bool = False, **more: Any
) -> dict[str, Any]:
    """Return an agent's status, as far as a recovery reads it."""
    return {
        "serves": {"primary": serves},
        "incarnation": me.incarnation if me else "",
        "record": {
            "contract": contract_text(contract) if contract else None,
            "revision": contract.revision if contract else 0,
            "successions": [succession_text(FOUNDED)] if contract else [],
        },
        **more,
    }


WORDS = {"web1": word(A, serves=True), "web2": word(B), "lb1": word(None)}


def begun(words: dict[str, Any], survivor: Survivor = Survivor(), *, typed: str = "") -> Recovered:  # noqa: B008  a value
    return recovered(words, SERVERS, survivor, typed=typed)


def test_who_serves_is_the_primary_in_its_term_and_nothing_is_promised() -> None:
    made = begun(WORDS)
    assert made.contract == Contract(A, 5, frozenset(), 0, DATA, frozenset({"web2"}))
    assert (made.claim_term, made.revision, made.paused) == (5, 40, False)
    assert set(made.texts()) == {CLAIM, SYNC, succession_key(5)}
    assert contract_of(made.texts()[SYNC], 0) == made.contract


def test_a_survivor_that_lagged_behind_does_not_name_the_primary() -> None:
    stale = Survivor(30, Contract(B, 4, frozenset({A}), 1, revision=20), 4)
    assert begun(WORDS, stale).contract.primary == A
    ahead = Survivor(90, Contract(B, 6, revision=80), 6)
    made = begun({**WORDS, "web1": word(A)}, ahead)
    assert (made.contract.primary, made.contract.term, made.revision) == (B, 6, 90)


def test_a_term_that_somebody_promised_makes_the_primary_begin_a_later_one() -> None:
    for promised in ({"promised_term": 6}, {"peers": {"web1": {"promised": 6}}}, {"claim": {"term": 6}}):
        made = begun({**WORDS, "web2": word(B, **promised)})
        assert (made.contract.term, made.claim_term) == (5, 7)


def test_a_pause_and_whom_to_distrust_are_kept() -> None:
    barred = Contract(A, 5, frozenset({B}), 1, DATA, frozenset({"web9"}), 40)
    made = begun({"web1": word(A, barred, serves=True, paused=True)})
    assert made.contract.barred == {"web2", "web9"}
    assert made.texts()[PAUSED] == "1"


def test_beginnings_of_terms_come_from_the_survivor_and_the_agents() -> None:
    earlier, later = Succession(3, 0, B, How.FOUNDED), Succession(9, 5, B, How.PROMOTED)
    made = begun(WORDS, Survivor(successions=(earlier, later)))
    assert [each.term for each in made.successions] == [3, 5]


def test_if_nobody_serves_the_last_contract_counts_and_all_servers_must_be_heard() -> None:
    silent = {"web1": word(A), "web2": word(B, Contract(A, 5, revision=41)), "lb1": word(None)}
    assert begun(silent).contract.primary == A
    del silent["web2"]
    with pytest.raises(RefusedError, match="web2 cannot be asked"):
        begun(silent)
    assert begun(silent, typed="web1").contract.primary == A
    with pytest.raises(RefusedError, match="the last known primary is web1"):
        begun(silent, typed="web2")


def test_who_serves_is_not_overruled_and_two_are_not_chosen_from() -> None:
    with pytest.raises(RefusedError, match="web1 serves as primary, not web2"):
        begun(WORDS, typed="web2")
    with pytest.raises(RefusedError, match="both say"):
        begun({**WORDS, "web2": word(B, serves=True)})


def test_without_any_contract_a_person_names_the_primary() -> None:
    words = {"web1": word(A, None, promised_term=3), "web2": word(B, None)}
    with pytest.raises(RefusedError, match="no agent knows"):
        begun(words)
    made = begun(words, typed="web2")
    assert (made.contract.primary, made.contract.term, made.claim_term) == (B, 4, 4)
    with pytest.raises(RefusedError, match="does not say which data"):
        begun({"web1": words["web1"]}, typed="web2")


def test_a_members_keys_are_read_from_the_gateways_answer() -> None:
    texts = begun({**WORDS, "lb1": word(None, paused=True)}).texts()
    encoded = [
        {
            "key": base64.b64encode(k.encode()).decode(),
            "value": base64.b64encode(v.encode()).decode(),
            "mod_revision": "7",
        }
        for k, v in texts.items()
    ]
    read = read_keys(json.dumps({"header": {"revision": "9"}, "kvs": encoded}))
    assert read.contract is not None
    assert (read.revision, read.contract.revision, read.claim_term, read.paused) == (9, 7, 5, True)
    assert read.successions == (FOUNDED,)
    for nonsense in ("", "{}", "[]"):
        with pytest.raises(ValueError, match=r"record|Expecting"):
            read_keys(nonsense)
