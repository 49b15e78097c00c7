"""The record of an etcd that is made anew: what agents and a surviving member still know, corrected before it is read.

A surviving member may lag behind what its majority had: its contract may name a former primary, or promise what is no
longer kept. So a recovered record promises nothing (``acks = 0``, invariant 8), and the primary is who serves by its
own word: without etcd it serves only while all of its standbys confirm that they have promised no later term, or while
nobody could be promoted over it. Pure.
"""

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from colonnade.errors import RefusedError
from colonnade.ha.record import (
    CLAIM,
    PAUSED,
    SUCCESSION,
    SYNC,
    claim_of,
    claim_text,
    contract_of,
    contract_text,
    succession_key,
    succession_of,
    succession_text,
)
from colonnade.ha.view import Contract, Member, Succession

Word = Mapping[str, Any]
KEPT = 100
"""Beginnings of terms that are taken over: one transaction of etcd's holds 128 keys."""


@dataclass(frozen=True, slots=True)
class Survivor:
    """What a surviving member has, read from a copy of its data; it may be older than what its majority had."""

    revision: int = 0
    contract: Contract | None = None
    claim_term: int = 0
    successions: tuple[Succession, ...] = ()
    paused: bool = False


@dataclass(frozen=True, slots=True)
class Recovered:
    """The record to begin with; ``revision`` is the highest that anybody has seen, and must never come again."""

    contract: Contract
    claim_term: int
    successions: tuple[Succession, ...]
    paused: bool
    revision: int
    why: str = field(compare=False, default="")

    def texts(self) -> dict[str, str]:
        """Return keys and values as they stand in etcd."""
        contract = self.contract
        texts = {CLAIM: claim_text(contract.primary.name, self.claim_term), SYNC: contract_text(contract)}
        texts |= {succession_key(each.term): succession_text(each) for each in self.successions}
        return texts | ({PAUSED: "1"} if self.paused else {})


def survivor_of(values: Mapping[str, tuple[str, int]], revision: int) -> Survivor:
    """Read a member's keys: each value with the revision of its last change."""
    return Survivor(
        revision,
        contract_of(*values[SYNC]) if SYNC in values else None,
        claim_of(values[CLAIM][0])[1] if CLAIM in values else 0,
        tuple(succession_of(text) for key, (text, _) in sorted(values.items()) if key.startswith(SUCCESSION)),
        PAUSED in values,
    )


def recovered(words: Mapping[str, Word], servers: tuple[str, ...], survivor: Survivor, *, typed: str = "") -> Recovered:
    """Return the record to begin with; ``typed`` is the primary's name if a person gave it.

    Raises:
        RefusedError: who the primary is does not follow from what is known.

    """
    contract, why = _contract(words, servers, survivor, typed)
    primary = contract.primary
    highest = max((*_terms(words), survivor.claim_term, *_terms_of(survivor.contract)), default=0)
    new = Contract(
        primary,
        contract.term,
        floor=contract.floor,
        barred=frozenset({*servers, *contract.barred, *(each.name for each in contract.standbys)}) - {primary.name},
    )
    return Recovered(
        new,
        # Whoever promised a later term follows nobody in this one: the primary carries its contract into a new one.
        new.term if highest <= new.term else highest + 1,
        _successions(words, survivor, new.term),
        survivor.paused or any(word.get("paused") for word in words.values()),
        max((survivor.revision, *(int(_record(word).get("revision", 0)) for word in words.values())), default=0),
        why,
    )


def _contract(
    words: Mapping[str, Word], servers: tuple[str, ...], survivor: Survivor, typed: str
) -> tuple[Contract, str]:
    serving = [node for node, word in sorted(words.items()) if (word.get("serves") or {}).get("primary")]
    if len(serving) > 1:
        raise RefusedError(
            f"{' and '.join(serving)} both say that they serve as primary",
            do="colonnade db status; nothing was changed.",
        )
    if serving:
        return _served(serving[0], words[serving[0]], typed), "it serves"
    known = sorted(_known(words, survivor), key=lambda each: (each.term, each.revision))
    if known:
        return _last(known[-1], [name for name in servers if name not in words], typed), "it was the last one"
    return _founded(words, servers, typed), "it was named, and nobody knows of another"


