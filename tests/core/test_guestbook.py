"""The guestbook example, asked over WSGI and answering from memory."""

from __future__ import annotations

import io
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlencode

import pytest
from guestbook.application import Guestbook
from guestbook.entries import DatabaseReport, Draft, Entry, Newest, Saved, UnavailableError
from guestbook.memory_entries import MemoryEntries
from guestbook.web import MAX_BODY

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
NOON = datetime(2026, 3, 4, 12, 0, 0, 5000, tzinfo=UTC)


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: str

    def json(self) -> dict[str, object]:
        value = json.loads(self.body)
        assert isinstance(value, dict)
        return value


class Visitor:
    """Asks an application, and checks of every answer what holds for all of them."""

    def __init__(self, app: Guestbook) -> None:
        self.app = app

    def ask(self, method: str, address: str, body: bytes = b"", /, **environ: str) -> Answer:
        path, _, query = address.partition("?")
        environment: dict[str, object] = {
            "REQUEST_METHOD": method,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "wsgi.input": io.BytesIO(body),
            "HTTP_HOST": "www.foobar.com",
            **({"CONTENT_LENGTH": str(len(body))} if body else {}),
            **environ,
        }
        started: list[tuple[str, list[tuple[str, str]]]] = []

        def start_response(status: str, headers: list[tuple[str, str]], _error: object = None, /) -> object:
            started.append((status, headers))
            return None

        content = b"".join(self.app(environment, start_response))  # type: ignore[arg-type]  # write() is never used
        (status, pairs) = started[0]
        headers = dict(pairs)
        assert len(headers) == len(pairs)
        assert headers["X-Served-By"] == "web1"
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"
        if method == "HEAD":
            assert content == b""
        else:
            assert int(headers["Content-Length"]) == len(content)
        return Answer(int(status.split()[0]), headers, content.decode())

    def get(self, address: str, **environ: str) -> Answer:
        return self.ask("GET", address, **environ)

    def post_json(self, value: object, **environ: str) -> Answer:
        return self.ask("POST", "/api/entries", json.dumps(value).encode(), CONTENT_TYPE=JSON, **environ)

    def post_form(self, fields: dict[str, str], **environ: str) -> Answer:
        return self.ask("POST", "/", urlencode(fields).encode(), CONTENT_TYPE=FORM, **environ)


class Unplugged:
    """A store whose databases are all away."""

    def add(self, draft: Draft, key: str) -> Saved:
        raise UnavailableError(f"cannot save {draft} {key}")

    def get(self, entry_id: int) -> Entry | None:
        raise UnavailableError(f"cannot read {entry_id}")

    def after(self, entry_id: int, limit: int) -> list[Entry]:
        raise UnavailableError(f"cannot read {limit} after {entry_id}")

    def newest(self, *, before: int | None, limit: int, after_write: bool) -> Newest:
        raise UnavailableError(f"cannot read {limit} before {before} {after_write}")

    def writes_go_to(self) -> str:
        raise UnavailableError("nowhere")

    def probe(self) -> dict[str, DatabaseReport]:
        return {
            "primary": DatabaseReport(latency=1000.04, error="did not answer in time"),
            "replica": DatabaseReport(latency=1.26, database="web2", read_only=True),
        }


class Recording(MemoryEntries):
    """Remembers of each page that was asked for whether it had to have everything that was saved."""

    def __init__(self) -> None:
        super().__init__(clock=lambda: NOON)
        self.after_write: list[bool] = []

    def newest(self, *, before: int | None, limit: int, after_write: bool) -> Newest:
        self.after_write.append(after_write)
        return super().newest(before=before, limit=limit, after_write=after_write)


@pytest.fixture
def store() -> Recording:
    return Recording()


@pytest.fixture
def visitor(store: Recording) -> Visitor:
    return Visitor(Guestbook(store, server="web1", release="3f2a"))


@pytest.fixture
def unlucky() -> Visitor:
    return Visitor(Guestbook(Unplugged(), server="web1", release="3f2a"))


