"""The tables of the stack file as a list, read off the models: what keys there are, and where.

A table of machines stands for any number of them; in its path the machine's name is ``NAME``.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Final, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from colonnade.spec.model import Stack

ANY_NAME: Final = "NAME"


@dataclass(frozen=True)
class Table:
    """One table of the stack file: its path, what it is for, and its model (None if its keys are free)."""

    path: tuple[str, ...]
    meaning: str
    model: type[BaseModel] | None

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys that the table knows; none if any will do."""
        return tuple(self.model.model_fields) if self.model else ()

    @property
    def header(self) -> str:
        """The table's header line; empty for the root, which has none."""
        return f"[{'.'.join(self.path)}]" if self.path else ""


@cache
def tables() -> tuple[Table, ...]:
    """List all tables, the root first, each before the ones in it."""
    return (Table((), Stack.__doc__ or "", Stack), *_below((), Stack))


def table_at(path: tuple[str | int, ...]) -> Table | None:
    """Find the table at a path that may hold real names of machines; None if none is there."""
    return next((table for table in tables() if _fits(table.path, path)), None)


def field_at(path: tuple[str | int, ...]) -> FieldInfo | None:
    """Find what the models say about a key; None if they do not know it."""
    table = table_at(path[:-1]) if path else None
    return table.model.model_fields.get(str(path[-1])) if table and table.model else None


def choices(field: FieldInfo) -> tuple[str, ...]:
    """List the texts that a key may have; empty if it is not one of a few."""
    return next((get_args(part) for part in _parts(field.annotation) if get_origin(part) is Literal), ())


def is_table(field: FieldInfo) -> bool:
    """Tell whether a key holds a table, or a table of tables."""
    return any(get_origin(part) is dict or _model(part) for part in _parts(field.annotation))


def _below(path: tuple[str, ...], model: type[BaseModel]) -> Iterator[Table]:
    for key, field in model.model_fields.items():
        for part in _parts(field.annotation):
            inner, here = _model(part), (*path, key)
            if get_origin(part) is dict:
                inner = _model(get_args(part)[1])
                here = (*here, ANY_NAME) if inner else here
            elif not inner:
                continue
            yield Table(here, (inner.__doc__ if inner else field.description) or "", inner)
            if inner:
                yield from _below(here, inner)


def _parts(annotation: object) -> tuple[object, ...]:
    """Split ``X | None`` into its parts, and leave all else whole."""
    if get_origin(annotation) in {Union, UnionType}:
        return tuple(part for part in get_args(annotation) if part is not NoneType)
    return (annotation,)


def _model(annotation: object) -> type[BaseModel] | None:
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None


def _fits(pattern: tuple[str, ...], path: tuple[str | int, ...]) -> bool:
    return len(pattern) == len(path) and all(
        known in {ANY_NAME, part} for known, part in zip(pattern, path, strict=True)
    )
