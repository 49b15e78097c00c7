"""What goes on, told to a person on standard error: a live picture on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console, Group
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

_START = time.monotonic()
"""When the command began: one clock for all that it tells."""


class Lines:
    """Plain lines with the seconds since the start; for logs and pipes."""

    def say(self, text: str) -> None:
        """Say something that happened."""
        self._print(text)

    def machine(self, machine: str, text: str) -> None:
        """Say what a machine is doing now."""
        if text:
            self._print(f"  {machine}: {text}")

    def _print(self, text: str) -> None:
        print(f"{time.monotonic() - _START:6.1f} s  {text}", file=sys.stderr, flush=True)  # noqa: T201  this is how it speaks


class Picture:
    """A live picture: what happened above, a line for each busy machine below."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._stage = Spinner("dots", Text(""))
        self._busy: dict[str, str] = {}

    def say(self, text: str) -> None:
        """Say something that happened."""
        if str(self._stage.text):
            self._live.console.print(Text(f"{time.monotonic() - _START:6.1f} s  {self._stage.text}"))
        self._stage = Spinner("dots", Text(text))
        self._draw()

    def machine(self, machine: str, text: str) -> None:
        """Say what a machine is doing now."""
        if text:
            self._busy[machine] = text
        else:
            self._busy.pop(machine, None)
        self._draw()

    def _draw(self) -> None:
        width = max((len(name) for name in self._busy), default=0)
        lines = [Text(f"    {name:<{width}}  {text}", style="dim") for name, text in sorted(self._busy.items())]
        self._live.update(Group(self._stage, *lines[:20]))


@contextmanager
def progress(*, quiet: bool = False) -> Iterator[Lines | Picture]:
    """Give something to tell progress to, fit for where standard error goes."""
    console = Console(stderr=True, quiet=quiet)
    if not console.is_terminal or quiet:
        yield Lines()
        return
    with Live(console=console, transient=True, refresh_per_second=8) as live:
        yield Picture(live)
