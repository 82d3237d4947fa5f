"""Little that becomes much: none of it is taken apart further than a message would be."""

import gzip
import json
import zlib
from contextlib import closing, suppress
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from tests.clients import Person, eventually
from tests.raw_socket import CONTINUATION, RawSocket, frame_bytes, problem

pytestmark = pytest.mark.usefixtures("unharmed")

MUCH = 900_000  # bytes: what fits into a request
FORM = "application/x-www-form-urlencoded"
FORM_DOORS = {"/chats/{}/http": "new_message", "/chats/{}/": "body", "/chats/": "name", "/guests": "name"}
every_form = pytest.mark.parametrize(("path", "field"), FORM_DOORS.items(), ids=list(FORM_DOORS))

NUMBERS = {
    "more than a database has": str(2**63),
    "less than a database has": str(-(2**63) - 1),
    "more than a machine has": str(2**64),
    "400 digits": "9" * 400,
    "more digits than Python reads": "9" * 5000,
    "an exponent": "1e400",
    "a fraction": "0.1",
}
every_number = pytest.mark.parametrize("number", NUMBERS.values(), ids=list(NUMBERS))

# Each field in which a number is asked for: the request that has it, %s for the number.
JSON_NUMBERS = {
    "seq of read": ("POST", "/api/rooms/{}/read", '{"seq":%s}'),
    "of of a message": ("POST", "/api/rooms/{}/messages", '{"body":"hi","of":%s}'),
    "slow_seconds": ("PATCH", "/api/rooms/{}", '{"slow_seconds":%s}'),
    "keep_days": ("PATCH", "/api/rooms/{}", '{"keep_days":%s}'),
    "keep_messages": ("PATCH", "/api/rooms/{}", '{"keep_messages":%s}'),
    "seconds of a sanction": (
        "POST",
        "/api/rooms/{}/sanctions",
        '{"kind":"ban","person":"g1","seconds":%s}',
    ),
}
QUERY_NUMBERS = {
    "after": "/api/rooms/{}/messages?after=%s",
    "before": "/api/rooms/{}/messages?before=%s",
    "wait": "/api/rooms/{}/messages?after=0&wait=%s",
    "limit": "/api/rooms/{}/messages?limit=%s",
    "after of a stream": "/api/rooms/{}/stream?after=x%s",
    "lastupdate": "/chats/{}/http?lastupdate=-%s",
    "before of the page": "/chats/{}/?before=%s",
    "a room": "/api/rooms/%s/messages",
    "a sanction": "/api/rooms/{}/sanctions/%s",
}
FRAME_NUMBERS = {
    "room": '{"type":"join","room":%s}',
    "after": '{"type":"join","room":%d,"after":%s}',
    "of": '{"type":"send","room":%d,"body":"hi","of":%s}',
    "seq": '{"type":"read","room":%d,"seq":%s}',
}


@every_number
@pytest.mark.parametrize("field", JSON_NUMBERS)
def test_a_number_beyond_all_measure_is_refused_in_every_field(
    field: str, number: str, ada: Person, board: int
) -> None:
    method, path, text = JSON_NUMBERS[field]
    before = ada.read(board, after=0)
    answer = ada.http.request(
        method,
        path.format(board),
        content=text % number,
        headers={"Content-Type": "application/json"},
    )
    if answer.status_code != 204:  # one may have read further than there is
        assert problem(answer) in ("bad_request", "forbidden")  # a guest who owns a room does not run it
    assert ada.read(board, after=0) == before


@every_number
@pytest.mark.parametrize("field", QUERY_NUMBERS)
def test_a_number_beyond_all_measure_harms_no_query(field: str, number: str, ada: Person, board: int) -> None:
    path = QUERY_NUMBERS[field].replace("{}", str(board)) % number
    method = "DELETE" if field == "a sanction" else "GET"
    assert ada.http.request(method, path).status_code < 500


@every_number
@pytest.mark.parametrize("field", FRAME_NUMBERS)
def test_a_number_beyond_all_measure_harms_no_socket(
    field: str, number: str, ada: Person, board: int
) -> None:
    text = FRAME_NUMBERS[field]
    with closing(ada.socket()) as socket:
        socket.send(text % ((board, number) if text.count("%") == 2 else number))
        with suppress(ConnectionClosed):  # what cannot be read is not JSON: 1007
            socket.send({"type": "ping"})
        eventually(lambda: socket.of("pong") or (socket.closed and socket.closed[0] == 1007))


# -- fields ---------------------------------------------------------------------------------------------


