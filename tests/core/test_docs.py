"""The documentation keeps up: what exists is described, what is described exists, and links lead somewhere."""

import ast
import inspect
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from colonnade import __version__
from colonnade.agent import __main__ as agent_command
from colonnade.agent import endpoints
from colonnade.agent.metrics import METRICS, PREFIX, metrics_text
from colonnade.cli.main import cli
from colonnade.errors import ColonnadeError
from colonnade.spec import parse, schema
from colonnade.status import View, document
from colonnade.topology import resolve

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
REFERENCE = DOCS / "reference"
PAGES = sorted([*DOCS.rglob("*.md"), ROOT / "README.md", ROOT / "CHANGELOG.md"])


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


every_page = pytest.mark.parametrize("page", PAGES, ids=name_of)


def without_code(text: str) -> str:
    return re.sub(r"(?ms)^ *```.*?^ *```|`[^`\n]*`", "", text)


def blocks(text: str) -> Iterator[str]:
    """Yield what is between fences of shell."""
    yield from re.findall(r"(?ms)^ *```(?:sh|console)[^\n]*\n(.*?)^ *```", text)


def commands(group: click.Group, path: str) -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        yield f"{path} {name}", command
        if isinstance(command, click.Group):
            yield from commands(command, f"{path} {name}")


COMMANDS = dict(commands(cli, "colonnade"))


def test_what_follows_from_the_code_is_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, DOCS / "generate.py", "--check"], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", COMMANDS)
def test_every_command_and_option_is_described(path: str) -> None:
    page = (REFERENCE / "commands.md").read_text()
    _, found, rest = page.partition(f"## `{path}`\n")
    assert found, f"{path} is not in commands.md"
    section = rest.partition("\n## ")[0]
    for parameter in COMMANDS[path].params:
        if isinstance(parameter, click.Option) and not parameter.hidden:
            assert parameter.help, f"{path} {parameter.opts}"
            for option in (*parameter.opts, *parameter.secondary_opts):
                assert option in section, f"{path} {option}"


def test_every_key_of_the_stack_file_is_described() -> None:
    page = (REFERENCE / "file.md").read_text()
    described = schema()
    keys = [key for model in described["$defs"].values() for key in model.get("properties", {})]
    assert keys
    for key in (*keys, *described["properties"]):
        assert f"`{key}`" in page or f"[{key}" in page or f".{key}]" in page, key


def paths(value: object, path: str = "") -> Iterator[str]:
    """Yield the dotted keys of a document; a star stands for names of the user's, and for the items of a list."""
    if isinstance(value, list):
        for item in value:
            yield from paths(item, f"{path}.*")
    elif isinstance(value, dict):
        for key, below in value.items():
            named = path in {"balancers", "servers", "etcd.members", "agents"}
            here = f"{path}.*" if named else f"{path}.{key}".removeprefix(".")
            yield here
            yield from paths(below, here)


def test_every_key_of_the_status_is_described_and_no_other() -> None:
    file = ROOT / "examples" / "guestbook" / "colonnade.toml"
    stack = parse(file.read_text(), filename=str(file))
    topology = resolve(stack, {name: name for name in stack.machine_names})
    seen = document(View(topology, facts={}, unreachable={"web1": "it is off"}, desired={}))
    given = {path for path in paths(seen) if path not in {"balancers.*", "servers.*", "etcd.members.*", "agents.*"}}
    told = re.findall(r"(?m)^\| `(\S+)` \|", (REFERENCE / "status.md").read_text())
    assert "problems.*.what" in given
    assert sorted(told) == sorted(given)


def test_every_metric_of_the_agent_is_described_and_no_other() -> None:
    told = re.findall(r"(?m)^\| `(colonnade_\w+)` \|", (REFERENCE / "metrics.md").read_text())
    assert sorted(told) == sorted(f"{PREFIX}{name}" for name in METRICS)


def test_every_metric_is_told_by_the_agent_and_no_other() -> None:
    tree = ast.parse(inspect.getsource(metrics_text))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    names = {
        ast.literal_eval(call.args[0]) for call in calls if isinstance(call.func, ast.Name) and call.func.id == "gauge"
    }
    assert names == set(METRICS)


