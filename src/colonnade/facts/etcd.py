"""How etcd on a machine is asked how it is, and how its answer is read.

Over its JSON gateway rather than by etcdctl: that can be asked for the list of members as this member
knows it, which also works when the majority is lost, and one curl asks both questions.
"""

import json
from dataclasses import replace
from typing import Any

from colonnade import paths
from colonnade.facts.model import EtcdFact, EtcdMemberFact

SECONDS = 3
_LOCAL = "https://127.0.0.1:2379/v3"
_CREDENTIALS = (
    f"--cacert {paths.AUTHORITY} --cert {paths.ETCD_CLIENT_CERTIFICATE} --key {paths.ETCD_CLIENT_KEY} -m {SECONDS}"
)

ETCD = f"""
for file in {paths.ETCD_DATA}/member/wal/*.wal; do [ ! -e "$file" ] || printf 'etcd\\tdata\\n'; break; done
[ ! -e {paths.ETCD_JOINED} ] || printf 'etcd\\tjoined\\n'
[ ! -r {paths.ETCD_RECOVERED} ] || while read -r at cluster; do
  printf 'etcd\\trecovered\\t%s\\t%s\\n' "$at" "$cluster"
done < {paths.ETCD_RECOVERED}
[ ! -e {paths.ETCD_JOIN} ] || while IFS='=' read -r key value; do
  [ "$key" != ETCD_INITIAL_CLUSTER ] || printf 'etcd\\tjoin\\t%s\\n' "$value"
done < {paths.ETCD_JOIN}
if [ -e {paths.ETCD_CONFIG} ] && [ -e {paths.ETCD_CLIENT_KEY} ]; then
  curl -s {_CREDENTIALS} -w '\\n' -d '{{}}' {_LOCAL}/maintenance/status \\
    --next -s {_CREDENTIALS} -w '\\n' -d '{{"linearizable": false}}' {_LOCAL}/cluster/member/list 2>/dev/null |
    while IFS= read -r line; do printf 'etcd\\tsaid\\t%s\\n' "$line"; done
fi
"""


def etcd_fact(lines: list[list[str]]) -> EtcdFact:
    """Read the lines of kind ``etcd``.

    Raises:
        ValueError: what etcd said is no JSON, or not what it should be.

    """
    try:
        return _fact(lines)
    except (AttributeError, IndexError, TypeError) as error:
        raise ValueError(f"etcd's answer: {error}") from error


def _fact(lines: list[list[str]]) -> EtcdFact:
    said = {kind: "".join(rest) for kind, *rest in lines}
    texts = ["\t".join(rest) for kind, *rest in lines if kind == "said"]
    answers: list[dict[str, Any]] = [json.loads(text) for text in texts if text]
    status = next((answer for answer in answers if "raftTerm" in answer), None)
    listed = next((answer for answer in answers if "members" in answer), {})
    at, cluster = next(((rest[0], rest[1]) for kind, *rest in lines if kind == "recovered"), ("0", ""))
    fact = EtcdFact(
        data="data" in said,
        joined="joined" in said,
        join=said.get("join", ""),
        recovered_at=int(at),
        recovered_as=cluster,
    )
    if status is None:
        return fact
    return replace(
        fact,
        answers=True,
        cluster=status["header"]["cluster_id"],
        member=status["header"]["member_id"],
        leader="" if status.get("leader", "0") == "0" else status["leader"],
        index=int(status.get("raftIndex", 0)),
        version=status.get("version", ""),
        size=int(status.get("dbSize", 0)),
        members=tuple(
            EtcdMemberFact(member.get("name", ""), peer, learner=member.get("isLearner", False))
            for member in listed.get("members", ())
            for peer in member["peerURLs"][:1]
        ),
        errors=tuple(status.get("errors", ())),
    )
