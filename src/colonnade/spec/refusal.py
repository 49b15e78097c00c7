"""How a value is refused, and how a value is shown in the sentence that refuses it."""

import json
import re
from typing import Final

from pydantic_core import PydanticCustomError

OURS: Final = "colonnade"
"""The pydantic error type of everything that is refused here."""

LONGEST_SHOWN: Final = 60
"""Characters of a text that are shown: a message stays a line."""


def shown(value: object) -> str:
    """Show a value as TOML would, on one line and not too long; containers only by their kind."""
    if isinstance(value, str):
        cut = value if len(value) <= LONGEST_SHOWN else value[: LONGEST_SHOWN - 1] + "…"
        return json.dumps(cut, ensure_ascii=not cut.isprintable())
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "an array"
    if isinstance(value, dict):
        return "a table"
    return str(value) if not isinstance(value, int) or value.bit_length() < 64 else "a huge number"  # noqa: PLR2004


def refused(what: str, do: str) -> PydanticCustomError:
    """Make the error for a value; ``what`` continues a sentence that begins with the key."""
    return PydanticCustomError(OURS, "{what}", {"what": what, "do": do})


def matches(pattern: str, value: str) -> bool:
    """Match a pattern against a whole value; a ``$`` alone would let a last line break pass."""
    return re.fullmatch(pattern, value) is not None and not value.endswith("\n")