def token_of(page: str) -> str:
    match = re.search(r'name="token" value="([^"]+)"', page)
    assert match is not None
    return match[1]


def test_an_entry_is_created_and_read_back(visitor: Visitor) -> None:
    created = visitor.post_json({"author": "Ada", "text": "hello 🌿"})
    entry = {"id": 1, "author": "Ada", "text": "hello 🌿", "created": "2026-03-04T12:00:00.005Z"}
    assert (created.status, created.json()) == (201, entry)
    assert created.headers["Location"] == "/api/entries/1"
    assert visitor.get("/api/entries/1").json() == entry
    assert visitor.get("/api/entries").json() == {"entries": [entry]}


def test_entries_are_listed_ascending_after_an_id_and_up_to_a_limit(visitor: Visitor) -> None:
    for number in range(1, 121):
        visitor.post_json({"author": "a", "text": str(number)})

    def ids(query: str) -> list[int]:
        entries = visitor.get(f"/api/entries{query}").json()["entries"]
        assert isinstance(entries, list)
        return [entry["id"] for entry in entries]

    assert ids("") == list(range(1, 101))
    assert ids("?after=3&limit=2") == [4, 5]
    assert ids("?after=118&limit=1000") == [119, 120]
    assert ids("?after=120") == []


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=1001",
        "limit=-1",
        "limit=",
        "limit=ten",
        "limit=1&limit=2",
        "after=-1",
        "after=1.5",
        "after=%D9%A1",  # a digit, but not one of ours
        "after=9223372036854775808",
        "after=" + "9" * 500,
        "&".join(f"x{number}=1" for number in range(30)),
    ],
)
def test_a_bad_query_is_a_bad_request(visitor: Visitor, query: str) -> None:
    answer = visitor.get(f"/api/entries?{query}")
    assert answer.status == 400
    assert answer.headers["Content-Type"] == JSON
    assert answer.json()["error"]


@pytest.mark.parametrize("address", ["/?before=0", "/?before=x", "/?before="])
def test_a_bad_page_is_a_bad_request_with_a_page_of_its_own(visitor: Visitor, address: str) -> None:
    answer = visitor.get(address)
    assert answer.status == 400
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "before must be one whole number" in answer.body.lower()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"\xff\xfe", 400),
        (b'"\xed\xa0\x80"', 400),  # a surrogate in what claims to be UTF-8
        (b"[" * 60_000, 400),
        (b"1" * 5000, 400),
        (b"[]", 422),
        (b'"text"', 422),
        (b"{}", 422),
        (b'{"author":"a","text":"' + b"x" * MAX_BODY + b'"}', 413),
    ],
)
def test_a_body_that_is_no_entry_is_refused(visitor: Visitor, body: bytes, status: int) -> None:
    answer = visitor.ask("POST", "/api/entries", body, CONTENT_TYPE=JSON)
    assert answer.status == status
    assert answer.json()["error"]
    assert visitor.get("/api/entries").json() == {"entries": []}


@pytest.mark.parametrize(
    ("author", "text", "fields"),
    [
        (None, "t", {"author": "is missing"}),
        ("", "t", {"author": "must not be empty"}),
        (" \n ", "t", {"author": "must not be empty"}),
        ("\u200b\u2066", "t", {"author": "must not be empty"}),
        ("a" * 81, "t", {"author": "must not be longer than 80 characters (it has 81)"}),
        (7, "t", {"author": "must be text"}),
        ("two\nlines", "t", {"author": "must not contain control characters"}),
        ("a", "nul\x00", {"text": "must not contain control characters"}),
        ("a", "\x1b[31mred", {"text": "must not contain control characters"}),
        ("a", "half \ud83c", {"text": "must not contain control characters"}),
        ("a", "🌿" * 2001, {"text": "must not be longer than 2000 characters (it has 2001)"}),
        (None, ["t"], {"author": "is missing", "text": "must be text"}),
    ],
)
def test_a_field_that_will_not_do_is_named(
    visitor: Visitor, author: object, text: object, fields: dict[str, str]
) -> None:
    answer = visitor.post_json({"author": author, "text": text})
    assert answer.status == 422
    assert answer.json()["fields"] == fields


