"""How the agent on a machine is asked how it is, and how its answer is read: one JSON document on one line."""

import json
from typing import Any

from colonnade import paths
from colonnade.facts.model import AgentFact, ClaimFact, ContractFact, ReplicationFact, SavedFact
from colonnade.topology import AGENT_PORT

SECONDS = 3

AGENT = f"""
[ -z "$(ls -A {paths.AGENT_STATE} 2>/dev/null)" ] || printf 'agent\\tran\\n'
if [ -e {paths.AGENT_CONFIG} ] && [ -e {paths.ETCD_CLIENT_KEY} ]; then
  said=$(curl -s -f -m {SECONDS} --cacert {paths.AUTHORITY} --cert {paths.ETCD_CLIENT_CERTIFICATE} \\
    --key {paths.ETCD_CLIENT_KEY} https://127.0.0.1:{AGENT_PORT}/status 2>/dev/null | tr '\\n\\t' '  ')
  [ -z "$said" ] || printf 'agent\\tsaid\\t%s\\n' "$said"
fi
"""


def agent_fact(lines: list[list[str]]) -> AgentFact:
    """Read the lines of kind ``agent``.

    Raises:
        ValueError: what the agent said is no JSON, or not what it should be.

    """
    said = {kind: "\t".join(rest) for kind, *rest in lines}
    ran = "ran" in said
    if "said" not in said:
        return AgentFact(ran=ran)
    try:
        return _fact(json.loads(said["said"]), ran=ran)
    except (AttributeError, TypeError) as error:
        raise ValueError(f"the agent's answer: {error}") from error


def _fact(status: dict[str, Any], *, ran: bool) -> AgentFact:
    claim, contract = status["claim"], status["contract"]
    mysql, clone = status["mysql"] or {}, status["clone"]
    lag = status["lag_seconds"]
    return AgentFact(
        ran=ran,
        answers=True,
        node=str(status["node"]),
        state=str(status["state"]),
        reason=str(status["reason"]),
        serves_primary=bool(status["serves"]["primary"]),
        serves_replica=bool(status["serves"]["replica"]),
        paused=bool(status["paused"]),
        etcd=bool(status["etcd"]),
        claim=ClaimFact(str(claim["holder"]), int(claim["term"]), bool(claim["alive"])) if claim else None,
        contract=_contract(contract) if contract else None,
        mysql=bool(mysql.get("answers")),
        replication=_replication(mysql["replication"]) if mysql.get("replication") else None,
        lag_seconds=None if lag is None else float(lag),
        clone=(str(clone["stage"]), int(clone["percent"] or 0)) if clone else None,
        saved=tuple(SavedFact(str(each["directory"]), int(each["transactions"])) for each in status["errant"]),
        warnings=tuple(str(each) for each in status["warnings"]),
    )


def _contract(said: dict[str, Any]) -> ContractFact:
    return ContractFact(
        primary=str(said["primary"]),
        term=int(said["term"]),
        standbys=tuple(sorted(str(name) for name in said["standbys"])),
        acks=int(said["acks"]),
        revision=int(said["revision"]),
    )


def _replication(said: dict[str, Any]) -> ReplicationFact:
    return ReplicationFact(
        source=str(said["source"]),
        term=int(said["term"]),
        receiver=str(said["receiver"]),
        applying=bool(said["applying"]),
        error=str(said["error"]),
    )
