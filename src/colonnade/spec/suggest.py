"""What somebody may have meant by a key or a word that is not known here."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Final

from colonnade.spec.outline import Table, table_at, tables
from colonnade.spec.places import Path

SHORTEST_BEGINNING: Final = 3
"""Characters from which the beginning of a word says which word is meant."""


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Find the known word that looks most like this one, or begins like it; None if none does."""
    lowered, options = word.lower(), list(known)
    found = get_close_matches(lowered, options, n=1)
    if found:
        return found[0]
    begun = [
        option
        for option in options
        if min(len(option), len(lowered)) >= SHORTEST_BEGINNING
        and (option.startswith(lowered) or lowered.startswith(option))
    ]
    return begun[0] if begun else None


def for_key(path: Path) -> tuple[str, Path | None]:
    """Say what an unknown key may have meant, and give the path of that key (None if nothing is near)."""
    *around, last = path
    table = table_at(tuple(around))
    if table is None:
        return "", None
    word = str(last)
    # TOML's own trap comes first: whatever follows a header belongs to that header's table.
    elsewhere = next((other for other in tables() if word in other.keys and other.path != table.path), None)
    if elsewhere:
        return f"`{word}` belongs {_place(elsewhere)}", (*elsewhere.path, word)
    meant = nearest(word, table.keys)
    if meant:
        return f"did you mean `{meant}`?", (*around, meant)
    known = ", ".join(f"`{key}`" for key in table.keys)
    return f"{table.header or 'the top of the file'} knows {known}", None


def for_choice(word: str, known: Iterable[str]) -> str:
    """Say what a word may have meant that is not one of the few a key can be."""
    options = list(known)
    meant = nearest(word, options)
    if meant:
        return f'did you mean "{meant}"?'
    return "write " + " or ".join(f'"{option}"' for option in options)


def _place(table: Table) -> str:
    return f"under {table.header}" if table.path else "at the top of the file, before the first [table]"
