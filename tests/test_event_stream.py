"""Server-Sent Events: what stands in each record, and how a browser comes back to the right place."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any

import gevent.socket
import httpx
import pytest

from chatapp.errors import Draining
from chatapp.languages import say
from chatapp.transports import event_stream
from tests.clients import UNIT, Person, eventually
from tests.conftest import every_server
from tests.raw_socket import problem
from tests.servers import Server


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Server:
    """One worker, but where a test says `every_server`."""
    return request.getfixturevalue(getattr(request, "param", "one_worker"))


class Stream:
    """A stream as a browser's EventSource sees it: `records` of fields as they came, comments as `comment`."""

    def __init__(self, person: Person, room: int, query: dict[str, Any], headers: dict[str, str]) -> None:
        self.records: list[dict[str, str]] = []
        self.ended = threading.Event()
        self._http = httpx.Client(
            base_url=person.server.url, cookies=person.http.cookies, timeout=None, verify=False
        )
        request = self._http.build_request("GET", f"/api/rooms/{room}/stream", params=query, headers=headers)
        self.answer = self._http.send(request, stream=True)
        threading.Thread(target=self._run, daemon=True).start()

    @property
    def last_id(self) -> str:
        """What a browser would send as Last-Event-ID."""
        return next(record["id"] for record in reversed(self.records) if "id" in record)

    def of(self, event: str) -> list[dict[str, Any]]:
        """The data of all events of one kind."""
        return [json.loads(record["data"]) for record in list(self.records) if record.get("event") == event]

    def expect(self, event: str, count: int = 1) -> dict[str, Any]:
        """The data of the event number `count` of its kind, as soon as it is there."""
        eventually(lambda: len(self.of(event)) >= count, f"{count} × {event} among {self.records[-5:]}")
        return self.of(event)[count - 1]

    def close(self) -> None:
        if not self.ended.is_set():
            self.answer.extensions["network_stream"].get_extra_info("socket").shutdown(socket.SHUT_RDWR)
        assert self.ended.wait(UNIT)
        self.answer.close()
        self._http.close()

    def _run(self) -> None:
        rest = b""
        try:
            for data in self.answer.iter_raw():
                *records, rest = (rest + data).split(b"\n\n")
                self.records += [self._record(record.decode()) for record in records]
        except httpx.HTTPError:
            pass
        finally:
            self.ended.set()

    @staticmethod
    def _record(text: str) -> dict[str, str]:
        # Not splitlines: only CR and LF end a line here (HTML standard, 9.2.5), U+2028 is a character.
        fields = (line.partition(":") for line in text.split("\n"))
        return {field or "comment": value.removeprefix(" ") for field, _, value in fields}


Opener = Callable[..., Stream]


@pytest.fixture
def follow() -> Iterator[Opener]:
    """Opens streams that are closed when the test is over: follow(person, room, after=…)."""
    with ExitStack() as opened:

        def open_stream(person: Person, room: int, last_event_id: str | None = None, **query: Any) -> Stream:
            headers = {} if last_event_id is None else {"Last-Event-ID": last_event_id}
            return opened.enter_context(closing(Stream(person, room, query, headers)))

        yield open_stream


def _seqs(stream: Stream) -> list[int]:
    return [message["seq"] for message in stream.of("message")]


def test_a_stream_says_what_it_is_and_may_be_kept_by_no_cache_and_held_by_no_proxy(
    ada: Person, board: int, follow: Opener
) -> None:
    answer = follow(ada, board).answer
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/event-stream; charset=utf-8"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Accel-Buffering"] == "no"
    assert "Content-Length" not in answer.headers


@pytest.mark.parametrize(
    ("query", "seq"), [({}, 0), ({"after": -1}, 3), ({"after": 2}, 2), ({"after": 3}, 3)], ids=str
)
def test_a_stream_opens_with_when_and_where_to_come_back(
    query: dict[str, Any], seq: int, ada: Person, board: int, follow: Opener
) -> None:
    for number in range(3):
        ada.say(board, f"word {number}")
    stream = follow(ada, board, **query)
    opening = eventually(lambda: stream.records)[0]
    epoch = ada.read(board)["epoch"]
    assert opening.keys() == {"retry", "id"}  # an id without data is kept by a browser and dispatches nothing
    assert 1000 <= int(opening["retry"]) <= 5000
    assert opening["id"] == f"{seq}.{epoch}"


def test_when_to_come_back_is_random_so_that_not_all_come_at_once(
    ada: Person, board: int, follow: Opener
) -> None:
    streams = [follow(ada, board) for _ in range(8)]
    assert len({eventually(lambda stream=stream: stream.records)[0]["retry"] for stream in streams}) > 1


