"""Every change of state there is, with its reason: the one table from which the documentation's picture is drawn."""

from dataclasses import dataclass

from colonnade.ha.states import MEANING, State


@dataclass(frozen=True, slots=True)
class Transition:
    """From where to where, and what makes a server go that way."""

    before: State
    after: State
    because: str


_S = State

TRANSITIONS: tuple[Transition, ...] = ()

ALLOWED = frozenset((each.before, each.after) for each in TRANSITIONS)
