from pathlib import Path

import pytest

from colonnade.ha.states import MEANING, State
from colonnade.ha.transitions import TRANSITIONS, mermaid, table

PAGE = Path(__file__).parents[2] / "docs/explanation/states-and-invariants.md"


@pytest.mark.parametrize(("mark", "content"), [("states", table()), ("picture", f"```mermaid\n{mermaid()}\n```")])
def test_the_page_shows_the_table_of_the_code(mark: str, content: str) -> None:
    page = PAGE.read_text(encoding="utf-8")
    shown = page.partition(f"<!-- {mark} -->\n")[2].partition(f"\n<!-- /{mark} -->")[0]
    assert shown == content


def test_every_state_has_a_meaning_a_way_in_and_a_way_out() -> None:
    assert set(MEANING) == set(State)
    assert {each.before for each in TRANSITIONS} == {each.after for each in TRANSITIONS} == set(State)


def test_no_transition_twice() -> None:
    assert len({(each.before, each.after) for each in TRANSITIONS}) == len(TRANSITIONS)
