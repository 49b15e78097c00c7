"""The lab's machines, for real: made, reached over SSH, broken, mended and taken away."""

import asyncio
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import asyncssh
import pytest

from colonnade.errors import ColonnadeError
from colonnade.lab import Image, Lab, Recipe, host, hosts, image
from colonnade.lab.cgroups import Cgroup
from colonnade.lab.placement import Placement

pytestmark = pytest.mark.lab

NAMES = ["web1", "balancer10"]  # one of them too long for the name of a network link
KEY = asyncssh.generate_private_key("ssh-ed25519")
PUBLIC = KEY.export_public_key().decode()


def quiet(_: str) -> None:
    """Take progress lines, and say nothing."""


@dataclass
class Stack:
    lab: Lab
    image: Image

    def place(self) -> Placement:
        return asyncio.run(self.lab.place(NAMES))

    def up(self, progress: Callable[[str], None] = quiet) -> None:
        asyncio.run(self.lab.up(NAMES, image=self.image, authorized_key=PUBLIC, progress=progress))

    def destroy(self, *, keep_image: bool = True) -> None:
        asyncio.run(self.lab.destroy(keep_image=keep_image, progress=quiet))

    def ssh(self, name: str, command: str, *, fails: bool | None = False) -> str:
        """Run a command on a machine as root and return its output; ``fails`` None is for "who knows"."""

        address = self.place().addresses[name]

        async def run() -> tuple[int | None, str]:
            async with asyncssh.connect(
                address,
                username="root",
                client_keys=[KEY],
                known_hosts=None,
                config=None,
                connect_timeout=10,
            ) as connection:
                done = await connection.run(command, timeout=120)
                return done.exit_status, str(done.stdout or "") + str(done.stderr or "")

        code, output = asyncio.run(run())
        assert fails in {None, code != 0}, f"{name}: {command}: exit code {code}\n{output}"
        return output.strip()

    def traces(self) -> list[str]:
        """Return all that this host shows of the stack's machines."""
        identity = self.lab.identity
        found = [f"process {pid}" for pid in Path("/proc").glob("[0-9]*") if _mentions(pid, identity)]
        found += [f"link {line}" for line in _output("ip", "-o", "link").splitlines() if identity in line]
        found += [f"rules {line}" for line in _output("nft", "list", "tables").splitlines() if identity in line]
        found += [f"mount {line}" for line in _output("findmnt", "-rn").splitlines() if identity in line]
        found += [f"hosts {line}" for line in hosts.HOSTS.read_text().splitlines() if identity in line]
        for top in ("/sys/fs/cgroup", "/run", str(host.labs())):
            found += [str(path) for path in Path(top).rglob(f"*{identity}*")]
        return found


def _mentions(process: Path, identity: str) -> bool:
    try:
        words = (process / "cmdline").read_text() + (process / "cgroup").read_text()
    except OSError:
        return False
    return identity in words


def _output(*argv: str) -> str:
    return subprocess.run(argv, capture_output=True, text=True, check=True, env=host.environment()).stdout