def test_the_longest_entry_fits_however_it_is_written(visitor: Visitor) -> None:
    longest = {"author": "🌿" * 80, "text": "🌿" * 2000}
    assert visitor.post_json(longest).status == 201
    assert visitor.post_form(longest).status == 303


def test_line_ends_and_accents_are_stored_in_one_form(visitor: Visitor) -> None:
    entry = visitor.post_json({"author": "  Rene\u0301 ", "text": "\r\none\r\ntwo\rthree\tx\n"}).json()
    assert (entry["author"], entry["text"]) == ("Ren\u00e9", "one\ntwo\nthree\tx")


@pytest.mark.parametrize(
    "content_type", ["", "text/plain", FORM, "multipart/form-data", "application/json; charset=latin-1"]
)
def test_another_content_type_is_unsupported(visitor: Visitor, content_type: str) -> None:
    answer = visitor.ask("POST", "/api/entries", b'{"author":"a","text":"t"}', CONTENT_TYPE=content_type)
    assert answer.status == 415
    assert answer.headers["Accept"] == JSON


def test_json_with_a_charset_is_json(visitor: Visitor) -> None:
    body = b'{"author":"a","text":"t"}'
    assert visitor.ask("POST", "/api/entries", body, CONTENT_TYPE='Application/JSON; charset="UTF-8"').status == 201


@pytest.mark.parametrize(("length", "status"), [("x", 400), ("-1", 400), ("99", 400), (str(MAX_BODY + 1), 413)])
def test_a_length_that_is_wrong_is_refused(visitor: Visitor, length: str, status: int) -> None:
    body = b'{"author":"a","text":"t"}'
    answer = visitor.ask("POST", "/api/entries", body, CONTENT_TYPE=JSON, CONTENT_LENGTH=length)
    assert answer.status == status


@pytest.mark.parametrize(("size", "status"), [(10, 201), (MAX_BODY, 413)])
def test_a_body_in_chunks_has_the_same_limit(visitor: Visitor, size: int, status: int) -> None:
    body = json.dumps({"author": "a", "text": "t", "ignored": "x" * size}).encode()
    chunked = {"CONTENT_TYPE": JSON, "CONTENT_LENGTH": "", "HTTP_TRANSFER_ENCODING": "chunked"}
    assert visitor.ask("POST", "/api/entries", body, **chunked).status == status


def test_one_idempotency_key_makes_one_entry(visitor: Visitor) -> None:
    first = visitor.post_json({"author": "a", "text": "t"}, HTTP_IDEMPOTENCY_KEY="k-1")
    second = visitor.post_json({"author": "a", "text": "other"}, HTTP_IDEMPOTENCY_KEY="k-1")
    third = visitor.post_json({"author": "a", "text": "t"}, HTTP_IDEMPOTENCY_KEY="k-2")
    assert [first.status, second.status, third.status] == [201, 200, 201]
    assert second.json() == first.json()
    assert second.headers["Idempotent-Replayed"] == "true"
    assert third.json()["id"] == 2


def test_without_a_key_the_same_words_are_two_entries(visitor: Visitor) -> None:
    assert [visitor.post_json({"author": "a", "text": "t"}).json()["id"] for _ in range(2)] == [1, 2]


@pytest.mark.parametrize("key", ["", "two words", "k" * 101, "schl\u00fcssel", "tab\there"])
def test_a_key_that_cannot_be_kept_is_refused(visitor: Visitor, key: str) -> None:
    assert visitor.post_json({"author": "a", "text": "t"}, HTTP_IDEMPOTENCY_KEY=key).status == 400


