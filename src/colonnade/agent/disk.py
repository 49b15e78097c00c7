"""What an agent must not forget, written through to disk before anybody is told; and the history of what it decided."""

import json
import os
import secrets
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from colonnade.gtid import GtidSet
from colonnade.ha.view import Durable

KEPT = 1000
"""Entries of the history that stay."""
INCARNATION = "colonnade.incarnation"
"""In a data directory: which provisioning it comes from."""


def write_through(path: Path, text: str) -> None:
    """Replace a file, whole, and see it on disk."""
    beside = path.with_name(f".{path.name}.new")
    with beside.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.rename(path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


class Disk:
    """The agent's directory; what is kept about the data belongs to one incarnation of it."""

    def __init__(self, state: Path) -> None:
        self.state = state
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._file = state / "durable.json"
        self.incarnation = ""
        self.durable = Durable()
        self._read()

    def _read(self) -> None:
        if not self._file.exists():
            return
        kept = json.loads(self._file.read_text())
        self.incarnation = kept["incarnation"]
        self.durable = Durable(
            promised_term=kept["promised_term"],
            last_term=kept["last_term"],
            provisioned=kept["provisioned"],
            saved=GtidSet.parse(kept["saved"]),
        )

    def remember(self, durable: Durable) -> None:
        """Write what must not be forgotten, and return when it is on disk."""
        document = {
            "incarnation": self.incarnation,
            "promised_term": durable.promised_term,
            "last_term": durable.last_term,
            "provisioned": durable.provisioned,
            "saved": str(durable.saved),
        }
        write_through(self._file, json.dumps(document, indent=1, sort_keys=True) + "\n")
        self.durable = durable

    def belongs_to(self, incarnation: str, *, provisioned: bool) -> None:
        """Begin anew with other data: a promise stays, since it is the machine's, the rest was of the old data.

        What was written down before the data had a name is about the same data.
        """
        if incarnation == self.incarnation:
            return
        kept = Durable(promised_term=self.durable.promised_term) if self.incarnation else self.durable
        self.incarnation = incarnation
        self.remember(replace(kept, provisioned=provisioned))

    def record_term(self, term: int, *, leads: bool = False) -> None:
        """Write down that the data takes part in a term; data that leads is not made anew."""
        durable = replace(self.durable, last_term=term, provisioned=self.durable.provisioned or leads)
        if durable != self.durable:
            self.remember(durable)

    @property
    def journal(self) -> Path:
        """Where a swap of data directories is written down."""
        return self.state / "swap.json"

    @property
    def errant(self) -> Path:
        """Where transactions that were acknowledged to nobody are saved."""
        return self.state / "errant"

    def saved_errant(self) -> list[dict[str, Any]]:
        """Return what was saved, newest last."""
        found = []
        for directory in sorted(self.errant.glob("[0-9]*")) if self.errant.exists() else []:
            with suppress(OSError, ValueError):
                found.append({"directory": str(directory), **json.loads((directory / "about.json").read_text())})
        return found


def incarnation_of(data: Path, uuid: str) -> str:
    """Return the incarnation of a data directory, ``uuid/id``; one that has no id yet is given one."""
    file = data / INCARNATION
    try:
        identity = file.read_text().strip()
    except FileNotFoundError:
        identity = secrets.token_hex(6)
        write_through(file, f"{identity}\n")
    return f"{uuid}/{identity}"


@dataclass(frozen=True, slots=True)
class Entry:
    """One decision, when it was another than before; ``at`` is seconds since 1970, for people."""

    at: float
    node: str
    state: str
    action: str
    reason: str


class History:
    """The last decisions, in memory and in a file."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._entries: deque[Entry] = deque(maxlen=KEPT)
        self._since = 0
        with suppress(OSError):
            lines = file.read_text(errors="replace").splitlines()
            self._since = max(0, len(lines) - KEPT)  # however often the process begins anew, the file stays small
            for line in lines[-KEPT:]:
                with suppress(ValueError, TypeError):
                    self._entries.append(Entry(**json.loads(line)))

    def add(self, entry: Entry) -> None:
        """Append an entry; now and then the file is cut to what is kept."""
        self._entries.append(entry)
        self._since += 1
        with suppress(OSError):
            if self._since > KEPT:
                self._since = 0
                write_through(self._file, "".join(_line(each) for each in self._entries))
            else:
                with self._file.open("a") as file:
                    file.write(_line(entry))

    def last(self, count: int) -> Iterator[Entry]:
        """Yield the newest, oldest of them first."""
        yield from list(self._entries)[-count:]


def _line(entry: Entry) -> str:
    return json.dumps(asdict(entry), ensure_ascii=False) + "\n"
