"""init, schema, diagram and completion, run as a person runs them."""

import json
from pathlib import Path

import pytest

from colonnade.cli.main import run
from colonnade.cli.write import name_from

NAMED = """name = "shop"
domain = "shop.example"
[app]
path = "."
start = "run"
[balancers.lb1]
[servers.web1]
[servers.web2]
"""


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    file = tmp_path / "colonnade.toml"
    file.write_text(NAMED)
    return file


def test_init_writes_a_file_that_can_be_read_once_there_is_an_app(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = tmp_path / "new" / "shop"
    assert run(["init", "--name", "shop", "--domain", "shop.example", str(directory)]) == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert str(directory / "colonnade.toml") in said.err
    assert [entry.name for entry in directory.iterdir()] == ["colonnade.toml"]
    assert run(["-f", str(directory), "diagram"]) == 2
    (directory / "app").mkdir()
    assert run(["-f", str(directory), "diagram"]) == 0
    assert "www.shop.example" in capsys.readouterr().out


def test_init_takes_the_name_from_the_directory(tmp_path: Path) -> None:
    assert run(["init", str(tmp_path / "My Shop")]) == 0
    text = (tmp_path / "My Shop" / "colonnade.toml").read_text()
    assert 'name   = "my-shop"' in text
    assert 'domain = "my-shop.example"' in text


@pytest.mark.parametrize(
    ("directory", "name"), [("Shop_2", "shop-2"), ("---", "stack"), ("a" * 39 + "-b", "a" * 39), ("Straße", "stra-e")]
)
def test_the_name_of_a_directory_becomes_a_label(directory: str, name: str) -> None:
    assert name_from(Path("/", directory)) == name


def test_init_overwrites_nothing(stack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["init", "--name", "other", str(stack.parent)]) == 2
    assert stack.read_text() == NAMED
    assert "there is one already" in capsys.readouterr().err


def test_init_does_not_write_through_a_link_that_leads_nowhere(tmp_path: Path) -> None:
    (tmp_path / "colonnade.toml").symlink_to(tmp_path / "elsewhere")
    assert run(["init", str(tmp_path)]) == 2
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("wrong", [("--name", "_x"), ("--domain", "nodots")])
def test_init_leaves_nothing_behind_for_a_wrong_answer(tmp_path: Path, wrong: tuple[str, str]) -> None:
    assert run(["init", *wrong, str(tmp_path / "new")]) == 2
    assert not (tmp_path / "new").exists()


def test_init_where_a_file_stands(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert run(["init", str(tmp_path / "file")]) == 2
    assert run(["init", str(tmp_path / "file" / "below")]) == 2


def test_schema_is_one_json_document(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["schema"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["$schema"].startswith("https://json-schema.org/")
    assert set(document["required"]) >= {"name", "domain", "app"}


def test_diagram_of_a_stack_that_was_never_up_touches_nothing(stack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["diagram", "-f", str(stack)]) == 0
    drawn = capsys.readouterr().out
    assert "──► virtual IP" in drawn
    assert "│ server web2   │" in drawn
    assert list(stack.parent.iterdir()) == [stack]


def test_diagram_shows_the_addresses_of_the_file(stack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = stack.read_text()
    for number, table in enumerate(("[balancers.lb1]", "[servers.web1]", "[servers.web2]"), start=1):
        text = text.replace(table, f'{table}\naddress = "192.0.2.{number}"')
    stack.write_text(text)
    assert run(["-f", str(stack), "diagram", "--mermaid"]) == 0
    drawn = capsys.readouterr().out
    assert drawn.startswith("flowchart TB\n")
    assert all(f"192.0.2.{number}" in drawn for number in (1, 2, 3))


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script_for_our_name(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert f"_COLONNADE_COMPLETE={shell}_complete" in script
    assert "colonnade" in script


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("exec ", ["lb1", "web1", "web2"]),
        ("exec w", ["web1", "web2"]),
        ("ssh web1", ["web1"]),
        ("logs web1 ", ["lb1", "web2"]),
        ("logs --unit n", ["nginx"]),
        ("lab cut l", ["lb1"]),
        ("db c", ["console"]),
        ("completion f", ["fish"]),
    ],
)
def test_the_shell_is_offered(
    typed: str, offered: list[str], stack: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert completions(f"-f {stack} {typed}", monkeypatch, capsys) == offered


@pytest.mark.parametrize("text", ["name = ", "", "\0"])
def test_completion_says_nothing_about_a_file_that_is_wrong(
    text: str, stack: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stack.write_text(text)
    assert completions(f"-f {stack} exec ", monkeypatch, capsys) == []
    assert completions("-f /nowhere exec ", monkeypatch, capsys) == []


def completions(typed: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> list[str]:
    words = f"colonnade {typed}"
    monkeypatch.setenv("_COLONNADE_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(len(words.split()) - (not words.endswith(" "))))
    with pytest.raises(SystemExit) as ended:
        run([])
    assert ended.value.code == 0
    said = capsys.readouterr()
    assert said.err == ""
    return [line.removeprefix("plain,") for line in said.out.splitlines() if line]
