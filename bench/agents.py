"""What one agent costs in a large stack: processor and memory, with 3 servers to talk to and with --peers of them.

A real agent, as a witness (so without what looking at a MySQL costs, which `bench.contract` measures with two servers),
beside a real etcd, on this host's loopback. The others are stand-ins in one process of their own: each answers for one
agent over TLS, and asks the measured one as often as agents ask who matters. Needs etcd; no root.
"""

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import figures
from bench.figures import Report, Series

from colonnade.adapters.authority import Authority
from colonnade.adapters.etcd import Etcd
from colonnade.agent.documents import report_document
from colonnade.agent.peers import IDLE_SECONDS
from colonnade.gtid import GtidSet
from colonnade.ha import view as ha
from colonnade.ha.actions import ClaimLease, WriteContract
from colonnade.render import CertificateRequest
from colonnade.wire.client import Connection, UnansweredError
from colonnade.wire.server import Request, Response, Server
from colonnade.wire.tls import Identity

PORT, ETCD_PORT = 23820, 23790
WARM_SECONDS, MEASURED_SECONDS = 5.0, 20.0
ROOT = Path(__file__).parents[1]
HELD = GtidSet.parse("3e11fa47-71ca-11e1-9e33-c80aa9429562:1-1000000")


class Files:
    """The authority's files, in a directory of the benchmark."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def locked(self) -> AbstractContextManager[None]:
        """Nobody else is there."""
        return nullcontext()

    def read(self, name: str) -> str | None:
        """Return a file's text, if there is one."""
        path = self._directory / name
        return path.read_text() if path.exists() else None

    def write(self, name: str, text: str) -> None:
        """Write a file."""
        (self._directory / name).write_text(text)


def address(number: int) -> str:
    """Return where a stand-in is, on the loopback."""
    return f"127.0.2.{number + 1}"


def identity_for(directory: Path, peers: int) -> Identity:
    """Issue one certificate for all of them."""
    hosts = ("localhost", "127.0.0.1", "127.0.1.1", *(address(number) for number in range(peers)))
    issued = Authority(Files(directory), "bench", datetime.now(UTC)).issue(
        [CertificateRequest("node", "node", hosts, server=True)]
    )["node"]
    for name, text in (("ca", issued.authority), ("crt", issued.text), ("key", issued.key.reveal())):
        (directory / f"node.{name}").write_text(text)
    return Identity(*(str(directory / f"node.{name}") for name in ("ca", "crt", "key")))


def configuration(directory: Path, identity: Identity, peers: int) -> Path:
    """Write the measured agent's configuration."""
    nodes = {f"web{n + 1}": {"address": address(n), "server": True} for n in range(peers)}
    tls = {"authority": identity.authority, "certificate": identity.certificate, "key": identity.key}
    file = directory / "agent.json"
    file.write_text(
        json.dumps(
            {
                "stack": "bench",
                "node": "judge",
                "server": None,
                "address": "127.0.1.1",
                "port": PORT,
                "nodes": {**nodes, "judge": {"address": "127.0.1.1", "server": False}},
                "etcd": [f"https://127.0.0.1:{ETCD_PORT}"],
                "tls": tls,
                "wanted": {"founder": "web1", "standbys": 2, "acks": 1, "strict": False},
                "mysql": None,
                "haproxy": None,
                "state": str(directory / "state"),
            }
        )
    )
    return file


def member(number: int) -> ha.Member:
    """Return a stand-in's data."""
    return ha.Member(f"web{number + 1}", f"{number:08d}-71ca-11e1-9e33-c80aa9429562/1")


async def found(identity: Identity) -> None:
    """Write a contract: web1 is the primary, web2 and web3 its standbys."""
    etcd = Etcd("web1", [f"https://127.0.0.1:{ETCD_PORT}"], identity)
    await etcd.write(ClaimLease(1, 0), seconds=5)
    contract = ha.Contract(member(0), 1, frozenset({member(1), member(2)}), 1, HELD)
    await etcd.write(WriteContract(contract, 0, 1), seconds=5)
    etcd.close()


