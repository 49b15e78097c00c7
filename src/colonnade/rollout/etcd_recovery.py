"""The shell scripts that make etcd's cluster anew on one machine, with the corrected record in it before anybody reads.

The new cluster begins from nothing, under an identity of its own, so that what comes back with the old one's data can
neither join it nor be taken for it. Its revisions begin above all that were ever seen: agents tell an old contract from
a new one by them. Until the record is in, etcd listens on ports of 127.0.0.1 that no agent knows. Each script can be
run again, whatever moment it was cut off at.
"""

import base64
import json
from collections.abc import Mapping
from shlex import quote

from colonnade import paths
from colonnade.render import EtcdRole
from colonnade.rollout.script import BUSY, LOCK_SECONDS

CLIENT_PORT, PEER_PORT = 23790, 23800
UNIT = "colonnade-etcd-recovery.service"
START_SECONDS = 30
JOIN_SECONDS = 60
LIFE_SECONDS = 120
"""The longest that a member by hand lives, should nobody be left to stop it."""
REVISIONS_BETWEEN = 1_000_000
"""How far above the highest revision that is known the new cluster begins: the lost majority may have gone on."""

_OLD, _FRESH, _NEW = (f"{paths.ETCD_RECOVERY}/{name}" for name in ("old", "fresh", "new"))
_URL = f"https://127.0.0.1:{CLIENT_PORT}/v3"

_HEAD = f"""set -eu
umask 077
exec 9>{paths.LOCK}
flock -w {LOCK_SECONDS} 9 || {{ echo 'another apply is under way' >&2; exit {BUSY}; }}
end() {{
  systemctl stop {UNIT} 2>/dev/null || true
  systemctl reset-failed {UNIT} 2>/dev/null || true
}}
"""

_BY_HAND = f"""begin() {{
  # begin DATA NAME=VALUE...: a member by hand on this data, reachable from nowhere but here.
  end
  data=$1; shift
  printf '%s\\n' ETCD_DATA_DIR="$data" ETCD_LISTEN_CLIENT_URLS=https://127.0.0.1:{CLIENT_PORT} \\
    ETCD_LISTEN_PEER_URLS=https://127.0.0.1:{PEER_PORT} "$@" >{paths.ETCD_RECOVERY}/env
  chown -R etcd: {paths.ETCD_RECOVERY}
  systemd-run -q --unit={UNIT} -p Type=notify -p User=etcd -p UMask=0077 -p TimeoutStartSec={START_SECONDS} \\
    -p RuntimeMaxSec={LIFE_SECONDS} -p EnvironmentFile={paths.ETCD_CONFIG} \\
    -p EnvironmentFile={paths.ETCD_RECOVERY}/env /usr/bin/etcd >&2 ||
    {{ journalctl -u {UNIT} -n 25 --no-pager -o cat >&2; exit 1; }}
}}
ask() {{
  curl -sS --fail-with-body -m 10 --cacert {paths.AUTHORITY} --cert {paths.ETCD_CLIENT_CERTIFICATE} \\
    --key {paths.ETCD_CLIENT_KEY} -d @- {_URL}/"$1"
}}
trap end EXIT
rm -rf {paths.ETCD_RECOVERY}
mkdir -p {paths.ETCD_RECOVERY}
"""

HALT = f"""{_HEAD}end
systemctl stop {paths.ETCD_UNIT}
"""
"""Stops a member: from here on nothing of the old cluster is answered."""


def read(prefix: str) -> str:
    """Return the script that prints what this machine's member has, from a copy of its data."""
    span = {"key": _b64(prefix), "range_end": _b64(prefix[:-1] + chr(ord(prefix[-1]) + 1))}
    return f"""{_HEAD}{_BY_HAND}cp -a {paths.ETCD_DATA} {_OLD}
begin {_OLD} ETCD_FORCE_NEW_CLUSTER=true
printf '%s' {quote(json.dumps(span))} | ask kv/range
end
rm -rf {paths.ETCD_RECOVERY}
"""


def build(role: EtcdRole, stack: str, texts: Mapping[str, str], *, above: int, at: int) -> str:
    """Return the script that puts a new cluster of this one member, with these keys, in the old data's place.

    It prints the cluster's identity. ``above`` is the highest revision known; ``at`` is now, in seconds since 1970.
    """
    puts = [{"request_put": {"key": _b64(key), "value": _b64(text)}} for key, text in texts.items()]
    transaction = json.dumps({"compare": [], "success": puts, "failure": []})
    cluster, token = quote(f"{role.name}={role.peer}"), quote(f"colonnade-{stack}-{at}")
    first = f"ETCD_INITIAL_CLUSTER={cluster} ETCD_INITIAL_CLUSTER_STATE=new ETCD_INITIAL_CLUSTER_TOKEN={token}"
    return f"""{_HEAD}{_BY_HAND}systemctl stop {paths.ETCD_UNIT}
begin {_FRESH} {first}
end
etcdutl snapshot restore {_FRESH}/member/snap/db --skip-hash-check --mark-compacted \\
  --bump-revision {above + REVISIONS_BETWEEN} --data-dir {_NEW} --name {quote(role.name)} \\
  --initial-cluster {cluster} --initial-cluster-token {token} --initial-advertise-peer-urls {quote(role.peer)} >&2
begin {_NEW}
ask kv/txn >/dev/null <<'END'
{transaction}
END
said=$(echo '{{}}' | ask maintenance/status)
identity=$(printf '%s' "$said" | sed -n 's/.*"cluster_id":"\\([0-9]*\\)".*/\\1/p')
[ -n "$identity" ]
end
printf '%s %s\\n' {at} "$identity" >{paths.ETCD_RECOVERED}.new
: >{paths.ETCD_JOINED}
sync {paths.ETCD_RECOVERED}.new {paths.ETCD_JOINED}
rm -rf {paths.ETCD_DATA} {paths.ETCD_JOIN}
mv -T {_NEW} {paths.ETCD_DATA}
mv -f {paths.ETCD_RECOVERED}.new {paths.ETCD_RECOVERED}
sync -f {paths.ETCD_DATA}
rm -rf {paths.ETCD_RECOVERY}
printf '%s\\n' "$identity"
"""


def wipe(identity: str, *, at: int) -> str:
    """Return the script that throws an old member's data away, so that it can only join the new cluster."""
    return f"""{_HEAD}end
systemctl stop {paths.ETCD_UNIT}
rm -rf {paths.ETCD_DATA} {paths.ETCD_JOIN} {paths.ETCD_JOINED} {paths.ETCD_RECOVERY}
printf '%s %s\\n' {at} {quote(identity)} >{paths.ETCD_RECOVERED}
sync -f {paths.ETCD_RECOVERED}
"""


def start() -> str:
    """Return the script that starts the new cluster's first member for all to see."""
    return f"""{_HEAD}systemctl reset-failed {paths.ETCD_UNIT} 2>/dev/null || true
timeout {JOIN_SECONDS} systemctl start {paths.ETCD_UNIT} && systemctl is-active -q {paths.ETCD_UNIT} ||
  {{ journalctl -u {paths.ETCD_UNIT} -n 25 --no-pager -o cat >&2; exit 1; }}
"""


def _b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
