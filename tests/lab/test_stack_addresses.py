"""Machines with addresses: what somebody rented, reached by a user and a key, and given back as it was."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import asyncssh
import pytest
from tests.lab.stack import EXAMPLE, Stack, copied, eventually, kill_group

from colonnade.cli.stack import LAB_PLATFORM
from colonnade.lab import Image, Lab, Recipe, image
from colonnade.render import fingerprint
from colonnade.rollout.recipe import image_recipe
from colonnade.spec import parse
from colonnade.topology import resolve

pytestmark = [pytest.mark.lab, pytest.mark.slow]

OPERATOR = "deployer"


def quiet(_: str) -> None:
    """Take progress lines, and say nothing."""


@dataclass
class Rented:
    """Machines that were made by somebody else, and the key that lets one in."""

    directory: Path
    lab: Lab
    addresses: dict[str, str]
    key: Path

    def destroy(self) -> None:
        asyncio.run(self.lab.destroy(keep_image=True, progress=quiet))


def rent(directory: Path, names: list[str], built: Image) -> Rented:
    private = directory / "private"
    private.mkdir(parents=True, mode=0o700)
    lab = Lab("rented", private)
    key = directory / "key"
    made = asyncssh.generate_private_key("ssh-ed25519")
    made.write_private_key(str(key))
    key.chmod(0o600)
    asyncio.run(lab.up(names, image=built, authorized_key=made.export_public_key().decode().strip(), progress=quiet))
    return Rented(directory, lab, dict(asyncio.run(lab.place(names)).addresses), key)


@dataclass
class Site(Stack):
    """A stack on rented machines."""

    own_key: Path = Path()

    @property
    def key(self) -> Path:
        return self.own_key


def stack_on(rented: Rented, machines: str, *, names: dict[str, str], ssh: str) -> Site:
    """Write a stack file for these machines; ``names`` are our names for the tests' own way in."""
    made = copied(rented.directory / "guestbook")
    text = made.file.read_text()
    head = text[: text.index("[balancers.lb1]")]
    made.file.write_text(f"{head}{machines}\n[ssh]\n{ssh}\n")
    return Site(made.directory, "foobar", addresses=names, own_key=rented.key)


@pytest.fixture(scope="module")
def colocated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Two machines: one is balancer and server at once, and neither lets root in."""
    built = baked_image()
    rented = rent(tmp_path_factory.mktemp("rented"), ["one", "two"], built)
    try:
        one, two = rented.addresses["one"], rented.addresses["two"]
        names = {"lb1": one, "web1": one, "web2": two}
        made = stack_on(
            rented,
            f'[balancers.lb1]\naddress = "{one}"\n'
            f'[servers.web1]\naddress = "{one}"\n'
            f'[servers.web2]\naddress = "{two}"\n',
            names=names,
            ssh=f'user = "{OPERATOR}"\nkey = "../key"\n',
        )
        for machine in ("web1", "web2"):
            made.ssh(machine, _ADD_OPERATOR)
        made.colonnade("up", "--yes")
        yield made
    finally:
        rented.destroy()


_ADD_OPERATOR = f"""
command -v sudo >/dev/null || (apt-get -q update && apt-get -q -y install --no-install-recommends sudo) >/dev/null
id -u {OPERATOR} >/dev/null 2>&1 || useradd -m -s /bin/sh {OPERATOR}
echo '{OPERATOR} ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/{OPERATOR}
install -d -m 700 -o {OPERATOR} /home/{OPERATOR}/.ssh
install -m 600 -o {OPERATOR} /root/.ssh/authorized_keys /home/{OPERATOR}/.ssh/authorized_keys
"""


def baked_image() -> Image:
    """Return the image of the example's machines, built if it is not there."""
    text = (EXAMPLE / "colonnade.toml").read_text()
    stack = parse(text, filename="colonnade.toml", directory_exists=lambda _: True)
    machines = [*stack.balancers, *stack.servers]
    topology = resolve(stack, {name: f"192.0.2.{number}" for number, name in enumerate(machines, 1)})
    script = image_recipe(topology, LAB_PLATFORM)
    return asyncio.run(image.ensure("baked", recipe=Recipe(script, fingerprint([script])), progress=quiet))


