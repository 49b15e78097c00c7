"""What the agent answers over HTTPS: health to anybody, everything else to who shows a certificate of the stack."""

import json
import time
from typing import Any

from colonnade import __version__
from colonnade.agent.documents import (
    contract_document,
    mysql_document,
    peers_document,
    record_document,
    report_document,
)
from colonnade.agent.loop import Agent, clock
from colonnade.agent.metrics import metrics_text
from colonnade.agent.wishes import Wish, best_target, why_not, why_not_anew, wish_text
from colonnade.ha.standby import KEPT
from colonnade.ha.states import state
from colonnade.wire.client import UnansweredError
from colonnade.wire.server import Request, Response

PROMISE_SECONDS = 0.4
"""How long an ask for a promise is held open, so that its answer is the promise itself."""
LOOK_SECONDS = 0.2
"""How long a question waits for a view that is newer than it."""
ALIVE_SECONDS = 10.0
SHOWN = 200
OK, ACCEPTED, BAD, FORBIDDEN, NOT_FOUND, CONFLICT, UNAVAILABLE = 200, 202, 400, 403, 404, 409, 503


class Endpoints:
    """One agent's answers."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent

    async def answer(self, request: Request) -> Response:  # noqa: PLR0911  one line for each path
        """Answer one request."""
        path = request.path.partition("?")[0]
        if request.method in {"GET", "HEAD", "OPTIONS"} and path in {"/health", "/primary", "/replica"}:
            return self._health(path)
        if not request.who:
            return _json(FORBIDDEN, {"error": "a certificate of the stack's authority is needed"})
        match request.method, path:
            case "GET", "/report":
                if request.path.endswith("?now"):
                    self._agent.nudge()
                    await self._agent.after_round(LOOK_SECONDS)
                return self._report()
            case "GET", "/status":
                return _json(OK, self.status())
            case "GET", "/metrics":
                return Response(OK, metrics_text(self._agent, clock()).encode(), "text/plain; version=0.0.4")
            case "POST", "/changed":
                # Whoever says so is asked, and so is everybody else: it costs little, and names cannot be mistaken.
                self._agent.peers.ask_now()
                return self._report()
            case "POST", "/promise":
                return await self._promise(request.body)
            case "POST", "/control":
                return await self._control(request.body)
        return _json(NOT_FOUND, {"error": f"{request.method} {path} is not there"})

    def _health(self, path: str) -> Response:
        agent = self._agent
        if path == "/health":
            fine = clock() - agent.alive_at < ALIVE_SECONDS
        else:
            fine = agent.serves if path == "/primary" else agent.serves_reads
        return Response(OK if fine else UNAVAILABLE, b"yes\n" if fine else b"no\n", "text/plain")

    def _report(self) -> Response:
        agent = self._agent
        if agent.told is None or agent.view is None:
            return _json(UNAVAILABLE, {"error": "starting"})
        return _json(OK, report_document(agent.told, clock() - agent.view.now))

    async def _promise(self, body: bytes) -> Response:
        term = int(_document(body).get("term", 0))
        agent = self._agent
        agent.asked_to_promise(term)
        until = clock() + PROMISE_SECONDS
        while clock() < until and (agent.told is None or agent.told.promised < term):
            await agent.after_round(until - clock())
        return self._report()

    def status(self) -> dict[str, Any]:
        """Return all that a person or a program may want to know."""
        agent, view = self._agent, self._agent.view
        document: dict[str, Any] = {
            "node": agent.config.node,
            "version": __version__,
            "since": agent.started,
            "now": time.time(),
            "state": "starting",
            "reason": agent.decision.reason,
            "action": type(agent.decision.action).__name__,
            "failure": agent.failure,
            "serves": {"primary": agent.serves, "replica": agent.serves_reads},
            "history": [vars_of(each) for each in agent.history.last(SHOWN)],
            "errant": agent.disk.saved_errant(),
            "warnings": agent.warnings,
        }
        if view is None:
            return document
        claim, seen = view.record.claim, agent.observer.seen
        progress = agent.actor.clone_progress
        return document | {
            "state": "witness" if agent.server is None else state(view).value,
            "paused": view.paused,
            "etcd": view.record.current,
            "claim": {"holder": claim.holder, "term": claim.term, "alive": claim.alive} if claim else None,
            "contract": contract_document(view.record.contract),
            "promised_term": view.durable.promised_term,
            "incarnation": view.me.incarnation,
            "record": record_document(view.record),
            "mysql": mysql_document(view) if agent.server is not None else None,
            "silent": agent.observer.why_silent,
            "lag_seconds": seen.lag if seen is not None else None,
            "peers": peers_document(view),
            "reaches_primary": view.reaches_primary,
            "clone": {"stage": progress[0], "percent": progress[1]} if progress else None,
            "wanted": {
                "standbys": view.wanted.standbys,
                "acks": view.wanted.acks,
                "strict": view.wanted.strict,
                "ttl_seconds": view.wanted.ttl,
            },
            "successions": [
                {
                    "term": each.term,
                    "previous": each.previous,
                    "primary": each.primary.name,
                    "how": each.how.value,
                    "promised": sorted(m.name for m in each.promised),
                    "holds": str(each.holds),
                }
                for each in view.record.successions[-20:]
            ],
        }

    # ---- what a person asks for, through the local command

    async def _control(self, body: bytes) -> Response:  # noqa: PLR0911  one case for each verb
        asked = _document(body)
        agent, view = self._agent, self._agent.view
        if view is None:
            return _json(UNAVAILABLE, {"error": "starting"})
        try:
            match asked.get("verb"):
                case "pause" | "resume" as verb:
                    await agent.etcd.pause(on=verb == "pause")
                    return _json(OK, {"paused": verb == "pause"})
                case "withdraw":
                    await agent.etcd.withdraw()
                    return _json(OK, {})
                case "switchover":
                    target = str(asked.get("to") or best_target(view))
                    refused = why_not(view, target) if target else "there is no standby to switch to"
                    if refused:
                        return _json(CONFLICT, {"refused": refused})
                    await agent.etcd.wish(wish_text(Wish(target)))
                    return _json(ACCEPTED, {"to": target})
                case "failover":
                    target = str(asked.get("to") or "")
                    if target not in view.wanted.servers:
                        return _json(CONFLICT, {"refused": f"{target or 'nobody'} is no server"})
                    await agent.etcd.wish(wish_text(Wish(target, forced=True)))
                    return _json(ACCEPTED, {"to": target})
                case "rebuild":
                    return self._rebuild(discard=bool(asked.get("discard")))
        except UnansweredError as error:
            return _json(UNAVAILABLE, {"error": f"etcd does not answer: {error}"})
        return _json(BAD, {"error": f"no such verb: {asked.get('verb')!r}"})

    def _rebuild(self, *, discard: bool) -> Response:
        agent, view = self._agent, self._agent.view
        if agent.server is None or view is None:
            return _json(CONFLICT, {"refused": "there is no MySQL on this machine"})
        if refused := why_not_anew(view):
            return _json(CONFLICT, {"refused": refused})
        if agent.decision.reason.startswith(KEPT) and not discard:
            return _json(CONFLICT, {"refused": f"its data is {agent.decision.reason}; --discard throws it away"})
        agent.provision_anew()
        return _json(ACCEPTED, {"rebuild": agent.config.node})


def vars_of(entry: Any) -> dict[str, Any]:
    """Return a slotted value's fields."""
    return {name: getattr(entry, name) for name in entry.__dataclass_fields__}


def _json(status: int, document: object) -> Response:
    return Response(status, json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")


def _document(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body or b"{}")
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
