"""What somebody sends stays one value: it ends no line of a header, of the log or of a stream, and names no file."""

import json
import logging
import re
from contextlib import closing
from urllib.parse import urljoin, urlsplit

import pytest
from flask import Flask

from chatapp.pages import errors
from tests.clients import Person, eventually
from tests.raw_socket import RawSocket, nobody_posts
from tests.servers import Server

# -- headers --------------------------------------------------------------------------------------------

LINE = "%0d%0aInjected:%20yes%0d%0a%0d%0a<script>"
BREAKS = [
    "\r\nInjected: yes",
    "\nInjected: yes",
    "\rInjected: yes",
    "\u2028Injected: yes",
    "\x85Injected: yes",
]


@pytest.mark.parametrize(
    "path",
    [f"/chats/1{LINE}", f"/chats/{LINE}", f"/chats/1?{LINE}", f"/chats/?next=/{LINE}", f"/static/{LINE}", f"/{LINE}",
     f"/chats/long_poll/1?next={LINE}", f"//chats{LINE}", f"/chats/1/http?lastupdate=0&callback=a{LINE}",
     f"/api/rooms/1/stream?after={LINE}"],
)  # fmt: skip
def test_a_line_break_in_an_address_makes_no_header(path: str, server: Server) -> None:
    with RawSocket(server) as raw:
        raw.request("GET", path, Accept="text/html", Connection="close")
        head = raw.wait_for_end().partition(b"\r\n\r\n")[0].decode("latin-1")
    assert not re.search(r"^injected", head, re.IGNORECASE | re.MULTILINE), head


@pytest.mark.parametrize("field", ["next", "name", "code"])
@pytest.mark.parametrize("line_break", BREAKS, ids=ascii)
def test_a_line_break_in_a_form_makes_no_header(field: str, line_break: str, server: Server) -> None:
    with closing(Person(server)) as nobody:
        form = {"name": "ada", "next": "/chats/1/", field: f"/chats/{line_break}"}
        answer = nobody.http.post("/guests", data=form)
        assert "Injected" not in answer.headers
        assert "Injected" not in str(answer.headers.get("Location"))


@pytest.mark.parametrize(
    "name",
    ["Host", "Origin", "X-Forwarded-Host", "X-Forwarded-Proto", "Last-Event-ID", "Sec-WebSocket-Protocol"],
)
def test_a_header_with_a_bare_line_break_is_not_two(name: str, server: Server) -> None:
    for line_break in (b"\r", b"\n", b"\x00"):
        with RawSocket(server) as raw:
            fields = {b"Host": server.host.encode(), b"Connection": b"close"}
            fields[name.encode()] = b"x" + line_break + b"Injected: yes"
            lines = [
                b"GET /chats HTTP/1.1",
                *(key + b": " + value for key, value in fields.items()),
                b"",
                b"",
            ]
            raw.send(b"\r\n".join(lines))
            head = raw.wait_for_end().partition(b"\r\n\r\n")[0].decode("latin-1")
        assert not re.search(r"^injected", head, re.IGNORECASE | re.MULTILINE), head


