"""HEAD is answered as GET is, but for the body, and waits for nothing. (By door and person, and OPTIONS: test_matrix.py.)"""

from collections.abc import Iterator
from contextlib import closing

import httpx
import pytest

from tests.clients import UNIT, Person
from tests.hostile.routes import routes
from tests.people import administrator, member
from tests.raw_socket import RawSocket
from tests.servers import Server

FAR_AHEAD = 4_000_000_000  # seconds since 1970


@pytest.fixture
def server(one_worker: Server) -> Server:
    return one_worker


@pytest.fixture(params=["a guest", "a member", "the administrator"])
def somebody(request: pytest.FixtureRequest, server: Server) -> Iterator[Person]:
    if request.param == "the administrator":
        yield administrator(server)
        return
    made = Person(server, "guest of heads") if request.param == "a guest" else member(server, "joan")
    with closing(made) as person:
        yield person


def test_the_head_of_every_page_is_that_of_the_page_down_to_its_length(
    somebody: Person, server: Server, ada: Person, board: int
) -> None:
    ada.say(board, "hello")  # else GET would wait for it
    somebody.http.get("/chats/")  # with it comes a CSRF token: without one, each page would have another
    otherwise = []
    for route in routes(server):
        if route.method != "GET" or route.websocket or route.rule.endswith("/stream"):
            continue
        cookies = httpx.Cookies(somebody.http.cookies)
        asked = {"headers": {"Accept": "text/html"}, "timeout": UNIT}
        page = somebody.http.get(route.path(board), **asked)
        somebody.http.cookies = cookies  # what a page says once it says in both
        head = somebody.http.head(route.path(board), **asked)
        told = [(each.status_code, length(each)) for each in (page, head)]
        if told[0] != told[1] or head.content:
            otherwise.append((route.name, *told))
    assert otherwise == []


def length(answer: httpx.Response) -> str | None:
    return answer.headers.get("Content-Length")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/rooms/{board}/messages?after=-1&wait=55", 200),
        ("/chats/{board}/http?lastupdate={far}", 204),
        ("/api/rooms/{board}/stream", 200),
    ],
)
def test_a_head_waits_for_no_news_and_the_connection_goes_on(
    path: str, status: int, server: Server, board: int
) -> None:
    with RawSocket(server) as raw:
        raw.request("HEAD", path.format(board=board, far=FAR_AHEAD))
        head = raw.read_until(b"\r\n\r\n").decode()
        assert head.startswith(f"HTTP/1.1 {status} ")
        raw.request("GET", "/healthz")
        assert raw.answer().body == b"ok\n"


def test_the_head_of_a_stream_has_no_length(server: Server, ada: Person, board: int) -> None:
    answer = ada.http.head(f"/api/rooms/{board}/stream")
    assert answer.headers["Content-Type"] == "text/event-stream; charset=utf-8"
    assert length(answer) is None
