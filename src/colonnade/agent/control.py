"""The local command's verbs: ask the agent of this machine, and wait for what was asked for."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

from colonnade.agent.config import Config
from colonnade.wire.client import Connection, UnansweredError

UNREACHABLE = {"error": "the agent of this machine does not answer; systemctl status colonnade-agent"}
ASK_EVERY = 0.1
OK, FAILED, REFUSED, SILENT = 0, 1, 3, 4

Outcome = tuple[int, Any]


async def control(config: Config, asked: dict[str, Any]) -> Outcome:  # noqa: PLR0911  one line for each verb
    """Do one verb; return the exit code, and what is printed."""
    agent = Connection("127.0.0.1", config.port, config.identity.client())
    try:
        match asked["verb"]:
            case "status":
                return OK, await _status(agent)
            case "switchover" | "failover" as verb:
                return await _change(agent, verb, asked["to"], asked["seconds"])
            case "wait-primary":
                return await _until(agent, _led, asked["seconds"], "nobody serves as primary")
            case "wait-well":
                return await _until(agent, _well, asked["seconds"], "not well yet")
            case "rebuild":
                return await _say(agent, {"verb": "rebuild", "discard": asked.get("discard", False)})
            case verb:
                return await _say(agent, {"verb": verb})
    except UnansweredError:
        return SILENT, UNREACHABLE


async def _status(agent: Connection) -> dict[str, Any]:
    answer = await agent.request("GET", "/status", seconds=3)
    document: dict[str, Any] = json.loads(answer.body)
    return document


async def _say(agent: Connection, document: dict[str, Any]) -> Outcome:
    answer = await agent.request("POST", "/control", json.dumps(document).encode(), seconds=6)
    said = json.loads(answer.body)
    if "refused" in said:
        return REFUSED, said
    return (FAILED if "error" in said else OK), said


async def _change(agent: Connection, verb: str, to: str, seconds: float) -> Outcome:
    before = (await _status(agent)).get("contract") or {}
    code, said = await _say(agent, {"verb": verb, "to": to})
    if code:
        return code, said
    target = said["to"]

    def done(status: dict[str, Any]) -> bool:
        contract = status.get("contract") or {}
        if contract.get("primary") != target or contract.get("term") == before.get("term"):
            return False
        return bool(_served_by(status) == target)

    code, status = await _until(agent, done, seconds, f"{target} did not become the primary in time")
    if code:
        await _say(agent, {"verb": "withdraw"})
        return code, status
    contract = status["contract"]
    return OK, {"primary": contract["primary"], "term": contract["term"], "before": before.get("primary")}


def _served_by(status: dict[str, Any]) -> str:
    """Return who serves as primary, as far as this agent knows."""
    if status["serves"]["primary"]:
        return str(status["node"])
    contract = status.get("contract") or {}
    peer = status.get("peers", {}).get(contract.get("primary"), {})
    fresh = peer.get("age") is not None and peer["age"] < 2  # noqa: PLR2004  seconds
    return str(contract["primary"]) if fresh and peer.get("serves") else ""


def _led(status: dict[str, Any]) -> bool:
    return bool(_served_by(status))


def _well(status: dict[str, Any]) -> bool:
    """Say whether this node does its part, and the contract is what the file wants of it as far as it may be."""
    if not _led(status):
        return False
    mysql, contract = status.get("mysql"), status.get("contract") or {}
    wanted = status["wanted"]
    # Who follows can be waited for; who is lost cannot.
    followers = sum(bool(peer["following"]) for peer in status["peers"].values()) + (
        status["state"] in {"standby", "following"}
    )
    if contract.get("acks", 0) < min(wanted["acks"], followers):
        return False
    if mysql is None or status["serves"]["primary"]:
        return True
    replication = mysql.get("replication")
    follows = replication is not None and replication["receiver"] == "on" and replication["applying"]
    return bool(follows and replication["term"] == contract["term"] and status["lag_seconds"] == 0)


async def _until(agent: Connection, fact: Callable[[dict[str, Any]], bool], seconds: float, otherwise: str) -> Outcome:
    loop = asyncio.get_running_loop()
    until, status = loop.time() + seconds, None
    while loop.time() < until:
        try:
            status = await _status(agent)
        except UnansweredError:
            status = None
        if status is not None and status.get("contract") is not None and fact(status):
            return OK, status
        await asyncio.sleep(ASK_EVERY)
    if status is None:
        return SILENT, UNREACHABLE
    return FAILED, {"error": f"{otherwise}: {status['reason']}", "state": status["state"]}