@pytest.mark.parametrize(
    "second",
    [b"Content-Length: 5\r\nTransfer-Encoding: chunked", b"Content-Length: 5\r\nContent-Length: 6",
     b"Transfer-Encoding: xchunked", b"Transfer-Encoding : chunked", b"Content-Length: +5", b"Content-Length: 5_0",
     b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity"],
)  # fmt: skip
def test_a_request_whose_end_can_be_read_in_two_ways_is_the_last_of_its_connection(
    second: bytes, server: Server
) -> None:
    """Otherwise a proxy and we might take different bytes for the next request, which is somebody else's."""
    smuggled = b"0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: smuggled\r\n\r\n"
    with RawSocket(server) as raw:
        head = b"POST /guests HTTP/1.1\r\nHost: " + server.host.encode() + b"\r\n" + second + b"\r\n\r\n"
        raw.send(head + smuggled)
        raw.hang_up()
        answers = raw.wait_for_end()
    assert b"ok\n" not in answers
    assert answers.count(b"HTTP/1.1") <= 1


@pytest.mark.parametrize(
    "path",
    ["//mallory.example/chats", "//mallory.example//chats", "/\\mallory.example/chats", "/chats//mallory.example",
     "/%2f%2fmallory.example/chats", "http://mallory.example/chats", "//mallory.example/%2e%2e/chats"],
)  # fmt: skip
def test_no_address_is_redirected_to_another_site(path: str, server: Server) -> None:
    with RawSocket(server) as raw:
        raw.request("GET", path, Connection="close")
        answer = raw.answer()
    leads_to = urljoin(server.url, answer.headers.get("location", "/").replace("\\", "/"))
    assert urlsplit(leads_to).netloc == server.host


# -- the log --------------------------------------------------------------------------------------------

FORGED = "[CRITICAL] everything is lost"


def test_nothing_that_is_sent_writes_a_line_of_its_own_into_the_log(server: Server, board: int) -> None:
    seen = len(server.log)
    cursed = f"\n{FORGED}\r\x1b[2J\x9b2J\u2028"
    with closing(Person(server)) as nobody:
        for header in ("Origin", "X-Forwarded-For", "User-Agent", "Referer"):
            raw_value = f"x\x1b[2J\x9b {FORGED}".encode("latin-1", "ignore")
            nobody.http.post("/guests", json={"name": cursed}, headers=[(header.encode(), raw_value)])
        nobody.http.post("/guests", json={"name": cursed, "code": cursed})
        nobody.http.get(f"/chats/{board}/", params={"before": cursed})
        nobody.http.post(f"/api/rooms/{board}/messages", content=cursed.encode())
    for line in (
        f"GET /%0a{FORGED} HTTP/1.1",
        f"GET / HTTP/1.1\n{FORGED}",
        f"\x1b[2J {FORGED}",
        "GET\x1b / HTTP/9.9",
    ):
        with RawSocket(server) as raw:
            raw.send(f"{line}\r\n\r\n".encode("latin-1"))
            raw.hang_up()
            raw.wait_for_end()
    origin = "http://the-last-one.example"
    nobody_posts(f"{server.url}/guests", json={"name": "ada"}, headers={"Origin": origin})
    eventually(lambda: any(origin in line for line in server.log[seen:]))
    said = server.log[seen:]
    assert not [line for line in said if line.startswith(FORGED) or re.search(r"^\s*\[CRITICAL", line)]
    assert not [line for line in said if re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028]", line.rstrip("\n"))]


def test_the_address_of_a_request_that_failed_is_one_line_of_the_log() -> None:
    said: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger("chatapp").addHandler(handler)
    try:
        with Flask("test").test_request_context("/api/x%0a%1b[2J" + FORGED):
            errors._fault(ValueError())
    finally:
        logging.getLogger("chatapp").removeHandler(handler)
    assert len(said) == 1
    assert said[0].isprintable()


# -- streams and frames ---------------------------------------------------------------------------------


def test_a_body_ends_no_event_of_a_stream(ada: Person, board: int) -> None:
    body = "x\n\nevent: reset\ndata: {}\n\nid: 99.evil"
    seq = ada.say(board, body)["seq"]
    with ada.http.stream("GET", f"/api/rooms/{board}/stream", params={"after": seq - 1}) as answer:
        lines = []
        for line in answer.iter_lines():
            lines.append(line)
            if line.startswith("data: ") and f'"seq":{seq}' in line:
                break
    assert json.loads(lines[-1].removeprefix("data: "))["body"] == body
    assert not any(line.startswith(("event: reset", "id: 99")) for line in lines)


# -- files ----------------------------------------------------------------------------------------------

CLIMBS = {
    "dots": "/static/../wsgi.py",
    "many dots": "/static/" + "../" * 20 + "etc/passwd",
    "quoted dots": "/static/%2e%2e/wsgi.py",
    "quoted slashes": "/static/..%2fwsgi.py",
    "quoted twice": "/static/%252e%252e%252fwsgi.py",
    "backslashes": "/static/..\\wsgi.py",
    "quoted backslashes": "/static/..%5cwsgi.py",
    "overlong dots": "/static/%c0%ae%c0%ae/wsgi.py",
    "full-width dots": "/static/%ef%bc%8e%ef%bc%8e/wsgi.py",
    "an absolute path": "/static//etc/passwd",
    "a quoted absolute path": "/static/%2fetc%2fpasswd",
    "a folder back out": "/static/css/../../wsgi.py",
    "NUL": "/static/css/base.css%00.py",
    "a folder": "/static/css/",
    "no folder": "/static/",
    "a drive": "/static/C:/wsgi.py",
    "the instance folder": "/static/../instance/secret_key",
    "a matrix": "/static/..;/wsgi.py",
    "an address": "/static/http://127.0.0.1/",
}


@pytest.mark.parametrize("climb", CLIMBS)
def test_no_address_leads_out_of_the_folder_of_static_files(climb: str, server: Server) -> None:
    with RawSocket(server) as raw:
        raw.request("GET", CLIMBS[climb], Connection="close")
        answer = raw.answer()
    assert answer.status in (308, 400, 404)
    if answer.status == 308:  # to the same address with one slash
        assert urlsplit(answer.headers["location"])[1:3] == (server.host, "/static/etc/passwd")
    for content in (
        b"create_app",
        b"root:",
        b"monkey",
        (server.instance / "secret_key").read_bytes().strip(),
    ):
        assert content not in answer.body


@pytest.mark.parametrize("path", ["/chats/../static/css/base.css", "/chats/1/../../metrics"])
def test_dots_in_the_address_of_a_room_lead_nowhere(path: str, server: Server) -> None:
    with RawSocket(server) as raw:
        raw.request("GET", path, Connection="close")
        assert raw.answer().status == 404
