"""Whatever is sent, each wrong thing gets its documented error and leaves the room as it was."""

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.clients import Person, Socket, eventually
from tests.raw_socket import STATUS, RawSocket, nobody_posts, problem
from tests.servers import Server

LIMIT = 4000  # code points of a message
REQUEST = 1_048_576  # bytes of an HTTP body

Door = Callable[[Person, int, Any], str | None]  # sends a body; the code of the refusal


@pytest.fixture(scope="module")
def ada(one_worker: Server) -> Iterator[Person]:
    """One worker and one ada: what is refused never reaches what workers share."""
    person = Person(one_worker, "ada")
    yield person
    person.close()


@pytest.fixture
def server(one_worker: Server) -> Server:
    return one_worker


@pytest.fixture(scope="module")
def one_room(ada: Person) -> int:
    room = ada.make_room("board")
    ada.say(room, "before")
    return room


@pytest.fixture(scope="module")
def closed(ada: Person, one_worker: Server) -> int:
    """A room that is read-only."""
    room = ada.make_room("closed")
    ada.say(room, "before")
    assert one_worker.console("room", "close", str(room)).status == 0
    return room


@pytest.fixture
def board(ada: Person, one_room: int) -> Iterator[int]:
    """A room that has to be as it was when the test is over, on a server that knows of no fault."""
    before, faults = ada.read(one_room, after=0), _faults(ada.server)
    yield one_room
    assert ada.read(one_room, after=0) == before
    assert _faults(ada.server) == faults


def _faults(server: Server) -> int:
    return sum("Traceback" in line for line in server.log)


# -- the doors: each sends a body and says how it was refused -------------------------------------------


def post(person: Person, room: int, body: Any) -> str:
    return problem(person.http.post(person.messages(room), json={"body": body}))


def socket(person: Person, room: int, body: Any) -> str:
    with closing(person.socket()) as ws:
        ws.send({"type": "send", "room": room, "body": body})
        error = ws.expect(lambda frame: frame["type"] in ("error", "ack"))
        assert error["type"] == "error"
        assert _still_answers(ws)
        return error["code"]


def plain_socket(person: Person, room: int, body: str) -> None:
    """Its refusals are sentences without a code."""
    with closing(person.socket(path=f"/chats/{room}/ws", subprotocols=None)) as ws:
        ws.expect(lambda line: line == "connected ....")
        ws.send(body)
        ws.expect(lambda line: line.startswith("! "))


def tutorial(person: Person, room: int, body: str) -> str:
    return problem(person.http.post(f"/chats/{room}/http", data={"new_message": body}))


def form(person: Person, room: int, body: str) -> str:
    return page(person.http.post(f"/chats/{room}/", data={"body": body}, headers={"Accept": "text/html"}))


def page(answer: httpx.Response) -> str:
    """The code of a refusal that is a page for people."""
    assert answer.headers["content-type"].startswith("text/html")
    assert "<html" in answer.text
    return next(code for code, status in STATUS.items() if status == answer.status_code)


JSON_DOORS: list[Door] = [post, socket]
TEXT_DOORS: list[Door] = [post, socket, plain_socket, tutorial, form]


def doors(these: list[Door]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("door", these, ids=lambda door: door.__name__)


# -- bodies ---------------------------------------------------------------------------------------------


@doors(TEXT_DOORS)
@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("", "bad_request"),
        ("   ", "bad_request"),
        (" \n\t ", "bad_request"),
        ("\u00a0\u2003\u3000", "bad_request"),
        ("x" * (LIMIT + 1), "too_long"),
        ("😀" * (LIMIT + 1), "too_long"),
        ("a\x00b", "bad_request"),
        ("a\x07b", "bad_request"),
        ("\x1b[31mred", "bad_request"),
        ("a\x7fb", "bad_request"),
        ("a\x85b", "bad_request"),
    ],
    ids=["empty", "spaces", "blank lines", "wide spaces", "too long", "too many emoji", "NUL", "bell", "escape",
         "delete", "C1"],
)  # fmt: skip
def test_a_body_that_cannot_be_is_refused_by_every_door(
    door: Door, body: str, code: str, ada: Person, board: int
) -> None:
    assert door(ada, board, body) in (code, None)


