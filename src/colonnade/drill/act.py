"""What a fault does, as values: one act after the other, each on whoever plays a part at the drill's start."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum


class Part(Enum):
    """Whom an act is for; who that is, is fixed when the drill starts: a failover does not change it."""

    PRIMARY = "the primary"
    STANDBY = "the standby"
    SERVERS = "every server"
    ETCD_LEADER = "etcd's leader"
    ETCD_MAJORITY = "a majority of etcd's members"


Cast = Mapping[Part, tuple[str, ...]]
"""Names of the machines that play each part; a part that nobody plays is missing."""


@dataclass(frozen=True, slots=True)
class Do:
    """Run a shell script as root on each machine of a part; ``background`` does not wait for its end.

    It may name ``$PRIMARY`` and ``$STANDBY`` (addresses), ``$PRIMARY_NODE`` and ``$STANDBY_NODE`` (as agents call
    them) and ``$SCHEMA`` (the application's).
    """

    on: Part
    script: str
    background: bool = False


@dataclass(frozen=True, slots=True)
class Cable:
    """Pull the network cable of the machines of a part, or put it back."""

    on: Part
    carries: bool


@dataclass(frozen=True, slots=True)
class Power:
    """Cut the power of the machines of a part, or give it back and wait until they answer."""

    on: Part
    runs: bool


@dataclass(frozen=True, slots=True)
class Pause:
    """Let time pass, because how long a fault lasts is part of it."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Await:
    """Wait until something is seen of a part (``what``: a name that the subject of the drill knows).

    After ``seconds`` without it the drill goes on if it is ``optional``, and is called off if not.
    """

    on: Part
    what: str
    seconds: float
    optional: bool = False


Act = Do | Cable | Power | Pause | Await


def describe(act: Act) -> str:
    """Say in a few words what is done now."""
    match act:
        case Do():
            return act.script.strip().splitlines()[0][:70]
        case Cable():
            return f"cable of {act.on.value} {'back' if act.carries else 'pulled'}"
        case Power():
            return f"power of {act.on.value} {'on' if act.runs else 'off'}"
        case Pause():
            return f"{act.seconds:g} s pass"
        case Await():
            return f"waiting until {act.on.value} is {act.what}"
