"""A generated stack as large as wanted, and facts of its machines as the facts script would have printed them.

The second is the inverse of ``colonnade.facts.parse``, which reads them back; ``recorded`` holds itself to that.
"""

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace

from colonnade.facts import AgentFact, EtcdFact, Facts, ProxyServer, ReplicaFact, parse
from colonnade.render import (
    Certificate,
    Desired,
    Platform,
    Program,
    Release,
    certificate_requests,
    render_machine,
    secret_names,
)
from colonnade.rollout import plan
from colonnade.rollout.effects import after_plan
from colonnade.secret import Secret
from colonnade.topology import Topology

MEMORY = 4 << 30
PLATFORM = Platform("debian", "13", MEMORY)
RELEASE = Release("0123456789abcdef", b"")
PROGRAM = Program("0123456789ab", b"")
STAT_COLUMNS = 100
"""As many as HAProxy 3.0 prints for each server; those that nobody reads here are empty."""
BACKENDS = ("app", "static", "app_unchecked", "static_unchecked")


def stack_file(balancers: int, servers: int) -> str:
    """Return a stack file with addresses."""
    lines = [
        'name = "large"',
        'domain = "foobar.com"',
        "[app]",
        'path = "app"',
        'start = "gunicorn --config gunicorn.conf.py --bind unix:$SOCKET wsgi:app"',
        'health = "/healthz"',
        'static = "static"',
        'migrate = "python3 migrate.py"',
        'packages = ["gunicorn", "python3-cryptography", "python3-pymysql"]',
        "concurrency = 8",
    ]
    lines += [f'[balancers.lb{n}]\naddress = "10.0.0.{n}"' for n in range(1, balancers + 1)]
    lines += [f'[servers.web{n}]\naddress = "10.1.{n // 250}.{n % 250 + 1}"' for n in range(1, servers + 1)]
    return "\n".join(lines) + "\n"


def passwords(topology: Topology) -> dict[str, Secret]:
    """Return passwords as long as real ones."""
    return {name: Secret(f"{name}-{'x' * 32}"[:32]) for name in secret_names(topology)}


def rendered(topology: Topology) -> dict[str, Desired]:
    """Return what every machine should be."""
    secrets = passwords(topology)
    # As long as real ones; what is measured only reads them.
    certificates = {
        request.name: Certificate("c" * 700 + "\n", Secret("k" * 241 + "\n"), "a" * 700 + "\n")
        for request in certificate_requests(topology)
    }
    return {
        m.name: render_machine(topology, m, PLATFORM, secrets, RELEASE, program=PROGRAM, certificates=certificates)
        for m in topology.machines
    }


def bare_facts() -> Facts:
    """Return the facts of a machine as one rents it."""
    return Facts("debian", "13", "trixie", "amd64", "systemd", MEMORY)


def facts_in_place(topology: Topology) -> dict[str, Facts]:
    """Return what the machines look like once a first plan was carried out, by that plan's own claim."""
    desired = rendered(topology)
    bare = {machine.name: bare_facts() for machine in topology.machines}
    facts = after_plan(bare, plan(topology, desired, bare), desired)
    rows = tuple(
        ProxyServer(backend, machine.server or "", "UP", 0, "L7OK")
        for backend in BACKENDS
        for machine in topology.servers
    )
    return {name: _running(known, rows if topology.machine(name).balancer else ()) for name, known in facts.items()}


def _running(facts: Facts, proxy: tuple[ProxyServer, ...]) -> Facts:
    """Add what a plan does not claim, but a machine tells."""
    executed = "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-1000000"
    database = replace(facts.database, version="9.7.4", executed=executed) if facts.database.answers else facts.database
    return replace(facts, database=database, proxy=proxy, generation="0123456789ab-0")


def recorded(facts: Facts) -> str:
    """Return what the facts script prints on a machine like this."""
    text = "".join(f"{line}\n" for line in _lines(facts))
    assert parse(text) == facts, "what was recorded is not what was meant"
    return text


