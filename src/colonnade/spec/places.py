"""Where a key stands: from a key's path to its line in the text of a TOML file.

``tomllib`` tells the value of a key and not its line. This scanner knows just enough of TOML 1.0 to walk
over it: headers, keys (bare, quoted, dotted), and values only as far as is needed to find their end. It
reads files that are wrong, too: it stops where it understands nothing more, and what it saw stays.
"""

import re
import tomllib
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from colonnade.spec.refusal import LONGEST_SHOWN

Path = tuple[str | int, ...]
"""A key's way from the root: names of tables and keys, and indexes of array items."""

# No possessive quantifiers: Python 3.11 before 3.11.5 matches some of them wrongly on groups (gh-106052).
_SPACE: Final = re.compile(r"[ \t]*")
_BLANK: Final = re.compile(r"(?:[ \t\n]|#[^\n]*)*")
_LINE_REST: Final = re.compile(r"[ \t]*(?:#[^\n]*)?(?=\n|\Z)")
_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")
_QUOTED_KEY: Final = re.compile(r'"(?:[^"\\\n]|\\[^\n])*"')
_LITERAL_KEY: Final = re.compile(r"'[^'\n]*'")
# The long forms come first: "" could also be the beginning of """.
_STRING: Final = re.compile(
    r'"""(?:\\.|[^"\\]|"{1,2}(?!"))*"{3,5}'
    r"|'''(?:[^']|'{1,2}(?!'))*'{3,5}"
    r'|"(?!"")(?:[^"\\\n]|\\[^\n])*"'
    r"|'(?!'')[^'\n]*'",
    re.DOTALL,
)
# A date and its time may have a space between them.
_SCALAR: Final = re.compile(r"[^\s,\[\]{}#\"'=]+(?: [0-9:.]+)?")


@dataclass(frozen=True)
class Places:
    """The lines of all keys of a text; line numbers start at 1."""

    defined: dict[Path, list[int]] = field(default_factory=dict)
    """Keys and headers that are written out, with each of their lines."""

    implied: dict[Path, int] = field(default_factory=dict)
    """Tables that exist only because something in them is named, with the first line that does."""

    stopped: int | None = None
    """The line of the last thing seen before the scanner gave up; None if it read everything."""

    def line(self, path: Path) -> int:
        """Give the line of a key or, if it is not there, of the nearest table around it; 1 at the root."""
        for length in range(len(path), 0, -1):
            part = path[:length]
            if part in self.defined:
                return self.defined[part][0]
            if part in self.implied:
                return self.implied[part]
        return 1

    def last_key(self, line: int) -> Path | None:
        """Give the last key or header that begins on a line (of an array's item: the array's), or None."""
        path = next((path for path, lines in reversed(self.defined.items()) if line in lines), None)
        while path and isinstance(path[-1], int):
            path = path[:-1]
        return path

    def repeated(self, line: int) -> tuple[Path, int] | None:
        """Give the key that a line defines again, or last before it, and the line that defined it first."""
        again = [(lines, path) for path, lines in self.defined.items() if len(lines) > 1 and lines[1] <= line]
        if not again:
            return None
        lines, path = max(again, key=lambda one: one[0][1])
        return path, lines[0]


def dotted(path: Path) -> str:
    """Write a path as TOML would, ``servers.web1.memory``; an item of an array as ``packages[0]``."""
    written = ""
    for part in path:
        if isinstance(part, int):
            written += f"[{part}]"
            continue
        key = part if len(part) <= LONGEST_SHOWN else part[: LONGEST_SHOWN - 1] + "…"
        if not _BARE_KEY.fullmatch(key):
            key = f"'{key}'" if key.isprintable() and "'" not in key else ascii(key)
        written += f".{key}" if written else key
    return written