@every_form
def test_a_form_of_half_a_million_fields_is_not_taken_apart(
    path: str, field: str, ada: Person, board: int
) -> None:
    content = f"{field}=hi&csrf_token=x" + "&a" * (MUCH // 2)
    for headers in ({}, {"Cookie": ada.cookie}, {"Origin": ada.server.url}):
        with closing(Person(ada.server)) as nobody:
            del nobody.http.headers["Origin"]
            answer = nobody.http.post(
                path.format(board), content=content, headers={"Content-Type": FORM, **headers}
            )
            assert problem(answer) == "bad_request"
            assert "too many fields" in answer.json()["detail"]


@every_form
def test_a_form_of_many_parts_is_not_taken_apart(path: str, field: str, ada: Person, board: int) -> None:
    part = '--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n'
    content = part * (MUCH // len(part)) + "--x--\r\n"
    answer = ada.http.post(
        path.format(board), content=content, headers={"Content-Type": "multipart/form-data; boundary=x"}
    )
    assert answer.status_code in (400, 413)


def test_a_form_with_a_file_makes_no_file(ada: Person, board: int) -> None:
    answer = ada.http.post(f"/chats/{board}/http", files={"new_message": ("big.txt", b"x" * MUCH)})
    assert problem(answer) in ("bad_request", "too_long")


@pytest.mark.parametrize("name", ["body", "other"])
def test_an_object_of_a_hundred_thousand_names_is_no_message(name: str, ada: Person, board: int) -> None:
    inner = {f"k{number}": number for number in range(60_000)}
    answer = ada.http.post(ada.messages(board), json={name: inner})
    assert problem(answer) == "bad_request"


# -- compressed -----------------------------------------------------------------------------------------

BOMB = b"0" * 50_000_000


@pytest.mark.parametrize(
    ("encoding", "content"),
    [("gzip", gzip.compress(BOMB)), ("deflate", zlib.compress(BOMB)), ("br", b"x"), ("gzip, gzip", b"x")],
    ids=["gzip", "deflate", "br", "twice"],
)
@pytest.mark.parametrize(
    ("path", "kind"), [("/api/rooms/{}/messages", "application/json"), ("/chats/{}/http", FORM)]
)
def test_a_compressed_body_is_not_unpacked(
    path: str, kind: str, encoding: str, content: bytes, ada: Person, board: int
) -> None:
    answer = ada.http.post(
        path.format(board), content=content, headers={"Content-Encoding": encoding, "Content-Type": kind}
    )
    assert problem(answer) == "bad_request"


def test_a_socket_agrees_to_no_compression_and_unpacks_nothing(ada: Person) -> None:
    with RawSocket(ada.server) as raw:
        offer = "permessage-deflate; client_max_window_bits"
        answer = raw.handshake(Cookie=ada.cookie, Sec_WebSocket_Extensions=offer)
        assert answer.status == 101
        assert "sec-websocket-extensions" not in answer.headers
        raw.frame(zlib.compress(BOMB)[2:-4], rsv=4)
        assert raw.close_code() == 1002


# -- deep, wide, and in pieces --------------------------------------------------------------------------


def deep(what: str) -> str:
    opening, closing_ = {"lists": ("[", "]"), "objects": ('{"a":', "}")}[what]
    depth = 30_000
    return opening * depth + "1" + closing_ * depth


@pytest.mark.parametrize("what", ["lists", "objects"])
@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/api/rooms"), ("PATCH", "/api/rooms/{}"), ("PUT", "/api/rooms/{}/members/x"), ("POST", "/guests")],
)  # fmt: skip
def test_json_that_is_too_deep_is_refused_by_every_door_that_reads_any(
    method: str, path: str, what: str, ada: Person, board: int
) -> None:
    for text in (deep(what), f'{{"name":{deep(what)}}}', f'{{"kind":{deep(what)},"role":{deep(what)}}}'):
        answer = ada.http.request(
            method, path.format(board), content=text, headers={"Content-Type": "application/json"}
        )
        assert problem(answer) == "bad_request"


def test_a_message_of_ten_thousand_fragments_is_bounded_as_a_whole(ada: Person) -> None:
    with RawSocket(ada.server) as raw:
        assert raw.handshake(Cookie=ada.cookie).status == 101
        raw.frame(b" " * 100, fin=False)
        raw.send(b"".join(_fragment(b" " * 100) for _ in range(10_000)))
        assert raw.close_code() == 1009


def test_a_mountain_of_empty_fragments_is_not_kept(ada: Person) -> None:
    with RawSocket(ada.server) as raw:
        assert raw.handshake(Cookie=ada.cookie).status == 101
        raw.frame(b"", fin=False)
        raw.send(b"".join(_fragment(b"") for _ in range(5_000)))
        raw.send(_fragment(json.dumps({"type": "ping"}).encode(), fin=True))
        kinds: list[Any] = []
        while not kinds or kinds[-1] not in (8, 1):
            kinds.append(raw.next_frame()[0])


def _fragment(payload: bytes, fin: bool = False) -> bytes:
    return frame_bytes(payload, CONTINUATION, fin=fin)


@pytest.mark.parametrize("accept", ["text/html;q=" + "0" * 4000, ",".join(["text/html"] * 700)])
def test_headers_of_many_parts_are_answered(accept: str, ada: Person, board: int) -> None:
    assert ada.http.get(f"/chats/{board}/", headers={"Accept": accept}).status_code == 200
    assert ada.http.get(f"/chats/{board}/", headers={"Accept-Language": accept}).status_code == 200
    assert ada.http.get(f"/chats/{board}/", headers={"Range": "bytes=" + "0-1," * 1500}).status_code == 200


def test_a_range_of_many_pieces_of_a_file_is_the_whole_file_or_none(ada: Person) -> None:
    ranges = "bytes=" + ",".join(f"{start}-" for start in range(1000))
    answer = ada.http.get("/static/js/room.js", headers={"Range": ranges})
    assert len(answer.content) < 100_000


def test_a_cookie_of_many_parts_is_nobodys(ada: Person, board: int) -> None:
    many = "; ".join(f"chatapp={number}" for number in range(600))
    with closing(Person(ada.server)) as nobody:
        assert nobody.http.get("/api/rooms", headers={"Cookie": many}).status_code == 200
        answer = nobody.http.post(ada.messages(board), json={"body": "hi"}, headers={"Cookie": many})
        assert problem(answer) == "sign_in"
