"""Another site's page, in the browser of somebody who is in here: what it can send, and what it gets to read."""

import json
import uuid
from contextlib import closing
from typing import Any

import httpx
import pytest

from tests.clients import Person
from tests.hostile.routes import WRITES, Route, routes
from tests.raw_socket import RawSocket, problem
from tests.servers import Server

FOREIGN = "https://mallory.example"
# Writes that no cookie carries, and why another site's page gains nothing by them.
NOT_BY_COOKIE: dict[str, str] = {
    "POST /hooks/<int:hook>/<secret>": "who has the address may post, and who has not, may not; no cookie counts"
}
# What a page of another site can send without being asked back by CORS (Fetch standard, "simple" requests).
SIMPLE: list[dict[str, str]] = [
    {"Content-Type": "application/x-www-form-urlencoded"},
    {"Content-Type": "multipart/form-data; boundary=x"},
    {"Content-Type": "text/plain"},
    {},
]


@pytest.fixture(scope="module")
def writes(server: Server) -> list[Route]:
    """Every route that changes something with a cookie."""
    found = [route for route in routes(server) if route.method in WRITES and route.name not in NOT_BY_COOKIE]
    assert len(found) > 10
    return found


def with_cookie(ada: Person, route: Route, room: int, body: bytes = b"", **headers: str) -> httpx.Response:
    """What the browser of `ada` sends for a page that is not ours: her cookie, and what the page chose."""
    fields = {"Cookie": ada.cookie, **{name.replace("_", "-"): value for name, value in headers.items()}}
    with httpx.Client(verify=False, base_url=ada.server.url) as http:
        return http.request(route.method, route.path(room), content=body, headers=fields)


def refusal(route: Route) -> int:
    """For who is no administrator `/admin/` is not there; what an administrator's cookie does there is in
    test_admin.py.
    """
    return 404 if route.rule.startswith("/admin/") else 403


def state(ada: Person, room: int) -> Any:
    """All that a write could have changed, as far as ada can see it."""
    listed = ada.http.get("/api/rooms").json()["rooms"]
    return (
        ada.read(room, after=0),
        [{**each, "here": 0} for each in listed if each["id"] == room],
        ada.http.get(f"/api/rooms/{room}/members").json(),
        ada.http.get(f"/api/rooms/{room}/sanctions").json(),
    )


def test_no_write_is_taken_on_the_cookie_alone(writes: list[Route], ada: Person, board: int) -> None:
    before = state(ada, board)
    taken = [
        (route.name, answer.status_code)
        for route in writes
        if (answer := with_cookie(ada, route, board)).status_code != refusal(route)
    ]
    assert taken == []
    assert state(ada, board) == before


@pytest.mark.parametrize("origin", [FOREIGN, "null"])
def test_no_write_is_taken_from_a_page_of_another_site(
    origin: str, writes: list[Route], ada: Person, board: int
) -> None:
    before = state(ada, board)
    body = json.dumps({"body": "hi", "name": "mallory", "kind": "private", "seq": 1, "muted": True}).encode()
    taken = [
        (route.name, headers, answer.status_code)
        for route in writes
        for headers in SIMPLE
        if (answer := with_cookie(ada, route, board, body, Origin=origin, **headers)).status_code
        != refusal(route)
    ]
    assert taken == []
    assert state(ada, board) == before


@pytest.mark.parametrize("token", ["", "x", "somebody else's"])
def test_no_write_is_taken_with_a_token_that_is_not_of_this_cookie(
    token: str, writes: list[Route], ada: Person, board: int
) -> None:
    if token == "somebody else's":
        with closing(Person(ada.server, "mallory")) as mallory:
            page = mallory.http.get("/chats/").text
        token = page.partition('name="csrf-token" content="')[2].partition('"')[0]
        assert token
    before = state(ada, board)
    taken = [
        (route.name, answer.status_code)
        for route in writes
        if (answer := with_cookie(ada, route, board, X_CSRF_Token=token)).status_code != refusal(route)
    ]
    assert taken == []
    assert state(ada, board) == before


def test_nothing_is_written_by_reading(server: Server, ada: Person, board: int) -> None:
    """A picture's address, or a link, is followed with the cookie from wherever it stands."""
    before = state(ada, board)
    for route in routes(server):
        if route.method == "GET" and not route.websocket and not route.rule.endswith("/stream"):
            with_cookie(ada, route, board, Origin=FOREIGN, Sec_Fetch_Site="cross-site")
    assert state(ada, board) == before


def test_no_socket_opens_for_a_page_of_another_site(server: Server, ada: Person, board: int) -> None:
    sockets = [route for route in routes(server) if route.websocket]
    assert len(sockets) == 2
    for route in sockets:
        for origin in (FOREIGN, "null", "file://", server.url.replace("http", "https")):
            with RawSocket(server) as raw:
                answer = raw.handshake(route.path(board), Origin=origin, Cookie=ada.cookie)
                assert answer.status == 403, (route.name, origin)