def test_a_user_with_sudo_is_enough_and_a_balancer_may_be_a_server(colocated: Site) -> None:
    status = colocated.settled(seconds=60)
    assert status["virtual_ip"] == colocated.address("lb1")
    assert status["servers"]["web1"]["address"] == status["balancers"]["lb1"]["address"]
    assert colocated.plan() == []
    for path in ("/", "/api/entries", "/static/guestbook.css"):
        assert colocated.visit(path).status == 200
    eventually(
        lambda: {colocated.visit("/api/entries").headers["x-served-by"] for _ in range(8)} == {"web1", "web2"},
        seconds=20,
        what="both answer",
    )
    entry = colocated.sign("rented", "hello")
    assert entry["text"] in colocated.sql("web1", "SELECT text FROM foobar.entries")
    assert colocated.colonnade("exec", "web2", "--", "id -un").output == "root\n"


def test_the_host_key_is_pinned_at_first_contact_and_another_is_refused(colocated: Site) -> None:
    known = colocated.private / "known_hosts"
    pinned = known.read_text()
    two = colocated.address("web2")
    public = colocated.ssh("web2", "cat /etc/ssh/ssh_host_ed25519_key.pub").split()[:2]
    assert f"{two} {' '.join(public)}" in pinned.splitlines()
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().split()[:2]
    known.write_text(pinned.replace(public[1], other[1]))
    try:
        for words in (("plan",), ("apply", "--yes")):
            refused = colocated.colonnade(*words, code=4)
            assert "web2: its SSH host key is not the one that was seen at first contact" in refused.complaint
            assert str(known) in refused.complaint
    finally:
        known.write_text(pinned)
    assert colocated.plan() == []
    known.unlink()
    assert colocated.plan() == []
    assert sorted(known.read_text().splitlines()) == sorted(pinned.splitlines())


def test_a_key_that_opens_nothing_is_named(colocated: Site) -> None:
    text = colocated.file.read_text()
    wrong = colocated.directory / "wrong-key"
    asyncssh.generate_private_key("ssh-ed25519").write_private_key(str(wrong))
    wrong.chmod(0o600)
    try:
        colocated.edit(('"../key"', '"wrong-key"'))
        refused = colocated.colonnade("apply", "--yes", code=4)
        assert "does not let us in" in refused.complaint
        assert str(wrong) in refused.complaint
        colocated.edit(('"wrong-key"', '"nowhere"'))
        assert "which is not there" in colocated.colonnade("plan", code=2).complaint
    finally:
        colocated.file.write_text(text)


def test_faults_of_the_lab_are_not_for_rented_machines(colocated: Site) -> None:
    for verb in ("cut", "kill"):
        assert "not in the lab" in colocated.colonnade("lab", verb, "web1", code=2).complaint


def test_destroy_wants_the_name_typed(colocated: Site) -> None:
    for words in (("destroy", "--yes"), ("destroy", "--name", "other")):
        assert "--name foobar" in colocated.colonnade(*words, code=2).complaint
    assert colocated.visit("/").status == 200


# What a machine is, as far as Colonnade may have changed it.
_PICTURE = """
dpkg-query -W -f='${Package} ${db:Status-Abbrev}\\n' | sort
find /etc /srv /usr/local /root /lib/systemd/system -xdev \\( -type f -o -type l \\) ! -name '*.dpkg-*' \
  ! -path '/etc/ssl/certs/*' ! -path '/root/.ssh/*' ! -name '.bash_history' -printf '%p\\n' | sort
getent passwd | cut -d: -f1 | sort
systemctl list-unit-files --no-legend --plain | awk '$2 != "transient" {print $1, $2}' | sort
"""


def picture(stack: Stack, machine: str) -> list[str]:
    return stack.ssh(machine, _PICTURE, code=None).splitlines()


def needed_by_newer(stack: Stack, machine: str, said: str) -> list[str]:
    """Return the packages that ``destroy`` names as staying because newer versions of the system's own need them."""
    note = next((line for line in said.splitlines() if line.startswith(f"note: {machine}: ")), "")
    needed = note.partition(", and ")[2].removesuffix(" with them.").split(", ") if note else []
    for package in needed:
        refused = stack.ssh(machine, f"dpkg --no-act --purge {package} 2>&1", code=1)
        depends = [line.split()[0].partition(":")[0] for line in refused.splitlines() if "depends on" in line]
        assert depends, refused
        assert set(depends) <= {*note.replace(",", " ").replace(";", " ").split()}, "another package needs it"
    return needed


