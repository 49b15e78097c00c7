"""A stack file makes exactly these files; ``python -m pytest tests/golden --write-golden`` writes them anew.

Whoever changes a template sees in the difference of ``expected`` what it changes on which machine.
"""

import shutil
from pathlib import Path

import pytest
from tests.golden.case import NAMES, Case


def there(directory: Path) -> dict[str, bytes]:
    """Return every file below a directory."""
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", NAMES)
def test_a_stack_file_makes_these_files(name: str, pytestconfig: pytest.Config) -> None:
    case = Case(name)
    made = case.made()
    if pytestconfig.getoption("--write-golden"):
        shutil.rmtree(case.expected, ignore_errors=True)
        for path, content in made.items():
            (case.expected / path).parent.mkdir(parents=True, exist_ok=True)
            (case.expected / path).write_bytes(content)
    expected = there(case.expected)
    assert sorted(made) == sorted(expected)
    for path, content in made.items():
        assert content.decode() == expected[path].decode(), path


def test_no_case_is_forgotten() -> None:
    assert {path.name for path in Path(__file__).parent.iterdir() if (path / "expected").exists()} == set(NAMES)
    assert len(NAMES) >= 8
