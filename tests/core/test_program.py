"""The agent's program: what is in it follows from the imports, and a machine's Python is all that it needs."""

import io
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from colonnade.adapters import program
from colonnade.adapters.program import BROUGHT, read_program
from colonnade.errors import ColonnadeError
from colonnade.render import Program

HA = ("colonnade.ha",)


def names(made: Program) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(made.archive)) as tar:
        return tar.getnames()


def unpacked(made: Program, place: Path) -> Path:
    with tarfile.open(fileobj=io.BytesIO(made.archive)) as tar:
        for member in tar.getmembers():
            file = tar.extractfile(member)
            assert file is not None
            (place / member.name).parent.mkdir(parents=True, exist_ok=True)
            (place / member.name).write_bytes(file.read())
    return place


def run(place: Path, code: str) -> str:
    """Run code with the standard library and what was unpacked, and nothing else."""
    lines = f"import sys; sys.path.insert(0, {str(place)!r}); {code}"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", lines], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_has_whole_packages_what_they_import_and_what_is_brought() -> None:
    made = names(read_program(HA))
    assert {"colonnade/__init__.py", "colonnade/gtid.py", "colonnade/ha/decide.py"} <= set(made)
    assert {name.partition("/")[0] for name in made} == {"colonnade", *BROUGHT}
    assert not [name for name in made if name.startswith(("colonnade/spec", "colonnade/render", "aiomysql/sa"))]
    assert all(name.endswith(".py") for name in made)


def test_the_same_modules_make_the_same_archive_and_others_another() -> None:
    first, second = read_program(HA), read_program(HA)
    assert (first.identity, first.archive) == (second.identity, second.archive)
    assert len(first.identity) == 12
    assert read_program(()).identity != first.identity


def test_it_runs_with_the_standard_library_alone(tmp_path: Path) -> None:
    place = unpacked(read_program(HA), tmp_path)
    asked = "import aiomysql, h11, colonnade.ha.decide; print(colonnade.ha.decide.__file__)"
    assert run(place, asked).startswith(str(place))


def test_what_takes_more_than_python_is_refused() -> None:
    with pytest.raises(ColonnadeError, match="imports pydantic"):
        read_program(("colonnade.spec",))


def test_an_installation_without_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "BROUGHT", ("no_such_package",))
    with pytest.raises(ColonnadeError, match="lacks no_such_package"):
        read_program(HA)


def test_the_agent_itself_is_whole(tmp_path: Path) -> None:
    place = unpacked(read_program(), tmp_path)
    daemon = "import colonnade.agent.endpoints, colonnade.agent.loop"
    asked = "import runpy; sys.argv[1:] = ['--help']; runpy.run_module('colonnade.agent', run_name='__main__')"
    assert "usage" in run(place, f"{daemon}; {asked}")
