"""The shell commands of the steps that change etcd's cluster.

Members are looked up by peer URL when a step runs, and each command first looks whether its work is
done: one whose answer got lost is simply tried again.
"""

from shlex import quote
from typing import assert_never

from colonnade import paths
from colonnade.rollout.steps import (
    AddMember,
    LeaveCluster,
    PermitMember,
    PromoteMember,
    RemoveMember,
    SealMember,
    UnitAction,
)
from colonnade.topology import ETCD_CLIENT_PORT

READY_SECONDS = 60
"""How long a member that starts may wait for a majority; first starts on slow disks are the longest."""
CHANGE_SECONDS = 60
"""etcd refuses a change of its members until those there are have been connected to each other for 5 s."""

EtcdStep = PermitMember | SealMember | AddMember | PromoteMember | RemoveMember | LeaveCluster

ETCD_FUNCTIONS = f"""etcd_ctl() {{
  timeout 15 etcdctl --endpoints="${{endpoints:-https://127.0.0.1:2379}}" --cacert {paths.AUTHORITY} \\
    --cert {paths.ETCD_CLIENT_CERTIFICATE} --key {paths.ETCD_CLIENT_KEY} --dial-timeout=3s --command-timeout=10s "$@"
}}
etcd_find() {{
  # etcd_find PEER: sets id and learner of the member with that URL, to nothing if there is none.
  listed=$(etcd_ctl member list) || return 1
  id=$(printf '%s\\n' "$listed" | awk -F', ' -v peer="$1" '$4 == peer {{print $1}}')
  learner=$(printf '%s\\n' "$listed" | awk -F', ' -v peer="$1" '$4 == peer {{print $6}}')
}}
etcd_add() {{ etcd_find "$2" || return 1; [ -n "$id" ] || etcd_ctl member add "$1" --learner --peer-urls="$2"; }}
etcd_remove() {{ etcd_find "$1" || return 1; [ -z "$id" ] || etcd_ctl member remove "$id"; }}
etcd_promote() {{
  etcd_find "$1" || return 1
  [ -n "$id" ] || {{ echo "it is no member any more"; return 1; }}
  [ "$learner" = false ] || etcd_ctl member promote "$id"
}}
etcd_list() {{ listed=$(etcd_ctl member list) && [ -n "$listed" ]; }}
"""


def etcd_commands(step: EtcdStep) -> list[str]:  # noqa: PLR0911  one branch for each kind of step
    """Return a step's commands."""
    match step:
        case PermitMember(new=True):
            return _permit_first(step)
        case PermitMember():
            return _permit_another(step)
        case SealMember():
            return [f"if [ -e {paths.ETCD_JOIN} ]; then mv -f {paths.ETCD_JOIN} {paths.ETCD_JOINED}; fi", _KEEP_MARK]
        case AddMember(name, peer):
            return [f"until_true {CHANGE_SECONDS} 'etcd to take {name} in' etcd_add {quote(name)} {quote(peer)}"]
        case PromoteMember(name, peer):
            return [f"until_true {CHANGE_SECONDS} '{name} to catch up with etcd' etcd_promote {quote(peer)}"]
        case RemoveMember(name, peer):
            return [f"until_true {CHANGE_SECONDS} 'etcd to let {name} go' etcd_remove {quote(peer)}"]
        case LeaveCluster():
            return [
                f"systemctl disable -q --now {paths.ETCD_UNIT} 2>/dev/null || true",
                f"rm -rf {paths.ETCD_DATA} {paths.ETCD_JOIN} {paths.ETCD_JOINED}",
                f"rm -rf {paths.ETCD_RECOVERED} {paths.ETCD_RECOVERY}",
            ]
        case _:
            assert_never(step)


_KEEP_MARK = f"[ -e {paths.ETCD_JOINED} ] || : >{paths.ETCD_JOINED}"


def start_etcd(action: UnitAction) -> list[str]:
    """Return the commands that start or restart a member and wait until it takes part; READY needs a majority."""
    unit = paths.ETCD_UNIT
    log = f"journalctl -u {unit} -n 25 --no-pager -o cat"
    explain = f"{{ echo 'etcd was not ready within {READY_SECONDS} s'; {log}; exit 1; }}"
    return [
        f"systemctl reset-failed {unit} 2>/dev/null || true",
        f"timeout {READY_SECONDS} systemctl {action} {unit} || {explain}",
        # A unit whose condition does not hold is not started, and that is no error to systemd.
        f"systemctl is-active -q {unit} || {explain}",
    ]


def _permit_first(step: PermitMember) -> list[str]:
    leave = _leave(quote(",".join(f"{name}={peer}" for name, peer in step.cluster)), "new")
    return [
        # Another apply may have got here first: what has ever been a member is never emptied.
        f"[ ! -e {paths.ETCD_JOINED} ] || {{ echo 'it is a member already; plan again'; exit 1; }}",
        leave,
        f"if cmp -s {paths.ETCD_JOIN}.new {paths.ETCD_JOIN}; then rm -f {paths.ETCD_JOIN}.new; else",
        f"systemctl stop {paths.ETCD_UNIT} 2>/dev/null || true",
        f"rm -rf {paths.ETCD_DATA} {paths.ETCD_RECOVERED}",
        f"mv -f {paths.ETCD_JOIN}.new {paths.ETCD_JOIN}",
        "fi",
    ]


def _permit_another(step: PermitMember) -> list[str]:
    endpoints = ",".join(f"{peer.rpartition(':')[0]}:{ETCD_CLIENT_PORT}" for _, peer in step.cluster)
    named = (
        f"""printf '%s\\n' "$listed" | awk -F', ' -v peer={quote(step.peer)} -v name={quote(step.name)} """
        """'{n = $4 == peer ? name : $3; printf "%s%s=%s", s, n, $4; s = ","}'"""
    )
    return [
        f"systemctl stop {paths.ETCD_UNIT} 2>/dev/null || true",
        f"rm -rf {paths.ETCD_DATA} {paths.ETCD_JOIN} {paths.ETCD_JOINED}",
        f"endpoints={quote(endpoints)}",
        f"until_true {CHANGE_SECONDS} 'another member to say who is in the cluster' etcd_list",
        "endpoints=",
        f"cluster=$({named})",
        _leave('"$cluster"', "existing"),
        f"mv -f {paths.ETCD_JOIN}.new {paths.ETCD_JOIN}",
    ]


def _leave(cluster: str, state: str) -> str:
    return f"printf 'ETCD_INITIAL_CLUSTER=%s\\nETCD_INITIAL_CLUSTER_STATE={state}\\n' {cluster} >{paths.ETCD_JOIN}.new"