@pytest.mark.slow
def test_bare_machines_come_up_whole_and_are_given_back_as_they_were(tmp_path: Path) -> None:
    """The lab's bare machines and rented ones are the same to every line of code, so one set of them is both."""
    lab_stack = copied(tmp_path / "guestbook")
    lab_stack.file.write_text(f'{lab_stack.file.read_text()}\n[lab]\nimage = "bare"\n')
    names = ["lb1", "web1", "web2"]
    bare = asyncio.run(image.ensure("bare", recipe=None, progress=quiet))
    lab_stack.colonnade("status", code=None)  # makes nothing
    try:
        lab_stack.private.mkdir(parents=True, mode=0o700)
        made = asyncssh.generate_private_key("ssh-ed25519")
        made.write_private_key(str(lab_stack.key))
        lab_stack.key.chmod(0o600)
        public = made.export_public_key().decode().strip()
        asyncio.run(lab_stack.own_lab.up(names, image=bare, authorized_key=public, progress=quiet))
        before = {name: picture(lab_stack, name) for name in names}
        began = time.monotonic()
        # Cut off in the middle of installing packages, as impatient people do: the next one goes on.
        process = lab_stack.started("up")
        eventually(
            lambda: lab_stack.ssh("web1", "pgrep -x dpkg", code=None) != "", seconds=200, what="dpkg at work on web1"
        )
        kill_group(process)
        lab_stack.ssh("web1", "pkill -KILL -x apt-get; pkill -KILL -x dpkg", code=None)
        lab_stack.colonnade("up", seconds=540)
        print(f"up on bare machines, cut off once: {time.monotonic() - began:.0f} s")  # noqa: T201  a figure to see with -s
        assert lab_stack.plan() == []
        lab_stack.settled()
        entry = lab_stack.sign("bare", "from a bare machine")

        # The same machines by their addresses: there is nothing to do.
        addresses = {name: lab_stack.address(name) for name in names}
        text = lab_stack.file.read_text()
        given = text.replace('[lab]\nimage = "bare"\n', "")
        for name in names:
            kind = "balancers" if name.startswith("lb") else "servers"
            # A lab machine is a small one, whatever its host has.
            memory = "" if name == "lb1" else 'memory = "512M"\n'
            given = given.replace(f"[{kind}.{name}]\n", f'[{kind}.{name}]\naddress = "{addresses[name]}"\n{memory}')
        rented_file = lab_stack.directory / "rented.toml"
        rented_file.write_text(f'{given}\n[ssh]\nuser = "root"\nkey = ".colonnade/foobar/id_ed25519"\n')
        rented = Rehired(lab_stack.directory, "foobar", addresses=addresses)
        assert rented.plan() == []

        said = rented.colonnade("destroy", "--name", "foobar", seconds=300).said
        data = rented.ssh("web1", "ls /var/lib/mysql-colonnade | grep -c ibdata")
        assert data == "1"  # kept, unless asked
        assert rented.ssh("web1", "test -e /var/lib/colonnade || echo gone") == "gone"
        # Whose the data are, and what MySQL's package wants to find with them.
        with_data = {"mysql", "/etc/mysql/debian.cnf"}
        for name in names:
            now = set(picture(rented, name)) - {f"{package} ii " for package in needed_by_newer(rented, name, said)}
            assert now - set(before[name]) == (set() if name == "lb1" else with_data), name
            assert not set(before[name]) - now, name
        rented.colonnade("destroy", "--name", "foobar", "--data", seconds=300)
        assert rented.ssh("web1", "ls -d /var/lib/mysql*", code=None) == ""
        for name in names:
            now = set(picture(rented, name)) - {f"{package} ii " for package in needed_by_newer(rented, name, said)}
            assert now == set(before[name]), name
        assert entry["id"] == 1
    finally:
        lab_stack.destroy()


class Rehired(Stack):
    """The same directory with another stack file."""

    @property
    def file(self) -> Path:
        return self.directory / "rented.toml"