@doors(JSON_DOORS)
@pytest.mark.parametrize("body", [None, 7, True, 1.5, ["a"], {"a": "b"}], ids=repr)
def test_a_body_that_is_no_string_is_refused(door: Door, body: object, ada: Person, board: int) -> None:
    assert door(ada, board, body) == "bad_request"


def test_a_body_that_is_missing_is_refused(ada: Person, board: int) -> None:
    assert problem(ada.http.post(ada.messages(board), json={})) == "bad_request"
    with closing(ada.socket()) as ws:
        ws.send({"type": "send", "room": board})
        assert ws.expect(lambda frame: frame["type"] == "error")["code"] == "bad_request"


@pytest.mark.parametrize("half", [r"\ud800", r"\udc00", r"a\ud83d b", r"\udc00\ud800"])
def test_lone_surrogates_are_not_json(half: str, ada: Person, board: int) -> None:
    answer = _post_text(ada, board, '{"body":"%s"}' % half)
    assert problem(answer) == "bad_request"
    assert _closes(ada, '{"type":"send","room":%d,"body":"%s"}' % (board, half)) == 1007


@pytest.mark.parametrize(
    "body",
    [
        "line\nbreak and\ttab",
        "😀" * LIMIT,
        "  spaces around  ",
        "\u202emarks\u200f",
        "\ufffd",
        "<b>&amp;",
        "'\"\\",
    ],
    ids=[
        "newline and tab",
        "4,000 emoji",
        "spaces around",
        "direction marks",
        "replacement",
        "markup",
        "quotes",
    ],
)
def test_what_a_body_may_be_is_kept_as_it_is_by_every_door(body: str, ada: Person) -> None:
    room = ada.make_room("anything")
    assert ada.say(room, body)["body"] == body
    with (
        closing(ada.socket()) as ws,
        closing(ada.socket(path=f"/chats/{room}/ws", subprotocols=None)) as plain,
    ):
        ws.send({"type": "send", "room": room, "body": body})
        ws.expect(lambda frame: frame["type"] == "ack")
        plain.send(body)
        plain.expect(lambda line: line == body)
    assert ada.http.post(f"/chats/{room}/http", data={"new_message": body}).status_code == 200
    assert ada.http.post(f"/chats/{room}/", data={"body": body}).status_code == 303
    assert [message["body"] for message in ada.read(room, after=0)["messages"]] == [body] * 5


@pytest.mark.parametrize("field", ["body", "new_message"])
def test_a_browsers_line_break_in_a_form_is_a_newline(field: str, ada: Person) -> None:
    room = ada.make_room("anything")
    path = f"/chats/{room}/" if field == "body" else f"/chats/{room}/http"
    assert ada.http.post(path, data={field: "one\r\ntwo"}).status_code in (200, 303)
    assert ada.read(room, after=0)["messages"][0]["body"] == "one\ntwo"


@pytest.mark.parametrize(
    ("path", "field"), [("/chats/{}/", b"body"), ("/chats/{}/http", b"new_message"), ("/guests", b"name")]
)
@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("application/x-www-form-urlencoded", b"%b=caf%%E9"),
        ("application/x-www-form-urlencoded", b"%b=caf\xe9"),
        ("application/x-www-form-urlencoded", b"%b=%%ED%%A0%%80"),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="%b"\r\n\r\ncaf\xe9\r\n--x--\r\n',
        ),
    ],
    ids=["quoted", "bare", "a surrogate", "multipart"],
)
def test_form_bytes_that_are_not_utf8_are_refused(
    path: str, field: bytes, kind: str, content: bytes, ada: Person, board: int
) -> None:
    headers = {"Content-Type": kind, "Accept": "text/html"}
    answer = ada.http.post(path.format(board), content=content % field, headers=headers)
    assert answer.status_code == 400


# -- JSON -----------------------------------------------------------------------------------------------

DEEP = "[" * 10_000 + "]" * 10_000


@pytest.mark.parametrize("text", ["[]", '"x"', "7", "null", "true", '[{"body":"x"}]'])
def test_json_that_is_no_object_is_a_bad_request(text: str, ada: Person, board: int) -> None:
    assert problem(_post_text(ada, board, text)) == "bad_request"
    with closing(ada.socket()) as ws:
        ws.send(text)
        error = ws.expect(lambda frame: frame["type"] == "error")
        assert (error["code"], error["re"]) == ("bad_request", None)
        assert _still_answers(ws)


