"""The line of every key, in every way that TOML has to write one."""

import pytest

from colonnade.spec.places import Path, dotted, places

TEXT = '''\
# a comment with name = "x" in it
name = "foobar" # and [one] more
"quoted key" = 1
'literal.key' = 2
"esc\\u0061ped" = 3
site.owner . "e-mail" = "me@example.org"
text = """
[not.a.header]
neither = "a key" \\""" still text
"""
raw = \'\'\'
x = 1
\'\'\'\'
empty = ""
bare = ''
when = 1979-05-27 07:32:00
list = [ 1, [2, 3], # two ] brackets
  "a, ] b",
  { x = 1, y.z = 2 },
]
point = { x = 1, inner = { y = """
""", z = 3 } }

[ servers . web1 ] # header
address = "192.0.2.1"
limits.memory = "1G"

[[users]]
name = "a"
[[users]]
name = "b"

["odd table".'x y']
last = true'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("name",), 2),
        (("quoted key",), 3),
        (("literal.key",), 4),
        (("escaped",), 5),
        (("site",), 6),
        (("site", "owner"), 6),
        (("site", "owner", "e-mail"), 6),
        (("text",), 7),
        (("raw",), 11),
        (("empty",), 14),
        (("bare",), 15),
        (("when",), 16),
        (("list",), 17),
        (("list", 0), 17),
        (("list", 1, 1), 17),
        (("list", 2), 18),
        (("list", 3), 19),
        (("list", 3, "y", "z"), 19),
        (("point", "x"), 21),
        (("point", "inner"), 21),
        (("point", "inner", "z"), 22),
        (("servers",), 24),
        (("servers", "web1"), 24),
        (("servers", "web1", "address"), 25),
        (("servers", "web1", "limits"), 26),
        (("servers", "web1", "limits", "memory"), 26),
        (("users", 0), 28),
        (("users", 0, "name"), 29),
        (("users", 1, "name"), 31),
        (("odd table", "x y"), 33),
        (("odd table", "x y", "last"), 34),
        # What is not there stands where its table is.
        (("servers", "web1", "memory"), 24),
        (("servers", "web9", "memory"), 24),
        (("nothing",), 1),
        ((), 1),
        # None of these is a key.
        (("not",), 1),
        (("neither",), 1),
        (("x",), 1),
        (("one",), 1),
    ],
)
@pytest.mark.parametrize("text", [TEXT, TEXT.replace("\n", "\r\n"), f"\ufeff{TEXT}"], ids=["LF", "CRLF", "mark"])
def test_line(text: str, path: Path, line: int) -> None:
    found = places(text)
    assert found.stopped is None
    assert found.line(path) == line


def test_a_table_that_is_written_out_counts_more_than_one_that_is_implied() -> None:
    found = places("[servers.web1]\n\n[servers]\nx = 1\n")
    assert found.line(("servers",)) == 3
    assert found.line(("servers", "web2")) == 3


@pytest.mark.parametrize(
    ("text", "stopped", "last_seen"),
    [
        ("a = 1\nb 2\nc = 3", 2, ("b",)),
        ('a = 1\n\nb = """\n\n', 3, ("b",)),
        ("a = 1\n[b\nc = 1", 2, ("b",)),
        ("a = [1,\n2\n3]\nb = 1", 1, ("a",)),
        ("a = {b = 1 c = 2}", 1, ("a",)),
        ("a = 1\n\n= 3", 3, None),
        ('a = 1\n"\\q" = 3', 2, None),
        (f"a = 1\nb = {'[' * 5000}", 2, ("b",)),
    ],
)
def test_what_was_seen_before_the_text_went_wrong(text: str, stopped: int, last_seen: Path | None) -> None:
    found = places(text)
    assert found.stopped == stopped
    assert found.line(("a",)) == 1
    if last_seen:
        assert found.line(last_seen) == stopped


@pytest.mark.parametrize(
    ("text", "line", "expected"),
    [
        ("a = 1\nb = 2\na = 3", 3, (("a",), 1)),
        ("a = 1\nb = 2\na = '''\n'''", 4, (("a",), 1)),
        ("[t]\n[u]\n[t]", 3, (("t",), 1)),
        ("t = {a = 1, a = 2}", 1, (("t", "a"), 1)),
        ("a = 1\na = 2\nb = 1\nb = 2", 4, (("b",), 3)),
        ("a = 1\na = 2\nb = 1\nb = 2", 2, (("a",), 1)),
        ("[[a]]\nx = 1\n[[a]]\nx = 1", 4, None),
        ("a = 1", 1, None),
    ],
)
def test_repeated(text: str, line: int, expected: tuple[Path, int] | None) -> None:
    assert places(text).repeated(line) == expected


@pytest.mark.parametrize(
    ("path", "written"),
    [
        (("servers", "web1", "memory"), "servers.web1.memory"),
        (("app", "packages", 0), "app.packages[0]"),
        (("a.b", "c d", ""), "'a.b'.'c d'.''"),
        (("it's",), '"it\'s"'),
        (("a\u202eb", "\n"), "'a\\u202eb'.'\\n'"),
        (("x" * 61,), f"'{'x' * 59}…'"),
        ((), ""),
    ],
)
def test_dotted(path: Path, written: str) -> None:
    assert dotted(path) == written