def _lines(facts: Facts) -> Iterator[str]:
    yield f"os\t{facts.system}\t{facts.version}\t{facts.codename}"
    yield f"arch\t{facts.architecture}"
    yield f"init\t{facts.init}"
    yield f"memory\t{facts.memory}"
    yield from (f"managed\t{digest}\t{path}" for path, digest in facts.manifest.items())
    yield from (f"loaded\t{unit}\t{record.restart}\t{record.reload}" for unit, record in facts.loaded.items())
    yield from (f"release\t{name}" for name in sorted(facts.releases))
    yield from (f"migrated\t{name}" for name in sorted(facts.migrated))
    yield from (f"drained\t{name}" for name in sorted(facts.drained))
    yield from (f"user\t{name}" for name in sorted(facts.users))
    if facts.release:
        yield f"current\t{facts.release}"
    if facts.generation:
        yield f"generation\t{facts.generation}"
    for path, file in facts.files.items():
        yield f"path\tregular file\t{file.mode:o}\t{file.owner}\t{file.group}\t{path}"
        yield f"sum\t{file.sha256}\t{path}"
        if file.text is not None:
            yield f"text\t{path}\t{base64.b64encode(file.text.encode()).decode()}"
    for path, directory in facts.directories.items():
        yield f"path\tdirectory\t{directory.mode:o}\t{directory.owner}\t{directory.group}\t{path}"
    for name, unit in facts.units.items():
        yield f"unit\tId={name}"
        yield f"unit\tLoadState={unit.load}"
        yield f"unit\tActiveState={unit.active}"
        yield f"unit\tSubState={unit.sub}"
        yield f"unit\tUnitFileState={unit.enabled}"
        yield f"unit\tNeedDaemonReload={'yes' if unit.needs_daemon_reload else 'no'}"
        yield "unit\t"
    yield from (f"package\t{name}\tinstalled\t{version}" for name, version in facts.packages.items())
    yield from (f"sql\t{line}" for line in _database(facts))
    yield from (f"etcd\t{line}" for line in _etcd(facts.etcd))
    yield from (f"program\t{name}" for name in sorted(facts.programs))
    yield from (f"agent\t{line}" for line in _agent(facts.agent))
    yield from (f"stat\t{line}" for line in _proxy(facts.proxy))
    yield "end"


def _etcd(etcd: EtcdFact) -> Iterator[str]:
    if etcd.data:
        yield "data"
    if etcd.joined:
        yield "joined"
    if etcd.answers:
        header = {"cluster_id": etcd.cluster, "member_id": etcd.member}
        status = {"header": header, "raftTerm": "2", "leader": etcd.leader, "raftIndex": str(etcd.index)}
        yield f"said\t{json.dumps(status)}"
        members = [{"name": m.name, "peerURLs": [m.peer], "isLearner": m.learner} for m in etcd.members]
        yield f"said\t{json.dumps({'members': members})}"


def _agent(agent: AgentFact) -> Iterator[str]:
    if agent.ran:
        yield "ran"
    if agent.answers:
        status = {
            "node": agent.node,
            "state": agent.state,
            "reason": agent.reason,
            "serves": {"primary": agent.serves_primary, "replica": agent.serves_replica},
            "paused": agent.paused,
            "etcd": agent.etcd,
            "claim": asdict(agent.claim) if agent.claim else None,
            "contract": asdict(agent.contract) if agent.contract else None,
            "mysql": None,
            "lag_seconds": agent.lag_seconds,
            "clone": None,
            "errant": [],
            "warnings": list(agent.warnings),
        }
        yield f"said\t{json.dumps(status)}"


def _database(facts: Facts) -> Iterator[str]:
    database = facts.database
    if database.initialised:
        yield "initialised"
    if not database.answers:
        return
    values: Mapping[str, str] = {
        **database.variables,
        "version": database.version,
        "server_uuid": database.server_uuid,
        "gtid_executed": database.executed,
        "gtid_purged": database.purged,
    }
    yield from (f"variable\t{name}\t{value}" for name, value in values.items())
    yield from (f"schema\t{name}" for name in sorted(database.schemas))
    yield from (f"account\t{account.name}\t{account.digest}" for account in database.accounts.values())
    yield "answers"
    if database.replica is not None:
        yield from (f"replica\t{line}" for line in _replica(database.replica))


def _replica(replica: ReplicaFact) -> Iterator[str]:
    yield f"                  Source_Host: {replica.source}"
    yield f"                  Source_User: {replica.account}"
    yield f"           Replica_IO_Running: {replica.receiver}"
    yield f"          Replica_SQL_Running: {replica.applier}"
    lag = "NULL" if replica.lag_seconds is None else f"{replica.lag_seconds:.0f}"
    yield f"        Seconds_Behind_Source: {lag}"


def _proxy(rows: tuple[ProxyServer, ...]) -> Iterator[str]:
    if not rows:
        return
    names = ("pxname", "svname", "qcur", "scur", "status", "weight", "check_status")
    others = STAT_COLUMNS - len(names)
    yield "# " + ",".join((*names, *(f"other{n}" for n in range(others))))
    for row in rows:
        values = (row.backend, row.server, row.queued, row.sessions, row.status, row.weight, row.check)
        yield ",".join((*map(str, values), *[""] * others))
    yield ""