@pytest.mark.parametrize(
    ("method", "address", "allowed"),
    [
        ("DELETE", "/", "GET, HEAD, POST"),
        ("PUT", "/api/entries", "GET, HEAD, POST"),
        ("OPTIONS", "/api/entries", "GET, HEAD, POST"),
        ("POST", "/api/entries/1", "GET, HEAD"),
        ("POST", "/healthz", "GET, HEAD"),
        ("POST", "/static/favicon.svg", "GET, HEAD"),
    ],
)
def test_a_wrong_method_is_answered_with_the_right_ones(
    visitor: Visitor, method: str, address: str, allowed: str
) -> None:
    answer = visitor.ask(method, address)
    assert (answer.status, answer.headers["Allow"]) == (405, allowed)


@pytest.mark.parametrize(
    ("address", "content_type"),
    [
        ("/nothing", "text/html; charset=utf-8"),
        ("//", "text/html; charset=utf-8"),
        ("/static/../wsgi.py", "text/html; charset=utf-8"),
        ("/static/absent.css", "text/html; charset=utf-8"),
        ("/\x00\xff", "text/html; charset=utf-8"),
        ("/api/nothing", JSON),
        ("/api/entries/", JSON),
        ("/api/entries/1", JSON),
        ("/api/entries/0", JSON),
        ("/api/entries/9999999999999999999", JSON),
        ("/api/entries/\xd9\xa1", JSON),
    ],
)
def test_an_unknown_address_is_not_found(visitor: Visitor, address: str, content_type: str) -> None:
    answer = visitor.get(address)
    assert (answer.status, answer.headers["Content-Type"]) == (404, content_type)


@pytest.mark.parametrize("address", ["/", "/api/entries", "/healthz", "/static/guestbook.css", "/nothing"])
def test_head_is_get_without_the_body(visitor: Visitor, address: str) -> None:
    get, head = visitor.get(address), visitor.ask("HEAD", address)
    assert (head.status, head.headers) == (get.status, get.headers)


def test_the_page_says_who_answered(visitor: Visitor) -> None:
    page = visitor.get("/").body
    assert re.findall(r"<dt>(.+?)</dt><dd>(.+?)</dd>", page) == [
        ("Server", "web1"),
        ("Read from MySQL", "memory"),
        ("Writes go to MySQL", "memory"),
    ]
    assert "<code>3f2a</code>" in page


def test_the_form_leads_back_to_a_page_that_has_the_entry(visitor: Visitor, store: Recording) -> None:
    token = token_of(visitor.get("/").body)
    sent = visitor.post_form({"token": token, "author": "Ada", "text": "hello"})
    assert (sent.status, sent.headers["Location"]) == (303, "/")
    cookie = sent.headers["Set-Cookie"]
    assert cookie == "guestbook_wrote=1; Max-Age=10; Path=/; HttpOnly; SameSite=Lax"
    page = visitor.get("/", HTTP_COOKIE="other=1; " + cookie.split(";")[0]).body
    assert store.after_write == [False, True]
    assert "Your entry is saved" in page
    assert 'class="entry is-new" id="entry-1"' in page
    assert "Your entry is saved" not in visitor.get("/").body


def test_the_cookie_is_secure_where_the_visitor_is(visitor: Visitor) -> None:
    sent = visitor.post_form({"author": "a", "text": "t"}, HTTP_X_FORWARDED_PROTO="https")
    assert sent.headers["Set-Cookie"].endswith("; Secure")


@pytest.mark.parametrize("cookie", ["guestbook_wrote=x", "guestbook_wrote=" + "9" * 30, "guestbook_wrote=", "=;;,\x7f"])
def test_a_cookie_that_is_not_ours_is_ignored(visitor: Visitor, store: Recording, cookie: str) -> None:
    assert visitor.get("/", HTTP_COOKIE=cookie).status == 200
    assert store.after_write == [False]


def test_one_form_makes_one_entry_unless_its_words_change(visitor: Visitor) -> None:
    form = {"token": "from-the-page", "author": "a", "text": "t"}
    cookies = [visitor.post_form(fields).headers["Set-Cookie"] for fields in (form, form, {**form, "text": "u"})]
    assert [cookie.split(";")[0] for cookie in cookies] == [f"guestbook_wrote={number}" for number in (1, 1, 2)]