@pytest.mark.parametrize(
    "text",
    ["", "{", "hello", '{"type":"ping"} and more', "{'type':'ping'}", '{"after":NaN}', '{"after":Infinity}', DEEP,
     '{"type":"ping","more":%s}' % DEEP],
    ids=["nothing", "half", "a word", "more", "single quotes", "NaN", "Infinity", "too deep", "too deep within"],
)  # fmt: skip
def test_what_is_not_json_closes_the_socket_with_1007_and_is_a_bad_request_elsewhere(
    text: str, ada: Person, board: int
) -> None:
    assert problem(_post_text(ada, board, text)) == "bad_request"
    assert _closes(ada, text) == 1007


@pytest.mark.parametrize("body", [DEEP, '{"more":%s,"body":"x"}' % DEEP, '{"body":%s}' % DEEP])
def test_json_that_is_too_deep_is_refused(body: str, ada: Person, board: int) -> None:
    assert problem(_post_text(ada, board, body)) == "bad_request"


def test_of_duplicate_keys_the_last_wins_and_unknown_keys_are_ignored(ada: Person) -> None:
    room = ada.make_room("anything")
    kept = _post_text(ada, room, '{"body":"first","body":"last","unknown":{"body":[1]},"seq":99,"at":"now"}')
    assert kept.status_code == 201
    with closing(ada.socket()) as ws:
        ws.send('{"type":"ping","type":"send","room":0,"room":%d,"body":7,"body":"last","x":[]}' % room)
        ws.expect(lambda frame: frame["type"] == "ack")
    bodies = [(message["seq"], message["body"]) for message in ada.read(room, after=0)["messages"]]
    assert bodies == [(1, "last"), (2, "last")]


@doors(JSON_DOORS)
@pytest.mark.parametrize(
    "fields",
    [{"client_id": 7}, {"client_id": ["a"]}, {"client_id": "x" * 65}, {"client_id": "a\x00b"}, {"kind": 7},
     {"kind": "notice"}, {"kind": "whisper"}, {"of": "1"}, {"of": 1.5}, {"of": 1e99}, {"of": 2**63}, {"of": -1},
     {"of": 999}, {"kind": "edit"}, {"kind": "delete"}, {"kind": "reaction"}, {"kind": "reaction", "of": 1, "body": 7}],
    ids=repr,
)  # fmt: skip
def test_fields_of_another_type_or_range_are_refused(
    door: Door, fields: dict[str, Any], ada: Person, board: int
) -> None:
    draft = {"body": "hi", **fields}
    if door is post:
        assert problem(ada.http.post(ada.messages(board), json=draft)) == "bad_request"
    else:
        with closing(ada.socket()) as ws:
            ws.send({"type": "send", "room": board, **draft})
            assert ws.expect(lambda frame: frame["type"] == "error")["code"] == "bad_request"
            assert _still_answers(ws)


@pytest.mark.parametrize(
    "frame",
    [{}, {"type": None}, {"type": 7}, {"type": "shout"}, {"type": ["send"]}, {"type": "join"},
     {"type": "join", "room": "1"}, {"type": "join", "room": None}, {"type": "join", "room": 1.5},
     {"type": "join", "room": 1, "epoch": 7}, {"type": "leave"},
     {"type": "leave", "room": "x"}, {"type": "typing"}, {"type": "read", "room": 1},
     {"type": "read", "room": 1, "seq": "1"}, {"type": "send", "body": "hi"}],
    ids=str,
)  # fmt: skip
def test_a_frame_that_cannot_be_understood_is_a_bad_request_and_does_not_close_the_socket(
    frame: dict[str, Any], ada: Person, board: int
) -> None:
    with closing(ada.socket()) as ws:
        ws.send(frame)
        error = ws.expect(lambda frame: frame["type"] == "error")
        assert error["code"] == "bad_request"
        assert error["message"]
        assert error["re"] == (frame.get("type") if isinstance(frame.get("type"), str) else None)
        assert _still_answers(ws)


# -- cursors and other numbers ---------------------------------------------------------------------------


