"""What is published about the stack file: the JSON schema, the reference page and the starter."""

import re
import tomllib
from pathlib import Path

import pytest

from colonnade.errors import UsageError
from colonnade.spec import Size, Stack, parse, reference, schema, starter
from colonnade.spec.outline import tables

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "file.md"

EVERY_KEY = {
    "": {"name", "domain", "app", "database", "ssh", "lab", "balancers", "servers", "witnesses"},
    "app": {
        *("path", "start", "health", "static", "migrate", "build", "packages", "timeout", "concurrency", "env"),
    },
    "app.env": set(),
    "database": {"engine", "durability", "standbys", "acks", "name", "packages", "buffer_pool"},
    "ssh": {"user", "port", "key"},
    "lab": {"image"},
    "balancers.NAME": {"address"},
    "servers.NAME": {"address", "memory"},
    "witnesses.NAME": {"address"},
}


def test_the_outline_lists_every_table_and_key() -> None:
    assert {".".join(table.path): set(table.keys) for table in tables()} == EVERY_KEY


def test_the_schema_is_strict_and_describes_every_key() -> None:
    made = schema()
    assert made["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert made["title"] == "Colonnade stack file"
    assert made["required"] == ["name", "domain", "app", "balancers", "servers"]
    for table in (made, *made["$defs"].values()):
        assert table["additionalProperties"] is False
        assert table["description"]
        for key, described in table["properties"].items():
            if "$ref" not in described:
                assert described["description"], key
                assert described["examples"], key
    assert "null" not in str(made)


def test_the_schema_of_a_few_keys() -> None:
    made = schema()
    app, database = made["$defs"]["App"], made["$defs"]["Database"]
    assert app["properties"]["timeout"] == {
        "default": 10,
        "description": "Seconds that a request may take; a balancer gives up a little later.",
        "examples": [10],
        "maximum": 300,
        "minimum": 1,
        "type": "integer",
    }
    assert app["required"] == ["path", "start"]
    assert database["properties"]["durability"]["enum"] == ["available", "strict"]
    assert "required" not in database
    servers = made["properties"]["servers"]
    assert servers["minProperties"] == 1
    assert servers["additionalProperties"] is False
    assert servers["patternProperties"] == {
        "^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$": {"$ref": "#/$defs/Server"},
    }


def test_every_example_in_the_schema_is_accepted() -> None:
    for table in tables():
        if table.model and table.model is not Stack:
            for key, field in table.model.model_fields.items():
                for example in field.examples or ():
                    base = {"path": "app", "start": "./run"} if table.path == ("app",) else {}
                    table.model.model_validate({**base, key: example})


def test_the_reference_has_every_key_with_all_its_columns() -> None:
    page = reference()
    for table in tables():
        assert f"## `{table.header}`\n" in page or not table.path
    rows = re.findall(r"(?m)^\| `(\w+)` \| (.+?) \| (.+?) \| (.+?) \| (.+?) \|$", page)
    leaves = sum(len(keys) for keys in EVERY_KEY.values()) - len({"app", "database", "ssh", "lab"})
    leaves -= len({"balancers", "servers", "witnesses", "env"})
    assert len(rows) == leaves
    assert all(all(cell.strip() for cell in row) for row in rows)
    assert "| `port` | whole number, 1 to 65535 | `22` | TCP port of the machines' sshd. | `port = 22` |" in page
    assert '| `durability` | `"available"` or `"strict"` | `"available"` | What happens' in page


def test_every_example_in_the_reference_is_toml() -> None:
    examples = re.findall(r"`(\w+ = .+?)`(?:<br>| \|)", reference())
    assert len(examples) > 20
    for example in examples:
        assert len(tomllib.loads(example)) == 1


def test_the_page_in_the_docs_is_what_is_generated() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference(), (
        "write it anew: python -c 'from colonnade.spec import reference; print(reference(), end=\"\")' "
        "> docs/reference/file.md"
    )


def test_the_starter_with_everything_turned_on() -> None:
    text = re.sub(r"(?m)^#(?=\S)", "", starter("my-shop", "Shop.Example"))
    stack = parse(text, filename="c.toml")
    assert (stack.name, stack.domain, stack.in_lab) == ("my-shop", "shop.example", False)
    assert stack.app.env == {"GREETING": "Hello"}
    assert stack.app.static == "static"
    assert stack.database.buffer_pool == Size("128M")
    assert stack.ssh.key == "~/.ssh/id_ed25519"
    assert (stack.standbys, stack.acks) == (1, 1)
    machines = (*stack.balancers.values(), *stack.servers.values(), *stack.witnesses.values())
    assert [machine.address for machine in machines] == [
        "192.0.2.11",
        "192.0.2.12",
        "192.0.2.21",
        "192.0.2.22",
        "192.0.2.31",
    ]


@pytest.mark.parametrize(
    ("name", "domain", "message"),
    [
        (
            "My Shop",
            "foobar.com",
            (
                'the name is "My Shop", which is no DNS label (small letters, digits and hyphens, '
                'a letter or digit at both ends)\ndid you mean "my-shop"?'
            ),
        ),
        (
            "shop",
            "foobar",
            'the domain is "foobar", which has one label; a domain has two\nwrite "foobar.com"',
        ),
        (
            "shop",
            'x.com"\n[evil]\n#.com',
            'the domain is "x.com\\"\\n[evil]\\n#.com", which is no DNS domain\nwrite a domain such as "foobar.com"',
        ),
    ],
)
def test_the_starter_refuses_what_cannot_be_a_stack(name: str, domain: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        starter(name, domain)
    assert str(caught.value) == message
    assert caught.value.exit_code == 2
