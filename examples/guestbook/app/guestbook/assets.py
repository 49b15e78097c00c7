"""The files under static/: their addresses, which change with their content, and the files themselves.

Nginx serves them in production. The application does so too, so that it looks the same started by hand.
"""

from __future__ import annotations

import hashlib
from http import HTTPStatus
from typing import TYPE_CHECKING

from guestbook.web import HttpError, Request, Response

if TYPE_CHECKING:
    from pathlib import Path

_TYPES = {".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}
_FOREVER = "public, max-age=31536000, immutable"


class Assets:
    """The files of one directory, read once; what is not among them at that time is never served."""

    def __init__(self, directory: Path) -> None:
        self._files = {
            file.name: (file.read_bytes(), _TYPES[file.suffix])
            for file in sorted(directory.iterdir())
            if file.suffix in _TYPES
        }

    def address(self, name: str) -> str:
        """Return a file's address; it names the content, so that a browser may keep it for ever."""
        content, _ = self._files[name]
        return f"/static/{name}?v={hashlib.sha256(content).hexdigest()[:12]}"

    def show(self, request: Request, name: str) -> Response:
        """Return a file; raises HttpError 404 if there is none of this name."""
        if name not in self._files:
            raise HttpError(HTTPStatus.NOT_FOUND, "there is no such file")
        content, content_type = self._files[name]
        caching = _FOREVER if "v" in request.query else "no-cache"
        return Response(HTTPStatus.OK, content_type, content, {"Cache-Control": caching})