@pytest.mark.parametrize("after", ["-2", "1e99", "NaN", "x", "1.5", "-", "１", "0x1", "1 2", "inf"])
def test_a_cursor_that_is_none_is_a_bad_request(after: str, ada: Person, board: int) -> None:
    assert problem(ada.http.get(ada.messages(board), params={"after": after})) == "bad_request"


@pytest.mark.parametrize(
    "ident", ["-2", "1e99", "NaN", "x", "-", "0x1", "1 2", "x.k3v9", ".k3v9", "-2.k3v9", "1e99.k3v9", "."]
)
@pytest.mark.parametrize("where", ["Last-Event-ID", "after"])
def test_an_event_id_that_is_none_is_a_bad_request(where: str, ident: str, ada: Person, board: int) -> None:
    given = {"params": {"after": ident}} if where == "after" else {"headers": {where: ident}}
    with ada.http.stream("GET", f"/api/rooms/{board}/stream", **given) as answer:
        assert answer.status_code == 400  # a stream that opened would not end
        answer.read()
        assert problem(answer) == "bad_request"


@pytest.mark.parametrize("after", [-2, 1e99, 1.5, "x", "1", [1], True], ids=repr)
def test_a_join_with_a_cursor_that_is_none_is_a_bad_request(after: object, ada: Person, board: int) -> None:
    with closing(ada.socket()) as ws:
        answer = ws.join(board, after=after)
        assert (answer["type"], answer["code"], answer["re"]) == ("error", "bad_request", "join")
        assert _still_answers(ws)


def test_a_join_after_nan_is_not_json(ada: Person, board: int) -> None:
    assert _closes(ada, '{"type":"join","room":%d,"after":NaN}' % board) == 1007


@pytest.mark.parametrize("after", [2**63, 2**64, 10**18])
def test_a_cursor_beyond_all_numbers_is_a_reset(after: int, ada: Person, board: int) -> None:
    assert ada.read(board, after=after)["reset"] is True
    with closing(ada.socket()) as ws:
        assert ws.join(board, after=after)["type"] == "reset"


@pytest.mark.parametrize(
    "query",
    [{"wait": "-1"}, {"wait": "a"}, {"wait": "NaN"}, {"wait": ""}, {"limit": "0"}, {"limit": "201"},
     {"limit": "-1"}, {"limit": "a"}, {"before": "x"}, {"before": "-1"}, {"before": "1e99"},
     {"before": "5", "after": "1"}, {"before": "1", "limit": "0"}],
    ids=str,
)  # fmt: skip
def test_a_query_that_makes_no_sense_is_a_bad_request(query: dict[str, str], ada: Person, board: int) -> None:
    assert problem(ada.http.get(ada.messages(board), params=query)) == "bad_request"


@pytest.mark.parametrize("wait", ["1000000", "1e6", "9" * 400])
def test_a_wait_of_a_million_seconds_is_the_longest_wait_there_is(wait: str, ada: Person, board: int) -> None:
    assert ada.read(board, after=0, wait=wait)["messages"]


@pytest.mark.parametrize("since", ["NaN", "inf", "-inf", "1e999", "x", ""])
def test_a_lastupdate_that_is_no_finite_number_is_a_bad_request(since: str, ada: Person, board: int) -> None:
    assert problem(ada.http.get(f"/chats/{board}/http", params={"lastupdate": since})) == "bad_request"


@pytest.mark.parametrize(
    "callback",
    ["alert(1)", "a b", "a;b", "1a", "a.", ".a", "a..b", "a[0]", "a-b", "", "x" * 65, "a\n", "</script>", "a.1b",
     "a\u2028"],
    ids=repr,
)  # fmt: skip
def test_a_callback_that_is_no_javascript_name_is_a_bad_request(
    callback: str, ada: Person, board: int
) -> None:
    answer = ada.http.get(f"/chats/{board}/http", params={"lastupdate": "-1", "callback": callback})
    assert problem(answer) == "bad_request"


# -- rooms ----------------------------------------------------------------------------------------------

NO_ROOMS = ["0", "-1", str(2**63), "999999", "x"]


