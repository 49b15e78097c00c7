"""A plan does what it says: from wherever the machines are, through interruptions, to what the file describes."""

from hypothesis import given
from hypothesis import strategies as st
from tests.properties.made import Site
from tests.properties.strategies import histories, stops
from tests.properties.world import World


@given(histories())
def test_a_plan_leaves_nothing_to_plan(history: tuple[Site, World]) -> None:
    site, world = history
    world.carry_out(site, site.plan(world.facts))
    assert world.faults(site) == []
    assert not site.plan(world.facts)


@given(histories(), st.data())
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
