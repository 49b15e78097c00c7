"""A password is in the files that need it, and nowhere that anybody looks."""

import json

from hypothesis import given
from tests.properties.made import Site
from tests.properties.strategies import histories
from tests.properties.world import World

from colonnade.facts import facts_script
from colonnade.rollout import as_document, describe, payload, question_for, unified_diff
from colonnade.rollout.steps import PrepareSchema, PutFile

MARKS = ("secret-mysql", "secret-key")  # what every password and key of the tests begins with


@given(histories())
def test_no_password_is_shown(history: tuple[Site, World]) -> None:
    site, world = history
    plan = site.plan(world.facts)
    shown = [
        json.dumps(as_document(plan)),
        repr(plan),
        repr(site.desired),
        repr(site.topology),
        *(describe(step) for _, step in plan.steps),
        *(unified_diff(step) for _, step in plan.steps if isinstance(step, PutFile)),
        *(
            facts_script(question_for(site.topology, machine, site.desired[machine.name], wait=True))
            for machine in site.topology.machines
        ),
    ]
    for stage in plan.stages:
        for steps in stage.work.values():
            sent = payload(steps, expected="", generation="now", later={})
            shown += [sent.script, repr(sent)]
            carried = b"".join(sent.files.values())
            if any(isinstance(step, PrepareSchema) and step.accounts for step in steps):
                assert MARKS[0].encode() in carried
    assert not any(mark in text for text in shown for mark in MARKS)


@given(histories())
def test_the_text_of_a_secret_file_is_never_in_a_plan(history: tuple[Site, World]) -> None:
    site, world = history
    for _, step in site.plan(world.facts).steps:
        if isinstance(step, PutFile) and step.file.secret:
            assert step.before is None
            assert unified_diff(step) == ""