@pytest.mark.parametrize("room", NO_ROOMS)
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/api/rooms/{}/messages", None),
        ("GET", "/api/rooms/{}/messages?before=9", None),
        ("GET", "/api/rooms/{}/messages?after=1&wait=9", None),
        ("POST", "/api/rooms/{}/messages", {"json": {"body": "hi"}}),
        ("GET", "/api/rooms/{}/stream", None),
        ("GET", "/api/rooms/{}/presence", None),
        ("POST", "/api/rooms/{}/typing", None),
        ("POST", "/api/rooms/{}/read", {"json": {"seq": 1}}),
        ("GET", "/chats/{}/http?lastupdate=-1", None),
        ("GET", "/chats/{}/http?lastupdate=1&callback=cb", None),
        ("POST", "/chats/{}/http", {"data": {"new_message": "hi"}}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_room_that_there_is_not_is_no_such_room(
    method: str, path: str, body: dict[str, Any] | None, room: str, ada: Person, board: int
) -> None:
    assert problem(ada.http.request(method, path.format(room), **(body or {}))) == "no_such_room"


@pytest.mark.parametrize(
    "room", [str(2**63 - 1), str(2**64), "9" * 1000, "1x", "1.0", "１", "%00", "+1", "1%20"]
)
def test_what_is_no_number_is_no_room_either(room: str, ada: Person, board: int) -> None:
    assert problem(ada.http.get(f"/api/rooms/{room}/messages")) == "no_such_room"


@pytest.mark.parametrize("room", NO_ROOMS)
@pytest.mark.parametrize("path", ["/chats/{}/", "/chats/long_poll/{}/"])
def test_the_page_of_a_room_that_there_is_not_is_a_page_that_says_so(
    path: str, room: str, ada: Person, board: int
) -> None:
    browser = {"Accept": "text/html"}
    assert page(ada.http.get(path.format(room), headers=browser)) == "no_such_room"


@pytest.mark.parametrize("room", [0, -1, 2**63, 2**63 - 1, 10**30, 999999])
def test_a_socket_is_told_that_there_is_no_such_room_and_stays_open(
    room: int, ada: Person, board: int
) -> None:
    with closing(ada.socket()) as ws:
        ws.send({"type": "join", "room": room})
        assert (
            ws.expect(lambda frame: frame["type"] == "error" and frame["re"] == "join")["code"]
            == "no_such_room"
        )
        ws.send({"type": "send", "room": room, "client_id": "c1", "body": "hi"})
        error = ws.expect(lambda frame: frame.get("re") == "send")
        assert (error["code"], error["client_id"]) == ("no_such_room", "c1")
        ws.send({"type": "leave", "room": room})
        ws.expect(lambda frame: frame == {"type": "left", "room": room})
        for kind in ({"type": "typing"}, {"type": "read", "seq": 1}):
            ws.send({**kind, "room": room})
            ws.expect(lambda frame, kind=kind: frame.get("re") == kind["type"])
        assert _still_answers(ws)


@pytest.mark.parametrize("room", ["0", "-1", str(2**63), "999999", "x"])
def test_a_plain_socket_in_no_room_is_accepted_and_closed_with_4404(
    room: str, ada: Person, board: int
) -> None:
    with closing(ada.socket(path=f"/chats/{room}/ws", subprotocols=None)) as ws:
        assert eventually(lambda: ws.closed)[0] == 4404


@doors(TEXT_DOORS)
def test_a_closed_room_refuses_every_word(door: Door, ada: Person, closed: int) -> None:
    before = ada.read(closed, after=0)
    assert door(ada, closed, "hi") in ("room_closed", None)
    assert ada.read(closed, after=0) == before


@pytest.mark.parametrize(
    "fields", [{"kind": "edit", "body": "other"}, {"kind": "delete"}, {"kind": "reaction", "body": "👍"}]
)
def test_a_closed_room_refuses_changes_too(fields: dict[str, Any], ada: Person, closed: int) -> None:
    before = ada.read(closed, after=0)
    answer = ada.http.post(ada.messages(closed), json={**fields, "of": 1})
    assert problem(answer) == "room_closed"
    assert ada.read(closed, after=0) == before


# -- names ----------------------------------------------------------------------------------------------

NO_NAMES = {
    "empty": "",
    "spaces": "   ",
    "10,000": "x" * 10_000,
    "right to left": "a\u202eb",
    "a mark": "ada\u200f",
    "isolate": "\u2066ada\u2069",
    "newline": "a\nb",
    "line separator": "a\u2028b",
    "tab": "a\tb",
    "NUL": "a\x00b",
    "invisible": "\u200b\u200d",
}
every_bad_name = pytest.mark.parametrize("name", NO_NAMES.values(), ids=NO_NAMES)


@every_bad_name
def test_nobody_can_be_called_so(name: str, server: Server, ada: Person, board: int) -> None:
    with httpx.Client(verify=False, base_url=server.url) as somebody:
        assert problem(somebody.post("/guests", json={"name": name})) == "bad_request"
        assert (
            page(somebody.post("/guests", data={"name": name}, headers={"Accept": "text/html"}))
            == "bad_request"
        )
        assert problem(somebody.post(ada.messages(board), json={"body": "hi"})) == "sign_in"


@every_bad_name
def test_no_room_can_be_called_so(name: str, ada: Person, board: int) -> None:
    rooms = ada.http.get("/api/rooms").json()
    assert problem(ada.http.post("/api/rooms", json={"name": name})) == "bad_request"
    assert (
        page(ada.http.post("/chats/", data={"name": name}, headers={"Accept": "text/html"})) == "bad_request"
    )
    if name.strip():
        assert problem(ada.http.post("/api/rooms", json={"name": "fine", "topic": name})) == "bad_request"
    assert _without_presence(ada.http.get("/api/rooms").json()) == _without_presence(rooms)


@pytest.mark.parametrize("name", [None, 7, True, ["ada"], {"a": 1}, "x" * 41], ids=repr)
def test_a_name_is_a_string_of_at_most_forty_characters(
    name: object, server: Server, ada: Person, board: int
) -> None:
    with httpx.Client(verify=False, base_url=server.url) as somebody:
        assert problem(somebody.post("/guests", json={"name": name})) == "bad_request"
        assert problem(somebody.post("/guests", json={})) == "bad_request"
        if not isinstance(name, str):
            assert problem(ada.http.post("/api/rooms", json={"name": name})) == "bad_request"


@pytest.mark.parametrize(
    ("given", "kept"),
    [("  ada  ", "ada"), ("x" * 40, "x" * 40), ("😀" * 40, "😀" * 40), ("عائشة", "عائشة"), ("Zoë O'Hara", "Zoë O'Hara"),
     ("<b>", "<b>")],
)  # fmt: skip
def test_what_a_name_may_be(given: str, kept: str, server: Server) -> None:
    with httpx.Client(verify=False, base_url=server.url) as somebody:
        answer = somebody.post("/guests", json={"name": given})
        assert (answer.status_code, answer.json()["name"]) == (201, kept)


# -- requests -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "data"),
    [("/chats/{}/", {"body": "hi"}), ("/chats/{}/http", {"new_message": "hi"}), ("/chats/", {"name": "room"}),
     ("/guests", {"name": "mallory"})],
)  # fmt: skip
@pytest.mark.parametrize("token", [None, "", "wrong"])
def test_a_form_without_its_csrf_token_is_forbidden(
    path: str, data: dict[str, str], token: str | None, ada: Person, board: int
) -> None:
    fields = data if token is None else {**data, "csrf_token": token}
    headers = {"Cookie": ada.cookie, "Accept": "text/html"}
    answer = nobody_posts(ada.server.url + path.format(board), data=fields, headers=headers)
    assert answer.status_code == 403
    if not path.endswith("/http"):
        assert page(answer) == "forbidden"


