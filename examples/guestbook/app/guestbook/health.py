"""Two questions that look alike: can this process serve, and are its databases well."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from guestbook.web import json_response

if TYPE_CHECKING:
    from guestbook.entries import DatabaseReport, Entries
    from guestbook.web import Request, Response


class Health:
    """Answers /healthz for one server and release."""

    def __init__(self, entries: Entries, *, server: str, release: str) -> None:
        self._entries = entries
        self._about = {"server": server, "release": release}

    def show(self, request: Request) -> Response:
        """Answer 200 at once; with `?deep`, ask the databases and answer 200 only if all are well, else 503.

        The plain question must not depend on a database: they fail for every server at the same moment, and
        taking all servers out of the balancer's rotation for it would turn a page that cannot write into no
        page.
        """
        if "deep" not in request.query:
            return json_response(HTTPStatus.OK, {"status": "ok", **self._about})
        reports = self._entries.probe()
        well = all(report.error is None for report in reports.values())
        return json_response(
            HTTPStatus.OK if well else HTTPStatus.SERVICE_UNAVAILABLE,
            {
                "status": "ok" if well else "failing",
                **self._about,
                "databases": {role: _report(report) for role, report in reports.items()},
            },
        )


def _report(report: DatabaseReport) -> dict[str, object]:
    return {
        "ok": report.error is None,
        "server": report.database,
        "read_only": report.read_only,
        "latency_ms": round(report.latency, 1),
        "error": report.error,
    }