def _served(node: str, word: Word, typed: str) -> Contract:
    text, revision = _record(word).get("contract"), int(_record(word).get("revision", 0))
    contract = contract_of(text, revision) if text else None
    if contract is None or contract.primary != Member(node, str(word.get("incarnation", ""))):
        raise RefusedError(f"{node} serves, and knows no contract of its own", do="colonnade db status")
    if typed not in {"", node}:
        raise RefusedError(
            f"{node} serves as primary, not {typed}",
            do=f"Leave --primary out; then colonnade db switchover --to {typed}",
        )
    return contract


def _last(newest: Contract, silent: list[str], typed: str) -> Contract:
    name = newest.primary.name
    if typed not in {"", name}:
        raise RefusedError(
            f"the last known primary is {name} (term {newest.term}), not {typed}",
            do=f"Leave --primary out. When etcd is back, colonnade db failover --to {typed} says what may be lost.",
        )
    unknown = [each for each in silent if each != name]
    if unknown and not typed:
        raise RefusedError(
            f"nobody serves, and {', '.join(unknown)} cannot be asked: it may have become the primary after {name}",
            do=f"Bring it back; or, if you know that {name} was the last one: --primary {name}. Nothing was changed.",
        )
    return newest


def _founded(words: Mapping[str, Word], servers: tuple[str, ...], typed: str) -> Contract:
    if not typed:
        raise RefusedError(
            "no agent knows who was the primary",
            do=f"If you know it: --primary NAME, of {', '.join(servers)}. What only another holds is not taken over."
            " Nothing was changed.",
        )
    incarnation = str((words.get(typed) or {}).get("incarnation") or "")
    if not incarnation:
        raise RefusedError(f"the agent of {typed} does not say which data it has", do=f"Start MySQL on {typed} first.")
    return Contract(Member(typed, incarnation), max(_terms(words), default=0) + 1)


def _record(word: Word) -> Mapping[str, Any]:
    return word.get("record") or {}


def _known(words: Mapping[str, Word], survivor: Survivor) -> Iterator[Contract]:
    for word in words.values():
        if text := _record(word).get("contract"):
            yield contract_of(text, int(_record(word)["revision"]))
    if survivor.contract is not None:
        yield survivor.contract


def _terms(words: Mapping[str, Word]) -> Iterator[int]:
    """Yield every term that an agent knows, promised, or saw promised."""
    for word in words.values():
        yield int(word.get("promised_term") or 0)
        for part in (word.get("claim"), word.get("contract"), (word.get("mysql") or {}).get("replication")):
            yield int((part or {}).get("term") or 0)
        yield from (int(peer.get("promised") or 0) for peer in (word.get("peers") or {}).values())


def _terms_of(contract: Contract | None) -> Iterable[int]:
    return () if contract is None else (contract.term,)


def _successions(words: Mapping[str, Word], survivor: Survivor, until: int) -> tuple[Succession, ...]:
    """Return how terms began, as far as it is known; a gap only means that what it would prove is kept and reported."""
    told = [succession_of(text) for word in words.values() for text in _record(word).get("successions", ())]
    by_term = {each.term: each for each in (*survivor.successions, *told) if each.term <= until}
    return tuple(by_term[term] for term in sorted(by_term)[-KEPT:])


def read_keys(answer: str) -> Survivor:
    """Read the gateway's answer to a request for all keys of the record.

    Raises:
        ValueError: it is none.

    """
    document = json.loads(answer)
    try:
        values = {
            _text(kv["key"]): (_text(kv.get("value", "")), int(kv["mod_revision"])) for kv in document.get("kvs", ())
        }
        return survivor_of(values, int(document["header"]["revision"]))
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"no record: {error}") from error


def _text(encoded: str) -> str:
    return base64.b64decode(encoded).decode()
