"""The list of faults: each has what it needs, says what it does, and is undone."""

import shutil
import subprocess
from dataclasses import replace

import pytest
from tests.core.drilled import CAST

from colonnade.drill import Await, Cable, Cast, Do, Fault, Part, Power
from colonnade.drill.act import describe
from colonnade.drill.database import FAULTS
from colonnade.drill.database.cluster import CLONING, LEADING, WHOLE
from colonnade.drill.fault import named, obstacles

EXPECTED = {
    "mysqld-killed", "mysqld-terminated", "mysqld-frozen", "agent-frozen", "agent-killed", "etcd-member-killed",
    "etcd-majority-killed", "primary-cable", "standby-cable", "flapping-cable", "primary-power", "standby-power",
    "servers-power", "primary-reboot", "stop-without-standby", "replication-cut", "primary-without-etcd",
    "standby-without-etcd", "acknowledgement-lost", "grant-waiting", "switchover", "mysql-upgraded",
    "clone-recipient-killed", "clone-donor-killed", "application-may-too-much", "disk-full",
}  # fmt: skip

every_fault = pytest.mark.parametrize("fault", FAULTS.values(), ids=list(FAULTS))


def test_every_fault_that_must_be_rehearsed_is_there() -> None:
    assert set(FAULTS) == EXPECTED


def test_two_faults_of_one_name_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="two faults"):
        named([FAULTS["switchover"], FAULTS["switchover"]])


@every_fault
def test_a_fault_says_what_it_does_in_a_line(fault: Fault) -> None:
    assert fault.inject
    assert 20 < len(fault.words) < 120
    assert "\n" not in fault.words
    for act in fault.acts:
        assert describe(act)


@every_fault
def test_scripts_are_shell(fault: Fault) -> None:
    for act in fault.acts:
        if isinstance(act, Do):
            done = subprocess.run(["sh", "-n"], input=act.script, text=True, capture_output=True, check=False)
            assert done.returncode == 0, done.stderr
            if shutil.which("shellcheck") is None:
                continue
            linted = subprocess.run(
                ["shellcheck", "--shell=sh", "--exclude=SC2154,SC2012", "-"],  # names that come before the script
                input=act.script,
                text=True,
                capture_output=True,
                check=False,
            )
            assert linted.returncode == 0, linted.stdout


@every_fault
def test_what_is_pulled_is_put_back(fault: Fault) -> None:
    for pulled in (Cable, Power):
        gone = {act.on for act in fault.inject if isinstance(act, pulled)}
        state = {
            on: next(act for act in reversed(fault.heal) if isinstance(act, pulled) and act.on == on) for on in gone
        }
        for act in state.values():
            assert act.carries if isinstance(act, Cable) else act.runs


@every_fault
def test_rules_of_routing_are_taken_away(fault: Fault) -> None:
    adds = {act.on for act in fault.inject if isinstance(act, Do) and "blackhole" in act.script}
    ends = {act.on for act in fault.heal if isinstance(act, Do) and "rule del" in act.script}
    assert adds <= ends


@every_fault
def test_only_what_can_be_seen_is_awaited(fault: Fault) -> None:
    assert {act.what for act in fault.acts if isinstance(act, Await)} <= {CLONING, LEADING, WHOLE}


@every_fault
def test_limits_make_sense(fault: Fault) -> None:
    limits = fault.limits
    assert limits.redundant >= 60
    if limits.median is not None:
        assert limits.gap is not None
        assert limits.median <= limits.gap


def test_the_promised_figures_are_the_limits() -> None:
    figures = {
        "mysqld-killed": (0.8, 1.5),
        "primary-cable": (3.0, 5.0),
        "primary-power": (3.0, 5.0),
        "mysqld-frozen": (3.0, 5.0),
        "switchover": (0.4, 1.0),
        "standby-power": (3.0, 3.0),
        "standby-cable": (3.0, 3.0),
    }
    assert {name: (FAULTS[name].limits.median, FAULTS[name].limits.gap) for name in figures} == figures


@every_fault
def test_in_the_lab_everything_can_be_rehearsed(fault: Fault) -> None:
    assert obstacles(fault, CAST, in_lab=True) == ""


def test_cables_and_power_are_refused_on_machines_with_addresses() -> None:
    assert "it pulls a cable, which only the lab can do" in obstacles(FAULTS["primary-cable"], CAST, in_lab=False)
    assert "it cuts the power" in obstacles(FAULTS["primary-power"], CAST, in_lab=False)
    assert "in memory" in obstacles(FAULTS["disk-full"], CAST, in_lab=False)
    assert obstacles(FAULTS["mysqld-killed"], CAST, in_lab=False) == ""


def test_a_part_that_nobody_plays_is_named() -> None:
    alone: Cast = {part: machines for part, machines in CAST.items() if part is not Part.STANDBY}
    assert obstacles(FAULTS["standby-cable"], alone, in_lab=True) == "nobody is the standby here"
    assert obstacles(FAULTS["mysqld-killed"], alone, in_lab=True) == ""
    named_in_script = replace(FAULTS["switchover"], inject=(Do(Part.PRIMARY, "ping $STANDBY"),))
    assert obstacles(named_in_script, alone, in_lab=True) == "nobody is the standby here"


def test_an_application_may_wait_instead_of_writing_again() -> None:
    assert FAULTS["acknowledgement-lost"].load.patience > 20
    assert FAULTS["mysqld-killed"].load.every == 0.01
