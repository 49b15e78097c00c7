"""The agent's program, read from this installation: its own modules, and of the rest what they import.

A machine needs Python and nothing else: no package index, no compiler. What is taken follows from the imports, so that
it is right by itself; a module that the agent must not need, because it takes more than pure Python, is refused here.
"""

import ast
import hashlib
import io
import tarfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from sys import stdlib_module_names

from colonnade.errors import ColonnadeError
from colonnade.render import Program

OWN = "colonnade"
WHOLE = ("colonnade.agent", "colonnade.ha")
"""Packages that are taken whole: they are what the agent is."""
BROUGHT = ("aiomysql", "h11", "pymysql")
"""Packages of others that go with it, all of them pure Python."""
LEFT_OUT = frozenset({"aiomysql.sa"})
"""Parts of those that need more than pure Python."""
TIME = 946684800
"""When every file was written, as the archive has it: equal content makes an equal archive. Seconds since 1970."""


def read_program(whole: tuple[str, ...] = WHOLE) -> Program:
    """Return the program that this installation's modules make; equal content, equal name.

    Raises:
        ColonnadeError: the installation lacks a module of it, or one of them imports what it must not.

    """
    modules = {**_own(whole), **{name: path for package in BROUGHT for name, path in _package(package)}}
    buffer, digest = io.BytesIO(), hashlib.sha256()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, path in sorted(modules.items()):
            content = path.read_bytes()
            member = tarfile.TarInfo(_file_of(name, path))
            member.size, member.mode, member.mtime = len(content), 0o644, TIME
            tar.addfile(member, io.BytesIO(content))
            digest.update(f"{member.name}\0{len(content)}\0".encode() + content)
    return Program(digest.hexdigest()[:12], buffer.getvalue())


def _file_of(name: str, path: Path) -> str:
    return f"{name.replace('.', '/')}{'/__init__' if path.name == '__init__.py' else ''}.py"


def _own(whole: tuple[str, ...]) -> dict[str, Path]:
    """Return our modules that the packages are made of, and those that they import, by name."""
    waiting = [name for package in whole for name, _ in _package(package)]
    found: dict[str, Path] = {}
    while waiting:
        name = waiting.pop()
        path = _module(name)
        if path is None or name in found:
            continue
        found[name] = path
        parents = name.split(".")[:-1]
        waiting += [".".join(parents[:length]) for length in range(1, len(parents) + 1)]
        for imported in _imported(ast.parse(path.read_bytes())):
            top = imported.partition(".")[0]
            if top == OWN:
                waiting.append(imported)
            elif top not in stdlib_module_names and top not in BROUGHT:
                raise ColonnadeError(
                    f"{name} is part of the agent, and imports {top}",
                    do=f"The agent runs with Python alone and {', '.join(BROUGHT)}: it must do without {top}.",
                )
    return found


def _imported(tree: ast.AST) -> Iterator[str]:
    """Yield what a module imports, also within functions; what is imported for types alone is not there at run time."""
    for node in ast.iter_child_nodes(tree):
        match node:
            case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                for other in node.orelse:
                    yield from _imported(ast.Module([other], []))
            case ast.Import(names):
                yield from (each.name for each in names)
            case ast.ImportFrom(module=str(module), names=names, level=0):
                # Each of the names may be a module of its own.
                yield module
                if module.partition(".")[0] == OWN:
                    yield from (f"{module}.{each.name}" for each in names)
            case _:
                yield from _imported(node)


def _module(name: str) -> Path | None:
    """Return the file of one of our modules; None if no module is called so."""
    place = Path(__file__).parents[2].joinpath(*name.split("."))
    for path in (place / "__init__.py", place.with_suffix(".py")):
        if path.is_file():
            return path
    return None


def _package(name: str) -> list[tuple[str, Path]]:
    """Return all modules of a package."""
    spec = find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise ColonnadeError(
            f"this installation of Colonnade lacks {name}, which the agent on every machine needs",
            do="Install it anew; in a checkout: remove .venv, and run ./colonnade again.",
        )
    top = Path(spec.submodule_search_locations[0])
    modules = []
    for path in sorted(top.rglob("*.py")):
        parts = path.relative_to(top).with_suffix("").parts
        module = ".".join((name, *(part for part in parts if part != "__init__")))
        if not any(module == part or module.startswith(f"{part}.") for part in LEFT_OUT):
            modules.append((module, path))
    return modules
