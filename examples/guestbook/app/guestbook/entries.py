"""What an entry is, which ones are accepted, and what a store of entries can do."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

MAX_AUTHOR = 80
MAX_TEXT = 2000
MAX_ID = 2**63 - 1

# A lone surrogate (Cs) has no UTF-8 form; control characters (Cc) do harm in terminals, logs and pages.
_FORBIDDEN = {"Cc", "Cs"}
# Separators and invisible characters: a field made of these alone is empty to the eye.
_INVISIBLE = {"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp", "Zs"}


@dataclass(frozen=True, slots=True)
class Draft:
    """An entry that was accepted but not yet saved."""

    author: str
    text: str


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry as saved; `created` is in UTC."""

    id: int
    author: str
    text: str
    created: datetime


@dataclass(frozen=True, slots=True)
class Saved:
    """The answer of a store to `add`; `new` is false when the key had been used before."""

    entry: Entry
    new: bool


@dataclass(frozen=True, slots=True)
class Newest:
    """Entries, newest first; `older` says that there are more, `database` which MySQL answered."""

    entries: Sequence[Entry]
    older: bool
    database: str


@dataclass(frozen=True, slots=True)
class DatabaseReport:
    """How one database answered a probe; `error` is fit for the public, `latency` is in milliseconds."""

    latency: float
    database: str | None = None
    read_only: bool | None = None
    error: str | None = None


class InvalidDraftError(ValueError):
    """What was sent makes no entry; `fields` maps the field's name to what is wrong with it."""

    def __init__(self, fields: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{name} {problem}" for name, problem in fields.items()))
        self.fields = fields


class UnavailableError(Exception):
    """The store cannot answer now and may soon; the message is for the log."""


class Entries(Protocol):
    """A store of entries. Everything may raise UnavailableError."""

    def add(self, draft: Draft, key: str) -> Saved:
        """Save the draft, or return the entry that was saved under the same key before."""

    def get(self, entry_id: int) -> Entry | None:
        """Return the entry with this id, or None if there is none."""

    def after(self, entry_id: int, limit: int) -> Sequence[Entry]:
        """Return at most `limit` entries with greater ids, ascending by id."""

    def newest(self, *, before: int | None, limit: int, after_write: bool) -> Newest:
        """Return at most `limit` entries below the id `before`; with `after_write`, none saved is missing."""

    def writes_go_to(self) -> str:
        """Return the name of the database that takes the writes."""

    def probe(self) -> Mapping[str, DatabaseReport]:
        """Ask every database how it is, within a bounded time; never raises UnavailableError."""


def draft(author: object, text: object) -> Draft:
    """Make a draft of what a client sent.

    Line ends become LF, surrounding white space goes, and Unicode is composed (NFC). Raises
    InvalidDraftError.
    """
    problems: dict[str, str] = {}
    clean_author = _clean("author", author, MAX_AUTHOR, "", problems)
    clean_text = _clean("text", text, MAX_TEXT, "\n\t", problems)
    if problems:
        raise InvalidDraftError(problems)
    return Draft(author=clean_author, text=clean_text)


def printable(value: str) -> str:
    """Return the value without the characters that no entry may contain."""
    return "".join(char for char in value if not _is_forbidden(char, "\r\n\t"))


def _is_forbidden(char: str, allowed: str) -> bool:
    return unicodedata.category(char) in _FORBIDDEN and char not in allowed


def _clean(name: str, value: object, limit: int, allowed: str, problems: dict[str, str]) -> str:
    if value is None:
        problems[name] = "is missing"
        return ""
    if not isinstance(value, str):
        problems[name] = "must be text"
        return ""
    clean = unicodedata.normalize("NFC", value.replace("\r\n", "\n").replace("\r", "\n")).strip()
    if any(_is_forbidden(char, allowed) for char in clean):
        problems[name] = "must not contain control characters"
    elif all(unicodedata.category(char) in _INVISIBLE for char in clean):
        problems[name] = "must not be empty"
    elif len(clean) > limit:
        problems[name] = f"must not be longer than {limit} characters (it has {len(clean)})"
    return clean