async def stand_in(identity: Identity, number: int) -> None:
    """Answer for one agent, and ask the measured one for ever."""
    report = ha.Report(member(number), promised=1, complete=True, holds=HELD, following=1, answers=True)
    report = replace(report, reaches_primary=True, leads=1 if number == 0 else 0)

    async def answer(_: Request) -> Response:
        return Response(200, json.dumps(report_document(report, 0.01)).encode())

    server = Server(answer, identity.server())
    await server.listen((address(number),), PORT)
    asking = Connection("127.0.1.1", PORT, identity.client())
    while True:
        with suppress(UnansweredError):
            await asking.request("GET", "/report", seconds=1)
        await asyncio.sleep(IDLE_SECONDS)


def stand_ins(identity: Identity, peers: int) -> None:
    """Stand in for all of them; the process's whole work."""

    async def all_of_them() -> None:
        await asyncio.gather(*(stand_in(identity, number) for number in range(peers)))

    asyncio.run(all_of_them())


def used(pid: int) -> tuple[float, float]:
    """Return a process's seconds of processor time, and its resident MiB."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    ticks = int(fields[11]) + int(fields[12])
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return ticks / os.sysconf("SC_CLK_TCK"), pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


def measure(peers: int) -> tuple[float, float]:
    """Return the agent's per cent of a core, and its resident MiB."""
    directory = Path(tempfile.mkdtemp(prefix="colonnade-bench-"))
    identity = identity_for(directory, peers)
    started: list[subprocess.Popen[bytes]] = []
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    url = f"https://127.0.0.1:{ETCD_PORT}"
    try:
        etcd = ["etcd", "--data-dir", str(directory / "etcd"), "--listen-client-urls", url, "--log-level", "error"]
        etcd += ["--advertise-client-urls", url, "--listen-peer-urls", f"http://127.0.0.1:{ETCD_PORT + 1}"]
        etcd += ["--cert-file", identity.certificate, "--key-file", identity.key, "--logger", "zap"]
        started.append(subprocess.Popen(etcd, **quiet))
        time.sleep(2)
        asyncio.run(found(identity))
        names = (identity.authority, identity.certificate, identity.key, str(peers))
        started.append(
            subprocess.Popen([sys.executable, "-m", "bench.agents", "--stand-ins", *names], cwd=ROOT, **quiet)
        )
        file = configuration(directory, identity, peers)
        code = (
            "import asyncio, colonnade.agent.__main__ as m, colonnade.agent.config as c; from pathlib import Path;"
            f" told = c.read_config(Path({str(file)!r}), Path('/nonexistent'));"
            " m.read_config = lambda: told; asyncio.run(m.daemon())"
        )
        agent = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT / "src", **quiet)
        started.append(agent)
        time.sleep(WARM_SECONDS)
        before, began = used(agent.pid)[0], time.monotonic()
        time.sleep(MEASURED_SECONDS)
        after, memory = used(agent.pid)
        return 100 * (after - before) / (time.monotonic() - began), memory
    finally:
        for process in reversed(started):
            process.kill()
            process.wait()
        shutil.rmtree(directory)


def main() -> int:
    """Measure and report."""
    if sys.argv[1:2] == ["--stand-ins"]:
        stand_ins(Identity(*sys.argv[2:5]), int(sys.argv[5]))
        return 0
    parser = figures.options(__doc__, runs=3)
    parser.add_argument("--peers", type=figures.positive, default=20, metavar="N", help="(default: %(default)s)")
    options = parser.parse_args()
    report = Report("agents")
    for peers in (3, options.peers):
        found_out = [measure(peers) for _ in range(options.runs)]
        report.add(Series(f"{peers} servers: of a core", "%", tuple(share for share, _ in found_out)))
        report.add(Series(f"{peers} servers: resident", "MiB", tuple(memory for _, memory in found_out)))
    return report.finish(options)


if __name__ == "__main__":
    figures.run(main)
