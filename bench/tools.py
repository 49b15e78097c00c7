"""The tools that are compared: how each is told to put files on machines, and how it says that nothing changed."""

import asyncio
import json
import os
import re
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

ROOT = Path(__file__).parents[1]
PARALLEL = 8
TARGET = "/etc/colonnade-bench"
LIMIT_SECONDS = 900.0


@dataclass(frozen=True)
class Fleet:
    """The machines as a tool reaches them, and what they are to have."""

    addresses: tuple[str, ...]
    port: int
    key: Path
    files: Path
    scratch: Path
    """A directory of this way to the machines alone."""

    @property
    def known_hosts(self) -> Path:
        """Host keys, pinned at first contact, as with a stack."""
        return self.scratch / "known_hosts"


class Tool(Protocol):
    """Something that puts files on machines."""

    @property
    def name(self) -> str:
        """What the table calls it."""
        ...

    async def converge(self, fleet: Fleet) -> float:
        """Make the machines have the files; return the seconds. Fails unless nothing had to be changed."""
        ...


async def timed(command: list[str], *, cwd: Path, environment: dict[str, str]) -> tuple[float, str]:
    """Run a command to its end; return its seconds, and what it printed, complaints included.

    Raises:
        RuntimeError: it failed; with its last words.

    """
    began = time.monotonic()
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=cwd,
        env={**os.environ, "LC_ALL": "C.UTF-8", **environment},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), LIMIT_SECONDS)
    except BaseException:
        process.kill()
        await process.wait()
        raise
    seconds = time.monotonic() - began
    said = output.decode(errors="replace")
    if process.returncode != 0:
        raise RuntimeError(f"`{command[0]}` failed ({process.returncode}):\n{said[-3000:]}")
    return seconds, said


@dataclass(frozen=True)
class Colonnade:
    """Our own engine, in a process of its own."""

    name: str = "colonnade"

    async def steps(self, fleet: Fleet) -> tuple[float, int]:
        """Make the machines have the files; return the seconds and how many steps that took."""
        settings = {
            "port": fleet.port,
            "key": str(fleet.key),
            "known_hosts": str(fleet.known_hosts),
            "directory": str(fleet.scratch),
            "files": str(fleet.files),
            "target": TARGET,
        }
        command = [sys.executable, "-m", "bench.files_only", json.dumps(settings), *fleet.addresses]
        seconds, said = await timed(command, cwd=ROOT, environment={})
        return seconds, int(said.split()[-1])  # before it, what the engine tells of its progress

    async def converge(self, fleet: Fleet) -> float:
        """Find nothing to do."""
        seconds, steps = await self.steps(fleet)
        assert steps == 0, f"{steps} steps where nothing was to do"
        return seconds


@dataclass(frozen=True)
class Pyinfra:
    """pyinfra's files.put, one operation a file."""

    environment: Path
    name: str = "pyinfra"

    async def converge(self, fleet: Fleet) -> float:
        """Find nothing to do."""
        data = {
            "ssh_port": fleet.port,
            "ssh_user": "root",
            "ssh_key": str(fleet.key),
            "ssh_known_hosts_file": str(fleet.known_hosts),
            "ssh_strict_host_key_checking": "accept-new",
        }
        hosts = [(address, data) for address in fleet.addresses]
        (fleet.scratch / "inventory.py").write_text(f"machines = {hosts!r}\n")
        (fleet.scratch / "deploy.py").write_text(
            "from pathlib import Path\nfrom pyinfra.operations import files\n"
            f"for path in sorted(Path({str(fleet.files)!r}).iterdir()):\n"
            f"    files.put(name=path.name, src=str(path), dest='{TARGET}/' + path.name,"
            " mode='644', user='root', group='root')\n"
        )
        command = [str(self.environment / "bin" / "pyinfra"), "--yes", "--parallel", str(PARALLEL)]
        seconds, said = await timed([*command, "inventory.py", "deploy.py"], cwd=fleet.scratch, environment={})
        unchanged = len(re.findall(r"\] No changes", said))
        wanted = len(fleet.addresses) * len(list(fleet.files.iterdir()))
        assert unchanged == wanted, f"pyinfra left {unchanged} of {wanted} files alone:\n{said[-3000:]}"
        return seconds


@dataclass(frozen=True)
class Ansible:
    """Ansible's copy, looped over the files; connections are not kept from one run to the next."""

    environment: Path
    tuned: bool

    @property
    def name(self) -> str:
        """Say how it is set up."""
        return "ansible, pipelining, no gathering" if self.tuned else "ansible, as it comes"

    async def converge(self, fleet: Fleet) -> float:
        """Find nothing to do."""
        login = f"ansible_user=root ansible_port={fleet.port} ansible_ssh_private_key_file={fleet.key}"
        if self.tuned:
            login += " ansible_python_interpreter=/usr/bin/python3"
        (fleet.scratch / "inventory.ini").write_text("".join(f"{a} {login}\n" for a in fleet.addresses))
        sources = sorted(str(path) for path in fleet.files.iterdir())
        copy = {"src": "{{ item }}", "dest": f"{TARGET}/", "owner": "root", "group": "root", "mode": "0644"}
        task = {"name": "files", "ansible.builtin.copy": copy, "loop": sources}
        play = {"hosts": "all", "gather_facts": not self.tuned, "tasks": [task]}
        (fleet.scratch / "playbook.json").write_text(json.dumps([play]))  # JSON is YAML
        (fleet.scratch / "ansible.cfg").write_text("[defaults]\n")  # and no other that this host may have
        sockets = fleet.scratch / f"s{time.monotonic_ns():x}"
        settings = {
            "ANSIBLE_HOME": str(fleet.scratch / "ansible"),
            "ANSIBLE_CONFIG": str(fleet.scratch / "ansible.cfg"),
            "ANSIBLE_FORKS": str(PARALLEL),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_PIPELINING": str(self.tuned),
            "ANSIBLE_SSH_CONTROL_PATH_DIR": str(sockets),
            "ANSIBLE_SSH_COMMON_ARGS": (
                f"-o UserKnownHostsFile={fleet.known_hosts} -o StrictHostKeyChecking=accept-new"
            ),
        }
        command = [str(self.environment / "bin" / "ansible-playbook"), "-i", "inventory.ini", "playbook.json"]
        seconds, said = await timed(command, cwd=fleet.scratch, environment=settings)
        recap = re.findall(r"ok=(\d+) +changed=(\d+) +unreachable=(\d+) +failed=(\d+)", said)
        well = [ok != "0" and changed == unreachable == failed == "0" for ok, changed, unreachable, failed in recap]
        assert len(well) == len(fleet.addresses), f"ansible lost machines:\n{said[-3000:]}"
        assert all(well), f"ansible changed something:\n{said[-3000:]}"
        return seconds