def test_a_message_is_an_event_with_its_number_and_epoch_as_its_id(
    ada: Person, board: int, follow: Opener
) -> None:
    stream = follow(ada, board)
    kept = ada.say(board, "one\ntwo\u2028three")
    assert stream.expect("message") == kept
    (record,) = [record for record in stream.records if record.get("event") == "message"]
    assert record.keys() == {"id", "event", "data"}
    assert record["id"] == f"1.{ada.read(board)['epoch']}"


def test_a_cursor_may_be_given_as_number_or_as_id_and_the_browsers_own_wins(
    ada: Person, board: int, follow: Opener
) -> None:
    for number in range(5):
        ada.say(board, f"word {number}")
    epoch = ada.read(board)["epoch"]
    for stream, seqs in (
        (follow(ada, board, after=3), [4, 5]),
        (follow(ada, board, after=f"3.{epoch}"), [4, 5]),
        (follow(ada, board, after=3, epoch=epoch), [4, 5]),
        (follow(ada, board, last_event_id=f"4.{epoch}"), [5]),
        (follow(ada, board, last_event_id=f"4.{epoch}", after=1), [5]),
        (follow(ada, board, last_event_id=f"4.{epoch}", after=f"1.{epoch}", epoch=epoch), [5]),
        (follow(ada, board, last_event_id="4", after=1), [5]),
        (follow(ada, board, after=0), [1, 2, 3, 4, 5]),
        (follow(ada, board), [1, 2, 3, 4, 5]),
    ):
        eventually(lambda stream=stream, seqs=seqs: _seqs(stream) == seqs)
        assert not stream.of("reset")


def test_a_stream_without_a_cursor_brings_the_last_fifty(ada: Person, board: int, follow: Opener) -> None:
    ada.say_all(board, [f"word {number}" for number in range(60)])
    stream = follow(ada, board)
    eventually(lambda: _seqs(stream) == list(range(11, 61)))


@pytest.mark.parametrize("cursor", ["9", "9.{epoch}", "2.elsewhere"])
@pytest.mark.parametrize("where", ["last_event_id", "after"])
def test_a_cursor_that_the_room_cannot_have_is_a_reset_with_its_id_and_the_newest_messages(
    where: str, cursor: str, ada: Person, board: int, follow: Opener
) -> None:
    for number in range(3):
        ada.say(board, f"word {number}")
    epoch = ada.read(board)["epoch"]
    stream = follow(ada, board, **{where: cursor.format(epoch=epoch)})
    assert stream.expect("reset") == {
        "type": "reset",
        "room": board,
        "cursor": 3,
        "epoch": epoch,
        "name": "board",
    }
    eventually(lambda: _seqs(stream) == [1, 2, 3])
    events = [record["event"] for record in stream.records if "event" in record]
    assert events[:4] == ["reset", "message", "message", "message"]
    assert "id" not in stream.records[0]  # cut off before the reset, a browser comes back with its old one
    (reset,) = [record for record in stream.records if record.get("event") == "reset"]
    assert reset["id"] == f"0.{epoch}"  # cut off now, a browser comes back for the messages that follow


@every_server
def test_a_browser_that_is_cut_off_comes_back_to_the_right_place(
    server: Server, ada: Person, board: int, follow: Opener
) -> None:
    first = follow(ada, board, after=-1)
    eventually(lambda: first.records)
    first.close()  # before the first message
    ada.say(board, "one")
    second = follow(ada, board, last_event_id=first.last_id)
    eventually(lambda: _seqs(second) == [1])
    ada.say(board, "two")
    eventually(lambda: _seqs(second) == [1, 2])
    second.close()
    for word in ("three", "four"):
        ada.say(board, word)
    third = follow(ada, board, last_event_id=second.last_id)
    ada.say(board, "five")
    eventually(lambda: _seqs(third) == [3, 4, 5])
    assert not [reset for stream in (first, second, third) for reset in stream.of("reset")]


def test_clearing_a_room_resets_its_streams_at_once(
    server: Server, ada: Person, board: int, follow: Opener
) -> None:
    ada.say(board, "before")
    stream = follow(ada, board)
    stream.expect("message")
    old = stream.last_id
    assert server.console("room", "clear", str(board), "--yes").status == 0
    reset = stream.expect("reset")
    assert reset["cursor"] == 1
    assert stream.last_id == f"1.{reset['epoch']}" != old
    assert ada.say(board, "after")["seq"] == 2
    assert stream.expect("message", 2)["seq"] == 2


def test_presence_is_an_event_of_its_own(ada: Person, grace: Person, board: int, follow: Opener) -> None:
    stream = follow(ada, board)
    me = {"id": ada.id, "name": "ada", "guest": True}
    her = {"id": grace.id, "name": "grace", "guest": True}
    assert stream.expect("presence") == {"type": "presence", "room": board, "count": 1, "here": [me]}
    other = follow(grace, board)
    came = stream.expect("presence", 2)
    assert came == {"type": "presence", "room": board, "count": 2, "joined": [her], "left": []}
    other.close()
    assert stream.expect("presence", 3)["left"] == [her]


