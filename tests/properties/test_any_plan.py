"""A plan does what it says: from wherever the machines are, through interruptions, to what the file describes."""

from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.properties.made import Site
from tests.properties.strategies import histories, stops
from tests.properties.told import with_database
from tests.properties.world import World

from colonnade.database import database_of, founded, primary_of
from colonnade.errors import RefusedError
from colonnade.facts import Facts
from colonnade.paths import APP_UNIT
from colonnade.render import Unit, Wave
from colonnade.rollout import Stage
from colonnade.rollout.steps import ChangeUnit, Drain, Ready, Switchover, WaitWell

REPEATS = max(250, settings().max_examples)
"""What is easiest to get wrong is tried more often than other things."""


@given(histories())
@settings(max_examples=REPEATS)
def test_a_plan_leaves_nothing_to_plan(history: tuple[Site, World]) -> None:
    site, world = history
    world.carry_out(site, site.plan(world.facts))
    assert world.faults(site) == []
    assert not site.plan(world.facts)


@given(histories(), st.data())
@settings(max_examples=REPEATS)
def test_an_interrupted_plan_is_finished_by_the_next_and_no_reload_is_lost(
    history: tuple[Site, World], data: st.DataObject
) -> None:
    site, world = history
    for _ in range(data.draw(st.integers(1, 3))):
        plan = site.plan(world.facts)
        world.carry_out(site, plan, data.draw(stops(plan)))
    world.carry_out(site, site.plan(world.facts))
    assert world.faults(site) == []
    assert not site.plan(world.facts)


def restarts(stage: Stage, facts: Mapping[str, Facts]) -> list[tuple[str, Unit]]:
    """Which running parts a stage restarts; a server without its application is sent no requests."""
    return [
        (machine, step.unit)
        for machine, steps in stage.work.items()
        for step in steps
        # An agent's restart takes nothing away: MySQL goes on, and so do its clients.
        if isinstance(step, ChangeUnit) and step.action == "restart" and step.unit.wave not in {Wave.NONE, Wave.AGENT}
        if step.unit.wave is not Wave.SERVER or facts[machine].active(APP_UNIT)
    ]


def redundant(site: Site, machine: str, unit: Unit, facts: Mapping[str, Facts]) -> bool:
    """Whether another one takes over while this one restarts."""
    topology = site.topology
    return {
        Wave.SERVER: len(topology.servers) > 1,
        Wave.BALANCER: len(topology.balancers) > 1,
        Wave.ETCD: len(topology.etcd_members) > 1,
        Wave.DATABASE: machine != primary_of(topology, facts).name or hands_over(site, facts),
    }[unit.wave]


def hands_over(site: Site, facts: Mapping[str, Facts]) -> bool:
    """Whether the primary has a standby, or will have one before it restarts."""
    contract = database_of(site.topology, facts).contract
    return len(site.topology.servers) > 1 and (contract is None or contract.acks > 0)


@given(histories())
def test_of_what_is_redundant_one_restarts_at_a_time_and_servers_are_drained_first(
    history: tuple[Site, World],
) -> None:
    site, world = history
    balancers = {machine.name for machine in site.topology.balancers}
    drained: set[tuple[str, str]] = set()
    for stage in site.plan(world.facts).stages:
        steps = [(machine, step) for machine, steps in stage.work.items() for step in steps]
        drained |= {(machine, step.server) for machine, step in steps if isinstance(step, Drain)}
        drained -= {(machine, step.server) for machine, step in steps if isinstance(step, Ready)}
        restarted = restarts(stage, world.facts)
        assert len({machine for machine, _ in restarted}) <= 1
        for machine, unit in restarted:
            assert bool(stage.interrupts) is not redundant(site, machine, unit, world.facts)
            if unit.wave is Wave.SERVER and redundant(site, machine, unit, world.facts):
                server = site.topology.machine(machine).server
                assert {balancer for balancer, name in drained if name == server} == balancers
    assert not drained


@given(histories())
def test_the_primary_hands_over_before_its_mysql_restarts_and_after_all_the_others(
    history: tuple[Site, World],
) -> None:
    site, world = history
    primary = primary_of(site.topology, world.facts).name
    steps = site.plan(world.facts).steps
    order = [
        machine
        for machine, step in steps
        if isinstance(step, ChangeUnit) and step.unit.wave is Wave.DATABASE and step.action == "restart"
    ]
    assert primary not in order[:-1]
    switchovers = [number for number, (_, step) in enumerate(steps) if isinstance(step, Switchover)]
    assert len(switchovers) == (primary in order and hands_over(site, world.facts))
    for number in switchovers:
        assert steps[number][0] == primary
        assert isinstance(steps[number - 1][1], WaitWell)
        assert steps[number + 1][0] == primary
        assert isinstance(steps[number + 1][1], ChangeUnit)


@given(histories())
def test_before_the_agents_have_begun_transactions_that_the_first_server_lacks_stop_every_plan(
    history: tuple[Site, World],
) -> None:
    site, world = history
    if founded(world.facts):
        return
    for machine in site.topology.replicas:
        own = "00000000-0000-0000-0000-00000000000f:1-3"
        facts = with_database(world.facts, machine.name, initialised=True, answers=True, executed=own)
        primary = facts[site.topology.primary.name].database
        if primary.answers or not primary.initialised:
            with pytest.raises(RefusedError):
                site.plan(facts)
