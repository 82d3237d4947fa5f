"""RFC 6455 to the letter: handshakes, and the table of rfc6455_cases.py, by raw bytes against a running server."""

from collections.abc import Iterator

import pytest

from tests.clients import Person
from tests.raw_socket import CLOSE, KEY, PONG, TEXT, RawSocket
from tests.rfc6455_cases import BOTH, FAMILIES, LIMIT, Case, close, frame, sized
from tests.servers import Server

PIECE = 997  # bytes: what is long comes in pieces of a prime number, so that they end anywhere
LONG = 1500


@pytest.fixture(scope="module")
def ada(one_worker: Server) -> Iterator[Person]:
    person = Person(one_worker, "ada")
    yield person
    person.close()


@pytest.fixture(scope="module")
def board(ada: Person) -> int:
    return ada.make_room("board")


both_sockets = pytest.mark.parametrize("path", BOTH, ids=["chatapp.v1", "plain"])

# -- handshakes -----------------------------------------------------------------------------------------

ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="  # the answer to KEY, RFC 6455 section 1.3


@both_sockets
@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"Upgrade": "WebSocket", "Connection": "keep-alive, upgrade"},  # as Firefox has it
        {"Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits"},
        {"Sec-WebSocket-Extensions": "permessage-deflate, x-webkit-deflate-frame, x-unheard-of; a=1"},
        {"Origin": "http://{host}"},
        {"Origin": "HTTP://{host}"},
        {"Cookie": "chatapp=nonsense"},
    ],
    ids=str,
)
def test_a_handshake_is_accepted_without_any_extension(
    path: str, fields: dict[str, str], ada: Person, board: int
) -> None:
    status, headers = _ask(ada.server, path.format(board), fields)
    assert status == 101
    protocol = {"sec-websocket-protocol": "chatapp.v1"} if path == "/ws" else {}
    assert headers.pop("date")
    assert headers.pop("x-request-id")
    assert headers == {
        "upgrade": "websocket", "connection": "Upgrade", "sec-websocket-accept": ACCEPT, **protocol
    }  # fmt: skip


@pytest.mark.parametrize(
    "offered",
    ["chatapp.v9, chatapp.v1, other", "other,chatapp.v1", "chatapp.v9\r\nSec-WebSocket-Protocol: chatapp.v1"],
)
def test_of_several_subprotocols_ours_is_chosen(offered: str, ada: Person) -> None:
    status, headers = _ask(ada.server, "/ws", {"Sec-WebSocket-Protocol": offered})
    assert (status, headers["sec-websocket-protocol"]) == (101, "chatapp.v1")


@both_sockets
@pytest.mark.parametrize(
    "fields",
    [
        {"Sec-WebSocket-Version": ""},
        {"Sec-WebSocket-Version": "8"},
        {"Sec-WebSocket-Version": "14"},
        {"Sec-WebSocket-Version": "13, 8"},
        {"Sec-WebSocket-Version": "13\r\nSec-WebSocket-Version: 8"},
        {"Sec-WebSocket-Key": ""},
        {"Sec-WebSocket-Key": "short"},
        {"Sec-WebSocket-Key": "MTIzNDU2Nzg5MDEyMzQ1"},  # 15 bytes
        {"Sec-WebSocket-Key": "MTIzNDU2Nzg5MDEyMzQ1Njc="},  # 17 bytes
        {"Sec-WebSocket-Key": "!!!!!!!!!!!!!!!!!!!!!!=="},
        {"Sec-WebSocket-Key": f"{KEY}\r\nSec-WebSocket-Key: {KEY}"},
        {"Host": ""},
    ],
    ids=str,
)
def test_a_handshake_that_is_none_is_told_which_version_is_spoken_here(
    path: str, fields: dict[str, str], ada: Person, board: int
) -> None:
    status, headers = _ask(ada.server, path.format(board), fields)
    assert (status, headers["sec-websocket-version"]) == (400, "13")


@both_sockets
@pytest.mark.parametrize(
    ("fields", "body"),
    [({"Content-Length": "2"}, b"\x89\x80"), ({"Transfer-Encoding": "chunked"}, b"0\r\n\r\n")],
    ids=["of a length", "in chunks"],
)
def test_a_handshake_has_no_body(
    path: str, fields: dict[str, str], body: bytes, ada: Person, board: int
) -> None:
    assert _ask(ada.server, path.format(board), fields, body=body)[0] == 400


@pytest.mark.parametrize("first", ["GET /ws HTTP/1.0", "HEAD /ws HTTP/1.1"])
def test_a_handshake_is_a_get_of_http_1_1(first: str, ada: Person) -> None:
    status, headers = _ask(ada.server, "/ws", {}, first=first)
    assert (status, headers["sec-websocket-version"]) == (400, "13")


