"""Reads what the facts script printed."""

import base64
import csv
from collections import defaultdict
from collections.abc import Iterator

from colonnade.errors import ColonnadeError
from colonnade.facts.agent import agent_fact
from colonnade.facts.etcd import etcd_fact
from colonnade.facts.model import (
    AccountFact,
    DatabaseFact,
    DirectoryFact,
    Facts,
    FileFact,
    LoadedConfiguration,
    ProxyServer,
    ReplicaFact,
    UnitFact,
)


def parse(output: str) -> Facts:
    """Turn the script's output into facts.

    Raises:
        ColonnadeError: the output is cut short or garbled, so that nothing may be concluded from it.

    """
    lines: dict[str, list[list[str]]] = defaultdict(list)
    for line in output.split("\n"):  # not splitlines(), which breaks lines in the middle of what MySQL says
        kind, *rest = line.split("\t")
        lines[kind].append(rest)
    if "end" not in lines:
        raise ColonnadeError("the machine's answer was cut short", do="Run the command again.")
    try:
        return _facts(lines)
    except (ValueError, LookupError, csv.Error) as error:
        raise ColonnadeError(
            f"the machine's answer makes no sense ({error})", do="Run the command again; report it if it stays."
        ) from error


def _facts(lines: dict[str, list[list[str]]]) -> Facts:
    system = lines["os"][0]
    files, directories = _paths(lines)
    current = lines["current"]
    return Facts(
        system=system[0],
        version=system[1],
        codename=system[2],
        architecture=lines["arch"][0][0],
        init=lines["init"][0][0],
        memory=int(lines["memory"][0][0]) if lines["memory"] else 0,
        packages={name: version for name, status, version in lines["package"] if status == "installed"},
        users=frozenset(name for (name,) in lines["user"]),
        directories=directories,
        files=files,
        units=dict(_units(["\t".join(rest) for rest in lines["unit"]])),
        loaded={name: LoadedConfiguration(restart, reload) for name, restart, reload in lines["loaded"]},
        manifest={path: digest for digest, path in lines["managed"]},
        releases=frozenset(name for (name,) in lines["release"]),
        release=current[0][0] if current else "",
        migrated=frozenset(name for (name,) in lines["migrated"]),
        half_installed=bool(lines["half"]),
        database=_database(lines["sql"]),
        etcd=etcd_fact(lines["etcd"]),
        agent=agent_fact(lines["agent"]),
        programs=frozenset(name for (name,) in lines["program"]),
        proxy=tuple(_proxy(["\t".join(rest) for rest in lines["stat"]])),
        probes={name: int(code or 0) for name, code in lines["probe"]},
        listeners=tuple(_listener(local, users) for local, users in lines["port"]),
        drained=frozenset(name for (name,) in lines["drained"]),
        generation=lines["generation"][0][0] if lines["generation"] else "",
    )


def _listener(local: str, users: str) -> tuple[str, int, str]:
    """Read what ``ss -ltnp`` says: ``192.0.2.1:80`` and ``users:(("haproxy",pid=7,fd=5))``."""
    address, _, port = local.rpartition(":")
    program = users.split('"')[1] if '"' in users else ""
    return address.partition("%")[0].strip("[]"), int(port), program


def _paths(lines: dict[str, list[list[str]]]) -> tuple[dict[str, FileFact], dict[str, DirectoryFact]]:
    # An empty list of sums prints one empty line.
    sums = {path: digest for digest, path in (rest for rest in lines["sum"] if all(rest))}
    texts = {path: base64.b64decode(text).decode(errors="replace") for path, text in lines["text"]}
    files, directories = {}, {}
    for kind, mode, owner, group, path in lines["path"]:
        if kind == "directory":
            directories[path] = DirectoryFact(int(mode, 8), owner, group)
        elif path in sums:
            files[path] = FileFact(int(mode, 8), owner, group, sums[path], texts.get(path))
    return files, directories


def _units(lines: list[str]) -> Iterator[tuple[str, UnitFact]]:
    """``systemctl show`` prints one block a unit, with an empty line between."""
    for block in "\n".join(lines).split("\n\n"):
        said = dict(line.partition("=")[::2] for line in block.splitlines() if "=" in line)
        if "Id" in said:
            yield (
                said["Id"],
                UnitFact(
                    load=said.get("LoadState", ""),
                    active=said.get("ActiveState", ""),
                    sub=said.get("SubState", ""),
                    enabled=said.get("UnitFileState", ""),
                    needs_daemon_reload=said.get("NeedDaemonReload") == "yes",
                ),
            )


def _database(lines: list[list[str]]) -> DatabaseFact:
    rows: dict[str, list[list[str]]] = defaultdict(list)
    for kind, *rest in lines:
        rows[kind].append(rest)
    variables = {name: value for name, value in rows["variable"]}  # noqa: C416  rows are lists, dict() wants pairs
    answers = "answers" in rows
    return DatabaseFact(
        initialised="initialised" in rows,
        aside=tuple(path for (path,) in rows["aside"]),
        answers=answers,
        version=variables.pop("version", ""),
        server_uuid=variables.pop("server_uuid", ""),
        read_only=variables.get("read_only", "ON") == "ON",
        executed=variables.pop("gtid_executed", ""),
        purged=variables.pop("gtid_purged", ""),
        schemas=frozenset(name for (name,) in rows["schema"]),
        accounts={name: AccountFact(name, digest) for name, digest in rows["account"]},
        variables=variables,
        replica=_replica(rows["replica"]),
        error=""
        if answers
        else " ".join("\t".join([kind, *rest]) for kind, *rest in lines if kind not in {"initialised", "aside"}),
    )


def _replica(lines: list[list[str]]) -> ReplicaFact | None:
    said: dict[str, str] = {}
    for line in lines:
        name, _, value = "\t".join(line).partition(":")
        said.setdefault(name.strip(), value.strip())
    if "Source_Host" not in said:
        return None
    lag = said.get("Seconds_Behind_Source", "NULL")
    return ReplicaFact(
        source=said["Source_Host"],
        account=said.get("Source_User", ""),
        receiver=said.get("Replica_IO_Running", ""),
        applier=said.get("Replica_SQL_Running", ""),
        lag_seconds=None if lag == "NULL" else float(lag),
        error=said.get("Last_IO_Error") or said.get("Last_SQL_Error") or "",
        retrieved=said.get("Retrieved_Gtid_Set", ""),
    )


def _proxy(lines: list[str]) -> Iterator[ProxyServer]:
    if not lines:
        return
    lines = [lines[0].removeprefix("# "), *lines[1:]]
    for row in csv.DictReader((line for line in lines if line), restval=""):
        if row["svname"] in {"FRONTEND", "BACKEND"}:
            continue
        yield ProxyServer(
            backend=row["pxname"],
            server=row["svname"],
            status=row["status"],
            sessions=int(row["scur"] or 0),
            queued=int(row["qcur"] or 0),
            check=row.get("check_desc") or row.get("check_status") or "",
            weight=int(row["weight"] or 0),
        )
