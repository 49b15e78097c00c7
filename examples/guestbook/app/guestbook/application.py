"""The WSGI application: which function answers which path, and what every answer carries."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

from guestbook.api import Api
from guestbook.assets import Assets
from guestbook.entries import UnavailableError
from guestbook.health import Health
from guestbook.pages import Pages
from guestbook.web import HttpError, Request, Response, json_response

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from wsgiref.types import StartResponse, WSGIEnvironment

    from guestbook.entries import Entries

_LOG = logging.getLogger("guestbook")
_STATIC = Path(__file__).parent.parent / "static"

_SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    # Not "no-referrer": under that a browser hides its Origin from our own form as well.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


@dataclass(frozen=True, slots=True)
class Route:
    """A path and the functions that answer it, by method; numbers in the path become arguments."""

    path: re.Pattern[str]
    methods: Mapping[str, Callable[..., Response]]

    def allowed(self) -> str:
        """Return the methods as an Allow header lists them."""
        return ", ".join(sorted({*self.methods, *({"HEAD"} if "GET" in self.methods else ())}))


class Guestbook:
    """The application over a store of entries, as one server and release of it."""

    def __init__(self, entries: Entries, *, server: str, release: str) -> None:
        self._server = server
        assets = Assets(_STATIC)
        api = Api(entries)
        health = Health(entries, server=server, release=release)
        self._pages = Pages(entries, assets, server=server, release=release)
        self._routes = (
            Route(re.compile(r"/"), {"GET": self._pages.show, "POST": self._pages.sign}),
            Route(re.compile(r"/healthz"), {"GET": health.show}),
            Route(re.compile(r"/api/entries"), {"GET": api.browse, "POST": api.create}),
            Route(re.compile(r"/api/entries/(?P<entry_id>[0-9]{1,19})"), {"GET": api.show}),
            Route(re.compile(r"/static/(?P<name>[a-z0-9._-]+)"), {"GET": assets.show}),
        )

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request (PEP 3333)."""
        response = self._respond(environ)
        headers = {
            **_SECURITY_HEADERS,
            "Cache-Control": "no-store",
            "Content-Type": response.content_type,
            "Content-Length": str(len(response.body)),
            "X-Served-By": self._server,
            **response.headers,
        }
        start_response(f"{response.status.value} {response.status.phrase}", list(headers.items()))
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [response.body]

    def _respond(self, environ: WSGIEnvironment) -> Response:
        path = environ.get("PATH_INFO", "")
        request_id = "-"
        try:
            request = Request.from_environ(environ)
            request_id = request.request_id
            return self._route(request)
        except HttpError as error:
            problem = error
        except UnavailableError as error:
            _LOG.warning("request_id=%s database unavailable: %s", request_id, error)
            problem = HttpError(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "the guestbook's database is not answering just now; please try again in a moment",
                headers={"Retry-After": "2"},
            )
        except Exception:  # noqa: BLE001  the visitor gets a page and the log a traceback, whatever it was
            _LOG.exception("request_id=%s failed", request_id)
            problem = HttpError(HTTPStatus.INTERNAL_SERVER_ERROR, "the guestbook made a mistake; it has been logged")
        if path.startswith(("/api/", "/healthz")):
            return _json_problem(problem)
        return self._pages.problem(problem, request_id)

    def _route(self, request: Request) -> Response:
        method = "GET" if request.method == "HEAD" else request.method
        for route in self._routes:
            match = route.path.fullmatch(request.path)
            if match is None:
                continue
            if method not in route.methods:
                raise HttpError(
                    HTTPStatus.METHOD_NOT_ALLOWED,
                    f"{request.path} takes {route.allowed()} only",
                    headers={"Allow": route.allowed()},
                )
            return route.methods[method](
                request,
                **{name: int(value) if name == "entry_id" else value for name, value in match.groupdict().items()},
            )
        raise HttpError(HTTPStatus.NOT_FOUND, "there is nothing at this address")


def _json_problem(problem: HttpError) -> Response:
    body: dict[str, object] = {"error": problem.message}
    if problem.fields:
        body["fields"] = problem.fields
    return json_response(problem.status, body, problem.headers)
