"""Every refusal, word for word: file, line, key, what is wrong, and the way out.

The cases are data, in ``spec_refusals.txt``: what is changed in the good file, as a diff would show it,
and the message that follows. Here are only those that do not fit on a line, or that ask for more.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from colonnade.errors import SpecError
from colonnade.spec import decode, parse

GOOD = """\
name = "foobar"
domain = "foobar.com"

[app]
path = "app"
start = "gunicorn wsgi:app"

[app.env]
GREETING = "Hello"

[database]
durability = "available"

[balancers.lb1]
address = "192.0.2.11"

[servers.web1]
address = "192.0.2.21"

[servers.web2]
address = "192.0.2.22"
"""


APP_KNOWS = (
    "[app] knows `path`, `start`, `health`, `static`, `migrate`, `build`, `packages`, `timeout`, `concurrency`, `env`"
)
NO_DOMAIN = 'which is no DNS domain\nwrite a domain such as "foobar.com"'


def refusal(text: str, directory_exists: Callable[[str], bool] | None = None) -> SpecError:
    with pytest.raises(SpecError) as caught:
        parse(text, filename="c.toml", directory_exists=directory_exists)
    return caught.value


def changed(*hunks: tuple[str, str]) -> str:
    text = GOOD
    for old, new in hunks:
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in the good file"
        text = text.replace(old, new)
    return text


def cases() -> Iterator[tuple[str, str]]:
    """Read the data: for each case the changed file and the message."""
    data = (Path(__file__).parent / "spec_refusals.txt").read_text(encoding="utf-8")
    for block in re.split(r"\n\n+", re.sub(r"(?m)^#.*\n", "", data).strip("\n")):
        hunks: list[tuple[list[str], list[str]]] = []
        message = []
        for line in block.split("\n"):
            if line == "-" or line.startswith("- "):
                if not hunks or hunks[-1][1]:
                    hunks.append(([], []))
                hunks[-1][0].append(line[2:])
            elif line == "+" or line.startswith("+ "):
                hunks[-1][1].append(line[2:])
            else:
                message.append(line)
        yield (
            changed(*(("\n".join([*old, ""]), "\n".join([*new, ""])) for old, new in hunks)),
            "\n".join(message),
        )


def test_the_good_file_is_good() -> None:
    assert list(parse(GOOD, filename="c.toml").servers) == ["web1", "web2"]


@pytest.mark.parametrize(("text", "message"), list(cases()))
def test_refused_word_for_word(text: str, message: str) -> None:
    error = refusal(text)
    assert str(error) == message
    assert error.exit_code == 2
    assert re.fullmatch(r"c\.toml:[0-9]+", error.where)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            '"foobar"',
            f'"{"a" * 41}"',
            f'c.toml:1: `name` has 41 characters; 40 is the most\ndid you mean "{"a" * 40}"?',
        ),
        (
            '"foobar.com"',
            f'"{"a" * 64}.com"',
            f'c.toml:2: `domain` is "{"a" * 59}…", {NO_DOMAIN}',
        ),
        (
            '"foobar.com"',
            f'"{"abcd." * 50}com"',
            f'c.toml:2: `domain` is "{"abcd." * 11}abcd…", {NO_DOMAIN}',
        ),
        (
            '"gunicorn wsgi:app"',
            '"a\0"',
            (
                "c.toml:6: `app.start`: there is a control character\n"
                "take it out, or write it as an escape such as \\u001B"
            ),
        ),
        (
            '"foobar"',
            f'"foobar"\nx = {"[" * 3000}',
            "c.toml:2: a value is nested too deeply\nno key needs more than one array",
        ),
        (
            "[app]",
            f"[app]\ntimeout = {'9' * 5000}",
            "c.toml:5: a number is too long\nwrite a shorter one",
        ),
        (
            "[app]",
            f"[app]\ntimeout = {'9' * 500}",
            "c.toml:5: `app.timeout` is a huge number, which is too large\nwrite 300 or less",
        ),
        (
            "[app]",
            f"[app]\n{'x' * 500} = 1\n",
            f"c.toml:5: `app.'{'x' * 59}…'` is an unknown key\n{APP_KNOWS}",
        ),
    ],
    ids=["label", "domain label", "domain", "raw NUL", "nested", "digits", "number", "key"],
)
def test_refused_whatever_its_length(old: str, new: str, message: str) -> None:
    assert str(refusal(changed((old, new)))) == message


def test_a_missing_directory_is_asked_for_as_it_will_be_used() -> None:
    asked = []

    def directory_exists(path: str) -> bool:
        asked.append(path)
        return False

    error = refusal(changed(('"app"', '"./code//app/"')), directory_exists)
    assert asked == ["code/app"]
    assert str(error) == (
        'c.toml:5: `app.path` is "./code//app/", and there is no such directory\n'
        "make it, or correct the path: it is relative to the stack file"
    )


def test_a_directory_outside_is_not_even_asked_for() -> None:
    error = refusal(changed(('"app"', '"../app"')), lambda path: pytest.fail(f"asked for {path}"))
    assert error.where == "c.toml:5"


def test_ten_findings_are_listed_and_the_rest_is_counted() -> None:
    error = refusal(changed(("[app]\n", "[app]\n" + "".join(f"key{n} = {n}\n" for n in range(13)))))
    lines = error.what.split("\n")
    assert error.where == "c.toml:5"
    assert lines[0] == "`app.key0` is an unknown key"
    assert lines[1:10] == [f"c.toml:{5 + n}: `app.key{n}` is an unknown key" for n in range(1, 10)]
    assert lines[10:] == ["… and 3 more"]
    assert error.do.startswith("lines 5, 6, 7, 8, 9, 10, 11, 12, 13, 14: [app] knows `path`,")


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n", "\ufeff"])
def test_an_empty_file(text: str) -> None:
    assert str(refusal(text)) == "c.toml:1: the file is empty\nbegin with the file that `colonnade init` writes"


def test_a_secret_in_the_environment_is_not_repeated() -> None:
    secret = "hunter2-hunter2"
    for written in (f'"{secret}\\n"', f'["{secret}"]', f'{{a = "{secret}"}}', f'"{secret}'):
        error = refusal(changed(('"Hello"', written)))
        assert error.where == "c.toml:9"
        assert "`app.env.GREETING`" in error.what
        assert secret not in str(error)
        assert error.__cause__ is None
        assert error.__suppress_context__ or error.__context__ is None
    assert secret not in repr(parse(changed(('"Hello"', f'"{secret}"')), filename="c.toml"))


@pytest.mark.parametrize(
    ("data", "line", "byte"),
    [
        (b"name = '\xff'", 1, "ff"),
        (b"\xff\xfen\0", 1, "ff"),
        ('name = "é"\n\n# ü'.encode("latin-1"), 1, "e9"),
        (b"\xef\xbb\xbfa = 1\n\n# \xe9", 3, "e9"),
        (b"a = 1\r\nb = '\xc3'\r\n", 2, "c3"),
    ],
)
def test_bytes_that_are_no_utf_8(data: bytes, line: int, byte: str) -> None:
    with pytest.raises(SpecError) as caught:
        decode(data, "c.toml")
    message = f"c.toml:{line}: the file is not UTF-8 (byte 0x{byte})\nsave it as UTF-8 in your editor"
    assert str(caught.value) == message
