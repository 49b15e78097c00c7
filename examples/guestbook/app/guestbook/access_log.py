"""Gunicorn's access log as one JSON object per line, with the balancer's request id; no health checks."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class JsonLines(logging.Formatter):
    """Formats the values of gunicorn's access log; `server` and `release` stand in every line."""

    def __init__(self, *, server: str, release: str) -> None:
        super().__init__()
        self._about = {"server": server, "release": release}

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; times are in milliseconds, sizes in bytes."""
        atoms = _atoms(record)
        return json.dumps(
            {
                "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
                "request_id": atoms.get("{x-request-id}i") or "-",
                "method": atoms.get("m"),
                "path": atoms.get("U"),
                "status": int(atoms.get("s") or 0),
                "ms": round(int(atoms.get("D") or 0) / 1000, 1),
                "bytes": int(atoms.get("B") or 0),
                **self._about,
            },
            ensure_ascii=False,
        )


class NoHealthChecks(logging.Filter):
    """Drops the answers to /healthz: balancers ask all the time, and they would be most of the log."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Say whether the line is kept; a failed check is."""
        atoms = _atoms(record)
        return atoms.get("U") != "/healthz" or not str(atoms.get("s")).startswith("2")


def _atoms(record: logging.LogRecord) -> Mapping[str, str]:
    # Gunicorn passes a dict that escapes quotation marks when it is indexed; get() returns what was really
    # sent.
    return record.args if isinstance(record.args, dict) else {}
