"""What people and programs read of a plan and of the stack: nothing secret, nothing too wide."""

import json
from dataclasses import replace

import pytest
from tests.properties import agents
from tests.properties.made import bare_machines, classic
from tests.properties.world import settled

from colonnade.cli import show
from colonnade.render import File
from colonnade.rollout import Plan, as_document, unified_diff
from colonnade.rollout.steps import DaemonReload, PutFile, Stage
from colonnade.status import View


def test_a_difference_has_both_sides_and_what_is_around() -> None:
    step = PutFile(File("/etc/a", "one\ntwo\nthree\n"), "", before="one\n2\nthree\n")
    assert unified_diff(step) == ("--- /etc/a (now)\n+++ /etc/a (then)\n@@ -1,3 +1,3 @@\n one\n-2\n+two\n three\n")


def test_a_last_line_without_its_end_is_said() -> None:
    assert unified_diff(PutFile(File("/etc/a", "one\n"), "", before="one")) == (
        "--- /etc/a (now)\n+++ /etc/a (then)\n@@ -1 +1 @@\n-one\n\\ No newline at end of file\n+one\n"
    )


@pytest.mark.parametrize(
    "step",
    [
        PutFile(File("/etc/a", "password\n", secret=True), "", before="old password\n"),
        PutFile(File("/etc/a", "text\n"), "", before=None),
        PutFile(File("/etc/a", "text\n"), "", before="text\n"),
    ],
)
def test_there_is_no_difference_to_show(step: PutFile) -> None:
    assert unified_diff(step) == ""


def test_a_plan_as_a_document() -> None:
    put = PutFile(File("/etc/a", "two\n"), "changed in the stack", before="one\n")
    plan = Plan((Stage("files", {"web1": (put, DaemonReload("a unit changed"))}, "it stops"),), ("take care",))
    assert as_document(plan) == {
        "stages": [
            {
                "title": "files",
                "interrupts": "it stops",
                "machines": {
                    "web1": [
                        {
                            "kind": "PutFile",
                            "does": "put /etc/a",
                            "why": "changed in the stack",
                            "path": "/etc/a",
                            "secret": False,
                            "diff": "--- /etc/a (now)\n+++ /etc/a (then)\n@@ -1 +1 @@\n-one\n+two\n",
                        },
                        {"kind": "DaemonReload", "does": "have systemd read its units", "why": "a unit changed"},
                    ]
                },
            }
        ],
        "warnings": ["take care"],
        "steps": 2,
    }


def test_a_whole_plan_can_be_written_as_json() -> None:
    plan = classic().plan(bare_machines(classic()))
    assert json.loads(json.dumps(as_document(plan))) == as_document(plan)


def test_an_empty_plan_says_that_there_is_nothing_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    show.plan(Plan(), diffs=True)
    assert capsys.readouterr().out == "Nothing to do: every machine is as it should be.\n"


def test_a_plan_shows_stages_machines_steps_reasons_and_differences(capsys: pytest.CaptureFixture[str]) -> None:
    put = PutFile(File("/etc/a", "two\n"), "changed in the stack", before="one\n")
    show.plan(Plan((Stage("files", {"web1": (put,)}, "it stops"),), ("take care",)), diffs=True)
    assert capsys.readouterr().out.splitlines() == [
        "note: take care",
        "",
        "1. files",
        "   it stops: wants --interrupt",
        "   web1",
        "     put /etc/a  (changed in the stack)",
        "       --- /etc/a (now)",
        "       +++ /etc/a (then)",
        "       @@ -1 +1 @@",
        "       -one",
        "       +two",
        "",
        "1 step on 1 machine.",
    ]


def test_the_status_of_a_large_stack_fits_a_hundred_columns(capsys: pytest.CaptureFixture[str]) -> None:
    site = classic(balancers=3, servers=12)
    facts = settled(site)
    facts["web3"] = replace(facts["web3"], release="ba9876543210")
    facts = agents.well(site.topology, facts)
    show.status(View(site.topology, facts, {"web12": "no route to host"}, site.desired))
    out = capsys.readouterr().out
    assert "web12" in out
    assert max(len(line) for line in out.splitlines()) <= 100


@pytest.mark.parametrize(
    ("acks", "said"),
    [
        (1, "database  web1 leads in term 1  web2 could take over; a commit waits for 1 of them"),
        (0, "database  web1 leads in term 1  no failover: no standby has all that is acknowledged"),
    ],
)
def test_one_line_says_who_leads_and_what_would_be_if_it_were_lost(
    acks: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    site = classic()
    facts = agents.well(site.topology, settled(site))
    for name, fact in facts.items():
        assert fact.agent.contract is not None
        facts[name] = replace(fact, agent=replace(fact.agent, contract=replace(fact.agent.contract, acks=acks)))
    show.status(View(site.topology, facts, {}, site.desired))
    assert said in capsys.readouterr().out.splitlines()
