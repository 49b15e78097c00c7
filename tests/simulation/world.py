"""Time, chance, the network and the trace: what everything in a simulated cluster shares."""

import heapq
import random
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Violation(Exception):  # noqa: N818  it is a finding
    """A property that did not hold."""

    property: str
    detail: str


@dataclass
class World:
    """A clock that jumps from event to event, one source of chance, and cables that carry one way each."""

    seed: int
    now: float = 0.0
    cuts: set[tuple[str, str]] = field(default_factory=set)
    trace: deque[tuple[float, str, str]] = field(default_factory=lambda: deque(maxlen=4000))
    _queue: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _count: int = 0

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)  # noqa: S311  a schedule must be repeatable

    def after(self, seconds: float, event: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._queue, (self.now + seconds, self._count, event))

    def run(self, until: float) -> None:
        queue = self._queue
        while queue and queue[0][0] <= until:
            self.now, _, event = heapq.heappop(queue)
            event()
        self.now = until

    def path(self, a: str, b: str) -> bool:
        """Say whether what ``a`` sends reaches ``b``."""
        return a == b or (a, b) not in self.cuts

    def talk(self, a: str, b: str) -> bool:
        """Say whether a question of ``a`` to ``b`` is answered."""
        return a == b or not ((a, b) in self.cuts or (b, a) in self.cuts)

    def note(self, who: str, what: str) -> None:
        self.trace.append((self.now, who, what))

    def story(self) -> Iterator[str]:
        for at, who, what in self.trace:
            yield f"{at:8.3f}  {who:<7} {what}"
