"""The JSON interface: entries as programs write and read them."""

from __future__ import annotations

import re
import secrets
from http import HTTPStatus
from typing import TYPE_CHECKING

from guestbook.entries import MAX_ID, InvalidDraftError, draft
from guestbook.web import HttpError, json_response

if TYPE_CHECKING:
    from guestbook.entries import Entries, Entry
    from guestbook.web import Request, Response

MAX_LIMIT = 1000
_DEFAULT_LIMIT = 100
_KEY = re.compile(r"[\x21-\x7e]{1,100}")


class Api:
    """Answers below /api/entries from a store."""

    def __init__(self, entries: Entries) -> None:
        self._entries = entries

    def create(self, request: Request) -> Response:
        """Save what was sent: 201, or 200 with the first entry if its Idempotency-Key was used before."""
        sent_key = request.headers.get("idempotency-key")
        if sent_key is not None and not _KEY.fullmatch(sent_key):
            raise HttpError(
                HTTPStatus.BAD_REQUEST,
                "Idempotency-Key must be 1 to 100 visible ASCII characters without spaces",
            )
        body = request.json_object()
        try:
            accepted = draft(body.get("author"), body.get("text"))
        except InvalidDraftError as error:
            raise HttpError(HTTPStatus.UNPROCESSABLE_ENTITY, str(error), fields=error.fields) from None
        # Without a key of the client's the entry gets one of ours, so that the store may safely try it a
        # second time.
        saved = self._entries.add(accepted, sent_key or secrets.token_urlsafe(24))
        location = {"Location": f"/api/entries/{saved.entry.id}"}
        if sent_key is not None and not saved.new:
            return json_response(HTTPStatus.OK, _entry(saved.entry), {**location, "Idempotent-Replayed": "true"})
        return json_response(HTTPStatus.CREATED, _entry(saved.entry), location)

    def browse(self, request: Request) -> Response:
        """Return entries ascending by id, `limit` of those after the id `after`."""
        after = request.number("after", default=0, minimum=0, maximum=MAX_ID)
        limit = request.number("limit", default=_DEFAULT_LIMIT, minimum=1, maximum=MAX_LIMIT)
        entries = self._entries.after(after, limit)
        return json_response(HTTPStatus.OK, {"entries": [_entry(entry) for entry in entries]})

    def show(self, _request: Request, entry_id: int) -> Response:
        """Return one entry; raises HttpError 404 if there is none with this id."""
        entry = self._entries.get(entry_id)
        if entry is None:
            raise HttpError(HTTPStatus.NOT_FOUND, f"there is no entry {entry_id}")
        return json_response(HTTPStatus.OK, _entry(entry))


def _entry(entry: Entry) -> dict[str, object]:
    created = entry.created.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {"id": entry.id, "author": entry.author, "text": entry.text, "created": created}
