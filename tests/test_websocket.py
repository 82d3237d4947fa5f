"""chatapp.v1: each frame that a client may send and each answer; and the plain socket of the tutorial."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any

import pytest

from tests.clients import Person, Socket, eventually
from tests.conftest import every_server
from tests.raw_socket import RawSocket
from tests.servers import Server


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Server:
    """One worker, but where a test says `every_server`."""
    return request.getfixturevalue(getattr(request, "param", "one_worker"))


@pytest.fixture
def soon_kept(new_server: Callable[..., Server]) -> Server:
    """A server on which what was read a second after the last is kept at once, not after five."""
    server = new_server()
    server.constants = {"chatapp.reads.KEEP_SECONDS": 1}
    return server.start()


Opener = Callable[..., Socket]


@pytest.fixture
def open_socket() -> Iterator[Opener]:
    """Opens sockets that are closed when the test is over."""
    with ExitStack() as opened:
        yield lambda person, **how: opened.enter_context(closing(person.socket(**how)))


@pytest.fixture
def plain(open_socket: Opener) -> Opener:
    """Opens plain sockets, greeted."""

    def open_plain(person: Person, room: int) -> Socket:
        socket = open_socket(person, path=f"/chats/{room}/ws", subprotocols=None)
        socket.expect(lambda line: line == "connected ....")
        return socket

    return open_plain


# -- join -----------------------------------------------------------------------------------------------


def test_a_join_says_where_the_room_is_and_brings_what_follows_the_cursor(
    ada: Person, grace: Person, board: int, open_socket: Opener
) -> None:
    for number in range(5):
        ada.say(board, f"word {number + 1}")
    epoch = ada.read(board)["epoch"]
    socket = open_socket(grace)
    joined = socket.join(board, after=2, epoch=epoch)
    assert joined == {"type": "joined", "room": board, "cursor": 5, "epoch": epoch, "name": "board"}
    ada.say(board, "new")
    socket.expect(lambda frame: frame.get("body") == "new")
    assert socket.frames[0] == joined
    assert _seqs(socket) == [3, 4, 5, 6]


def test_a_message_on_the_socket_is_the_message_of_the_api(
    ada: Person, board: int, open_socket: Opener
) -> None:
    socket = open_socket(ada)
    socket.join(board, after=0)
    kept = ada.say(board, "hello", client_id="one")
    assert socket.expect(lambda frame: frame["type"] == "message") == kept
    assert ada.read(board, after=0)["messages"] == [kept]


@pytest.mark.parametrize(
    ("after", "seqs"),
    [(None, [2, 3, *range(4, 52)]), (0, list(range(1, 52))), (-1, []), (49, [50, 51]), (51, [])],
)
def test_a_join_without_a_cursor_with_zero_and_with_minus_one(
    after: int | None, seqs: list[int], ada: Person, board: int, open_socket: Opener
) -> None:
    sender = open_socket(ada)
    for number in range(51):
        sender.send({"type": "send", "room": board, "body": f"word {number + 1}"})
    eventually(lambda: len(sender.of("ack")) == 51)
    socket = open_socket(ada)
    assert socket.join(board, **({} if after is None else {"after": after}))["cursor"] == 51
    ada.say(board, "new")
    socket.expect(lambda frame: frame.get("body") == "new")
    assert _seqs(socket) == [*seqs, 52]


@pytest.mark.parametrize(
    "cursor", [{"after": 4}, {"after": 10**15}, {"after": 2, "epoch": "elsewhere"}], ids=str
)
def test_a_cursor_that_the_room_cannot_have_gets_a_reset_in_place_of_joined(
    cursor: dict[str, Any], ada: Person, board: int, open_socket: Opener
) -> None:
    for number in range(3):
        ada.say(board, f"word {number + 1}")
    socket = open_socket(ada)
    reset = socket.join(board, **cursor)
    epoch = ada.read(board)["epoch"]
    assert reset == {"type": "reset", "room": board, "cursor": 3, "epoch": epoch, "name": "board"}
    ada.say(board, "new")
    socket.expect(lambda frame: frame.get("body") == "new")
    assert _seqs(socket) == [1, 2, 3, 4]
    assert not socket.of("joined")


def test_joining_again_replaces_the_subscription(ada: Person, board: int, open_socket: Opener) -> None:
    for number in range(3):
        ada.say(board, f"word {number + 1}")
    socket = open_socket(ada)
    socket.join(board, after=-1)
    socket.join(board, after=1)
    eventually(lambda: _seqs(socket) == [2, 3])
    socket.join(board, after=99)
    assert len(socket.of("reset")) == 1
    ada.say(board, "new")
    socket.expect(lambda frame: frame.get("body") == "new")
    assert _seqs(socket) == [2, 3, 1, 2, 3, 4]  # the new message once


def test_after_leaving_nothing_of_that_room_arrives(ada: Person, board: int, open_socket: Opener) -> None:
    socket = open_socket(ada)
    for room in (board, board):  # joined, and not
        if room not in [frame["room"] for frame in socket.of("left")]:
            socket.join(room)
        seen = len(socket.frames)
        socket.send({"type": "leave", "room": room})
        assert socket.expect(lambda frame: frame["type"] == "left", seen) == {"type": "left", "room": board}
    ada.say(board, "unheard")
    socket.send({"type": "send", "room": board, "body": "mine, unheard"})
    socket.expect(lambda frame: frame["type"] == "ack")
    _pong(socket)
    assert not socket.of("message")
    socket.join(board, after=0)
    eventually(lambda: _seqs(socket) == [1, 2])


def test_one_socket_follows_many_rooms(ada: Person, grace: Person, open_socket: Opener) -> None:
    rooms = [ada.make_room(f"room {number}") for number in range(3)]
    socket = open_socket(grace)
    for room in rooms:
        socket.join(room, after=-1)
    for number in range(4):
        for room in rooms:
            ada.say(room, f"word {number}")
    eventually(lambda: len(socket.of("message")) == 12)
    for room in rooms:
        assert _seqs(socket, room) == [1, 2, 3, 4]


def test_one_socket_follows_at_most_fifty_rooms(ada: Person, open_socket: Opener) -> None:
    rooms = [ada.make_room() for _ in range(51)]
    socket = open_socket(ada)
    for room in rooms[:50]:
        socket.send({"type": "join", "room": room, "after": -1})
    eventually(lambda: len(socket.of("joined")) == 50)
    refusal = socket.join(rooms[50])
    assert (refusal["type"], refusal["code"], refusal["re"]) == ("error", "bad_request", "join")
    assert socket.join(rooms[0])["type"] == "joined"  # a joined one may be joined again
    socket.send({"type": "leave", "room": rooms[7]})
    socket.expect(lambda frame: frame["type"] == "left")
    assert socket.join(rooms[50])["type"] == "joined"


# -- send -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("joined", [True, False])
def test_a_send_is_acknowledged_with_its_number_and_time(
    joined: bool, ada: Person, board: int, open_socket: Opener
) -> None:
    socket = open_socket(ada)
    if joined:
        socket.join(board)
    socket.send({"type": "send", "room": board, "client_id": "one", "body": "hello"})
    ack = socket.expect(lambda frame: frame["type"] == "ack")
    (kept,) = ada.read(board, after=0)["messages"]
    assert ack == {"type": "ack", "room": board, "client_id": "one", "seq": 1, "at": kept["at"]}
    assert (kept["body"], kept["client_id"]) == ("hello", "one")
    if joined:  # the sender also gets the message itself
        assert socket.expect(lambda frame: frame["type"] == "message") == kept


def test_acks_come_in_the_order_of_the_sends_with_many_in_flight(
    ada: Person, grace: Person, board: int, open_socket: Opener
) -> None:
    other, socket = ada.make_room("other"), open_socket(ada)
    reader = open_socket(grace)
    reader.join(board)
    for number in range(64):
        socket.send({"type": "send", "room": board, "client_id": f"b{number}", "body": f"word {number}"})
        socket.send({"type": "send", "room": other, "client_id": f"o{number}", "body": f"word {number}"})
    eventually(lambda: len(socket.of("ack")) == 128)
    for room, letter in ((board, "b"), (other, "o")):
        acks = [frame for frame in socket.of("ack") if frame["room"] == room]
        assert [ack["client_id"] for ack in acks] == [f"{letter}{number}" for number in range(64)]
        assert [ack["seq"] for ack in acks] == list(range(1, 65))
    eventually(lambda: len(reader.of("message")) == 64)
    assert [message["body"] for message in reader.of("message")] == [f"word {number}" for number in range(64)]


@pytest.mark.parametrize("together", [True, False])
def test_a_known_client_id_is_acknowledged_with_the_first_number(
    together: bool, ada: Person, board: int, open_socket: Opener
) -> None:
    socket = open_socket(ada)
    for body in ("first", "second", "third"):
        socket.send({"type": "send", "room": board, "client_id": "one", "body": body})
        if not together:
            socket.expect(lambda frame: frame["type"] == "ack")
    eventually(lambda: len(socket.of("ack")) == 3)
    assert socket.of("ack") == [socket.of("ack")[0]] * 3
    assert [message["body"] for message in ada.read(board, after=0)["messages"]] == ["first"]


def test_edits_deletions_and_reactions_are_acknowledged_and_arrive(
    ada: Person, board: int, open_socket: Opener
) -> None:
    socket = open_socket(ada)
    socket.join(board)
    for fields in (
        {"body": "helo"},
        {"kind": "edit", "of": 1, "body": "hello"},
        {"kind": "reaction", "of": 1, "body": "👍"},
        {"kind": "reaction", "of": 1, "body": "👍", "remove": True},
        {"kind": "delete", "of": 1},
    ):
        socket.send({"type": "send", "room": board, **fields})
    eventually(lambda: len(socket.of("ack")) == 5 and len(socket.of("message")) == 5)
    assert [ack["seq"] for ack in socket.of("ack")] == [1, 2, 3, 4, 5]
    told = [(message["kind"], message["of"], message["body"]) for message in socket.of("message")]
    assert told[1:4] == [("edit", 1, "hello"), ("reaction", 1, "👍"), ("reaction", 1, "👍")]
    assert told[4][:2] == ("delete", 1)
    assert [message.get("remove") for message in socket.of("message")] == [None, None, None, True, None]


# -- typing, read, ping ---------------------------------------------------------------------------------


@every_server
def test_typing_is_told_to_the_others_only(
    server: Server, ada: Person, grace: Person, board: int, open_socket: Opener
) -> None:
    writer, tab, others = open_socket(ada), open_socket(ada), [open_socket(grace) for _ in range(4)]
    for socket in (writer, tab, *others):
        socket.join(board)
    writer.send({"type": "typing", "room": board})
    for socket in others:
        frame = socket.expect(lambda frame: frame["type"] == "typing")
        assert frame["room"] == board
        assert (frame["who"]["id"], frame["who"]["name"]) == (ada.id, "ada")
    ada.say(board, "so")
    for socket in (writer, tab):
        socket.expect(lambda frame: frame["type"] == "message")
        assert not socket.of("typing")
        assert not socket.of("error")


def test_typing_is_passed_on_once_in_two_seconds_and_the_rest_dropped_in_silence(
    ada: Person, grace: Person, board: int, open_socket: Opener
) -> None:
    writer, reader = open_socket(ada), open_socket(grace)
    writer.join(board)
    reader.join(board)
    for _ in range(10):
        writer.send({"type": "typing", "room": board})
    writer.send({"type": "send", "room": board, "body": "so"})
    reader.expect(lambda frame: frame["type"] == "message")
    assert len(reader.of("typing")) == 1
    _pong(writer)
    assert not writer.of("error")


def test_typing_needs_a_joined_room_and_an_identity(
    server: Server, ada: Person, board: int, open_socket: Opener
) -> None:
    socket = open_socket(ada)
    socket.send({"type": "typing", "room": board})
    assert _error(socket)["code"] == "bad_request"
    nobody = Person(server)
    visitor = open_socket(nobody)
    visitor.join(board)
    visitor.send({"type": "typing", "room": board})
    assert _error(visitor)["code"] == "sign_in"
    nobody.close()


@every_server
def test_read_is_told_to_the_persons_other_tabs_only(
    server: Server, ada: Person, grace: Person, board: int, open_socket: Opener
) -> None:
    for number in range(3):
        ada.say(board, f"word {number}")
    tab, others, reader = open_socket(ada), [open_socket(ada) for _ in range(4)], open_socket(grace)
    for socket in (tab, *others, reader):
        socket.join(board, after=3)
    tab.send({"type": "read", "room": board, "seq": 2})
    for socket in others:
        assert socket.expect(lambda frame: frame["type"] == "read") == {
            "type": "read",
            "room": board,
            "seq": 2,
        }
    ada.say(board, "so")
    for socket in (tab, reader):
        socket.expect(lambda frame: frame["type"] == "message")
        assert not socket.of("read")


def test_a_room_need_not_be_joined_to_be_read_and_a_position_never_turns_back(
    open_socket: Opener, ada: Person, board: int
) -> None:
    for _ in range(3):
        ada.say(board, "word")
    tab, other = open_socket(ada), open_socket(ada)
    other.join(board, after=3)
    for seq in (2, 1, -7, 2, 3):
        tab.send({"type": "read", "room": board, "seq": seq})
    tab.send({"type": "read", "room": 999_999, "seq": 1})
    assert tab.expect(lambda frame: frame["type"] == "error")["code"] == "no_such_room"
    eventually(lambda: len(other.of("read")) == 2)
    assert [frame["seq"] for frame in other.of("read")] == [2, 3]


@pytest.mark.parametrize("server", ["soon_kept"], indirect=True)
def test_the_last_that_was_read_is_kept_while_the_socket_stays(
    ada: Person, grace: Person, board: int, open_socket: Opener
) -> None:
    for number in range(3):
        ada.say(board, f"word {number}")

    def unread() -> int:
        rooms = grace.http.get("/api/rooms").json()["rooms"]
        return next(room["unread"] for room in rooms if room["id"] == board)

    socket = open_socket(grace)
    for seq in (1, 2, 3):  # two of them too soon to be kept at once
        socket.send({"type": "read", "room": board, "seq": seq})
    eventually(lambda: unread() == 0)
    _pong(socket)


def test_what_was_read_on_a_socket_is_read_in_the_list(
    ada: Person, grace: Person, board: int, open_socket: Opener
) -> None:
    for number in range(3):
        ada.say(board, f"word {number}")

    def unread() -> int:
        rooms = grace.http.get("/api/rooms").json()["rooms"]
        return next(room["unread"] for room in rooms if room["id"] == board)

    socket = open_socket(grace)
    socket.join(board)
    socket.send({"type": "read", "room": board, "seq": 1})
    eventually(lambda: unread() == 2)
    socket.send({"type": "read", "room": board, "seq": 3})  # too soon to be kept at once
    _pong(socket)
    socket.close()  # but not lost
    eventually(lambda: unread() == 0)


def test_a_socket_that_is_silent_is_pinged_and_let_go_and_one_that_answers_stays(
    new_server: Callable[..., Server],
) -> None:
    server = new_server(heartbeat="1").start()
    ada = Person(server, "ada")
    with closing(ada.socket()) as answers, RawSocket(server) as silent, RawSocket(server) as plain:
        silent.handshake("/ws", Cookie=ada.cookie)
        plain.handshake("/chats/1/ws", Cookie=ada.cookie)
        for raw in (silent, plain):
            assert b"\x89\x00" in raw.wait_for_end()  # a ping, then the end
        assert answers.closed is None
        _pong(answers)
    ada.close()


def test_a_reader_that_stops_reading_holds_nobody_up_is_not_cut_off_and_gets_everything_in_order(
    ada: Person, grace: Person, board: int, open_socket: Opener
) -> None:
    with RawSocket(ada.server) as lazy, RawSocket(ada.server) as lazy_stream:
        for raw in (lazy, lazy_stream):
            raw.take_little()
        lazy.handshake(Cookie=grace.cookie)
        lazy.frame(json.dumps({"type": "join", "room": board, "after": 0}))
        lazy_stream.request("GET", f"/api/rooms/{board}/stream?after=0", Cookie=grace.cookie)
        sender, reader = open_socket(ada), open_socket(grace)
        reader.join(board, after=0)
        said = [f"{number} " + "x" * 3900 for number in range(1500)]  # more than the kernel takes
        for body in said:
            sender.send({"type": "send", "room": board, "body": body})
        eventually(lambda: len(reader.of("message")) == len(said), "the others go on")
        ada.say(board, "the end")
        frames = [json.loads(text) for text in lazy.texts_until("the end")]
        assert [frame["seq"] for frame in frames if frame["type"] == "message"] == list(range(1, 1502))
        records = lazy_stream.read_until(b'"body":"the end"').decode()
        assert re.findall(r'^data: .*?"seq":(\d+)', records, re.M) == [str(seq) for seq in range(1, 1502)]


# -- presence -------------------------------------------------------------------------------------------


@every_server
def test_who_joins_is_told_who_is_here_and_the_others_are_told_who_came_and_went(
    ada: Person, grace: Person, board: int, open_socket: Opener
) -> None:
    first = open_socket(ada)
    first.join(board)
    me = {"id": ada.id, "name": "ada", "guest": True}
    her = {"id": grace.id, "name": "grace", "guest": True}
    assert _here(first, board) == {"type": "presence", "room": board, "count": 1, "here": [me]}
    second = open_socket(grace)
    second.join(board)
    came = first.expect(lambda frame: frame["type"] == "presence" and "joined" in frame and frame["joined"])
    assert came == {"type": "presence", "room": board, "count": 2, "joined": [her], "left": []}
    eventually(lambda: _now_here(second, board) == {ada.id, grace.id})
    second.close()
    went = first.expect(lambda frame: frame["type"] == "presence" and frame.get("left"))
    assert went == {"type": "presence", "room": board, "count": 1, "joined": [], "left": [her]}


def test_who_comes_is_told_who_is_here_once_and_not_that_they_came(
    open_socket: Opener, ada: Person, grace: Person, board: int
) -> None:
    first = open_socket(ada)
    first.join(board)
    _here(first, board)
    second = open_socket(grace)
    second.join(board)
    assert {who["name"] for who in _here(second, board)["here"]} == {"ada", "grace"}
    first.expect(lambda frame: frame["type"] == "presence" and frame.get("joined"))
    second.send({"type": "leave", "room": board})
    first.expect(lambda frame: frame["type"] == "presence" and frame.get("left"))
    assert len(second.of("presence")) == 1
    assert not [
        who for frame in first.of("presence") for who in frame.get("joined", []) if who["id"] == ada.id
    ]


def test_presence_is_about_people_not_sockets(
    ada: Person, grace: Person, board: int, open_socket: Opener
) -> None:
    watcher = open_socket(grace)
    watcher.join(board)
    _here(watcher, board)
    tabs = [open_socket(ada) for _ in range(3)]
    for tab in tabs:
        tab.join(board)
    watcher.expect(lambda frame: frame["type"] == "presence" and frame.get("joined"))
    tabs[0].close()
    tabs[1].send({"type": "leave", "room": board})
    tabs[1].expect(lambda frame: frame["type"] == "left")
    tabs[2].send({"type": "leave", "room": board})
    watcher.expect(lambda frame: frame["type"] == "presence" and frame.get("left"))
    assert [frame["count"] for frame in watcher.of("presence")] == [1, 2, 1]


def test_sockets_without_identity_are_not_in_presence(
    server: Server, ada: Person, board: int, open_socket: Opener
) -> None:
    nobody = Person(server)
    visitor = open_socket(nobody)
    visitor.join(board)
    assert _here(visitor, board)["here"] == []
    socket = open_socket(ada)
    socket.join(board)
    assert _here(socket, board)["count"] == 1
    nobody.close()


def test_of_more_than_a_hundred_people_the_first_hundred_are_named_and_changes_are_counts(
    server: Server, ada: Person, board: int, open_socket: Opener
) -> None:
    watcher = open_socket(ada)
    watcher.join(board)
    assert _here(watcher, board)["count"] == 1  # who is greeted only when all are there is told their names
    with ExitStack() as crowd:
        for number in range(101):
            person = crowd.enter_context(closing(Person(server, f"guest {number}")))
            raw = crowd.enter_context(RawSocket(server))
            assert raw.handshake(Cookie=person.cookie).status == 101
            raw.frame(json.dumps({"type": "join", "room": board}))
        full = watcher.expect(lambda frame: frame["type"] == "presence" and frame["count"] == 102)
        assert full == {"type": "presence", "room": board, "count": 102}
        seen = len(watcher.frames)
        late = open_socket(ada)
        late.join(board)
        first = _here(late, board)
        assert (first["count"], len(first["here"])) == (102, 100)
    empty = watcher.expect(lambda frame: frame["type"] == "presence" and frame["count"] == 1, seen)
    assert {who["name"] for who in empty["left"]} <= {f"guest {number}" for number in range(101)}


# -- errors ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ({"type": "send", "client_id": "one", "body": ""}, "bad_request"),
        ({"type": "send", "client_id": "one", "body": "x" * 4001}, "too_long"),
        ({"type": "send", "client_id": "one", "kind": "edit", "of": 1, "body": "mine"}, "forbidden"),
        ({"type": "send", "client_id": "one", "kind": "reaction", "of": 9, "body": "👍"}, "bad_request"),
        ({"type": "join", "after": -2}, "bad_request"),
        ({"type": "typing"}, "bad_request"),
        ({"type": "shout", "client_id": "one"}, "bad_request"),
    ],
    ids=lambda value: value if isinstance(value, str) else value["type"],
)
def test_a_refused_frame_is_answered_with_what_it_was_and_does_not_close_the_socket(
    frame: dict[str, Any], code: str, ada: Person, grace: Person, board: int, open_socket: Opener
) -> None:
    grace.say(board, "hers")
    socket = open_socket(ada)
    socket.send({**frame, "room": board})
    error = _error(socket)
    assert (error["code"], error["re"], error["room"]) == (code, frame["type"], board)
    assert error.get("client_id") == frame.get("client_id")
    assert error["message"]
    socket.send({"type": "send", "room": board, "body": "still here"})
    socket.expect(lambda frame: frame["type"] == "ack")


def test_a_refused_send_between_others_leaves_their_order_alone(
    ada: Person, board: int, open_socket: Opener
) -> None:
    socket = open_socket(ada)
    for number in range(30):
        body = "" if number % 3 == 1 else f"word {number}"
        of = {"kind": "reaction", "of": 999} if number % 3 == 2 else {}
        socket.send({"type": "send", "room": board, "client_id": str(number), "body": body or " ", **of})
    eventually(lambda: len(socket.of("ack")) + len(socket.of("error")) == 30)
    assert [ack["client_id"] for ack in socket.of("ack")] == [str(number) for number in range(0, 30, 3)]
    assert [ack["seq"] for ack in socket.of("ack")] == list(range(1, 11))


def test_somebody_without_a_name_reads_but_is_asked_to_sign_in_to_write(
    server: Server, ada: Person, board: int, open_socket: Opener
) -> None:
    nobody = Person(server)
    socket = open_socket(nobody)
    assert socket.join(board)["type"] == "joined"
    ada.say(board, "hello")
    socket.expect(lambda frame: frame["type"] == "message")
    for frame in ({"body": "hi"}, {"kind": "reaction", "of": 1, "body": "👍"}, {"kind": "delete", "of": 1}):
        seen = len(socket.frames)
        socket.send({"type": "send", "room": board, **frame})
        assert socket.expect(lambda frame: frame["type"] == "error", seen)["code"] == "sign_in"
    _pong(socket)
    assert ada.read(board, after=0)["cursor"] == 1
    nobody.close()


# -- the end --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("server", ["three_workers"], indirect=True)
def test_a_room_that_is_deleted_is_left_and_the_socket_stays_for_the_others(
    server: Server, ada: Person, board: int, open_socket: Opener, plain: Opener
) -> None:
    other = ada.make_room("other")
    sockets = [open_socket(ada) for _ in range(3)]
    for socket in sockets:
        socket.join(board)
        socket.join(other)
    line = plain(ada, board)
    assert server.console("room", "delete", str(board), "--yes").status == 0
    for socket in sockets:
        error = _error(socket)
        assert (error["code"], error["room"]) == ("no_such_room", board)
    assert eventually(lambda: line.closed)[0] == 4404
    ada.say(other, "we are here")
    for socket in sockets:
        socket.expect(lambda frame: frame["type"] == "message" and frame["room"] == other)
        socket.send({"type": "send", "room": board, "body": "hi"})
        socket.expect(lambda frame: frame.get("re") == "send" and frame["code"] == "no_such_room")


def test_who_is_kicked_is_closed_with_4403_everywhere_and_may_come_back(
    server: Server, ada: Person, grace: Person, board: int, open_socket: Opener, plain: Opener
) -> None:
    mallory = Person(server, f"mallory {board}")
    hers, his = open_socket(grace), [open_socket(mallory), open_socket(mallory), plain(mallory, board)]
    hers.join(board)
    for socket in his[:2]:
        socket.join(board)
    # They are known to be there once their worker has told the others.
    eventually(lambda: server.console("room", "kick", str(board), mallory.name).status == 0)
    for socket in his:
        assert eventually(lambda socket=socket: socket.closed)[0] == 4403
    notice = hers.expect(lambda frame: frame["type"] == "message")
    assert (notice["kind"], notice["seq"]) == ("notice", 1)
    again = open_socket(mallory)
    assert again.join(board, after=1)["type"] == "joined"
    again.send({"type": "send", "room": board, "body": "sorry"})
    again.expect(lambda frame: frame["type"] == "ack")
    assert hers.closed is None
    mallory.close()


# -- the plain socket -----------------------------------------------------------------------------------


def test_a_plain_socket_gets_the_bare_texts_kept_from_now_on(
    ada: Person, grace: Person, board: int, plain: Opener
) -> None:
    ada.say(board, "before")
    line = plain(grace, board)
    ada.say(board, "hello")
    ada.say(board, "größer\n😀")
    eventually(lambda: len(line.frames) == 3)
    assert line.frames == ["connected ....", "hello", "größer\n😀"]


def test_each_line_of_a_plain_socket_is_a_message_in_order(ada: Person, board: int, plain: Opener) -> None:
    line = plain(ada, board)
    for number in range(20):
        line.send(f"word {number}")
    eventually(lambda: len(line.frames) == 21)  # the sender gets them as well
    kept = ada.read(board, after=0)["messages"]
    assert (
        [message["body"] for message in kept] == [f"word {number}" for number in range(20)] == line.frames[1:]
    )
    assert {message["author"]["name"] for message in kept} == {"ada"}


def test_a_plain_socket_gets_neither_edits_nor_reactions_nor_deletions(
    ada: Person, board: int, plain: Opener
) -> None:
    line = plain(ada, board)
    ada.say(board, "helo")
    for fields in (
        {"kind": "edit", "of": 1, "body": "hello"},
        {"kind": "reaction", "of": 1, "body": "👍"},
        {"kind": "delete", "of": 1},
    ):
        assert ada.http.post(ada.messages(board), json=fields).status_code == 201
    ada.say(board, "done")
    line.expect(lambda text: text == "done")
    assert line.frames == ["connected ....", "helo", "done"]


def test_a_refused_line_is_answered_on_the_line_and_the_next_one_is_kept(
    ada: Person, board: int, plain: Opener
) -> None:
    line = plain(ada, board)
    line.send("   ")
    line.expect(lambda text: text.startswith("! "))
    line.send("hello")
    line.expect(lambda text: text == "hello")
    assert [message["body"] for message in ada.read(board, after=0)["messages"]] == ["hello"]


def test_a_line_of_somebody_without_a_name_is_a_guests(
    server: Server, ada: Person, board: int, plain: Opener
) -> None:
    nobody = Person(server)
    line = plain(nobody, board)
    line.send("hello")
    line.expect(lambda text: text == "hello")
    (message,) = ada.read(board, after=0)["messages"]
    assert message["author"]["name"] == "guest"
    assert message["author"]["id"].startswith("g")
    assert message["author"]["guest"] is True
    nobody.close()


def test_json_on_a_plain_socket_is_a_text_like_any_other(ada: Person, board: int, plain: Opener) -> None:
    line = plain(ada, board)
    line.send('{"type":"ping"}')
    line.expect(lambda text: text == {"type": "ping"})  # as the test's own client reads it
    assert ada.read(board, after=0)["messages"][0]["body"] == '{"type":"ping"}'


# -- within ---------------------------------------------------------------------------------------------


def _seqs(socket: Socket, room: int | None = None) -> list[int]:
    return [frame["seq"] for frame in socket.of("message") if room in (None, frame["room"])]


def _pong(socket: Socket) -> None:
    """Everything that the server said before it read this ping has arrived when this returns."""
    seen = len(socket.frames)
    socket.send({"type": "ping"})
    socket.expect(lambda frame: frame["type"] == "pong", seen)


def _error(socket: Socket) -> dict[str, Any]:
    return socket.expect(lambda frame: frame["type"] == "error")


def _here(socket: Socket, room: int) -> dict[str, Any]:
    """The first form of presence."""
    return socket.expect(
        lambda frame: frame["type"] == "presence" and frame["room"] == room and "here" in frame
    )


def _now_here(socket: Socket, room: int) -> set[str]:
    """Who is here, as a client adds it up."""
    here: set[str] = set()
    for frame in socket.of("presence"):
        if "here" in frame:
            here = {who["id"] for who in frame["here"]}
        here |= {who["id"] for who in frame.get("joined", [])}
        here -= {who["id"] for who in frame.get("left", [])}
    return here


def test_a_join_without_presence_counts_nobody_in_and_tells_nobody(
    ada: Person, grace: Person, board: int, open_socket: Opener
) -> None:
    aside, watcher = open_socket(ada), open_socket(grace)
    aside.join(board, after=-1, presence=False)
    watcher.join(board)
    assert [who["name"] for who in _here(watcher, board)["here"]] == ["grace"]
    ada.say(board, "seen all the same")
    aside.expect(lambda frame: frame["type"] == "message")
    assert aside.of("presence") == []
    aside.join(board, after=-1)  # now it is there
    watcher.expect(
        lambda frame: (
            frame["type"] == "presence" and [who["name"] for who in frame.get("joined", [])] == ["ada"]
        )
    )