@every_server
def test_typing_and_read_are_events_of_their_own_for_whom_they_concern(
    server: Server, ada: Person, grace: Person, board: int, follow: Opener
) -> None:
    ada.say(board, "word")
    his, hers = [follow(ada, board) for _ in range(3)], [follow(grace, board) for _ in range(3)]
    for stream in (*his, *hers):
        stream.expect("presence")  # it is live
    ada.http.post(f"/api/rooms/{board}/typing")
    ada.http.post(f"/api/rooms/{board}/read", json={"seq": 1})
    for stream in hers:
        assert stream.expect("typing")["who"]["id"] == ada.id
    for stream in his:
        assert stream.expect("read") == {"type": "read", "room": board, "seq": 1}
    ada.say(board, "so")
    for stream in (*his, *hers):
        stream.expect("message", 2)
    assert not [event for stream in his for event in stream.of("typing")]
    assert not [event for stream in hers for event in stream.of("read")]


def test_none_but_messages_and_resets_have_an_id(
    ada: Person, grace: Person, board: int, follow: Opener
) -> None:
    stream = follow(ada, board)
    stream.expect("presence")
    grace.http.post(f"/api/rooms/{board}/typing")
    stream.expect("typing")
    assert {record.get("event") for record in stream.records if "id" in record} <= {None, "message", "reset"}
    assert not [
        record
        for record in stream.records
        if record.get("event") in ("presence", "typing") and "id" in record
    ]


def test_edits_and_deletions_are_messages_of_the_stream(ada: Person, board: int, follow: Opener) -> None:
    ada.say(board, "helo")
    stream = follow(ada, board, after=1)
    for fields in ({"kind": "edit", "of": 1, "body": "hello"}, {"kind": "delete", "of": 1}):
        assert ada.http.post(ada.messages(board), json=fields).status_code == 201
    eventually(lambda: _seqs(stream) == [2, 3])
    assert [message["kind"] for message in stream.of("message")] == ["edit", "delete"]


def test_a_silent_stream_carries_comments(new_server: Callable[..., Server], follow: Opener) -> None:
    server = new_server(heartbeat="1").start()
    ada = Person(server, "ada")
    stream = follow(ada, 1)
    eventually(lambda: len([record for record in stream.records if "comment" in record]) >= 3)
    assert not stream.ended.is_set()  # a browser says nothing on a stream and is not taken for gone
    ada.close()


def test_a_stream_that_ends_for_good_says_so_before(
    server: Server, ada: Person, board: int, follow: Opener
) -> None:
    mallory = Person(server, f"mallory {board}")
    his, mine = follow(mallory, board), follow(ada, board)
    for stream in (his, mine):
        stream.expect("presence")
    assert server.console("room", "kick", board, mallory.name).status == 0
    assert his.expect("close") == {"code": 4403, "reason": "You were removed from this room"}
    # Only then: of a room that is gone by the time when a worker hears of it, that is what all are told.
    assert server.console("room", "delete", board, "--yes").status == 0
    assert mine.expect("close") == {"code": 4404, "reason": "There is no such room"}
    for stream in (his, mine):
        assert stream.ended.wait(UNIT)
    again = ada.http.get(f"/api/rooms/{board}/stream", headers={"Last-Event-ID": mine.last_id})
    assert problem(again) == "no_such_room"  # any answer but 200: a browser does not come back
    mallory.close()


def test_a_stream_that_one_is_to_come_back_to_says_so_before_it_ends(
    new_server: Callable[..., Server], follow: Opener
) -> None:
    server = new_server().start()
    ada = Person(server, "ada")
    stream = follow(ada, 1, language="de")
    stream.expect("presence")
    server.stop()
    assert stream.expect("going") == {"code": 1012, "reason": say("de", Draining.title)}
    assert not stream.of("close"), "who takes that for the end would not come back"
    ada.close()


def test_somebody_without_a_name_follows_a_stream_and_is_not_in_presence(
    server: Server, ada: Person, board: int, follow: Opener
) -> None:
    nobody = Person(server)
    stream = follow(nobody, board)
    assert stream.expect("presence")["here"] == []
    ada.say(board, "hello")
    assert stream.expect("message")["body"] == "hello"
    nobody.close()


def test_the_head_of_a_stream_can_be_asked_for_where_there_is_one(ada: Person, board: int) -> None:
    answer = ada.http.head(f"/api/rooms/{board}/stream")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    assert ada.http.head("/api/rooms/999999/stream").status_code == 404


def test_whoever_floods_their_own_stream_stops_nobody_else() -> None:
    ours, theirs = gevent.socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"x" * 50_000)
        theirs.shutdown(socket.SHUT_WR)
        flooded = gevent.spawn(event_stream._wait_for_end, ours)
        waiting = gevent.spawn(lambda: flooded.dead)
        gevent.joinall([flooded, waiting], UNIT, raise_error=True)
    assert waiting.value is False, "others had their turn before all of it was read"