POSTS = [
    ("/api/rooms/{}/messages", "application/json"),
    ("/chats/{}/http", "application/x-www-form-urlencoded"),
    ("/chats/{}/", "application/x-www-form-urlencoded"),
    ("/guests", "application/json"),
    ("/api/rooms", "application/json"),
]
every_post = pytest.mark.parametrize(("path", "kind"), POSTS, ids=[path for path, _ in POSTS])


@every_post
def test_a_body_over_a_mebibyte_is_too_long(path: str, kind: str, ada: Person, board: int) -> None:
    with RawSocket(ada.server) as raw:
        length = str(REQUEST + 1)
        raw.request("POST", path.format(board), **_headers(ada, kind, Content_Length=length))
        assert raw.answer().status == 413
        raw.wait_for_end()


@every_post
def test_a_body_over_a_mebibyte_in_chunks_is_too_long(path: str, kind: str, ada: Person, board: int) -> None:
    with RawSocket(ada.server) as raw:
        raw.request("POST", path.format(board), **_headers(ada, kind, Transfer_Encoding="chunked"))
        raw.send(b"%x\r\n%b\r\n0\r\n\r\n" % (REQUEST + 1, b"x" * (REQUEST + 1)))
        assert raw.answer().status == 413


def test_a_body_in_chunks_is_read_as_any_other(ada: Person) -> None:
    room = ada.make_room("anything")
    with RawSocket(ada.server) as raw:
        path = f"/api/rooms/{room}/messages"
        raw.request("POST", path, **_headers(ada, "application/json", Transfer_Encoding="chunked"))
        raw.send(b"7\r\n" + b'{"body"' + b"\r\n" + b"6\r\n" + b':"hi"}' + b"\r\n0\r\n\r\n")
        assert raw.answer().status == 201


