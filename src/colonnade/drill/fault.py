"""A fault that can be rehearsed: in words, as acts, and what it may cost."""

from collections.abc import Iterable
from dataclasses import dataclass

from colonnade.drill.act import Act, Await, Cable, Cast, Do, Part, Power

REDUNDANT_SECONDS = 60.0
"""How long full redundancy may take from the end of a fault, if the fault does not say."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a fault may cost, in seconds; None: no figure is promised.

    ``gap`` is the longest time without a success that any single drill may show, ``median`` that of several;
    ``redundant`` is counted from the end of the fault.
    """

    gap: float | None = None
    median: float | None = None
    redundant: float = REDUNDANT_SECONDS


@dataclass(frozen=True, slots=True)
class Load:
    """How a client behaves: one request every so often, given up after so long; both in seconds."""

    every: float = 0.01
    patience: float = 3.0


@dataclass(frozen=True)
class Fault:
    """Something that is broken on purpose, and mended after ``hold`` seconds."""

    name: str
    words: str
    inject: tuple[Act, ...]
    heal: tuple[Act, ...] = ()
    hold: float = 10.0
    limits: Limits = Limits()
    load: Load = Load()
    prepare: tuple[Act, ...] = ()
    """What must be done before the clients start; it is no part of the fault."""
    restore: tuple[Act, ...] = ()
    """Undoes ``prepare``, after the clients have ended; done in any case."""
    warns: str = ""
    """What an agent must warn of while the fault lasts, as part of its text."""
    only_lab: str = ""
    """Why it is for the lab alone although nobody has to pull anything; empty if it is not."""

    @property
    def acts(self) -> tuple[Act, ...]:
        """Everything that is done for it, in order."""
        return (*self.prepare, *self.inject, *self.heal, *self.restore)

    @property
    def parts(self) -> frozenset[Part]:
        """The parts that somebody must play."""
        named = {Part.PRIMARY: "$PRIMARY", Part.STANDBY: "$STANDBY"}
        asked = {act.on for act in self.acts if isinstance(act, Do | Cable | Power | Await)}
        scripts = [act.script for act in self.acts if isinstance(act, Do)]
        return frozenset(asked | {part for part, name in named.items() if any(name in script for script in scripts)})

    @property
    def needs_lab(self) -> str:
        """Why only the lab can do it; empty if it can be done to any machines."""
        if any(isinstance(act, Cable) for act in self.acts):
            return "it pulls a cable"
        if any(isinstance(act, Power) for act in self.acts):
            return "it cuts the power"
        return self.only_lab


def obstacles(fault: Fault, cast: Cast, *, in_lab: bool) -> str:
    """Say why a fault cannot be rehearsed on these machines; empty if it can."""
    if not in_lab and fault.needs_lab:
        return f"{fault.needs_lab}, which only the lab can do; these machines have addresses"
    missing = sorted(part.value for part in fault.parts if not cast.get(part))
    return f"nobody is {' or '.join(missing)} here" if missing else ""


def named(faults: Iterable[Fault]) -> dict[str, Fault]:
    """Return faults by name.

    Raises:
        ValueError: two have the same.

    """
    found: dict[str, Fault] = {}
    for fault in faults:
        if fault.name in found:
            raise ValueError(f"two faults are called {fault.name}")
        found[fault.name] = fault
    return found
