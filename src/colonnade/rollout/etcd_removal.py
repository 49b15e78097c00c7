"""How etcd leaves a machine: its files stay until its member is out of the cluster, and then go with its data."""

from collections.abc import Iterator

from colonnade import paths
from colonnade.facts import Facts
from colonnade.render import Desired
from colonnade.rollout.steps import DaemonReload, LeaveCluster, RecordManifest, RemoveFile, Step

MEMBER_FILES = frozenset({paths.ETCD_CONFIG, paths.ETCD_DROP_IN, paths.ETCD_CERTIFICATE, paths.ETCD_KEY})


def kept_files(desired: Desired, facts: Facts) -> dict[str, str]:
    """Return the managed files that a member which is to leave still runs with: digest by path."""
    etcd = facts.etcd
    if desired.etcd is not None or not (etcd.data or etcd.joined or etcd.join):
        return {}
    return {path: digest for path, digest in facts.manifest.items() if path in MEMBER_FILES}


def removal_steps(desired: Desired, facts: Facts, why: str) -> Iterator[Step]:
    """Return the steps on the machine itself; it is no member any more."""
    yield LeaveCluster(why)
    kept = kept_files(desired, facts)
    if kept:
        for path in kept:
            yield RemoveFile(path, "no longer wanted")
        entries = {file.path: file.sha256 for file in sorted(desired.all_files, key=lambda file: file.path)}
        yield RecordManifest(entries, "what is managed changed")
        yield DaemonReload("etcd's unit changed on disk")