@every_post
@pytest.mark.parametrize(
    "chunk", [b"zz\r\n", b"ff\r\n{", b"5\r\nhello"], ids=["no length", "cut off", "no end"]
)
def test_chunks_that_are_none_or_are_cut_off_are_a_bad_request(
    chunk: bytes, path: str, kind: str, ada: Person, board: int
) -> None:
    with RawSocket(ada.server) as raw:
        raw.request("POST", path.format(board), **_headers(ada, kind, Transfer_Encoding="chunked"))
        raw.send(chunk)
        raw.sock.shutdown(1)
        answer = raw.answer()
        assert answer.status == 400
        assert answer.headers["connection"] == "close"
        raw.wait_for_end()


@every_post
@pytest.mark.parametrize("whole", [True, False], ids=["then hangs up", "then waits for the answer"])
def test_a_body_that_is_cut_off_changes_nothing(
    path: str, kind: str, whole: bool, ada: Person, board: int
) -> None:
    body = b'{"body":"hi","name":"x"}' if "json" in kind else b"new_message=hi&body=hi"
    rooms = len(ada.http.get("/api/rooms").json()["rooms"])
    with RawSocket(ada.server) as raw:
        raw.request("POST", path.format(board), **_headers(ada, kind, Content_Length=str(len(body) + 10)))
        raw.send(body)
        if whole:
            return
        raw.sock.shutdown(1)
        assert raw.answer().status == 400
    assert len(ada.http.get("/api/rooms").json()["rooms"]) == rooms


@pytest.mark.parametrize("path", ["/api/rooms/{}/messages", "/api/rooms", "/api/rooms/{}/read"])
@pytest.mark.parametrize(
    "kind",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "", "nonsense"],
)
def test_json_with_a_wrong_content_type_is_a_bad_request(
    path: str, kind: str, ada: Person, board: int
) -> None:
    answer = ada.http.post(
        path.format(board), content=b'{"body":"hi","name":"room","seq":1}', headers={"Content-Type": kind}
    )
    assert problem(answer) == "bad_request"


def test_a_json_body_that_is_not_utf8_is_a_bad_request(ada: Person, board: int) -> None:
    answer = ada.http.post(
        ada.messages(board), content=b'{"body":"caf\xe9"}', headers={"Content-Type": "application/json"}
    )
    assert problem(answer) == "bad_request"


@pytest.mark.parametrize(
    ("kind", "content"),
    [("application/json", b'{"new_message":"hi"}'), ("text/plain", b"new_message=hi"),
     ("application/x-www-form-urlencoded", b"other=hi"), ("application/x-www-form-urlencoded", b"")],
)  # fmt: skip
def test_a_tutorial_post_without_its_field_is_a_bad_request(
    kind: str, content: bytes, ada: Person, board: int
) -> None:
    answer = ada.http.post(f"/chats/{board}/http", content=content, headers={"Content-Type": kind})
    assert problem(answer) == "bad_request"


@pytest.mark.parametrize(
    ("method", "path"),
    [("DELETE", "/api/rooms/{}/messages"), ("PUT", "/api/rooms/{}/messages"), ("POST", "/api/rooms/{}/stream"),
     ("DELETE", "/api/rooms"), ("GET", "/api/rooms/{}/typing"), ("PUT", "/chats/{}/http")],
)  # fmt: skip
def test_a_method_that_a_path_does_not_know_is_405(method: str, path: str, ada: Person, board: int) -> None:
    answer = ada.http.request(method, path.format(board))
    assert answer.status_code == 405
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["allow"]