def _eventually(fact: Callable[[], bool], *, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < deadline, f"not so within {seconds} s"
        time.sleep(0.05)


def _new_stack(directory: Path, bare: Image) -> Stack:
    private = directory / ".colonnade"
    private.mkdir(mode=0o700, parents=True)
    return Stack(Lab(directory.name, private), bare)


@pytest.fixture(scope="module")
def bare() -> Image:
    return asyncio.run(image.ensure("bare", recipe=None, progress=print))


@pytest.fixture(scope="module")
def stack(bare: Image, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    made = _new_stack(tmp_path_factory.mktemp("first"), bare)
    try:
        made.up()
        yield made
    finally:
        made.destroy()


@pytest.fixture
def other(bare: Image, tmp_path: Path) -> Iterator[Stack]:
    made = _new_stack(tmp_path / "second", bare)
    try:
        yield made
    finally:
        made.destroy()


def test_machines_are_like_rented_ones_and_no_two_the_same(stack: Stack) -> None:
    assert stack.lab.states() == dict.fromkeys(NAMES, "running")
    assert [stack.ssh(name, "hostname") for name in NAMES] == NAMES
    for identity in ("cat /etc/machine-id", "cat /etc/ssh/ssh_host_ed25519_key.pub"):
        assert len({stack.ssh(name, identity) for name in NAMES}) == len(NAMES)
    assert stack.ssh("web1", "systemctl is-system-running --wait") == "running"
    stack.ssh("web1", "command -v python3 curl sudo", fails=True)
    assert stack.ssh("web1", "date +%Z; cat /etc/machine-id; ls /var/log/journal").split()[0] == "UTC"


def test_machines_reach_each_other_and_the_package_mirror(stack: Stack) -> None:
    stack.ssh("web1", f"ping -c 1 -W 2 {stack.place().addresses['balancer10']}")
    stack.ssh("web1", "apt-get update --error-on=any")


def test_units_may_be_sandboxed_and_the_network_may_be_changed(stack: Stack) -> None:
    sandbox = (
        "DynamicUser=yes PrivateTmp=yes ProtectSystem=strict PrivateDevices=yes NoNewPrivileges=yes "
        "SystemCallFilter=@system-service SetCredential=word:open ProtectProc=invisible"
    )
    options = " ".join(f"-p {option}" for option in sandbox.split())
    script = "cat $CREDENTIALS_DIRECTORY/word; echo; touch /usr/x; id -u"
    families = "-p 'RestrictAddressFamilies=AF_UNIX AF_INET'"
    seen = stack.ssh("web1", f"systemd-run --quiet --pipe --wait {options} {families} sh -c '{script}'")
    assert seen.startswith("open")
    assert "Read-only file system" in seen
    assert int(seen.split()[1]) > 60000
    loaded = "systemd-run --quiet --pipe --wait -p LoadCredential=word:/etc/hostname"
    assert stack.ssh("web1", f"{loaded} sh -c 'cat $CREDENTIALS_DIRECTORY/word'") == "web1"
    stack.ssh("web1", "sysctl -w net.ipv4.ip_nonlocal_bind=1 net.core.somaxconn=4096")
    stack.ssh("web1", "ip address add 192.0.2.77/32 dev host0 && ip address del 192.0.2.77/32 dev host0")


def test_a_cut_cable_is_silence_and_healing_ends_it(stack: Stack) -> None:
    ping = f"ping -c 1 -W 1 {stack.place().addresses['web1']}"
    asyncio.run(stack.lab.cut("web1"))
    try:
        assert stack.lab.states() == {"web1": "cut", "balancer10": "running"}
        stack.ssh("balancer10", ping, fails=True)
    finally:
        asyncio.run(stack.lab.heal("web1"))
    assert stack.lab.states()["web1"] == "running"
    stack.ssh("balancer10", ping)


def test_up_heals_a_cut_cable_and_leaves_the_others_alone(stack: Stack) -> None:
    since = stack.ssh("balancer10", "stat -c %Y /proc/1")
    asyncio.run(stack.lab.cut("web1"))
    said: list[str] = []
    stack.up(said.append)
    assert stack.lab.states() == dict.fromkeys(NAMES, "running")
    assert [line.split(":")[0] for line in said] == ["web1"]
    assert stack.ssh("balancer10", "stat -c %Y /proc/1") == since


def test_killed_and_started_a_machine_has_its_disk(stack: Stack) -> None:
    before = stack.ssh("web1", "echo kept > /root/note; sync; cat /etc/machine-id /etc/ssh/*_key.pub")
    asyncio.run(stack.lab.kill("web1"))
    assert stack.lab.states()["web1"] == "stopped"
    with pytest.raises(ColonnadeError, match="powered off"):
        asyncio.run(stack.lab.cut("web1"))
    asyncio.run(stack.lab.start("web1"))
    assert stack.lab.states()["web1"] == "running"
    assert stack.ssh("web1", "cat /root/note") == "kept"
    assert stack.ssh("web1", "cat /etc/machine-id /etc/ssh/*_key.pub") == before
    assert int(stack.ssh("web1", "journalctl --list-boots --no-pager | grep -c ^")) > 1


def test_a_reboot_from_inside_comes_back_with_its_network(stack: Stack) -> None:
    since = stack.ssh("web1", "systemctl show -P UserspaceTimestampMonotonic")
    stack.ssh("web1", "systemctl reboot", fails=None)

    def rebooted() -> bool:
        try:
            return stack.ssh("web1", "systemctl show -P UserspaceTimestampMonotonic") != since
        except (OSError, asyncssh.Error):
            return False

    _eventually(rebooted, seconds=30)
    assert stack.lab.states()["web1"] == "running"
    stack.ssh("web1", f"ping -c 1 -W 2 {stack.place().addresses['balancer10']}")


def test_powered_off_from_inside_is_stopped_and_up_starts_it(stack: Stack) -> None:
    stack.ssh("web1", "systemctl poweroff", fails=None)
    _eventually(lambda: stack.lab.states()["web1"] == "stopped", seconds=30)
    stack.up()
    assert stack.ssh("web1", "hostname") == "web1"


def test_a_second_stack_lives_beside_the_first_and_apart_from_it(stack: Stack, other: Stack) -> None:
    other.up()
    assert other.lab.identity != stack.lab.identity
    assert other.place().subnet != stack.place().subnet
    for each in (stack, other):
        each.ssh("web1", f"ping -c 1 -W 2 {each.place().addresses['balancer10']}")
    stack.ssh("web1", f"ping -c 1 -W 1 {other.place().addresses['web1']}", fails=True)
    other.destroy()
    _eventually(lambda: other.traces() == [], seconds=5)  # the host's init may be slow to bury the dead
    assert stack.lab.states() == dict.fromkeys(NAMES, "running")
    stack.ssh("web1", "apt-get update --error-on=any")


def test_after_a_crash_of_the_host_up_finds_the_disks(other: Stack) -> None:
    other.up()
    where = other.place()
    other.ssh("web1", "echo kept > /root/note; sync")
    identity = other.lab.identity
    asyncio.run(Cgroup(f"colonnade-{identity}").kill())
    _output("ip", "link", "delete", f"cn-{identity}")
    _output("nft", "delete", "table", "ip", f"colonnade_{identity}")
    assert other.lab.states() == dict.fromkeys(NAMES, "stopped")
    other.up()
    assert other.place() == where
    assert other.ssh("web1", "cat /root/note") == "kept"
    other.ssh("web1", "apt-get update --error-on=any")


def test_destroy_leaves_nothing_even_if_half_of_it_is_gone(other: Stack) -> None:
    other.up()
    hosts.add(other.lab.identity, {"www.example.test": other.place().addresses["web1"]})
    assert len(other.traces()) > 10
    identity = other.lab.identity
    _output("ip", "link", "delete", f"cn-{identity}")
    (host.labs() / identity / "placement.json").unlink()
    shutil.rmtree(host.labs() / identity / "web1")
    other.destroy()
    _eventually(lambda: other.traces() == [], seconds=5)  # the host's init may be slow to bury the dead
    other.destroy()


def test_a_firewall_that_drops_what_is_forwarded_is_named(stack: Stack) -> None:
    chain = "type filter hook forward priority 10; policy drop;"
    # The policy is what is looked for; the rule before it keeps everything on this host going.
    rules = f"table ip other_firewall {{\nchain inward {{\n{chain} accept\n}}\n}}\n"
    host.call(["nft", "-f", "-"], stdin=rules)
    said: list[str] = []
    try:
        stack.up(said.append)
    finally:
        host.call(["nft", "delete", "table", "ip", "other_firewall"])
    (advice,) = said
    assert "nft insert rule ip other_firewall inward iifname cn-" in advice


def test_several_calls_at_once_take_turns(other: Stack) -> None:
    async def both() -> None:
        up = other.lab.up
        calls = (up(NAMES, image=other.image, authorized_key=PUBLIC, progress=quiet) for _ in range(2))
        await asyncio.gather(*calls)

    asyncio.run(both())
    assert other.lab.states() == dict.fromkeys(NAMES, "running")


def test_up_goes_on_where_a_killed_one_ended(other: Stack) -> None:
    program = (
        "import asyncio, sys; from pathlib import Path; from colonnade.lab import Image, Lab\n"
        "directory, root, key, *names = sys.argv[1:]\n"
        "up = Lab('second', Path(directory)).up\n"
        "image = Image('bare', 'as given', Path(root))\n"
        "asyncio.run(up(names, image=image, authorized_key=key, progress=lambda line: print(line, flush=True)))"
    )
    private = str(other.lab._directory)  # noqa: SLF001  another process is to find the same stack
    argv = [sys.executable, "-c", program, private, str(other.image.root), PUBLIC, *NAMES]
    killed = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    assert killed.stdout is not None
    assert "made" in killed.stdout.readline()
    killed.kill()
    killed.wait()
    killed.stdout.close()
    other.up()
    assert [other.ssh(name, "hostname") for name in NAMES] == NAMES


def test_a_machine_that_does_not_boot_says_why_at_once(other: Stack) -> None:
    other.up()
    asyncio.run(other.lab.kill("web1"))
    upper = host.labs() / other.lab.identity / "web1" / "upper"
    for name in ("etc/os-release", "usr/lib/os-release"):
        (upper / name).parent.mkdir(parents=True, exist_ok=True)
        os.mknod(upper / name, stat.S_IFCHR, os.makedev(0, 0))  # an overlay's word for "removed"
    began = time.monotonic()
    with pytest.raises(ColonnadeError, match=r"os-release file is missing"):
        other.up()
    assert time.monotonic() - began < 20
    assert other.lab.states() == {"web1": "stopped", "balancer10": "running"}


def test_a_copy_of_the_private_directory_is_another_stack(stack: Stack, tmp_path: Path) -> None:
    original = stack.lab._directory  # noqa: SLF001  the test is about what is in it
    copy = tmp_path / ".colonnade"
    shutil.copytree(original, copy)
    assert Lab("copy", copy).identity != stack.lab.identity
    assert Lab("same", original).identity == stack.lab.identity


@pytest.fixture
def store_without_overlays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Keep images and machines on an overlay, which cannot carry another, as within a container."""
    parts = [tmp_path / name for name in ("lower", "upper", "work", "store")]
    for part in parts:
        part.mkdir()
    options = "lowerdir={},upperdir={},workdir={}".format(*parts)
    _output("mount", "-t", "overlay", "overlay", "-o", options, str(parts[3]))
    monkeypatch.setenv("COLONNADE_STORE", str(parts[3]))
    try:
        yield parts[3]
    finally:
        _output("umount", str(parts[3]))


RECIPE = Recipe(
    script="echo 'I: a stage of the recipe'\napt-get update\n"
    "apt-get install -y --no-install-recommends haproxy nginx-light\n"
    "mkdir -p /var/lib/mysql/own && touch /var/lib/mysql/auto.cnf\n",
    fingerprint="1",
)


def test_an_image_is_built_once_and_never_by_half(store_without_overlays: Path, tmp_path: Path) -> None:
    # Killed in the middle, a build leaves no image, and no process that goes on with it.
    program = (
        "import asyncio; from colonnade.lab import image\n"
        "asyncio.run(image.ensure('bare', recipe=None, progress=lambda line: print(line, flush=True)))"
    )
    builder = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert builder.stdout is not None
    for line in builder.stdout:
        if "extracting" in line:
            break
    builder.send_signal(signal.SIGKILL)
    builder.wait()
    builder.stdout.close()
    unfinished = f"{store_without_overlays}/images/.building"
    _eventually(lambda: unfinished not in _output("ps", "axww", "-o", "args"), seconds=10)
    assert not list((store_without_overlays / "images").glob("bare-*/root"))

    # Two that want it at once build it once.
    said: list[str] = []

    async def twice() -> list[Image]:
        return await asyncio.gather(*(image.ensure("baked", recipe=RECIPE, progress=said.append) for _ in range(2)))

    first, second = asyncio.run(twice())
    assert first == second
    assert sum("image baked: built" in line for line in said) == 1
    assert sum("image bare: built" in line for line in said) == 1
    assert any("a stage of the recipe" in line for line in said)
    assert any("another colonnade is building it" in line for line in said)

    # What packages brought is there, but nothing of it starts, and no database is in it.
    root = first.root
    assert (root / "usr/sbin/haproxy").exists()
    wants = [link.name for link in (root / "etc/systemd/system").glob("*.wants/*")]
    assert "ssh.service" in wants
    assert not {"haproxy.service", "nginx.service"} & set(wants)
    assert not list((root / "var/lib/mysql").iterdir())
    for gone in ("usr/sbin/policy-rc.d", "root/.recipe", "etc/resolv.conf"):
        assert not (root / gone).exists()

    # Where no overlay can be, a machine is a copy; and an image goes when nobody needs it any more.
    stack = _new_stack(tmp_path / "copied", first)
    try:
        stack.up(said.append)
        assert any("copy of the image" in line for line in said)
        assert stack.ssh("web1", "systemctl is-active haproxy nginx", fails=True).split() == ["inactive"] * 2
        assert stack.ssh("web1", "stat -f -c %T /; ls /var/lib/mysql") == "overlayfs"
    finally:
        stack.destroy(keep_image=False)
    _eventually(lambda: stack.traces() == [], seconds=5)
    assert not list(store_without_overlays.iterdir())