def test_what_people_write_is_shown_and_not_obeyed(visitor: Visitor) -> None:
    nasty = "<script>alert('1')</script> & \"$author\" ${text}"
    visitor.post_json({"author": nasty, "text": nasty})
    page = visitor.get("/").body
    assert "<script" not in page
    escaped = "&lt;script&gt;alert(&#x27;1&#x27;)&lt;/script&gt; &amp; &quot;$author&quot; ${text}"
    assert page.count(escaped) == 2


def test_a_refused_form_comes_back_with_what_was_written(visitor: Visitor) -> None:
    answer = visitor.post_form({"token": '"><b>', "author": '"><i>\x00', "text": "a <b>\x07 bell"})
    assert answer.status == 422
    assert 'value="&quot;&gt;&lt;i&gt;"' in answer.body
    assert "a &lt;b&gt; bell</textarea>" in answer.body
    assert token_of(answer.body) == "&quot;&gt;&lt;b&gt;"
    assert answer.body.count('aria-invalid="true"') == 2
    assert "Your message must not contain control characters." in answer.body
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"author=a&text=t", "text/plain", 415),
        (b"author=a&text=t", "multipart/form-data; boundary=x", 415),
        (b"author=%FF&text=t", FORM, 400),
        ("author=é&text=t".encode(), FORM, 400),
        (b"x=1&" * 30 + b"author=a&text=t", FORM, 400),
        (b"author=a&text=" + b"x" * MAX_BODY, FORM, 413),
        (b"", FORM, 422),
    ],
)
def test_a_form_that_cannot_be_read_is_refused(visitor: Visitor, body: bytes, content_type: str, status: int) -> None:
    answer = visitor.ask("POST", "/", body, CONTENT_TYPE=content_type)
    assert (answer.status, answer.headers["Content-Type"]) == (status, "text/html; charset=utf-8")
    assert visitor.get("/api/entries").json() == {"entries": []}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 303),
        ({"HTTP_SEC_FETCH_SITE": "same-origin", "HTTP_ORIGIN": "https://www.foobar.com"}, 303),
        ({"HTTP_SEC_FETCH_SITE": "none"}, 303),
        ({"HTTP_SEC_FETCH_SITE": "cross-site"}, 403),
        ({"HTTP_SEC_FETCH_SITE": "same-site"}, 403),
        ({"HTTP_ORIGIN": "http://www.foobar.com"}, 303),
        ({"HTTP_ORIGIN": "http://www.foobar.com:8080"}, 303),
        ({"HTTP_ORIGIN": "http://localhost:8080", "HTTP_HOST": "localhost:8080"}, 303),
        ({"HTTP_ORIGIN": "http://evil.example"}, 403),
        ({"HTTP_ORIGIN": "http://www.foobar.com.evil.example"}, 403),
        ({"HTTP_ORIGIN": "null"}, 403),
        ({"HTTP_ORIGIN": "null", "HTTP_HOST": ""}, 403),
        ({"HTTP_ORIGIN": "http://[broken"}, 403),
    ],
)
def test_the_form_is_taken_from_our_own_page_only(visitor: Visitor, headers: dict[str, str], status: int) -> None:
    assert visitor.post_form({"author": "a", "text": "t"}, **headers).status == status


def test_older_entries_are_a_page_further(visitor: Visitor) -> None:
    for number in range(1, 46):
        visitor.post_json({"author": "a", "text": f"entry {number}."})

    def shown(address: str) -> tuple[list[int], list[str]]:
        page = visitor.get(address).body
        numbers = [int(number) for number in re.findall(r"entry (\d+)\.", page)]
        return numbers, re.findall(r'<a rel="\w+".*?href="([^"]+)"', page)

    assert shown("/") == (list(range(45, 25, -1)), ["/?before=26"])
    assert shown("/?before=26") == (list(range(25, 5, -1)), ["/", "/?before=6"])
    assert shown("/?before=6") == (list(range(5, 0, -1)), ["/"])
    assert shown("/?before=1") == ([], ["/"])


