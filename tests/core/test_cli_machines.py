"""exec, ssh and the database's prompt: what is run where, and the exit codes of what cannot be."""

from pathlib import Path
from shlex import split

import pytest

from colonnade.adapters.ssh import SshFleet
from colonnade.cli.database import client_line
from colonnade.cli.machines import shell_line, without_dashes
from colonnade.cli.main import run
from colonnade.topology import Machine

STACK = """name = "shop"
domain = "shop.example"
[app]
path = "."
start = "run"
[balancers.lb1]
address = "192.0.2.1"
[servers.web1]
address = "192.0.2.2"
"""


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    file = tmp_path / "colonnade.toml"
    file.write_text(STACK)
    return file


def test_words_reach_the_command_as_they_are_and_one_word_is_a_line() -> None:
    assert split(shell_line(["sh", "-c", "a 'b' $c", ""])) == ["sh", "-c", "a 'b' $c", ""]
    assert shell_line(["ls /etc | wc -l"]) == "ls /etc | wc -l"


@pytest.mark.parametrize(
    ("given", "left"),
    [
        (("--", "ls", "-l"), ("ls", "-l")),
        (("ls", "--", "-l"), ("ls", "--", "-l")),
        (("--", "--", "x"), ("--", "x")),
        (("--",), ()),
        ((), ()),
    ],
)
def test_only_the_dashes_that_set_the_command_apart_are_taken(given: tuple[str, ...], left: tuple[str, ...]) -> None:
    assert without_dashes(given) == left


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["web1"],
        ["web1", "--"],
        ["web9", "--", "true"],
        ["web9", "--", "tool", "--json"],
        ["-f", "colonnade.toml", "web1", "true"],
        ["--nonsense", "web1", "true"],
    ],
)
def test_exec_says_what_is_wrong_and_ends_with_255(
    arguments: list[str], stack: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["-f", str(stack), "exec", *arguments]) == 255
    said = capsys.readouterr()
    assert said.out == ""
    assert "rror: " in said.err


def test_exec_with_a_file_that_is_wrong_or_missing_ends_with_255(
    stack: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stack.write_text(STACK.replace("domain", "dommain"))
    assert run(["-f", str(stack), "exec", "web1", "--", "true"]) == 255
    assert 'did you mean "domain"' in capsys.readouterr().err.replace("`", '"')
    assert run(["-f", str(stack.parent / "none"), "exec", "web1", "--", "true"]) == 255


def test_exec_with_a_key_that_is_not_there_ends_with_255(stack: Path) -> None:
    stack.write_text(STACK + '[ssh]\nkey = "none"\n')
    assert run(["-f", str(stack), "exec", "web1", "--", "true"]) == 255


def test_exec_where_its_directory_cannot_be_made_ends_with_255(stack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (stack.parent / ".colonnade").touch()
    assert run(["-f", str(stack), "exec", "web1", "--", "true"]) == 255
    assert ".colonnade" in capsys.readouterr().err


def test_help_is_no_failure(capsys: pytest.CaptureFixture[str]) -> None:
    for verb in (["exec"], ["ssh"], ["logs"], ["db", "console"], ["init"], ["schema"], ["diagram"], ["completion"]):
        assert run([*verb, "--help"]) == 0
        assert f"colonnade {' '.join(verb)}" in capsys.readouterr().out.split("Example:")[1]


@pytest.mark.parametrize("verb", [["ssh"], ["logs"]])
def test_a_name_that_no_machine_has_is_a_wrong_call(
    verb: list[str], stack: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["-f", str(stack), *verb, "web9"]) == 2
    assert "The stack has lb1, web1." in capsys.readouterr().err


def test_logs_takes_the_file_before_the_verb_only(stack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["-f", str(stack), "logs", "-f"]) == 2
    assert "-f" in capsys.readouterr().err


def test_without_the_openssh_client_it_says_how_to_get_it(
    stack: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(stack.parent))
    assert run(["-f", str(stack), "ssh", "web1"]) == 1
    assert "openssh-client" in capsys.readouterr().err


def test_the_openssh_client_gets_our_user_port_key_and_pinned_host_keys() -> None:
    web1 = Machine("web1", "192.0.2.2", None, "web1", 1, None)
    fleet = SshFleet(user="ops", port=2222, key=Path("/k/100% mine"), known_hosts=Path("/a dir/known_hosts"))
    words = fleet.openssh(web1)
    assert words[:4] == ["-F", "none", "-i", "/k/100%% mine"]
    assert words[-1] == "192.0.2.2"
    for option in (
        "User=ops",
        "Port=2222",
        'UserKnownHostsFile="/a dir/known_hosts"',
        "HostKeyAlias=[192.0.2.2]:2222",
        "StrictHostKeyChecking=accept-new",
    ):
        assert words[words.index(option) - 1] == "-o"
    assert "-i" not in SshFleet(user="root", port=22, key=None, known_hosts=Path("k")).openssh(web1)


def test_the_mysql_client_comes_over_the_socket_with_the_schema_and_no_password() -> None:
    line = client_line(Machine("web1", "192.0.2.2", None, "web1", 1, None), "shop", ["-e", "SELECT 'a b'"])
    words = split(line)
    assert words[:2] == ["exec", "mysql"]
    assert {"--protocol=socket", "--user=root", "--database=shop"} < set(words)
    assert words[-2:] == ["-e", "SELECT 'a b'"]
    assert not [word for word in words if "password" in word]
