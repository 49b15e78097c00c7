"""The reference page of the stack file, written from the models: a key without a meaning cannot exist."""

import json
from typing import Any

from pydantic.fields import FieldInfo

from colonnade.spec.checks import ENVIRONMENT_PATTERN
from colonnade.spec.outline import Table, choices, is_table, tables
from colonnade.spec.schema import schema

_HEAD = """\
<!-- Written by colonnade.spec.reference from the models; edits are overwritten. -->
# The stack file

A stack is described by one file in [TOML](https://toml.io), usually `colonnade.toml`. It is read strictly:
an unknown key, a wrong type or a contradiction is refused with file, line, key and a suggestion, and exit
status 2. `colonnade schema` prints the JSON schema for editors, `colonnade init` writes a file to start from.

Sizes are whole numbers with the unit K, M or G (1024 each), in quotes.
"""


def reference() -> str:
    """Write the page, in Markdown: every key with its type, its default, its meaning and an example."""
    described = schema()
    sections = [_section(table, described) for table in tables()]
    return "\n".join([_HEAD, *sections, _REFUSED])


_REFUSED = """\
## What is refused beyond single keys

- A name that two of balancers, servers and witnesses share: names are host names.
- Addresses on some machines only.
- One address for two balancers, or for two servers. A balancer and a server may share one.
- A witness with the address of another machine: it would be lost together with that one, and so adds nothing.
- An `app.path` that is not there.
- `durability = "strict"` with one server: no write would ever be accepted.
- More `standbys` than there are servers beside the primary, or more `acks` than standbys.
- `acks = 0` or `standbys = 0` with two servers or more: nobody could be promoted when the primary is lost.
- `durability = "strict"` with as many `acks` as standbys and three servers or more: one lost standby would block
  all writes.
- A `buffer_pool` that does not fit a server's `memory`.
"""


def _section(table: Table, described: dict[str, Any]) -> str:
    title = f"`{table.header}`" if table.path else "The top of the file"
    lines = [f"## {title}", "", table.meaning, ""]
    if table.model is None:
        lines += [f"Names match `{ENVIRONMENT_PATTERN}`; values are text.", ""]
        return "\n".join(lines)
    properties = described["properties"] if not table.path else described["$defs"][table.model.__name__]["properties"]
    lines += ["| Key | Type | Default | Meaning | Example |", "|---|---|---|---|---|"]
    for key, field in table.model.model_fields.items():
        if not is_table(field):
            cells = (
                f"`{key}`",
                _type(field, properties[key]),
                _default(field),
                field.description or "",
                _example(key, field),
            )
            lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    return "\n".join([*lines, ""])


def _type(field: FieldInfo, described: dict[str, Any]) -> str:
    options = choices(field)
    if options:
        return " or ".join(f'`"{option}"`' for option in options)
    match described["type"]:
        case "integer":
            return f"whole number, {described['minimum']} to {described['maximum']}"
        case "array":
            return f"array of {described['items']['title']}s"
        case _:
            return str(described["title"])


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    if field.default is None:
        return "see meaning" if "Default:" in (field.description or "") else "none"
    return f"`{_toml(field.default)}`"


def _example(key: str, field: FieldInfo) -> str:
    return "<br>".join(f"`{key} = {_toml(example)}`" for example in field.examples or ())


def _toml(value: object) -> str:
    """Write a value as TOML; JSON's way is TOML's for the texts, numbers and arrays that occur here."""
    return json.dumps(value, ensure_ascii=False)
