"""The record as it stands in etcd: each value as JSON, and back.

Keys, below one prefix: ``claim`` (holder and term), ``alive`` (there while the claim's lease lasts), ``sync`` (the
contract), ``succession/TERM``, ``request`` (a person's wish), ``paused``.
"""

import json
from typing import Any

from colonnade.gtid import GtidSet
from colonnade.ha.view import Contract, How, Member, Succession

PREFIX = "/colonnade/"
CLAIM, ALIVE, SYNC, REQUEST, PAUSED = (PREFIX + name for name in ("claim", "alive", "sync", "request", "paused"))
SUCCESSION = f"{PREFIX}succession/"
KEPT_SUCCESSIONS = 1000
"""Terms whose beginning stays on record; whoever was away for longer is not rejoined by itself."""


def succession_key(term: int) -> str:
    """Return the key of a term's beginning; they sort as the terms do."""
    return f"{SUCCESSION}{term:012d}"


def _text(document: dict[str, Any]) -> str:
    return json.dumps(document, sort_keys=True, separators=(",", ":"))


def _member(member: Member) -> list[str]:
    return [member.name, member.incarnation]


def claim_text(holder: str, term: int) -> str:
    """Write who claims; the same text for the same claim, since it is compared as a whole."""
    return _text({"holder": holder, "term": term})


def claim_of(text: str) -> tuple[str, int]:
    """Read holder and term."""
    document = json.loads(text)
    return str(document["holder"]), int(document["term"])


def contract_text(contract: Contract) -> str:
    """Write a contract; its revision is etcd's own."""
    return _text(
        {
            "primary": _member(contract.primary),
            "term": contract.term,
            "standbys": [_member(each) for each in sorted(contract.standbys)],
            "acks": contract.acks,
            "floor": str(contract.floor),
            "barred": sorted(contract.barred),
        }
    )


def contract_of(text: str, revision: int) -> Contract:
    """Read a contract."""
    document = json.loads(text)
    return Contract(
        Member(*document["primary"]),
        int(document["term"]),
        frozenset(Member(*each) for each in document["standbys"]),
        int(document["acks"]),
        GtidSet.parse(document["floor"]),
        frozenset(document["barred"]),
        revision,
    )


def succession_text(succession: Succession) -> str:
    """Write how a term began."""
    return _text(
        {
            "term": succession.term,
            "previous": succession.previous,
            "primary": _member(succession.primary),
            "how": succession.how.value,
            "promised": [_member(each) for each in sorted(succession.promised)],
            "holds": str(succession.holds),
        }
    )


def succession_of(text: str) -> Succession:
    """Read how a term began."""
    document = json.loads(text)
    return Succession(
        int(document["term"]),
        int(document["previous"]),
        Member(*document["primary"]),
        How(document["how"]),
        frozenset(Member(*each) for each in document["promised"]),
        GtidSet.parse(document["holds"]),
    )
