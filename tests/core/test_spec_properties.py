"""What holds for every stack file: what is written is what is read, and nothing makes the reading stumble."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from colonnade.errors import SpecError
from colonnade.spec import Size, Stack, decode, parse, starter

LABELS = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?", fullmatch=True)
DOMAINS = st.lists(st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True), min_size=1, max_size=3).map(
    lambda labels: ".".join([*labels, "com"])
)
TEXTS = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=20)
COMMANDS = TEXTS.filter(str.strip)
PARTS = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,6}", fullmatch=True)
PATHS = st.lists(PARTS, min_size=1, max_size=3).map("/".join)
SIZES = st.builds(lambda number, unit: f"{number}{unit}", st.integers(1, 999), st.sampled_from("MG"))
OURS = {"SOCKET", "RELEASE", "CONCURRENCY", "SERVER_NAME", "DATABASE_URL", "DATABASE_REPLICA_URL"}
ENVIRONMENTS = st.dictionaries(
    st.from_regex(r"[A-Z_][A-Z0-9_]{0,8}", fullmatch=True).filter(lambda name: name not in OURS), TEXTS, max_size=3
)


@st.composite
def files(draw: st.DrawFn) -> dict[str, Any]:
    """Draw the data of a valid file, every optional key there or not."""
    optional = {
        "health": st.from_regex(r"/[a-z0-9/._~-]{0,10}", fullmatch=True),
        "static": PATHS,
        "migrate": COMMANDS,
        "build": COMMANDS,
        "packages": st.lists(st.from_regex(r"[a-z0-9][a-z0-9.+-]{1,9}", fullmatch=True), max_size=3),
        "timeout": st.integers(1, 300),
        "concurrency": st.integers(1, 512),
        "env": ENVIRONMENTS,
    }
    names = draw(st.lists(LABELS, min_size=3, max_size=6, unique=True))
    balancers = draw(st.integers(1, len(names) - 2))
    witnesses = draw(st.integers(0, min(2, len(names) - balancers - 1)))
    standing = len(names) - witnesses  # from here on, names are of witnesses
    machines: dict[str, dict[str, Any]] = {name: {} for name in names}
    if draw(st.booleans()):
        addresses = st.ip_addresses(network="10.0.0.0/8") | st.ip_addresses(network="2001:db8::/32")
        for machine, address in zip(
            machines.values(),
            draw(st.lists(addresses, min_size=len(names), max_size=len(names), unique=True)),
            strict=True,
        ):
            machine["address"] = str(address)
    servers = {name: machines[name] for name in names[balancers:standing]}
    for server in servers.values():
        server.update(draw(st.fixed_dictionaries({}, optional={"memory": SIZES.filter(lambda s: Size(s) >= 2**26)})))
    data: dict[str, Any] = {
        "name": draw(LABELS),
        "domain": draw(DOMAINS),
        "app": draw(st.fixed_dictionaries({"path": PATHS, "start": COMMANDS}, optional=optional)),
        "balancers": {name: machines[name] for name in names[:balancers]},
        "servers": servers,
        **({"witnesses": {name: machines[name] for name in names[standing:]}} if witnesses else {}),
    }
    database = st.fixed_dictionaries(
        {},
        optional={
            "engine": st.just("mysql"),
            "durability": st.sampled_from(["available", "strict"]),
            "name": st.from_regex(r"app_[a-z0-9_]{0,9}", fullmatch=True),
            "packages": st.sampled_from(["debian-unstable", "distribution", "oracle"]),
            "buffer_pool": st.sampled_from(["32M", "63M", "40000K"]),
        },
    )
    ssh = st.fixed_dictionaries(
        {},
        optional={
            "user": st.from_regex(r"[a-z_][a-z0-9_-]{0,9}", fullmatch=True),
            "port": st.integers(1, 65535),
            "key": PATHS.map(lambda path: f"~/{path}"),
        },
    )
    lab = st.fixed_dictionaries({}, optional={"image": st.sampled_from(["baked", "bare"])})
    data |= draw(st.fixed_dictionaries({}, optional={"database": database, "ssh": ssh, "lab": lab}))
    if len(servers) == 1 and data.get("database", {}).get("durability") == "strict":
        del data["database"]["durability"]
    if "database" in data and len(servers) > 1 and draw(st.booleans()):
        standbys = draw(st.integers(1, len(servers) - 1))
        # "strict" wants one more standby than acknowledgements, where there are servers for it.
        spare = data["database"].get("durability") == "strict" and len(servers) > 2
        standbys = max(standbys, 2) if spare else standbys
        data["database"] |= {"standbys": standbys, "acks": draw(st.integers(1, standbys - spare))}
    return data


class Writer:
    """Writes data as TOML, each time in another of the ways that TOML has."""

    def __init__(self, draw: Callable[[st.SearchStrategy[int]], int]) -> None:
        self.draw = draw
        self.lines: list[str] = []
        self.headers: list[int] = []

    def table(self, path: tuple[str, ...], data: dict[str, Any]) -> None:
        inner = {key: value for key, value in data.items() if isinstance(value, dict)}
        as_key = inner if path and self.draw(st.integers(0, 3)) == 0 else {}
        for key, value in data.items():
            if key not in inner or key in as_key:
                self.noise()
                self.lines += f"{self.key(key)} = {self.value(value)}".split("\n")
        for key, value in inner.items():
            if key not in as_key:
                self.noise()
                here = (*path, key)
                self.headers.append(len(self.lines))
                self.lines.append(f"[{' . '.join(self.key(part) for part in here)}] # {key}")
                self.table(here, value)

    def noise(self) -> None:
        self.lines += [self.one_of(["", "# [a.comment] = 1", "  \t"]) for _ in range(self.draw(st.integers(0, 2)))]

    def one_of(self, ways: list[str]) -> str:
        return ways[self.draw(st.integers(0, len(ways) - 1))]

    def key(self, key: str) -> str:
        quoted = [json.dumps(key, ensure_ascii=False), f"'{key}'"]
        return self.one_of([key, key, *quoted])

    def value(self, value: object) -> str:
        if isinstance(value, dict):
            return "{ " + ", ".join(f"{self.key(key)} = {self.value(item)}" for key, item in value.items()) + " }"
        if isinstance(value, list):
            separator = self.one_of([", ", ",\n  ", ", # ]\n"])
            return "[" + separator.join(map(self.value, value)) + "]"
        if not isinstance(value, str):
            return str(value)
        ways = [json.dumps(value, ensure_ascii=False), '"""\n' + json.dumps(value, ensure_ascii=False)[1:-1] + '"""']
        if "'" not in value:
            ways += [f"'{value}'", f"'''\n{value}'''"]
        return self.one_of(ways)


def read_back(stack: Stack, data: dict[str, Any]) -> None:
    """Compare what was read with what was written, key by key; what was not written has its default."""
    read = stack.model_dump(mode="json", exclude_unset=True)
    assert read == data
    assert list(read["servers"]) == list(data["servers"])
    assert list(read["balancers"]) == list(data["balancers"])
    assert list(read.get("witnesses", ())) == list(data.get("witnesses", ()))
    assert stack.acks <= stack.standbys < len(stack.servers)
    assert stack.acks >= 1 or len(stack.servers) == 1


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_what_is_written_is_what_is_read(data: st.DataObject) -> None:
    written = data.draw(files())
    writer = Writer(data.draw)
    writer.table((), written)
    read_back(parse("\n".join(writer.lines), filename="c.toml"), written)


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_a_wrong_line_is_named_wherever_it_stands(data: st.DataObject) -> None:
    writer = Writer(data.draw)
    writer.table((), data.draw(files()))
    after = data.draw(st.sampled_from(writer.headers))
    lines = [*writer.lines[: after + 1], "zzz_zzz = 1", *writer.lines[after + 1 :]]
    with pytest.raises(SpecError) as caught:
        parse("\n".join(lines), filename="c.toml")
    assert caught.value.where == f"c.toml:{after + 2}"
    assert ".zzz_zzz`" in caught.value.what


STARTER = starter("foobar", "foobar.com")
SPLICES = st.sampled_from(
    [
        *"[]{}=.,#\"'\\\n\r\t\0 0aZ_é\u202e",
        *('"""', "'''", "[[", "]]", "= 1", "= true", "= [1]", "= {}", "= {a = 1}", "= 1979-05-27", "= nan", "= 0x1F"),
        *("[servers]", "[[servers]]", "[app.env]\n", "servers.web1 = 1\n", "a.b.c = 1\n", "= 9" * 3, "[" * 400),
    ]
)


