"""What the agents say together, in sentences for a person: are writes safe, what would one more failure do, why. Pure.

An agent's word is the document of its ``/status``. Of several, the newest contract counts; what an agent says of
itself counts more than what others say of it.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

Word = Mapping[str, Any]
Words = Mapping[str, Word]


def newest_contract(words: Words) -> Mapping[str, Any] | None:
    """Return the contract that was written last, of those the agents know; None if none knows one."""
    known = [word["contract"] for word in words.values() if word.get("contract")]
    return max(known, key=lambda contract: int(contract["revision"]), default=None)


def serving(words: Words) -> list[str]:
    """Return who serves as primary by its own word."""
    return [node for node, word in sorted(words.items()) if word.get("serves", {}).get("primary")]


def role(node: str, word: Word | None, contract: Mapping[str, Any] | None) -> str:
    """Return a server's role in one word."""
    if contract is not None and contract["primary"] == node:
        return "primary"
    if contract is not None and node in contract["standbys"] and node not in contract["barred"]:
        return "standby"
    if word is not None and (word.get("mysql") or {}).get("replication"):
        return "replica"
    return "-"


def _many(names: list[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names) or "nobody"


def explain(words: Words, silent: list[str]) -> list[str]:
    """Return the sentences: safety of writes, the next failure, the last change; ``silent`` are agents not reached."""
    contract = newest_contract(words)
    if contract is None:
        reasons = [f"{node}: {word['reason']}" for node, word in sorted(words.items()) if word.get("mysql") is not None]
        return ["Nobody is the primary yet.", *reasons]
    return [
        *_safety(words, contract),
        *_next_failure(words, contract, silent),
        *_last_change(words, contract),
        *_obstacles(words, contract, silent),
    ]


def _safety(words: Words, contract: Mapping[str, Any]) -> Iterator[str]:
    primary, acks = contract["primary"], contract["acks"]
    serves = serving(words)
    if not serves:
        own = words.get(primary)
        why = f": {own['reason']}" if own else f", and the agent of {primary} does not answer"
        yield f"Nobody takes writes at this moment; the contract's primary is {primary}{why}."
    elif acks:
        standbys = [name for name in contract["standbys"] if name not in contract["barred"]]
        some = "" if len(standbys) == acks else f" at least {acks} of"
        where = f"on{some} {_many(standbys)} too (term {contract['term']})"
        yield f"Writes are safe: whatever {primary} acknowledges is {where}."
    else:
        yield f"Writes go on with one copy: only {primary} holds what it acknowledges (acks = 0)."


def _next_failure(words: Words, contract: Mapping[str, Any], silent: list[str]) -> Iterator[str]:
    primary, acks = contract["primary"], contract["acks"]
    standbys = list(contract["standbys"])
    if any(word.get("paused") for word in words.values()):
        yield "The agents are paused: whatever fails now, they only watch (colonnade db resume)."
        return
    if not acks:
        yield f"If {primary} fails, nothing is promoted: no other server is known to hold every write."
        return
    agents = len(words) + len(silent)
    if agents < 3 or len(words) - 1 <= agents // 2:  # noqa: PLR2004  the fewest that have a majority without one
        yield f"If {primary} fails too, too few machines are left to agree on another primary."
    else:
        needed = len(standbys) - acks + 1
        yield f"If {primary} fails, {_many(standbys)} can take over; {needed} of {len(standbys)} must be reachable."
    strict = any((word.get("wanted") or {}).get("strict") for word in words.values())
    if len(standbys) > acks:
        yield "If a standby fails, writes go on without a pause."
    elif strict:
        yield "If a standby fails, writes wait until it is back (durability is strict)."
    else:
        yield "If a standby fails, writes wait for about a second and go on with one copy less."


def _last_change(words: Words, contract: Mapping[str, Any]) -> Iterator[str]:
    known = {each["term"]: each for word in words.values() for each in word.get("successions", ())}
    last = known.get(contract["term"])
    if last is None:
        return
    at, why = _moment(words, contract["primary"], last)
    when = f" at {datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S} UTC" if at else ""
    reason = f", because {why}" if why else ""
    match last["how"]:
        case "founded":
            yield f"{last['primary']} began the cluster{when}."
        case "promoted":
            yield f"{last['primary']} was promoted{when}{reason}; promised: {_many(list(last['promised']))}."
        case "renewed":
            yield f"{last['primary']} stayed the primary in a new term{when}{reason}."
        case how:
            yield f"{last['primary']} became the primary by force{when} ({how}): writes may have been lost."


def _moment(words: Words, primary: str, last: Mapping[str, Any]) -> tuple[float, str]:
    """Return when and why a term was claimed, from the history of who claimed it."""
    found: tuple[float, str] = (0.0, "")
    for entry in (words.get(primary) or {}).get("history", ()):
        if entry["action"] == "ClaimLease" and not entry["reason"].endswith(")"):
            found = (entry["at"], entry["reason"])
        elif entry["action"] == "WriteContract" and "promised term" in entry["reason"]:
            found = (entry["at"], found[1])
    return found if last["how"] != "founded" else (0.0, "")


def _obstacles(words: Words, contract: Mapping[str, Any], silent: list[str]) -> Iterator[str]:
    if silent:
        yield f"Not reached: {_many(sorted(silent))}."
    if not serving(words):
        for node, word in sorted(words.items()):
            if word.get("mysql") is not None and node != contract["primary"]:
                yield f"{node} waits: {word['reason']}."
    for node, word in sorted(words.items()):
        if word.get("etcd") is False:
            yield f"{node} does not reach etcd."
        for each in word.get("warnings", ()):
            yield f"{node}: {each}."


def history(words: Words) -> list[dict[str, Any]]:
    """Return what the agents decided, of all machines, in the order of time."""
    return sorted((entry for word in words.values() for entry in word.get("history", ())), key=lambda e: e["at"])