def test_no_answer_may_be_read_or_loaded_by_another_site(server: Server, ada: Person, board: int) -> None:
    open_to_others = []
    for route in routes(server):
        if route.method != "GET" or route.websocket or route.rule.endswith("/stream"):
            continue
        headers = with_cookie(ada, route, board, Origin=FOREIGN).headers
        if (
            "Access-Control-Allow-Origin" in headers
            or headers["Cross-Origin-Resource-Policy"] != "same-origin"
        ):
            open_to_others.append(route.name)
    assert open_to_others == []


@pytest.mark.parametrize("asked", ["DELETE", "PUT", "PATCH", "POST"])
def test_no_other_site_is_told_by_cors_that_it_may_write(
    asked: str, writes: list[Route], ada: Person, board: int
) -> None:
    fields = {"Origin": FOREIGN, "Access-Control-Request-Method": asked, "Cookie": ada.cookie}
    allowed = [
        route.name
        for route in writes
        if "Access-Control-Allow-Origin"
        in httpx.options(ada.server.url + route.path(board), headers=fields, verify=False).headers
    ]
    assert allowed == []


# -- JSONP ----------------------------------------------------------------------------------------------


def jsonp(person: Person, room: int, callback: str = "cb", **headers: str) -> httpx.Response:
    """What a script tag of another site's page loads."""
    query = {"lastupdate": "0", "callback": callback}
    return person.http.get(f"/chats/{room}/http", params=query, headers=headers)


@pytest.fixture
def den(server: Server, ada: Person) -> int:
    """A private room of ada's with something said."""
    room = ada.make_room(f"den {uuid.uuid4().hex[:8]}")
    ada.say(room, "between us")
    assert server.console("room", "set", str(room), "--kind", "private").status == 0
    return room


def test_jsonp_says_the_same_to_everybody(server: Server, ada: Person, board: int, den: int) -> None:
    ada.say(board, "for all")
    with closing(Person(server)) as nobody, closing(Person(server, "mallory")) as mallory:
        for room in (board, den, 999_999):
            answers = [jsonp(person, room) for person in (ada, mallory, nobody)]
            assert len({(answer.status_code, answer.content) for answer in answers}) == 1
            assert not any("Set-Cookie" in answer.headers for answer in answers)
        assert "something" in jsonp(ada, board).text


def test_jsonp_does_not_tell_a_private_room_from_one_that_never_was(ada: Person, den: int) -> None:
    assert ada.read(den)["messages"], "she may read it by every other door"
    answers = [jsonp(ada, room) for room in (den, 999_999)]
    assert [problem(answer) for answer in answers] == ["no_such_room"] * 2
    assert answers[0].content == answers[1].content


def test_jsonp_leaves_no_trace_of_who_was_made_to_load_it(server: Server, ada: Person) -> None:
    room = ada.make_room(f"watched {uuid.uuid4().hex[:8]}")
    with closing(Person(server, "grace")) as grace:
        ada.say(room, "word")
        assert jsonp(grace, room).status_code == 200
        here = {who["id"] for who in ada.http.get(f"/api/rooms/{room}/presence").json()["here"]}
        assert grace.id not in here
        assert jsonp(ada, room, Authorization="Bearer wrong").status_code == 401


def test_only_jsonp_leaves_as_a_script_that_others_may_load(ada: Person, board: int) -> None:
    ada.say(board, "for all")
    script = jsonp(ada, board)
    assert script.headers["Content-Type"].startswith("application/javascript")
    assert script.headers["X-Content-Type-Options"] == "nosniff"
    assert script.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    plain = ada.http.get(f"/chats/{board}/http", params={"lastupdate": "0"})
    assert plain.headers["Content-Type"].startswith("application/json")
    assert plain.headers["Cross-Origin-Resource-Policy"] == "same-origin"


@pytest.mark.parametrize(
    "callback",
    ["alert(1)//", "cb;alert", "cb[0]", "</script>", "cb\u2028x", "cb\n", "", ".cb", "cb.", "cb..x", "été", "x" * 65],
    ids=["a call", "a statement", "an index", "markup", "a line separator", "a newline", "nothing", "a dot first",
         "a dot last", "two dots", "not ASCII", "too long"],
)  # fmt: skip
def test_a_callback_carries_no_program(callback: str, ada: Person, board: int) -> None:
    answer = jsonp(ada, board, callback)
    assert problem(answer) == "bad_request"


def test_what_people_say_cannot_end_the_script_it_is_in(ada: Person) -> None:
    room = ada.make_room(f"words {uuid.uuid4().hex[:8]}")
    ada.say(room, '"});alert(1);({"\u2028\u2029</script>\\')
    text = jsonp(ada, room).text
    assert text.startswith("cb({")
    assert text.endswith("})")
    assert json.loads(text[3:-1])["data"] == '"});alert(1);({"\u2028\u2029</script>\\'
    assert "\u2028" not in text
    assert "\u2029" not in text
