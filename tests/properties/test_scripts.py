"""Every script that a machine is sent is one that its shell can read."""

import subprocess

from hypothesis import given, settings
from tests.properties.made import Site
from tests.properties.strategies import SITES, histories
from tests.properties.world import World

from colonnade.facts import facts_script
from colonnade.rollout import payload, question_for
from colonnade.rollout.recipe import image_recipe
from colonnade.rollout.removal import removal_script
from colonnade.rollout.script import RECEIVE


def complaints(script: str) -> str:
    """Return what the shell has against a script; nothing of it is run."""
    return subprocess.run(["sh", "-n"], input=script.encode(), capture_output=True, check=False).stderr.decode()


@given(histories())
@settings(max_examples=60)
def test_the_shell_can_read_every_payload(history: tuple[Site, World]) -> None:
    site, world = history
    for stage in site.plan(world.facts).stages:
        for steps in stage.work.values():
            sent = payload(steps, expected="before", generation="now", later={"haproxy.service": "reload"})
            assert complaints(sent.script) == ""


@given(histories())
@settings(max_examples=60)
def test_every_file_that_a_script_reads_is_sent_with_it(history: tuple[Site, World]) -> None:
    site, world = history
    for stage in site.plan(world.facts).stages:
        for steps in stage.work.values():
            sent = payload(steps, expected="before", generation="now", later={})
            for name in sent.files:
                if not name.startswith("files/"):
                    assert f"staging/{name}" in sent.script
            for word in sent.script.split():
                if "/staging/sql/" in word:
                    assert word.partition("/staging/")[2].rstrip("'\";") in sent.files


@given(SITES)
@settings(max_examples=60)
def test_the_shell_can_read_every_other_script(site: Site) -> None:
    for machine in site.topology.machines:
        question = question_for(site.topology, machine, site.desired[machine.name], wait=True)
        assert complaints(facts_script(question)) == ""
    assert complaints(image_recipe(site.topology, site.platform)) == ""


def test_the_shell_can_read_what_is_always_the_same() -> None:
    assert complaints(RECEIVE) == ""
    assert complaints(removal_script(data=True)) == ""
    assert complaints(removal_script(data=False)) == ""


def test_the_shell_complains_when_it_should() -> None:
    assert complaints("if true; then") != ""
