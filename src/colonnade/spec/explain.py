"""What pydantic found, in sentences: each names the key in dotted form, what is wrong, and the way out."""

import json
from collections.abc import Callable
from datetime import date, time
from typing import Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from colonnade.spec import suggest
from colonnade.spec.findings import Finding
from colonnade.spec.outline import choices, field_at, is_table, table_at
from colonnade.spec.places import Path, dotted
from colonnade.spec.refusal import OURS, shown

_ENVIRONMENT: Final = ("app", "env")
_LONGEST_GUESS: Final = 1e6  # a larger number is no misspelt timeout or port
_NEEDS_MACHINE: Final = {
    ("balancers",): "no balancer: add `[balancers.lb1]` on a line of its own",
    ("servers",): "no server: add `[servers.web1]` on a line of its own, and `[servers.web2]` to survive a failure",
}
_MACHINES: Final = {
    ("balancers",): "[balancers.lb1]",
    ("servers",): "[servers.web1]",
    ("witnesses",): "[witnesses.witness1]",
}


def explain(error: ValidationError) -> list[Finding]:
    """Turn pydantic's errors into findings; a key that is missing because it is misspelt counts once."""
    found: list[Finding] = []
    misspelt: set[Path] = set()
    details = sorted(error.errors(include_url=False), key=lambda detail: detail["type"] != "extra_forbidden")
    for detail in details:
        path = _path(detail)
        if detail["type"] == "extra_forbidden":
            do, meant = suggest.for_key(path)
            found.append(Finding(path, f"`{dotted(path)}` is an unknown key", do))
            if meant:
                misspelt.add(meant)
        elif detail["type"] == "missing":
            if path not in misspelt:
                found.append(_missing(path))
        else:
            what, do = _sentence(path, detail)
            found.append(Finding(path, what, do))
    return found


def _path(detail: ErrorDetails) -> Path:
    loc = detail["loc"]
    return loc[:-1] if loc and loc[-1] == "[key]" else loc  # pydantic's mark for the name of an entry


def _sentence(path: Path, detail: ErrorDetails) -> tuple[str, str]:
    """Say what is wrong with a key's value, and the way out."""
    key, given, context = dotted(path), detail["input"], detail.get("ctx", {})
    match detail["type"]:
        case kind if kind == OURS:
            return f"`{key}` {context['what']}", str(context["do"])
        case kind if kind in _EXPECTED:
            expected, way_out = _EXPECTED[kind]
            return f"`{key}` must be {expected}, not {_kind(given)}", way_out(path, given)
        case "too_short" if path in _NEEDS_MACHINE:
            what, do = _NEEDS_MACHINE[path].split(": ", 1)
            return f"`{key}`: there is {what}", do
        case "literal_error":
            what = f"cannot be {shown(given)}" if isinstance(given, str) else f"must be text, not {_kind(given)}"
            return f"`{key}` {what}", _as_choice(path, given)
        case "greater_than_equal" | "less_than_equal":
            wrong, do = (
                ("small", f"{context['ge']} or more") if "ge" in context else ("large", f"{context['le']} or less")
            )
            return f"`{key}` is {shown(given)}, which is too {wrong}", f"write {do}"
        case _:
            return f"`{key}` cannot be used: {detail['msg']}", _as_example(path, given)


def _missing(path: Path) -> Finding:
    if path in _NEEDS_MACHINE:
        what, do = _NEEDS_MACHINE[path].split(": ", 1)
        return Finding(path, f"`{dotted(path)}`: there is {what}", do)
    table, field = table_at(path[:-1]), field_at(path)
    if field and is_table(field):
        inner = table_at(path)
        keys = (
            [key for key in inner.keys if inner.model and inner.model.model_fields[key].is_required()] if inner else []
        )
        needed = " and ".join(f"`{key}`" for key in keys)
        return Finding(path, f"`{dotted(path)}` is missing", f"add a table `[{dotted(path)}]` with {needed}")
    place = f"under {table.header}" if table and table.path else "at the top of the file"
    return Finding(path, f"`{dotted(path)}` is missing", f"add `{path[-1]} = {_example(path)}` {place}")


def _kind(value: object) -> str:
    return next((words for kind, words in _KINDS if isinstance(value, kind)), type(value).__name__)


def _as_text(path: Path, given: object) -> str:
    if isinstance(given, bool | int | float) and path[:2] != _ENVIRONMENT:
        return f'write it in quotes: "{shown(given)}"'
    if isinstance(given, list | dict):
        return f"write `{dotted((path[-1],))} = {_example(path)}`"
    return "write it in quotes"


def _as_number(path: Path, given: object) -> str:
    if isinstance(given, str) and given.strip().isdecimal() and given.isascii():
        return f"write it without quotes: `{path[-1]} = {int(given.strip()[:9])}`"
    if isinstance(given, float) and given.is_integer() and abs(given) < _LONGEST_GUESS:
        return f"write `{path[-1]} = {given:.0f}`"
    return f"write `{path[-1]} = {_example(path)}`"


def _as_table(path: Path, given: object) -> str:
    table = table_at(path)
    if table and "address" in table.keys and isinstance(given, str):
        return f"write `[{dotted(path)}]` on a line of its own, and `address = {shown(given)}` below it"
    if path in _MACHINES:
        return f"write one table for each machine: {_MACHINES[path]}"
    return f"write `[{dotted(path)}]` on a line of its own, and its keys below it"


def _as_choice(path: Path, given: object) -> str:
    field = field_at(path)
    return suggest.for_choice(given if isinstance(given, str) else "", choices(field) if field else ())


def _as_example(path: Path, given: object) -> str:
    del given
    return f"write `{path[-1]} = {_example(path)}`"


def _example(path: Path) -> str:
    field = field_at(path)
    if field is None and isinstance(path[-1], int):
        path = path[:-1]
        field = field_at(path)
    example = field.examples[0] if field and field.examples else "text"
    return json.dumps(example, ensure_ascii=False)


_KINDS: Final[tuple[tuple[type | tuple[type, ...], str], ...]] = (
    (bool, "true or false"),  # before int, which a bool is, too
    (int, "a whole number"),
    (float, "a number with a fraction"),
    (str, "text"),
    (list, "an array"),
    (dict, "a table"),
    ((date, time), "a date or time"),
)
_EXPECTED: Final[dict[str, tuple[str, Callable[[Path, object], str]]]] = {
    "string_type": ("text", _as_text),
    "int_type": ("a whole number", _as_number),
    "tuple_type": ("an array", _as_example),
    "model_type": ("a table", _as_table),
    "dict_type": ("a table", _as_table),
}
