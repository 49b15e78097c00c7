"""etcd through its JSON gateway: the record read whole and linearizably, and its four ways of being changed.

Every change is one transaction that compares what it was decided upon. A request whose answer did not come may
have been carried out, or still be: that is told apart from a refusal, because the contract is only built upon what
is certain. The JSON gateway is used because it needs no more than HTTPS (etcd 3.5, "gRPC gateway").
"""

import asyncio
import base64
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from typing import Any
from urllib.parse import urlsplit

from colonnade.ha.actions import ClaimLease, ReleaseLease, RenewLease, WriteContract
from colonnade.ha.record import (
    ALIVE,
    CLAIM,
    KEPT_SUCCESSIONS,
    PAUSED,
    PREFIX,
    REQUEST,
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
from colonnade.ha.view import Claim, Contract, Succession
from colonnade.wire.client import Connection, UnansweredError
from colonnade.wire.tls import Identity

TTL = 2
"""Seconds: etcd's smallest time to live of a lease at an election timeout of one second."""
READ_SECONDS = 0.5
WRITE_SECONDS = 0.5
ONE_TRY = 0.3
"""Seconds after which another member is asked; the first may be cut off."""
REQUEST_TTL = 30
"""Seconds after which a person's wish is forgotten."""

Write = ClaimLease | RenewLease | ReleaseLease | WriteContract


class Outcome(Enum):
    """What became of a change."""

    DONE = "done"
    REFUSED = "refused"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Stored:
    """All that etcd holds for the database, at one revision. ``wish`` is the request's text and its revision."""

    revision: int
    claim: Claim | None = None
    contract: Contract | None = None
    successions: tuple[Succession, ...] = ()
    wish: tuple[str, int] | None = None
    paused: bool = False
    lease: int = 0
    leader: int = 0
    """The member that led when this was read, and the one that answered: etcd's own ids."""
    member: int = 0


class Etcd:
    """The cluster, asked through whichever member answers; its own machine's first."""

    def __init__(self, node: str, urls: Sequence[str], identity: Identity) -> None:
        self._node = node
        tls = identity.client()
        places = [urlsplit(url) for url in urls]
        self._members = [Connection(place.hostname or "", place.port or 2379, tls) for place in places]
        self._at = 0
        self._lease = 0
        self._successions: dict[int, Succession] = {}
        self._contract_read: Contract | None = None

    def close(self) -> None:
        """Give up all connections."""
        for member in self._members:
            member.close()

    async def _ask(self, path: str, document: Mapping[str, Any], *, seconds: float, again: bool = True) -> Any:
        """Ask one member after the other; ``again``: the request may be carried out twice."""
        body = json.dumps(document).encode()
        clock = asyncio.get_running_loop().time
        until, unknown = clock() + seconds, False
        last: UnansweredError | None = None
        while (left := until - clock()) > 0:
            member = self._members[self._at % len(self._members)]
            try:
                answer = await member.request("POST", path, body, seconds=min(left, ONE_TRY) if again else left)
            except UnansweredError as error:
                unknown, last = unknown or error.sent, error
                self._at += 1
                if (error.sent and not again) or len(self._members) == 1:
                    break
                await asyncio.sleep(0.01)
                continue
            if answer.status == 200:  # noqa: PLR2004  HTTP's OK
                return json.loads(answer.body)
            said = _said(answer.body)
            last = UnansweredError(said, sent=True)
            if "not found" in said:  # a lease that is over
                raise LookupError(said)
            # No leader, or it is changing: this member, or another, may know one in a moment.
            unknown, self._at = True, self._at + 1
            if not again:
                break
            await asyncio.sleep(0.05)
        raise UnansweredError(str(last) if last else f"no member answered within {seconds:g} s", sent=unknown)

    # ---- reading

    async def read(self, *, seconds: float = READ_SECONDS) -> Stored:
        """Read the record as a majority of etcd has it at this moment.

        Raises:
            UnansweredError: nobody answered who knows a majority.

        """
        span = {"key": _b64(PREFIX), "range_end": _b64(PREFIX[:-1] + chr(ord(PREFIX[-1]) + 1))}
        answer = await self._ask("/v3/kv/range", span, seconds=seconds)
        header = answer["header"]
        values: dict[str, tuple[str, int, int]] = {}
        for kv in answer.get("kvs", ()):
            key = base64.b64decode(kv["key"]).decode()
            text = base64.b64decode(kv.get("value", "")).decode()
            values[key] = (text, int(kv["mod_revision"]), int(kv.get("lease", 0)))
        claim = None
        if CLAIM in values:
            text, revision, _ = values[CLAIM]
            holder, term = claim_of(text)
            claim = Claim(holder, term, revision, alive=ALIVE in values and values[ALIVE][0] == text)
        lease = values[ALIVE][2] if ALIVE in values else 0
        if claim is not None and claim.holder == self._node and lease:
            self._lease = lease
        return Stored(
            int(header["revision"]),
            claim,
            self._contract_of(*values[SYNC][:2]) if SYNC in values else None,
            tuple(self._succession(*value[:2]) for key, value in sorted(values.items()) if key.startswith(SUCCESSION)),
            values[REQUEST][:2] if REQUEST in values else None,
            PAUSED in values,
            lease,
            member=int(header["member_id"]),
        )

    def _contract_of(self, text: str, revision: int) -> Contract:
        if self._contract_read is None or self._contract_read.revision != revision:
            self._contract_read = contract_of(text, revision)
        return self._contract_read

    def _succession(self, text: str, revision: int) -> Succession:
        if revision not in self._successions:
            self._successions[revision] = succession_of(text)
        return self._successions[revision]

    # ---- changing

    async def write(self, action: Write, *, seconds: float = WRITE_SECONDS) -> Outcome:
        """Carry one change out, if what it was decided upon still holds."""
        try:
            match action:
                case ClaimLease(term, expected):
                    return await self._claim(term, expected, seconds)
                case RenewLease(term, expected):
                    return await self._renew(term, expected, seconds)
                case ReleaseLease():
                    return await self._release(seconds)
                case WriteContract():
                    return await self._contract(action, seconds)
        except LookupError:
            return Outcome.REFUSED
        except UnansweredError as error:
            return Outcome.UNKNOWN if error.sent else Outcome.REFUSED

    async def _claim(self, term: int, expected: int, seconds: float) -> Outcome:
        lease = int((await self._ask("/v3/lease/grant", {"TTL": TTL}, seconds=seconds))["ID"])
        text = claim_text(self._node, term)
        done = await self._transaction(
            [_mod_revision(CLAIM, expected)], [_put(CLAIM, text), _put(ALIVE, text, lease=lease)], seconds
        )
        if done:
            self._lease = lease
        return Outcome.DONE if done else Outcome.REFUSED

    async def _renew(self, term: int, expected: int, seconds: float) -> Outcome:
        """Keep the lease alive; or, if it is over and nobody else has claimed, begin another for the same claim.

        That the claim is still this node's is read after the lease was prolonged: then it was so when it was.
        """
        alive = False
        if self._lease:
            with suppress(LookupError):
                answer = await self._ask("/v3/lease/keepalive", {"ID": str(self._lease)}, seconds=seconds)
                alive = int(answer.get("result", {}).get("TTL", 0)) > 0
        if alive:
            now = await self.read(seconds=seconds)
            claim = now.claim
            mine = claim is not None and (claim.holder, claim.term) == (self._node, term)
            if not mine or claim is None or claim.revision != expected:
                return Outcome.REFUSED
            if claim.alive:
                return Outcome.DONE
        lease = int((await self._ask("/v3/lease/grant", {"TTL": TTL}, seconds=seconds))["ID"])
        done = await self._transaction(
            [_mod_revision(CLAIM, expected)], [_put(ALIVE, claim_text(self._node, term), lease=lease)], seconds
        )
        if done:
            self._lease = lease
        return Outcome.DONE if done else Outcome.REFUSED

    async def _release(self, seconds: float) -> Outcome:
        lease, self._lease = self._lease, 0
        if not lease:
            lease = (await self.read(seconds=seconds)).lease
        await self._ask("/v3/lease/revoke", {"ID": str(lease)}, seconds=seconds)
        return Outcome.DONE

    async def _contract(self, action: WriteContract, seconds: float) -> Outcome:
        compares = [
            _mod_revision(SYNC, action.expected),
            _value(CLAIM, claim_text(self._node, action.claim_term)),
        ]
        puts = [_put(SYNC, contract_text(action.contract))]
        if action.succession is not None:
            term = action.succession.term
            puts.append(_put(succession_key(term), succession_text(action.succession)))
            if term > KEPT_SUCCESSIONS:
                puts.append({"request_delete_range": _until(succession_key(term - KEPT_SUCCESSIONS))})
        if action.done:
            puts.append({"request_delete_range": {"key": _b64(REQUEST)}})
        done = await self._transaction(compares, puts, seconds)
        return Outcome.DONE if done else Outcome.REFUSED

    async def _transaction(self, compare: list[Any], success: list[Any], seconds: float) -> bool:
        answer = await self._ask(
            "/v3/kv/txn", {"compare": compare, "success": success, "failure": []}, seconds=seconds, again=False
        )
        return bool(answer.get("succeeded", False))

    # ---- a person's wishes

    async def wish(self, text: str) -> None:
        """Write a request down; it is forgotten by itself after a while.

        Raises:
            UnansweredError: etcd did not answer.

        """
        lease = int((await self._ask("/v3/lease/grant", {"TTL": REQUEST_TTL}, seconds=2))["ID"])
        await self._ask("/v3/kv/put", {"key": _b64(REQUEST), "value": _b64(text), "lease": str(lease)}, seconds=2)

    async def withdraw(self) -> None:
        """Forget the request."""
        await self._ask("/v3/kv/deleterange", {"key": _b64(REQUEST)}, seconds=2)

    async def pause(self, *, on: bool) -> None:
        """Have all agents only watch, or act again.

        Raises:
            UnansweredError: etcd did not answer.

        """
        if on:
            await self._ask("/v3/kv/put", {"key": _b64(PAUSED), "value": _b64("1")}, seconds=2)
        else:
            await self._ask("/v3/kv/deleterange", {"key": _b64(PAUSED)}, seconds=2)

    # ---- its leader

    async def leads(self) -> tuple[bool, list[int]]:
        """Say whether the first member of the list, this machine's own, leads; and the others that vote.

        Raises:
            UnansweredError: it did not answer.

        """
        own = self._members[0]
        answer = await own.request("POST", "/v3/maintenance/status", b"{}", seconds=1)
        listed = await own.request("POST", "/v3/cluster/member/list", b'{"linearizable":false}', seconds=1)
        status, members = json.loads(answer.body), json.loads(listed.body)
        me = status["header"]["member_id"]
        others = [int(m["ID"]) for m in members.get("members", ()) if m["ID"] != me and not m.get("isLearner")]
        return status.get("leader", "0") == me, others

    async def move_leader(self, to: int) -> bool:
        """Have another member lead instead of this machine's own."""
        body = json.dumps({"targetID": str(to)}).encode()
        with suppress(UnansweredError):
            answer = await self._members[0].request("POST", "/v3/maintenance/transfer-leadership", body, seconds=2)
            return answer.status == 200  # noqa: PLR2004  HTTP's OK
        return False


def _b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _mod_revision(key: str, expected: int) -> dict[str, Any]:
    return {"key": _b64(key), "target": "MOD", "result": "EQUAL", "mod_revision": str(expected)}


def _value(key: str, text: str) -> dict[str, Any]:
    return {"key": _b64(key), "target": "VALUE", "result": "EQUAL", "value": _b64(text)}


def _put(key: str, text: str, *, lease: int = 0) -> dict[str, Any]:
    return {"request_put": {"key": _b64(key), "value": _b64(text), "lease": str(lease)}}


def _until(key: str) -> dict[str, str]:
    return {"key": _b64(SUCCESSION), "range_end": _b64(key)}


def _said(body: bytes) -> str:
    with suppress(ValueError, AttributeError):
        return str(json.loads(body).get("message", ""))
    return body.decode(errors="replace")[:200]