def places(text: str) -> Places:
    """Find the line of every key; never raises, whatever the text is."""
    scanner = _Scanner(text.removeprefix("\ufeff").replace("\r\n", "\n"))
    try:
        scanner.document()
    except (_NotUnderstoodError, RecursionError):
        return Places(scanner.defined, scanner.implied, scanner.line_at(scanner.begun))
    return Places(scanner.defined, scanner.implied)


class _NotUnderstoodError(Exception):
    """The text is no TOML from here on."""


class _Scanner:
    """One walk over one text; ``pos`` only grows."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.pos = 0
        self.begun = 0  # where the key or header that is being read begins
        self.defined: dict[Path, list[int]] = {}
        self.implied: dict[Path, int] = {}
        self._table: Path = ()
        self._items: dict[Path, int] = {}
        self._newlines = [found.start() for found in re.finditer("\n", text)]

    def line_at(self, pos: int) -> int:
        return bisect_left(self._newlines, pos) + 1

    def document(self) -> None:
        self._match(_BLANK)
        while self.pos < len(self.text):
            self.begun = self.pos
            if self._peek("["):
                self._header()
            else:
                self._pair(self._table)
            self._match(_LINE_REST)
            self._match(_BLANK)

    def _header(self) -> None:
        start = self.pos
        array = self._peek("[[")
        self.pos += 2 if array else 1
        path: Path = tuple(self._key())
        if array:
            number = self._items.get(path, 0)
            self._items[path] = number + 1
            path = (*path, number)
        self._record(path, start)
        self._table = path
        self._expect("]]" if array else "]")

    def _pair(self, table: Path) -> None:
        start = self.pos
        path = (*table, *self._key())
        self._record(path, start, within=len(table))
        self._expect("=")
        self._match(_SPACE)
        self._value(path)

    def _key(self) -> Iterator[str]:
        while True:
            self._match(_SPACE)
            if self._peek('"'):
                yield _unquoted(self._match(_QUOTED_KEY))
            elif self._peek("'"):
                yield self._match(_LITERAL_KEY)[1:-1]
            else:
                yield self._match(_BARE_KEY)
            self._match(_SPACE)
            if not self._peek("."):
                return
            self.pos += 1

    def _value(self, path: Path) -> None:
        if self._peek("["):
            self._array(path)
        elif self._peek("{"):
            self._inline_table(path)
        elif self._peek('"') or self._peek("'"):
            self._match(_STRING)
        else:
            self._match(_SCALAR)

    def _array(self, path: Path) -> None:
        self.pos += 1
        number = 0
        self._match(_BLANK)
        while not self._peek("]"):
            self._record((*path, number), self.pos)
            self._value((*path, number))
            number += 1
            self._match(_BLANK)
            if self._peek(","):
                self.pos += 1
                self._match(_BLANK)
            elif not self._peek("]"):
                raise _NotUnderstoodError
        self.pos += 1

    def _inline_table(self, path: Path) -> None:
        self.pos += 1
        self._match(_SPACE)
        while not self._peek("}"):
            self._pair(path)
            self._match(_SPACE)
            if self._peek(","):
                self.pos += 1
                self._match(_SPACE)
            elif not self._peek("}"):
                raise _NotUnderstoodError
        self.pos += 1

    def _record(self, path: Path, pos: int, within: int = 0) -> None:
        line = self.line_at(pos)
        for length in range(max(within, 1), len(path)):
            self.implied.setdefault(path[:length], line)
        self.defined.setdefault(path, []).append(line)

    def _peek(self, expected: str) -> bool:
        return self.text.startswith(expected, self.pos)

    def _expect(self, expected: str) -> None:
        if not self._peek(expected):
            raise _NotUnderstoodError
        self.pos += len(expected)

    def _match(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self.text, self.pos)
        if found is None:
            raise _NotUnderstoodError
        self.pos = found.end()
        return found[0]


def _unquoted(quoted: str) -> str:
    """Read the escapes of one quoted key."""
    try:
        return next(iter(tomllib.loads(f"{quoted} = 0")))
    except tomllib.TOMLDecodeError as error:
        raise _NotUnderstoodError from error
