"""From the text of a stack file to a ``Stack``, or to one error that lists all that is wrong with it."""

from collections.abc import Callable, Mapping

from pydantic import ValidationError
from pydantic_core import PydanticCustomError

from colonnade.spec.checks import inside
from colonnade.spec.contradictions import contradictions
from colonnade.spec.explain import explain
from colonnade.spec.findings import Finding, report
from colonnade.spec.model import Stack
from colonnade.spec.places import places
from colonnade.spec.refusal import shown
from colonnade.spec.syntax import read_toml


def parse(text: str, *, filename: str, directory_exists: Callable[[str], bool] | None = None) -> Stack:
    """Read a stack file strictly; ``SpecError`` names file, line and key of all that is wrong.

    ``directory_exists`` is asked about ``app.path``, which is relative to the stack file; without it the
    directory is taken to be there.
    """
    data = read_toml(text, filename)
    stack: Stack | None = None
    findings: list[Finding] = []
    try:
        stack = Stack.model_validate(data)
    except ValidationError as error:
        findings += explain(error)
    findings += contradictions(data)
    if directory_exists:
        findings += _no_directory(data, directory_exists)
    if findings or stack is None:
        raise report(findings, places(text), filename)
    return stack


def _no_directory(data: Mapping[str, object], directory_exists: Callable[[str], bool]) -> list[Finding]:
    app = data.get("app")
    written = app.get("path") if isinstance(app, Mapping) else None
    if not isinstance(written, str):
        return []
    try:
        path = inside(written)
    except PydanticCustomError:
        return []
    if directory_exists(path):
        return []
    what = f"`app.path` is {shown(written)}, and there is no such directory"
    return [Finding(("app", "path"), what, "make it, or correct the path: it is relative to the stack file")]
