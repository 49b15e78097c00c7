"""The text of a stack file as TOML, and what to say when it is none."""

import re
import tomllib
from typing import Final

from colonnade.errors import SpecError
from colonnade.spec.findings import at_line
from colonnade.spec.places import dotted, places

_HINTS: Final = (
    (
        r"Illegal character '\\n'",
        "a text is not closed on its line",
        'end it with a quote, or begin and end it with """',
    ),
    (
        r"Illegal character",
        "there is a control character",
        "take it out, or write it as an escape such as \\u001B",
    ),
    (
        r"Invalid value",
        "this is no value",
        'text stands in quotes: name = "foobar"; true and false are lower-case',
    ),
    (r"Expected '='", "a key has no `=` after it", "write `key = value`; a comment begins with #"),
    (r"Expected newline", "something follows the end of the value", "write one key a line, text in quotes"),
    (
        r"Unescaped",
        "a backslash in a text escapes nothing",
        "write it twice, or put the text in 'single quotes'",
    ),
    (r"Unterminated string", "a text is not closed", "end it with the quotes that it began with"),
    (r"Unclosed array", "an array is not closed", "separate its items by commas, and end it with ]"),
    (
        r"Unclosed inline table",
        "an inline table is not closed",
        "separate its keys by commas, end it with }, on one line",
    ),
    (r"Expected '\]", "a table's header is not closed", "write it as [servers.web1], on a line of its own"),
    (
        r"Invalid initial character for a key",
        "a key is missing, or begins with an odd character",
        "write `key = value`",
    ),
    (
        r"Invalid statement",
        "this is neither a key nor a [table]",
        "write `key = value`; a comment begins with #",
    ),
)
_TWICE: Final = re.compile(r"Cannot |Duplicate inline table key")


def decode(data: bytes, filename: str) -> str:
    """Read the bytes of a stack file as UTF-8, byte order mark or not; ``SpecError`` if they are not."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1  # its object is the data without the mark
        what = f"the file is not UTF-8 (byte 0x{error.object[error.start]:02x})"
    raise at_line(filename, line, what, "save it as UTF-8 in your editor")


def read_toml(text: str, filename: str) -> dict[str, object]:
    """Read the text as TOML; ``SpecError`` with the line if it is none, or if it says nothing."""
    try:
        data = tomllib.loads(text.removeprefix("\ufeff"))
    except tomllib.TOMLDecodeError as error:
        raise _explained(str(error), text, filename) from None
    except RecursionError:
        line = places(text).stopped or 1
        raise at_line(filename, line, "a value is nested too deeply", "no key needs more than one array") from None
    except ValueError:
        # What int() says of a number with thousands of digits; TOML has no such limit.
        digits = re.search(r"[0-9][0-9_]{3999,}", text)
        line = text.count("\n", 0, digits.start()) + 1 if digits else 1
        raise at_line(filename, line, "a number is too long", "write a shorter one") from None
    if not data:
        raise at_line(filename, 1, "the file is empty", "begin with the file that `colonnade init` writes")
    return data


def _explained(message: str, text: str, filename: str) -> SpecError:
    seen = places(text)
    found = re.search(r" \(at (?:line (\d+), column \d+|end of document)\)$", message)
    reason = message[: found.start()] if found else message
    # What is not closed is found missing at the end of the file; it began where the scanner stopped.
    line = int(found[1]) if found and found[1] else seen.stopped or max(text.count("\n"), 1)
    if _TWICE.match(reason):
        again = seen.repeated(line)
        if again:
            path, first = again
            line = next(one for one in reversed(seen.defined[path]) if one <= line)
            return at_line(filename, line, f"`{dotted(path)}` is there already, on line {first}", "keep one of the two")
        key = seen.last_key(line)
        what = f"`{dotted(key)}`" if key else "this"
        return at_line(filename, line, f"{what} clashes with a key or table above it", "keep one of the two")
    what, do = next(
        ((what, do) for pattern, what, do in _HINTS if re.match(pattern, reason)),
        (reason[:1].lower() + reason[1:], "see toml.io for how TOML is written"),
    )
    key = seen.last_key(line)
    return at_line(filename, line, f"`{dotted(key)}`: {what}" if key else what, do)
