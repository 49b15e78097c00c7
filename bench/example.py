"""A copy of the guestbook's stack, in a directory of its own, for as long as a benchmark needs it."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
GUESTBOOK = ROOT / "examples" / "guestbook"
WWW = "www.foobar.com"
DEFAULT_STORE = Path("/var/lib/colonnade")


@dataclass(frozen=True)
class Example:
    """The copied stack; ``store`` is where its images and disks are."""

    file: Path
    store: Path

    def command(self, *arguments: str) -> list[str]:
        """Return the command line that does this to the stack, ``-f`` included."""
        return [sys.executable, "-m", "colonnade", "-f", str(self.file), *arguments]

    @property
    def environment(self) -> dict[str, str]:
        """Return what the command gets, the store among it."""
        return {**os.environ, "COLONNADE_STORE": str(self.store)}

    def run(self, *arguments: str) -> tuple[float, str]:
        """Run a command to its end; return its seconds, and what it printed.

        Raises:
            RuntimeError: it failed; with its last words.

        """
        began = time.monotonic()
        done = subprocess.run(
            self.command(*arguments), env=self.environment, capture_output=True, text=True, check=False
        )
        seconds = time.monotonic() - began
        if done.returncode != 0:
            raise RuntimeError(f"`colonnade {' '.join(arguments)}` failed ({done.returncode}):\n{done.stderr[-3000:]}")
        return seconds, done.stdout

    def address(self, machine: str) -> str | None:
        """Return where a machine is, as soon as the lab has placed it."""
        for file in self.store.glob("lab/*/placement.json"):
            placement = json.loads(file.read_text())
            if Path(placement["directory"]).is_relative_to(self.file.parent):
                return str(placement["addresses"][machine])
        return None


@contextmanager
def copied(*, own_store: bool) -> Iterator[Example]:
    """Give a copy that is not up yet; afterwards its machines are gone, and with a store of its own its images too.

    If they cannot be removed the directory stays, because without it they could not be removed later.
    """
    top = Path(tempfile.mkdtemp(prefix="colonnade-bench-"))
    shutil.copytree(GUESTBOOK, top / "guestbook", ignore=shutil.ignore_patterns(".colonnade", "__pycache__"))
    default = Path(os.environ.get("COLONNADE_STORE", DEFAULT_STORE))
    example = Example(top / "guestbook" / "colonnade.toml", top / "store" if own_store else default)
    try:
        yield example
    finally:
        example.run("destroy", "--yes", "--keep-image")
        shutil.rmtree(top)