def test_health_asks_no_database(unlucky: Visitor) -> None:
    answer = unlucky.get("/healthz")
    assert (answer.status, answer.json()) == (200, {"status": "ok", "server": "web1", "release": "3f2a"})


def test_deep_health_is_what_the_databases_say(visitor: Visitor, unlucky: Visitor) -> None:
    assert visitor.get("/healthz?deep").status == 200
    answer = unlucky.get("/healthz?deep")
    assert answer.status == 503
    assert answer.json() == {
        "status": "failing",
        "server": "web1",
        "release": "3f2a",
        "databases": {
            "primary": {
                "ok": False,
                "server": None,
                "read_only": None,
                "latency_ms": 1000.0,
                "error": "did not answer in time",
            },
            "replica": {"ok": True, "server": "web2", "read_only": True, "latency_ms": 1.3, "error": None},
        },
    }


@pytest.mark.parametrize("address", ["/api/entries", "/api/entries/1"])
def test_without_a_database_the_api_says_when_to_come_back(unlucky: Visitor, address: str) -> None:
    answer = unlucky.get(address)
    assert (answer.status, answer.headers["Retry-After"]) == (503, "2")
    assert "database is not answering" in str(answer.json()["error"])
    assert unlucky.post_json({"author": "a", "text": "t"}).status == 503


def test_without_a_database_the_page_is_still_a_page(unlucky: Visitor) -> None:
    answer = unlucky.get("/")
    assert (answer.status, answer.headers["Retry-After"]) == (503, "2")
    assert "The entries cannot be shown just now" in answer.body
    assert answer.body.count("none answers just now") == 2
    assert "Leave a few words" in answer.body


def test_without_a_database_nothing_that_was_written_is_lost(unlucky: Visitor) -> None:
    answer = unlucky.post_form({"token": "keep-me", "author": "Ada", "text": "long words"})
    assert answer.status == 503
    assert "could not confirm your entry" in answer.body
    assert "long words</textarea>" in answer.body
    assert token_of(answer.body) == "keep-me"


def test_a_mistake_of_ours_is_logged_and_not_shown(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(MemoryEntries):
        def get(self, entry_id: int) -> None:
            raise ZeroDivisionError(f"secret {entry_id}")

    answer = Visitor(Guestbook(Broken(), server="web1", release="3f2a")).get("/api/entries/5", HTTP_X_REQUEST_ID="r-1")
    assert answer.status == 500
    assert "secret" not in answer.body
    assert "request_id=r-1 failed" in caplog.text
    assert "ZeroDivisionError: secret 5" in caplog.text


@pytest.mark.parametrize(("sent", "shown"), [("a1:B2_3.4-5", "a1:B2_3.4-5"), ("<b>", "&lt;b&gt;"), ("x\ty", "-")])
def test_a_problem_names_its_request(visitor: Visitor, sent: str, shown: str) -> None:
    assert f"Request <code>{shown}</code>" in visitor.get("/nothing", HTTP_X_REQUEST_ID=sent).body


def test_static_files_have_addresses_that_change_with_them(visitor: Visitor) -> None:
    page = visitor.get("/").body
    addresses = sorted(set(re.findall(r'(?:href|src)="(/static/[^"]+)"', page)))
    assert [address.split("?v=")[0] for address in addresses] == ["/static/favicon.svg", "/static/guestbook.css"]
    for address in addresses:
        answer = visitor.get(address)
        assert answer.status == 200
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert visitor.get("/static/guestbook.css").headers["Cache-Control"] == "no-cache"


def test_the_page_needs_nothing_from_elsewhere_and_nothing_inline(visitor: Visitor) -> None:
    visitor.post_json({"author": "a", "text": "t"})
    page = visitor.get("/").body
    assert set(re.findall(r'(?:href|src|action)="([^"?]*)', page)) == {
        "#main",
        "#entry-1",
        "/",
        "/api/entries",
        "/static/favicon.svg",
        "/static/guestbook.css",
    }
    assert not re.search(r"<script|<style|\sstyle=|\son\w+=", page)
    assert visitor.get("/").headers["Cache-Control"] == "no-store"