def test_every_endpoint_and_key_and_verb_of_the_agent_is_described() -> None:
    page = (REFERENCE / "agent.md").read_text()
    for path in re.findall(r'"(/[a-z]+)"', inspect.getsource(endpoints)):
        assert re.search(rf"(?m)^\| `(?:GET|POST) {path}` \|", page), path
    for key in re.findall(r'(?m)^ {12}"(\w+)":', inspect.getsource(endpoints.Endpoints.status)):
        assert re.search(rf"(?m)^\|(?: `\w+`,)* `{key}`[, ]", page), key
    for verb in re.findall(r'add_parser\("([a-z-]+)"', inspect.getsource(agent_command)):
        assert re.search(rf"(?m)^\|(?: `\w+`,)* `{verb}[ `]", page), verb


def exit_codes(error: type[ColonnadeError]) -> Iterator[int]:
    yield error.exit_code
    for below in error.__subclasses__():
        yield from exit_codes(below)


def test_every_exit_code_is_described() -> None:
    page = (REFERENCE / "exit-codes.md").read_text()
    for code in (0, *exit_codes(ColonnadeError)):
        assert f"\n| {code} |" in page


@every_page
def test_commands_in_the_text_exist(page: Path) -> None:
    """What stands in a block of shell is a command with such options; what stands in a sentence is a command."""
    text = page.read_text()
    called = [
        line for block in blocks(text) for line in re.findall(r"(?:\./|^\$ |/)colonnade ((?:-f \S+ )?\w.*)", block)
    ]
    for line in called:
        words = re.sub(r"^-f \S+ ", "", re.split(r" [|&;#] ?|; | -- ", line)[0]).split()
        path = f"colonnade {words[0]}"
        if isinstance(COMMANDS.get(path), click.Group):
            path += f" {words[1]}"
        assert path in COMMANDS, line
        known = {
            option for parameter in COMMANDS[path].params for option in (*parameter.opts, *parameter.secondary_opts)
        }
        for option in (word for word in words if word.startswith("--")):
            assert option in known | {"--help"}, line
    for word in re.findall(r"`(?:\./)?colonnade ([a-z]+)", text):
        assert f"colonnade {word}" in COMMANDS, word


def anchors(text: str) -> set[str]:
    heads = re.findall(r"(?m)^#+ (.+)$", text)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@every_page
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", without_code(page.read_text())):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        there = (page.parent / file) if file else page
        assert there.exists(), target
        if anchor:
            assert anchor in anchors(there.read_text()), target


def test_every_page_can_be_found_from_the_index() -> None:
    reached: set[Path] = set()
    waiting = [DOCS / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in reached:
            continue
        reached.add(page)
        links = re.findall(r"\]\(([^)\s#]+)", without_code(page.read_text()))
        waiting += [found for link in links if (found := (page.parent / link).resolve()).suffix == ".md"]
    assert {page for page in PAGES if DOCS in page.parents} <= reached


def test_decisions_are_numbered_and_listed_by_their_titles() -> None:
    listed = re.findall(r"(?m)^(\d+)\. \[(.+)\]\((.+)\)$", (DOCS / "decisions" / "README.md").read_text())
    pages = sorted((DOCS / "decisions").glob("0*.md"))
    assert [name for _, _, name in listed] == [page.name for page in pages]
    for number, (told, title, name) in enumerate(listed, start=1):
        page = (DOCS / "decisions" / name).read_text()
        assert int(told) == number == int(name[:4])
        assert page.startswith(f"# {number}. {title}\n"), name
        for part in ("Context", "Decision", "Consequences"):
            assert f"\n## {part}\n" in page, f"{name}: {part}"


def test_every_layer_is_in_the_picture_of_the_architecture() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    picture = re.findall(r"(?ms)^```text\n(.*?)^```", (DOCS / "explanation" / "architecture.md").read_text())[0]
    for layer in (name for line in layers for name in line.split(" | ") if name != "__main__"):
        assert re.search(rf"(?m)^(?:\w+, )*{layer}\b", picture), layer


def test_the_changelog_has_this_version() -> None:
    assert re.search(rf"(?m)^## \[{re.escape(__version__)}\] - ", (ROOT / "CHANGELOG.md").read_text())


def test_the_readme_shows_the_way() -> None:
    text = (ROOT / "README.md").read_text()
    assert "./colonnade up" in text
    assert "](docs/README.md)" in text
    for mark in ("diagram", "mermaid"):
        assert re.search(rf"<!-- {mark} -->\n```[\s\S]+?```\n<!-- /{mark} -->", text)
