"""The guestbook as people see it: one page with a form, the entries, and who served them."""

from __future__ import annotations

import hashlib
import logging
import secrets
from dataclasses import dataclass
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from guestbook.entries import (
    MAX_AUTHOR,
    MAX_ID,
    MAX_TEXT,
    InvalidDraftError,
    UnavailableError,
    draft,
    printable,
)
from guestbook.markup import Markup, fill, join
from guestbook.web import HttpError, Response

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from guestbook.assets import Assets
    from guestbook.entries import Entries, Entry, Newest
    from guestbook.web import Request

_LOG = logging.getLogger("guestbook")

PAGE_SIZE = 20
_COOKIE = "guestbook_wrote"
# Longer than a replica that is fit to be read from lags behind.
_COOKIE_SECONDS = 10
_TINTS = 6


@dataclass(frozen=True, slots=True)
class Sheet:
    """What stands in the form when the page is shown: nothing, or what was sent and what is wrong with it."""

    token: str
    author: str = ""
    text: str = ""
    problems: Mapping[str, str] | None = None
    notice: str = ""


class Pages:
    """Answers at / from a store; `new_token` makes what keeps one form from becoming two entries."""

    def __init__(
        self,
        entries: Entries,
        assets: Assets,
        *,
        server: str,
        release: str,
        new_token: Callable[[], str] = secrets.token_urlsafe,
    ) -> None:
        self._entries = entries
        self._assets = assets
        self._server = server
        self._release = release
        self._new_token = new_token

    def show(self, request: Request) -> Response:
        """Show the newest entries, or those older than the id `before`.

        Who has just written reads from the primary for ten seconds, told by a cookie: the replica may not
        have the entry yet, and a guest who does not find it would write it again.
        """
        before = request.number("before", default=0, minimum=1, maximum=MAX_ID) or None
        wrote = _wrote(request)
        newest = self._newest(request, before=before, after_write=wrote is not None)
        status = HTTPStatus.SERVICE_UNAVAILABLE if newest is None else HTTPStatus.OK
        return self._page(status, Sheet(self._new_token()), newest, before=before, wrote=wrote)

    def sign(self, request: Request) -> Response:
        """Save what the form sent, then redirect; raises HttpError 403 for a form of another site."""
        _refuse_other_sites(request)
        form = request.form()
        sheet = Sheet(form.get("token") or self._new_token(), form.get("author", ""), form.get("text", ""))
        try:
            accepted = draft(sheet.author, sheet.text)
        except InvalidDraftError as error:
            return self._again(request, HTTPStatus.UNPROCESSABLE_ENTITY, sheet, problems=error.fields)
        # The same form sent twice (a double click, a reload, a second try after an error) is one entry; the
        # same form with other words in it, reached by going back, is another one.
        key = hashlib.sha256(f"{sheet.token}\0{accepted.author}\0{accepted.text}".encode()).hexdigest()
        try:
            saved = self._entries.add(accepted, key)
        except UnavailableError as error:
            _LOG.warning("request_id=%s entry not confirmed: %s", request.request_id, error)
            return self._again(
                request,
                HTTPStatus.SERVICE_UNAVAILABLE,
                sheet,
                notice="The guestbook could not confirm your entry: its database is not answering just now. "
                "Your words are still below. Please send them again in a moment; they will appear once only.",
            )
        secure = "; Secure" if request.headers.get("x-forwarded-proto") == "https" else ""
        return Response(
            HTTPStatus.SEE_OTHER,
            "text/plain; charset=utf-8",
            b"See /\n",
            {
                "Location": "/",
                "Set-Cookie": f"{_COOKIE}={saved.entry.id}; Max-Age={_COOKIE_SECONDS}; "
                f"Path=/; HttpOnly; SameSite=Lax{secure}",
            },
        )

    def problem(self, error: HttpError, request_id: str) -> Response:
        """Say what went wrong on a page of its own."""
        main = fill("problem", status=error.status.value, message=_sentence(error.message), request_id=request_id)
        return self._layout(error.status, main, title="Something is in the way", headers=error.headers)

    def _again(
        self,
        request: Request,
        status: HTTPStatus,
        sheet: Sheet,
        *,
        problems: Mapping[str, str] | None = None,
        notice: str = "",
    ) -> Response:
        newest = self._newest(request, before=None, after_write=False)
        # Control characters do not come back: they would be refused again, and HTML cannot carry all of them.
        sheet = Sheet(sheet.token, printable(sheet.author), printable(sheet.text), problems, notice)
        return self._page(status, sheet, newest, before=None, wrote=None)

    def _page(
        self,
        status: HTTPStatus,
        sheet: Sheet,
        newest: Newest | None,
        *,
        before: int | None,
        wrote: int | None,
    ) -> Response:
        if newest is None:
            shown = fill("unreadable")
        elif newest.entries:
            shown = join([_entry(entry, is_new=entry.id == wrote) for entry in newest.entries])
        else:
            shown = fill("empty")
        main = fill(
            "guestbook",
            form=Markup() if before else _form(sheet),
            thanks=fill("thanks") if wrote and not before else Markup(),
            heading="Older entries" if before else "What others wrote",
            entries=shown,
            navigation=_navigation(newest, before),
            server=self._server,
            reads_from=newest.database if newest else "none answers just now",
            writes_go_to=self._writes_go_to(),
        )
        headers = {"Retry-After": "2"} if status is HTTPStatus.SERVICE_UNAVAILABLE else {}
        return self._layout(status, main, title="Guestbook", headers=headers)

    def _newest(self, request: Request, *, before: int | None, after_write: bool) -> Newest | None:
        try:
            return self._entries.newest(before=before, limit=PAGE_SIZE, after_write=after_write)
        except UnavailableError as error:
            _LOG.warning("request_id=%s entries not shown: %s", request.request_id, error)
            return None

    def _writes_go_to(self) -> str:
        try:
            return self._entries.writes_go_to()
        except UnavailableError:
            return "none answers just now"

    def _layout(self, status: HTTPStatus, main: Markup, *, title: str, headers: Mapping[str, str]) -> Response:
        page = fill(
            "layout",
            title=title,
            style=self._assets.address("guestbook.css"),
            icon=self._assets.address("favicon.svg"),
            main=main,
            server=self._server,
            release=self._release,
        )
        return Response(status, "text/html; charset=utf-8", page.encode(), headers)


