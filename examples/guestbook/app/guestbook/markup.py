"""HTML from template files, in which nothing gets unescaped that is not markup already."""

from __future__ import annotations

from html import escape
from pathlib import Path
from string import Template

_TEMPLATES = {
    file.stem: Template(file.read_text(encoding="utf-8"))
    for file in (Path(__file__).parent / "templates").glob("*.html")
}


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def fill(name: str, **values: str | int) -> Markup:
    """Fill in the template; what is not Markup is escaped. Raises KeyError for a value not given."""
    return Markup(
        _TEMPLATES[name].substitute(
            {key: value if isinstance(value, Markup) else escape(str(value)) for key, value in values.items()}
        )
    )


def join(parts: list[Markup]) -> Markup:
    """Put pieces of markup one after the other."""
    return Markup("".join(parts))