# -- clients that take their time -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that gives a head and a body one second each."""
    folder = tmp_path_factory.mktemp("impatient") / "instance"
    server = Server(folder, request_seconds="1").start("--keep-alive", "1")
    yield server
    server.kill()


@pytest.mark.parametrize(
    "drip",
    [
        lambda raw, head: raw.wait_for_end(),
        lambda raw, head: raw.drip(b"GET /healthz HTTP/1.1\r\n" + b"X-A: b\r\n" * 10_000),
        lambda raw, head: [raw.send(head), raw.drip(b"x")],
        lambda raw, head: [raw.send(head), raw.wait_for_end()],
    ],
    ids=["says nothing", "sends its head byte by byte", "sends its body byte by byte", "sends no body"],
)
def test_a_client_that_takes_its_time_is_let_go_and_keeps_nobody_waiting(
    drip: Callable[[RawSocket, bytes], object], impatient: Server
) -> None:
    ada = Person(impatient, "ada")
    ada.http.headers["Connection"] = "close"  # or hers is let go as well, just as she uses it
    head = f"POST /api/rooms/1/messages HTTP/1.1\r\nHost: {impatient.host}\r\nOrigin: {impatient.url}\r\n"
    head += f"Cookie: {ada.cookie}\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n"
    cursor = ada.read(1)["cursor"]
    slow = [RawSocket(impatient) for _ in range(20)]
    assert ada.say(1, "they are all connected")["seq"] == cursor + 1
    drip(slow[0], head.encode())
    assert ada.say(1, "and gone")["seq"] == cursor + 2
    for raw in slow:
        raw.wait_for_end()
        raw.sock.close()
    ada.close()


# -- anything at all ------------------------------------------------------------------------------------

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=3), inner, max_size=3),
    max_leaves=5,
)  # fmt: skip
KINDS = st.sampled_from(["join", "leave", "send", "typing", "read", "ping"]) | VALUES
FIELDS = st.sampled_from(["room", "after", "epoch", "body", "kind", "of", "client_id", "seq", "remove"])


def test_no_json_whatever_closes_a_socket(ada: Person) -> None:
    room = ada.make_room("anything")

    with closing(ada.socket()) as ws:

        @settings(max_examples=300, deadline=None, database=None, derandomize=True,
                  suppress_health_check=list(HealthCheck))  # fmt: skip
        @given(kind=KINDS, fields=st.dictionaries(FIELDS, VALUES | st.just(room), max_size=5), whole=VALUES)
        def any_frame(kind: Any, fields: dict[str, Any], whole: Any) -> None:
            ws.send({**fields, "type": kind})
            ws.send(json.dumps(whole))

        faults = _faults(ada.server)
        any_frame()
        assert _still_answers(ws)
        assert not [frame for frame in ws.of("error") if frame["code"] not in STATUS]
    assert _faults(ada.server) == faults


# -- within ---------------------------------------------------------------------------------------------


def _still_answers(ws: Socket) -> bool:
    seen = len(ws.frames)
    ws.send({"type": "ping"})
    return bool(ws.expect(lambda frame: frame == {"type": "pong"}, seen))


def _closes(person: Person, text: str) -> int:
    """The code with which the server answers the frame `text`."""
    with closing(person.socket()) as ws:
        ws.send(text)
        return eventually(lambda: ws.closed)[0]


def _post_text(person: Person, room: int, text: str) -> httpx.Response:
    headers = {"Content-Type": "application/json"}
    return person.http.post(person.messages(room), content=text.encode(), headers=headers)


def _headers(person: Person, kind: str, **more: str) -> dict[str, str]:
    return {"Cookie": person.cookie, "Origin": person.server.url, "Content_Type": kind, **more}


def _without_presence(listed: dict[str, Any]) -> list[dict[str, Any]]:
    return [{**room, "here": 0} for room in listed["rooms"]]


@pytest.mark.parametrize("path", ["/chats/{}/", "/chats/", "/guests"])
def test_a_form_over_a_mebibyte_is_answered_with_a_page_that_says_so(
    path: str, ada: Person, board: int
) -> None:
    answer = ada.http.post(
        path.format(board), content=b"body=" + b"x" * 1_100_000, headers={"Accept": "text/html"}
    )
    assert page(answer) == "too_long"