def _form(sheet: Sheet) -> Markup:
    problems = sheet.problems or {}
    return fill(
        "form",
        notice=fill("notice", message=sheet.notice) if sheet.notice else Markup(),
        token=sheet.token,
        author=sheet.author,
        text=sheet.text,
        max_author=MAX_AUTHOR,
        max_text=MAX_TEXT,
        author_problem=_problem("author", "Your name", problems),
        author_state=_state("author", problems),
        text_problem=_problem("text", "Your message", problems),
        text_state=_state("text", problems),
    )


def _problem(field: str, label: str, problems: Mapping[str, str]) -> Markup:
    return fill("field_problem", field=field, message=f"{label} {problems[field]}.") if field in problems else Markup()


def _state(field: str, problems: Mapping[str, str]) -> Markup:
    return fill("field_state", field=field) if field in problems else Markup()


def _entry(entry: Entry, *, is_new: bool) -> Markup:
    return fill(
        "entry",
        id=entry.id,
        mark="entry is-new" if is_new else "entry",
        tint=int(hashlib.sha256(entry.author.encode()).hexdigest(), 16) % _TINTS,
        initial=entry.author[0].upper(),
        author=entry.author,
        text=entry.text,
        machine_time=entry.created.isoformat(timespec="seconds"),
        time=f"{entry.created.day} {entry.created:%B %Y, %H:%M} UTC",
    )


def _navigation(newest: Newest | None, before: int | None) -> Markup:
    links: list[Markup] = []
    if before:
        links.append(fill("newest_link"))
    if newest and newest.older:
        links.append(fill("older_link", before=newest.entries[-1].id))
    return fill("navigation", links=join(links)) if links else Markup()


def _wrote(request: Request) -> int | None:
    try:
        cookie = SimpleCookie(request.headers.get("cookie", "")).get(_COOKIE)
    except CookieError:  # another application's, on the same name
        return None
    value = cookie.value if cookie else ""
    return int(value) if value.isascii() and value.isdecimal() and len(value) < len(str(MAX_ID)) else None


def _refuse_other_sites(request: Request) -> None:
    # Browsers say where a form was: Sec-Fetch-Site over HTTPS, Origin always. What sends neither is no
    # browser, and nobody else's browser is what this protects. Ports are not compared: proxies on the way
    # tend to drop them.
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    if site is not None:
        own = site in {"same-origin", "none"}
    elif origin is not None:
        try:
            own = urlsplit(origin).hostname == urlsplit("//" + request.headers.get("host", "")).hostname is not None
        except ValueError:
            own = False
    else:
        own = True
    if not own:
        raise HttpError(HTTPStatus.FORBIDDEN, "this form was sent from another site; please write here instead")


def _sentence(message: str) -> str:
    return message[:1].upper() + message[1:] + ("" if message.endswith((".", "?")) else ".")