@given(st.data())
@settings(max_examples=600, deadline=None)
def test_a_spoilt_starter_is_read_or_refused_and_nothing_else(data: st.DataObject) -> None:
    text = spoilt(data)
    read: Stack | SpecError
    try:
        read = parse(decode(text.encode(), "c.toml"), filename="c.toml")
    except SpecError as error:
        read = error
    if isinstance(read, Stack):
        assert read.servers
        return
    where = re.fullmatch(r"c\.toml:([0-9]+)", read.where)
    assert where
    assert 1 <= int(where[1]) <= text.count("\n") + 1
    assert read.what
    assert read.do
    # Nothing in the file can turn the message around on the terminal, or end its lines.
    assert all(line.isprintable() for line in str(read).split("\n"))


def spoilt(data: st.DataObject) -> str:
    """Change the starter in a few places, as slips of a hand, a merge or a cat on the keyboard would."""
    text = STARTER
    for _ in range(data.draw(st.integers(1, 4))):
        begin = data.draw(st.integers(0, len(text)))
        lines = text.split("\n")
        match data.draw(st.sampled_from(["insert", "replace", "delete", "uncomment", "repeat", "swap"])):
            case "insert":
                text = text[:begin] + data.draw(SPLICES) + text[begin:]
            case "replace":
                text = text[:begin] + data.draw(SPLICES) + text[begin + data.draw(st.integers(1, 9)) :]
            case "delete":
                text = text[:begin] + text[begin + data.draw(st.integers(1, 99)) :]
            case "uncomment":
                number = data.draw(st.integers(0, len(lines) - 1))
                text = "\n".join([*lines[:number], lines[number].lstrip("# "), *lines[number + 1 :]])
            case "repeat":
                text = "\n".join([*lines, data.draw(st.sampled_from(lines))])
            case _:
                one, two = sorted(data.draw(st.integers(0, len(lines) - 1)) for _ in range(2))
                lines[one], lines[two] = lines[two], lines[one]
                text = "\n".join(lines)
    return text
