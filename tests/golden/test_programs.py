"""The programs that will read the generated files read them; and the scripts that carry them are run.

Every machine of every golden case is made in a chroot of the lab's image: its files are put by the script
that an apply sends, which has HAProxy, Nginx, Knot and MySQL check them; then the facts script must find
nothing left to put, systemd must know every key of the units, and the removal must leave what was there.
"""

import asyncio
import base64
import io
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest
from tests.golden.case import NAMES, Case
from tests.golden.chroot import run_inside
from tests.properties.made import Site, bare, site_of

from colonnade.facts import Facts, facts_script, parse
from colonnade.lab import Recipe, image
from colonnade.render import Platform, fingerprint
from colonnade.rollout import Payload, Step, payload, question_for
from colonnade.rollout.base import base_steps
from colonnade.rollout.recipe import image_recipe
from colonnade.rollout.removal import removal_script
from colonnade.rollout.script import RECEIVE
from colonnade.rollout.steps import AddUser, MakeDirectory, PutFile, RecordManifest
from colonnade.spec import parse as parse_stack
from colonnade.topology import Machine

pytestmark = pytest.mark.lab

EXAMPLE = Path(__file__).parents[2] / "examples" / "guestbook" / "colonnade.toml"
MACHINES = [(name, machine) for name in NAMES for machine in sorted(Case(name).site.desired)]
KINDS = (AddUser, MakeDirectory, PutFile, RecordManifest)
"""Steps that need no running systemd."""


@pytest.fixture(scope="module")
def root() -> Path:
    """The image that the example's lab machines are made from."""
    stack = parse_stack(EXAMPLE.read_text(), filename=str(EXAMPLE))
    script = image_recipe(site_of(stack).topology, Platform("debian", "13", 0))
    recipe = Recipe(script, fingerprint([script]))
    return asyncio.run(image.ensure("baked", recipe=recipe, progress=lambda _: None)).root


def tar_of(sent: Payload) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in {**sent.files, "apply.sh": sent.script.encode()}.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def steps_for(site: Site, machine: Machine) -> tuple[Step, ...]:
    steps = base_steps(site.desired[machine.name], bare(site.platform))
    return tuple(step for step in steps if isinstance(step, KINDS))


def inside(site: Site, machine: Machine) -> str:
    """What is done in the chroot; every part begins with a line of its own."""
    desired = site.desired[machine.name]
    paths = " ".join(file.path for file in desired.all_files)
    units = " ".join(unit.name for unit in desired.units)
    digests = f'for path in {paths}; do sha256sum "$path" 2>/dev/null; done'
    return f"""
echo '=== before'; {digests}
echo '=== apply'; sh -c '{RECEIVE}' < /mnt/payload.tar
echo '=== facts'; sh /mnt/facts
echo '=== verify'; systemd-analyze verify --man=no {units} 2>&1
echo '=== warnings'
[ ! -e /etc/haproxy/errors/colonnade-503.http ] || haproxy -c -q -f /etc/haproxy/haproxy.cfg 2>&1
[ ! -e /etc/knot/knot.conf ] || knotc -c /etc/knot/knot.conf conf-check 2>&1
[ ! -e /usr/sbin/nginx ] || nginx -t 2>&1
[ ! -e /etc/mysql/colonnade.cnf ] || mysqld --defaults-file=/etc/mysql/colonnade.cnf --validate-config --user=mysql 2>&1
echo '=== apt'; apt-cache policy mysql-server 2>&1 >/dev/null
echo '=== removal'; sh /mnt/removal 2>&1
echo '=== after'; {digests}
echo '=== left'; find / -xdev -path '*colonnade*' -not -path '/mnt*' -not -path '/proc*' -print
echo '=== end'
"""


def parts_of(output: str) -> dict[str, str]:
    parts = {}
    for part in output.split("=== ")[1:]:
        name, _, text = part.partition("\n")
        parts[name] = text
    return parts


@pytest.fixture(scope="module", params=MACHINES, ids="/".join)
def made(
    request: pytest.FixtureRequest, root: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Site, Machine, dict[str, str]]:
    """One machine, and what the parts of the script printed there."""
    name, machine_name = request.param
    site = Case(name).site
    machine = site.topology.machine(machine_name)
    directory = tmp_path_factory.mktemp("machine")
    case = directory / "case"
    case.mkdir()
    sent = payload(steps_for(site, machine), expected="", generation="golden", later={})
    question = question_for(site.topology, machine, site.desired[machine.name], wait=True)
    (case / "payload.tar").write_bytes(tar_of(sent))
    (case / "facts").write_text(facts_script(question))
    (case / "removal").write_text(removal_script(data=True))
    address = f"{machine.address}/{128 if ':' in machine.address else 32}"
    output = run_inside(root, directory, address=address, script=inside(site, machine))
    return site, machine, parts_of(output)


def test_every_program_accepts_its_file(made: tuple[Site, Machine, dict[str, str]]) -> None:
    site, machine, parts = made
    *said, last = parts["apply"].splitlines()
    failed = [line.split("\t") for line in said if line.startswith("failed")]
    assert not failed, base64.b64decode(failed[0][2]).decode()
    assert last == "done"
    checks = {
        number for number, step in enumerate(steps_for(site, machine)) if isinstance(step, PutFile) and step.file.check
    }
    assert {int(line.split("\t")[1]) for line in said if line.startswith("check")} == checks
    assert checks or machine.witness


def facts_of(parts: dict[str, str]) -> Facts:
    return parse(parts["facts"])


def test_the_facts_script_finds_everything_in_its_place(made: tuple[Site, Machine, dict[str, str]]) -> None:
    site, machine, parts = made
    facts = facts_of(parts)
    assert (facts.system, facts.version, facts.codename) == ("debian", "13", "trixie")
    assert facts.memory > 1 << 28
    assert facts.generation == "golden"
    asked = {"curl", *(() if machine.witness else ("haproxy", "socat"))}
    assert {name for name in facts.packages if name in asked} == asked
    # Everything that the steps were for is as it should be now.
    left = base_steps(site.desired[machine.name], replace(facts, init="systemd"))
    assert [step for step in left if isinstance(step, KINDS)] == []


def test_systemd_knows_every_key_of_the_units(made: tuple[Site, Machine, dict[str, str]]) -> None:
    _, _, parts = made
    # What packages bring has its own shortcomings: only what names a file of ours counts.
    complaints = [line for line in parts["verify"].splitlines() if "colonnade" in line]
    assert complaints == []


def test_no_program_warns_of_anything(made: tuple[Site, Machine, dict[str, str]]) -> None:
    _, _, parts = made
    praise = ("Configuration is valid", "syntax is ok", "test is successful")
    assert [line for line in parts["warnings"].splitlines() if not line.endswith(praise)] == []


def test_apt_understands_sources_and_preferences(made: tuple[Site, Machine, dict[str, str]]) -> None:
    _, _, parts = made
    assert parts["apt"] == ""


def test_the_removal_leaves_what_was_there_and_nothing_of_ours(made: tuple[Site, Machine, dict[str, str]]) -> None:
    _, _, parts = made
    assert parts["after"] == parts["before"]
    assert parts["left"] == ""
