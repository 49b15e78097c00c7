"""Requests and responses: the little of HTTP that the guestbook needs, between WSGI and its own words."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

if TYPE_CHECKING:
    from collections.abc import Mapping
    from wsgiref.types import InputStream, WSGIEnvironment

# The longest text of the rarest characters fits, each of them written as \uXXXX\uXXXX.
MAX_BODY = 64 * 1024
_MAX_FIELDS = 20
_REQUEST_ID = re.compile(r"[\x21-\x7e]{1,128}")


class HttpError(Exception):
    """A request that gets no good answer; `message` is for the person or program that sent it."""

    def __init__(
        self,
        status: HTTPStatus,
        message: str,
        *,
        headers: Mapping[str, str] | None = None,
        fields: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = dict(headers or {})
        self.fields = dict(fields or {})


@dataclass(frozen=True, slots=True)
class Response:
    """What is sent back."""

    status: HTTPStatus
    content_type: str
    body: bytes
    headers: Mapping[str, str]


def json_response(
    status: HTTPStatus, value: Mapping[str, object], headers: Mapping[str, str] | None = None
) -> Response:
    """Answer with a JSON object."""
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
    return Response(status, "application/json", body, headers or {})


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked; header names are lower-case."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    stream: InputStream

    @classmethod
    def from_environ(cls, environ: WSGIEnvironment) -> Request:
        """Take the request out of a WSGI environment."""
        headers = {
            name[5:].replace("_", "-").lower(): value for name, value in environ.items() if name.startswith("HTTP_")
        }
        for name in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            if environ.get(name):
                headers[name.replace("_", "-").lower()] = environ[name]
        # WSGI hands the path's bytes over as latin-1 characters.
        path = environ.get("PATH_INFO", "").encode("latin-1").decode("utf-8", "replace")
        return cls(
            method=environ["REQUEST_METHOD"],
            path=path or "/",
            query=_query(environ.get("QUERY_STRING", "")),
            headers=headers,
            stream=environ["wsgi.input"],
        )

    @property
    def request_id(self) -> str:
        """The id that the balancer gave this request, or "-"."""
        value = self.headers.get("x-request-id", "")
        return value if _REQUEST_ID.fullmatch(value) else "-"

    def number(self, name: str, *, default: int, minimum: int, maximum: int) -> int:
        """Return a whole number from the query; raises HttpError 400 if it is none within the bounds."""
        values = self.query.get(name)
        if values is None:
            return default
        if len(values) == 1 and re.fullmatch(r"[0-9]{1,19}", values[0]) and minimum <= int(values[0]) <= maximum:
            return int(values[0])
        raise HttpError(HTTPStatus.BAD_REQUEST, f"{name} must be one whole number from {minimum} to {maximum}")

    def form(self) -> dict[str, str]:
        """Return the fields of a submitted HTML form; raises HttpError 400, 413 or 415."""
        body = self._body("application/x-www-form-urlencoded")
        try:
            fields = parse_qs(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MAX_FIELDS)
        except ValueError:
            raise HttpError(HTTPStatus.BAD_REQUEST, "the form could not be read: it is not URL-encoded UTF-8") from None
        return {name: values[-1] for name, values in fields.items()}

    def json_object(self) -> dict[str, Any]:
        """Return the JSON object in the body; raises HttpError 400, 413, 415 or 422."""
        body = self._body("application/json")
        try:
            value = json.loads(body.decode("utf-8"))
        except (ValueError, RecursionError):  # RecursionError: thousands of brackets inside each other
            raise HttpError(HTTPStatus.BAD_REQUEST, "the body is not valid JSON in UTF-8") from None
        if not isinstance(value, dict):
            raise HttpError(HTTPStatus.UNPROCESSABLE_ENTITY, "the body must be a JSON object")
        return value

    def _body(self, content_type: str) -> bytes:
        sent, _, options = self.headers.get("content-type", "").partition(";")
        charset = re.search(r"charset=\"?([^\s;\"]+)", options, re.IGNORECASE)
        if sent.strip().lower() != content_type or (charset and charset[1].lower() not in {"utf-8", "utf8"}):
            raise HttpError(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
                f"the body must be {content_type} in UTF-8",
                headers={"Accept": content_type},
            )
        length = self.headers.get("content-length")
        if length is None and "transfer-encoding" not in self.headers:
            return b""
        if length is not None and not re.fullmatch(r"[0-9]{1,18}", length):
            raise HttpError(HTTPStatus.BAD_REQUEST, "Content-Length is not a number")
        expected = MAX_BODY + 1 if length is None else int(length)
        if length is not None and expected > MAX_BODY:
            raise _too_large()
        body = self.stream.read(expected)
        if len(body) > MAX_BODY:
            raise _too_large()
        if length is not None and len(body) < expected:
            raise HttpError(HTTPStatus.BAD_REQUEST, "the body ended before Content-Length was reached")
        return body


def _query(text: str) -> dict[str, list[str]]:
    try:
        return parse_qs(text, keep_blank_values=True, max_num_fields=_MAX_FIELDS)
    except ValueError:
        raise HttpError(HTTPStatus.BAD_REQUEST, f"the query has more than {_MAX_FIELDS} fields") from None


def _too_large() -> HttpError:
    return HttpError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body must not be larger than {MAX_BODY // 1024} KiB")
