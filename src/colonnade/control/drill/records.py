"""What stays of a drill: a directory with its document, its picture and all that was written down."""

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from colonnade.adapters.private import PrivateDirectory, write_private
from colonnade.drill import draw
from colonnade.drill.database.result import Result, document, picture

DRILLS = "drills"


def directory_for(private: PrivateDirectory, name: str, at: datetime) -> Path:
    """Make and return the directory of a drill that begins now."""
    private.ensure()
    top = private.path / DRILLS
    top.mkdir(mode=0o700, exist_ok=True)
    base = f"{at:%Y%m%d-%H%M%S}-{name}"
    for number in range(100):
        path = top / (f"{base}-{number}" if number else base)
        try:
            path.mkdir(mode=0o700)
        except FileExistsError:
            continue
        return path
    raise AssertionError(f"a hundred drills have begun in the same second: {base}")


def write_raw(directory: Path, events: Mapping[str, str], samples: str) -> None:
    """Write what the clients and the agents said, as it came."""
    for machine, text in events.items():
        write_private(directory / f"events-{machine}.jsonl", text)
    write_private(directory / "samples.jsonl", samples)


def write_result(directory: Path, result: Result) -> None:
    """Write the document and the picture."""
    write_private(directory / "result.json", json.dumps(document(result), indent=1, ensure_ascii=False) + "\n")
    write_private(directory / "timeline.svg", draw(picture(result)))
