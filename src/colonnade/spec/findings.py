"""What is wrong with a stack file: findings, and the one error that reports them all."""

from dataclasses import dataclass
from typing import Final

from colonnade.errors import SpecError
from colonnade.spec.places import Path, Places

MOST: Final = 10
"""Findings that one error lists; the rest is counted."""


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong: the key that it is about, a sentence that names it, and the way out."""

    path: Path
    what: str
    do: str


def at_line(filename: str, line: int, what: str, do: str) -> SpecError:
    """Make the error for a single thing that is wrong on a line."""
    return SpecError(what, where=f"{filename}:{line}", do=do)


def report(findings: list[Finding], places: Places, filename: str) -> SpecError:
    """Make one error of all findings (at least one): a line for each, as the file has them, ten at most."""
    unique = dict.fromkeys(findings)
    placed = sorted(((places.line(one.path), one) for one in unique), key=lambda pair: pair[0])
    if len(placed) == 1:
        line, only = placed[0]
        return at_line(filename, line, only.what, only.do)
    listed, rest = placed[:MOST], len(placed) - MOST
    # The first one's place is printed by the error itself, as its ``where``.
    whats = [f"{filename}:{line}: {one.what}" if n else one.what for n, (line, one) in enumerate(listed)]
    if rest > 0:
        whats.append(f"… and {rest} more")
    return at_line(filename, listed[0][0], "\n".join(whats), _ways_out(listed))


def _ways_out(listed: list[tuple[int, Finding]]) -> str:
    """Say each way out once, with the lines that it is for."""
    lines_of: dict[str, list[int]] = {}
    for line, one in listed:
        lines = lines_of.setdefault(one.do, [])
        if line not in lines:
            lines.append(line)
    return "\n".join(
        f"line{'s' if len(lines) > 1 else ''} {', '.join(map(str, lines))}: {do}" for do, lines in lines_of.items()
    )