@pytest.mark.parametrize(
    ("path", "fields", "status"),
    [
        ("/ws", {"Upgrade": ""}, 400),
        ("/ws", {"Upgrade": "h2c"}, 400),
        ("/ws", {"Connection": ""}, 400),
        ("/ws", {"Connection": "keep-alive"}, 400),
        ("/ws", {"Sec-WebSocket-Protocol": ""}, 400),
        ("/ws", {"Sec-WebSocket-Protocol": "chatapp.v2"}, 400),
        ("/ws", {"Sec-WebSocket-Protocol": "CHATAPP.V1"}, 400),
        ("/ws", {"Sec-WebSocket-Protocol": '"chatapp.v1"'}, 400),
        ("/ws", {"Origin": "http://mallory.example"}, 403),
        ("/ws", {"Origin": "null"}, 403),
        ("/ws", {"Origin": "https://{host}"}, 403),
        ("/ws", {"Origin": "http://127.0.0.1:1"}, 403),
        ("/ws/", {}, 404),
        ("/chat", {}, 404),
        ("/api/ws", {}, 404),
        ("/chats/{room}/ws", {"Origin": "http://mallory.example"}, 403),
        ("/chats/{room}/ws", {"Sec-WebSocket-Protocol": "chatapp.v1"}, 400),
    ],
    ids=str,
)
def test_a_handshake_that_cannot_be_is_answered_with_its_status(
    path: str, fields: dict[str, str], status: int, ada: Person, board: int
) -> None:
    assert _ask(ada.server, path.format(room=board), fields)[0] == status


@both_sockets
def test_the_address_of_a_socket_opened_as_a_page_is_a_bad_request(
    path: str, ada: Person, board: int
) -> None:
    assert ada.http.get(path.format(board)).status_code == 400
    assert ada.http.post(path.format(board)).status_code in (400, 405)


# -- frames ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("case", "path", "pace"),
    [
        pytest.param(
            case, path, pace, id=f"{family}-{case.name}-{'chatapp.v1' if path == '/ws' else 'plain'}-{pace}"
        )
        for family, cases in FAMILIES.items()
        for case in cases
        for pace in ("at once", "byte by byte")
        for path in (case.doors if pace == "at once" else case.doors[:1])  # bytes are gathered below both
    ],
)
def test_what_a_client_sends_is_answered_as_the_standard_has_it(
    case: Case, path: str, pace: str, ada: Person, board: int
) -> None:
    with RawSocket(ada.server) as raw:
        assert raw.handshake(path.format(board), Cookie=ada.cookie).status == 101
        size = len(case.sent) if pace == "at once" else PIECE if len(case.sent) > LONG else 1
        raw.send_in_pieces(case.sent, max(size, 1))
        if case.hangs_up:
            raw.hang_up()
        texts, pongs, end = _parted(raw.frames_until_the_end())
    if path == "/ws":
        assert texts == [b'{"type":"pong"}'] * len(case.texts)
    else:
        assert texts.pop(0) == b"connected ...."
        assert [b"refused" if text.startswith(b"! ") else text for text in texts] == [
            b"refused" if case.refused else text for text in case.texts
        ]
    assert pongs == list(case.pongs)
    assert (int.from_bytes(end[:2]) if end and isinstance(case.end, int) else end) == case.end
    assert not any("Traceback" in line for line in ada.server.log)


def test_a_text_of_exactly_the_limit_may_come_byte_by_byte(ada: Person) -> None:
    with RawSocket(ada.server) as raw:
        assert raw.handshake().status == 101
        raw.send_in_pieces(frame(sized(LIMIT)) + frame(close(), CLOSE), 1)
        assert raw.frames_until_the_end() == [(TEXT, b'{"type":"pong"}'), (CLOSE, close())]


# -- within ---------------------------------------------------------------------------------------------


def _ask(
    server: Server, path: str, fields: dict[str, str], first: str = "GET {path} HTTP/1.1", body: bytes = b""
) -> tuple[int, dict[str, str]]:
    """Status and headers of the answer to a good handshake but for `fields`; "" leaves one out."""
    good = {
        "Host": server.host,
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": KEY,
        "Sec-WebSocket-Protocol": "chatapp.v1" if path == "/ws" else "",
    }
    changed = {name: value.format(host=server.host) for name, value in fields.items()}
    lines = [f"{name}: {value}" for name, value in {**good, **changed}.items() if value]
    with RawSocket(server) as raw:
        raw.send("\r\n".join([first.format(path=path), *lines, "", ""]).encode() + body)
        status, *answered = raw.read_until(b"\r\n\r\n").decode().split("\r\n")
    pairs = (line.split(": ", 1) for line in answered if line)
    return int(status.split()[1]), {name.lower(): value for name, value in pairs}


def _parted(frames: list[tuple[int, bytes]]) -> tuple[list[bytes], list[bytes], bytes | None]:
    """Texts, pongs and the payload of the goodbye, behind which there is nothing.

    Whether a text or a pong comes first is not said: a pong may wait until the texts before it are answered.
    """
    end = frames.pop()[1] if frames and frames[-1][0] == CLOSE else None
    assert {opcode for opcode, _ in frames} <= {TEXT, PONG}
    texts, pongs = ([payload for opcode, payload in frames if opcode == kind] for kind in (TEXT, PONG))
    return texts, pongs, end
