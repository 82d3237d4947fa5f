"""The API over plain requests: rooms, long poll, history, posting and its rules, presence, headers."""

import html
import itertools
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.clients import Person, eventually, here
from tests.conftest import every_server
from tests.figures import waiting
from tests.raw_socket import RawSocket, nobody_gets, nobody_posts, problem
from tests.servers import Server


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Server:
    """One worker, but where a test says `every_server`."""
    return request.getfixturevalue(getattr(request, "param", "one_worker"))


@pytest.fixture
def said(ada: Person, board: int) -> Callable[[int], list[dict[str, Any]]]:
    """Has ada say `count` things on the board, as fast as a socket takes them."""

    def say(count: int) -> list[dict[str, Any]]:
        ada.say_all(board, [f"word {number + 1}" for number in range(count)])
        return ada.read(board, after=0)["messages"]

    return say


# -- rooms ----------------------------------------------------------------------------------------------


def test_a_new_room_is_answered_and_listed(ada: Person, grace: Person) -> None:
    answer = ada.http.post("/api/rooms", json={"name": "  board ", "topic": "what to do"})
    assert answer.status_code == 201
    room = answer.json()
    assert (room["name"], room["topic"], room["cursor"], room["unread"], room["here"]) == (
        "board",
        "what to do",
        0,
        0,
        0,
    )
    assert room["epoch"]
    assert _listed(grace, room["id"]) == room | _listed(grace, room["id"])


def test_the_list_says_where_each_room_is_what_is_unread_and_who_is_here(
    ada: Person, grace: Person, board: int
) -> None:
    for number in range(3):
        ada.say(board, f"word {number}")
    epoch = ada.read(board)["epoch"]
    grace.read(board)
    eventually(lambda: _listed(grace, board)["here"] == 2)  # polls count as present
    room = _listed(grace, board)
    assert {name: room[name] for name in ("name", "topic", "cursor", "epoch", "unread", "here")} == {
        "name": "board", "topic": "", "cursor": 3, "epoch": epoch, "unread": 3, "here": 2,
    }  # fmt: skip


@every_server
def test_what_is_read_is_no_longer_unread_for_that_person_in_every_worker(
    ada: Person, grace: Person, board: int
) -> None:
    for number in range(3):
        ada.say(board, f"word {number}")
    answer = grace.http.post(f"/api/rooms/{board}/read", json={"seq": 2})
    assert (answer.status_code, answer.content) == (204, b"")
    assert "content-type" not in answer.headers
    eventually(lambda: _listed(grace, board)["unread"] == 1)
    assert _listed(ada, board)["unread"] == 0  # they are her own
    grace.http.post(f"/api/rooms/{board}/read", json={"seq": 3})
    eventually(lambda: _listed(grace, board)["unread"] == 0)


def test_reading_never_goes_back_and_never_ahead(ada: Person, grace: Person, board: int) -> None:
    for number in range(3):
        ada.say(board, f"word {number}")
    for seq in (2, 1, 0, -1):
        assert grace.http.post(f"/api/rooms/{board}/read", json={"seq": seq}).status_code == 204
    eventually(lambda: _listed(grace, board)["unread"] == 1)
    assert grace.http.post(f"/api/rooms/{board}/read", json={"seq": 1000}).status_code == 204
    eventually(lambda: _listed(grace, board)["unread"] == 0)
    ada.say(board, "one more")
    assert _listed(grace, board)["unread"] == 1


def test_reading_is_kept_ten_times_in_ten_seconds_and_the_rest_dropped_in_silence(
    grace: Person, board: int, said: Callable[[int], object]
) -> None:
    said(20)
    for seq in range(1, 16):
        answer = grace.http.post(f"/api/rooms/{board}/read", json={"seq": seq})
        assert (answer.status_code, answer.content) == (204, b"")
    eventually(lambda: _listed(grace, board)["unread"] == 10)


def test_the_list_says_which_rooms_are_closed(server: Server, ada: Person, board: int) -> None:
    assert _listed(ada, board)["closed"] is False
    assert server.console("room", "close", str(board)).status == 0
    assert _listed(ada, board)["closed"] is True


@every_server
def test_a_room_made_in_one_worker_is_there_in_all(server: Server, ada: Person, board: int) -> None:
    for _ in range(6):  # new connections reach any worker
        with closing(Person(server)) as somebody:
            assert somebody.read(board)["messages"] == []
            assert _listed(somebody, board)["name"] == "board"


def test_typing_over_http_is_told_to_the_others(ada: Person, grace: Person, board: int) -> None:
    with closing(grace.socket()) as socket:
        socket.join(board)
        answer = ada.http.post(f"/api/rooms/{board}/typing")
        assert (answer.status_code, answer.content) == (204, b"")
        frame = socket.expect(lambda frame: frame["type"] == "typing")
        assert (frame["room"], frame["who"]["id"], frame["who"]["name"]) == (board, ada.id, "ada")


def test_reading_over_http_is_told_to_the_persons_own_sockets(ada: Person, board: int) -> None:
    ada.say(board, "word")
    with closing(ada.socket()) as socket:
        socket.join(board)
        ada.http.post(f"/api/rooms/{board}/read", json={"seq": 1})
        assert socket.expect(lambda frame: frame["type"] == "read") == {
            "type": "read",
            "room": board,
            "seq": 1,
        }


@every_server
def test_what_was_read_over_http_is_read_in_the_list_of_every_worker_at_once(
    server: Server, ada: Person, grace: Person, board: int
) -> None:
    for seq in range(1, 8):
        grace.say(board, "word")
        with closing(Person(server)) as elsewhere:  # a new connection reaches any worker
            elsewhere.http.cookies.update(ada.http.cookies)
            assert elsewhere.http.post(f"/api/rooms/{board}/read", json={"seq": seq}).status_code == 204
        assert _listed(ada, board)["unread"] == 0


def test_reading_over_http_never_turns_back(ada: Person, grace: Person, board: int) -> None:
    for _ in range(3):
        grace.say(board, "word")
    for seq in (3, 1, -5):
        assert ada.http.post(f"/api/rooms/{board}/read", json={"seq": seq}).status_code == 204
    assert _listed(ada, board)["unread"] == 0


@every_server
def test_who_polls_counts_as_present(ada: Person, grace: Person, server: Server, board: int) -> None:
    ada.read(board)
    grace.read(board)

    def here() -> dict[str, Any]:
        return grace.http.get(f"/api/rooms/{board}/presence").json()

    frame = eventually(lambda: here() if here()["count"] == 2 else None)
    assert (frame["type"], frame["room"]) == ("presence", board)
    assert {(who["id"], who["name"]) for who in frame["here"]} == {(ada.id, "ada"), (grace.id, "grace")}


# -- cursors --------------------------------------------------------------------------------------------


def test_without_a_cursor_the_last_fifty_are_served_oldest_first(
    ada: Person, board: int, said: Callable[[int], object]
) -> None:
    said(60)
    batch = ada.read(board)
    assert _seqs(batch) == list(range(11, 61))
    assert batch["cursor"] == 60


def test_a_poll_is_answered_at_once_with_all_that_follows_its_cursor(
    ada: Person, board: int, said: Callable[[int], object]
) -> None:
    said(7)
    batch = ada.read(board, after=4, wait=55)
    assert (_seqs(batch), batch["cursor"]) == ([5, 6, 7], 7)
    assert "reset" not in batch


def test_a_batch_has_at_most_limit_messages_and_its_cursor_goes_on(
    ada: Person, board: int, said: Callable[[int], object]
) -> None:
    said(450)
    batches, cursor = [], 0
    while batch := ada.read(board, after=cursor)["messages"]:
        batches.append(len(batch))
        cursor = batch[-1]["seq"]
    assert batches == [200, 200, 50]
    batch = ada.read(board, after=100, limit=5)
    assert (_seqs(batch), batch["cursor"]) == ([101, 102, 103, 104, 105], 105)


@pytest.mark.parametrize("count", [0, 3])
def test_an_empty_batch_says_where_the_request_started_from(
    count: int, ada: Person, board: int, said: Callable[[int], object]
) -> None:
    said(count)
    for after in (-1, count):
        batch = ada.read(board, after=after)
        assert (batch["messages"], batch["cursor"]) == ([], count)


def test_a_poll_that_waits_in_vain_is_answered_with_an_empty_batch(ada: Person, board: int) -> None:
    ada.say(board, "word")
    batch = ada.read(board, after=1, wait=1)
    assert (batch["messages"], batch["cursor"]) == ([], 1)
    batch = ada.read(board, after=-1, wait=1)
    assert (batch["messages"], batch["cursor"]) == ([], 1)


@every_server
@pytest.mark.parametrize("after", [1, -1])
def test_a_waiting_poll_is_woken_by_a_message(after: int, ada: Person, grace: Person, board: int) -> None:
    ada.say(board, "word")
    with ThreadPoolExecutor() as pool:
        grace.read(board, after=-1)  # her connection stands
        waiting = pool.submit(grace.read, board, after=after, wait=55)
        while not waiting.done():  # with -1 what is said before the request came in does not count
            ada.say(board, "news")
        batch = waiting.result()
    first = batch["messages"][0]
    assert first["body"] == "news"
    assert batch["cursor"] == batch["messages"][-1]["seq"]
    if after == 1:
        assert first["seq"] == 2


def test_the_cursor_zero_begins_with_the_first_message(
    ada: Person, board: int, said: Callable[[int], object]
) -> None:
    said(60)
    assert _seqs(ada.read(board, after=0)) == list(range(1, 61))
    assert _seqs(ada.read(board, after=0, epoch="elsewhere")) == list(range(1, 61))  # never a reset


@pytest.mark.parametrize(
    "query", [{"after": 61}, {"after": 61, "wait": 55}, {"after": 3, "epoch": "elsewhere"}], ids=str
)
def test_a_cursor_that_the_room_cannot_have_is_reset_at_once(
    query: dict[str, Any], ada: Person, board: int, said: Callable[[int], object]
) -> None:
    said(60)
    batch = ada.read(board, **query)
    assert batch["reset"] is True
    assert (_seqs(batch), batch["cursor"]) == (list(range(11, 61)), 60)
    assert "reset" not in ada.read(board, after=batch["cursor"], epoch=batch["epoch"])


def test_a_waiting_poll_of_a_room_that_is_cleared_is_reset_and_of_one_that_is_deleted_is_told(
    server: Server, ada: Person, grace: Person, board: int
) -> None:
    for number in range(2):
        ada.say(board, f"word {number}")
    old = ada.read(board, after=0)
    with (
        ThreadPoolExecutor() as pool,
        closing(Person(server, "joan")) as joan,
        closing(Person(server, "mary")) as mary,
    ):
        waiting = pool.submit(grace.read, board, after=2, epoch=old["epoch"], wait=55)
        eventually(lambda: grace.id in here(ada, board), "she waits")
        assert server.console("room", "clear", str(board), "--yes").status == 0
        batch = waiting.result()
        assert (batch["reset"], batch["messages"]) == (True, [])
        assert batch["epoch"] != old["epoch"]
        assert batch["cursor"] == 2
        anew = ada.say(board, "anew")
        assert (anew["seq"], anew["at"] > old["messages"][1]["at"]) == (3, True)
        assert _seqs(ada.read(board, after=0, epoch=old["epoch"])) == [3]  # zero is never a reset
        assert ada.read(board, after=1)["reset"] is True
        assert "reset" not in ada.read(board, after=2)
        room = Person.messages(board)
        waits = [pool.submit(joan.http.get, room, params={"after": 3, "wait": 55})]
        waits.append(pool.submit(mary.http.get, f"/chats/{board}/http", params={"lastupdate": "4e9"}))
        eventually(lambda: {joan.id, mary.id} <= here(ada, board), "both wait")
        assert server.console("room", "delete", str(board), "--yes").status == 0
        assert {problem(wait.result()) for wait in waits} == {"no_such_room"}
    assert problem(ada.http.get(room)) == "no_such_room"
    assert ada.make_room("another") > board  # its number is never given again


# -- history --------------------------------------------------------------------------------------------


def test_history_comes_in_pages_that_end_before_a_number_oldest_first(
    ada: Person, board: int, said: Callable[[int], object]
) -> None:
    said(250)
    assert _seqs(ada.read(board, before=100, limit=50)) == list(range(50, 100))
    assert _seqs(ada.read(board, before=251)) == list(range(51, 251))
    assert _seqs(ada.read(board, before=10**18)) == list(range(51, 251))
    assert _seqs(ada.read(board, before=3)) == [1, 2]
    for before in (1, 0):
        assert _seqs(ada.read(board, before=before)) == []


def test_before_and_after_together_are_a_bad_request(ada: Person, board: int) -> None:
    answer = ada.http.get(ada.messages(board), params={"before": 3, "after": 1})
    assert problem(answer) == "bad_request"


# -- posting --------------------------------------------------------------------------------------------


def test_a_message_is_answered_with_all_its_fields(ada: Person, board: int) -> None:
    answer = ada.http.post(ada.messages(board), json={"body": "hello", "client_id": "one"})
    assert answer.status_code == 201
    message = answer.json()
    assert message.pop("at").endswith("Z")
    assert message == {
        "type": "message", "room": board, "seq": 1, "kind": "text",
        "author": {"id": ada.id, "name": "ada", "guest": True},
        "body": "hello", "of": None, "client_id": "one",
    }  # fmt: skip
    assert ada.id.startswith("g")


@every_server
def test_what_was_answered_can_be_read_from_any_worker(server: Server, ada: Person, board: int) -> None:
    for number in range(6):
        ada.say(board, f"word {number}")
        with closing(Person(server)) as somebody:  # a new connection
            assert _seqs(somebody.read(board)) == list(range(1, number + 2))


def test_a_known_client_id_is_answered_200_with_the_first_message(
    ada: Person, grace: Person, board: int
) -> None:
    first = ada.http.post(ada.messages(board), json={"body": "once", "client_id": "one"})
    again = ada.http.post(ada.messages(board), json={"body": "twice", "client_id": "one"})
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()
    other_author = grace.http.post(ada.messages(board), json={"body": "mine", "client_id": "one"})
    other_room = ada.http.post(ada.messages(ada.make_room()), json={"body": "there", "client_id": "one"})
    assert (other_author.status_code, other_room.status_code) == (201, 201)


def test_a_known_client_id_is_answered_in_a_room_that_was_closed_since(
    server: Server, ada: Person, board: int
) -> None:
    first = ada.say(board, "once", client_id="one")
    assert server.console("room", "close", str(board)).status == 0
    again = ada.http.post(ada.messages(board), json={"body": "once", "client_id": "one"})
    assert (again.status_code, again.json()) == (200, first)
    assert problem(ada.http.post(ada.messages(board), json={"body": "more"})) == "room_closed"


def test_a_client_id_that_comes_many_times_at_once_makes_one_message(ada: Person, board: int) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: ada.say(board, "once", client_id="one")["seq"], range(24)))
    assert set(answers) == {1}
    assert _seqs(ada.read(board, after=0)) == [1]


@every_server
def test_times_are_strictly_increasing_within_a_room(server: Server, ada: Person, board: int) -> None:
    people = [Person(server, f"guest {number}") for number in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda person: [person.say(board, "word") for _ in range(25)], people))
    # Another worker may be some milliseconds behind.
    messages = eventually(lambda: len(found := ada.read(board, after=0)["messages"]) == 100 and found)
    times = [message["at"] for message in messages]
    assert all(earlier < later for earlier, later in itertools.pairwise(times))
    for person in people:
        person.close()


# -- edits, deletions, reactions, replies: the same rules over both doors -------------------------------

Change = Callable[..., "int | str"]  # (person, room, fields) → the number, or the code of the refusal


def over_http(person: Person, room: int, **fields: Any) -> int | str:
    answer = person.http.post(person.messages(room), json=fields)
    return answer.json()["seq"] if answer.status_code == 201 else problem(answer)


def over_socket(person: Person, room: int, **fields: Any) -> int | str:
    with closing(person.socket()) as socket:
        socket.send({"type": "send", "room": room, **fields})
        frame = socket.expect(lambda frame: frame["type"] in ("ack", "error"))
        return frame["seq"] if frame["type"] == "ack" else frame["code"]


both_doors = pytest.mark.parametrize("change", [over_http, over_socket], ids=lambda door: door.__name__)


@both_doors
def test_an_edited_text_is_served_in_its_newest_form_everywhere(
    change: Change, ada: Person, grace: Person, board: int
) -> None:
    original = ada.say(board, "helo")
    ada.say(board, "between")
    assert change(ada, board, kind="edit", of=1, body="hello") == 3
    assert change(ada, board, kind="edit", of=1, body="hello!") == 4  # of names the original, again
    for batch in (grace.read(board, after=0), grace.read(board), grace.read(board, before=100)):
        text, between, first, second = batch["messages"]
        assert text == {**original, "body": "hello!", "edited_at": second["at"]}
        assert "edited_at" not in between
        assert [(edit["kind"], edit["of"], edit["body"]) for edit in (first, second)] == [
            ("edit", 1, "hello"),
            ("edit", 1, "hello!"),
        ]
        assert original["at"] < first["at"] < second["at"]


@both_doors
def test_a_deleted_text_is_served_without_its_body_and_so_are_its_edits(
    change: Change, ada: Person, grace: Person, board: int
) -> None:
    ada.say(board, "secret")
    change(ada, board, kind="edit", of=1, body="secret, too")
    assert change(ada, board, kind="delete", of=1) == 3
    for batch in (grace.read(board, after=0), grace.read(board, before=100), grace.read(board, after=1)):
        assert "secret" not in str(batch)
        assert _seqs(batch)[-1] == 3
    text, edit, deletion = grace.read(board, after=0)["messages"]
    assert not text.get("body")
    assert not edit.get("body")
    assert text["deleted_at"] == deletion["at"]
    assert (deletion["kind"], deletion["of"]) == ("delete", 1)


@every_server
def test_a_change_reaches_readers_of_all_workers(server: Server, ada: Person, board: int) -> None:
    people = [Person(server) for _ in range(6)]
    ada.say(board, "helo")
    assert {person.read(board, after=0)["messages"][0]["body"] for person in people} == {"helo"}
    over_http(ada, board, kind="edit", of=1, body="hello")
    for person in people:
        eventually(lambda person=person: person.read(board, after=0)["messages"][0]["body"] == "hello")
        person.close()


@both_doors
def test_an_edit_is_a_message_that_live_readers_get(
    change: Change, ada: Person, grace: Person, board: int
) -> None:
    ada.say(board, "helo")
    with closing(grace.socket()) as socket:
        socket.join(board, after=1)
        change(ada, board, kind="edit", of=1, body="hello")
        edit = socket.expect(lambda frame: frame["type"] == "message")
        assert (edit["seq"], edit["kind"], edit["of"], edit["body"]) == (2, "edit", 1, "hello")


def test_the_forms_of_a_message_lead_back_to_it_in_its_room(ada: Person, board: int) -> None:
    ada.say_all(board, [f"{number}" for number in range(60)])
    forms = (
        (f"/chats/{board}/messages/{60}/reaction", {"body": "👍"}, "#m60"),
        (f"/chats/{board}/messages/{60}/reply", {"body": "indeed"}, "#m60"),
        (f"/chats/{board}/messages/{2}/edit", {"body": "two"}, "?before=27#m2"),
        (f"/chats/{board}/messages/{2}/reaction", {"body": "👍", "remove": "1"}, "?before=27#m2"),
    )
    for path, form, place in forms:
        answer = ada.http.post(path, data=form)
        assert (answer.status_code, answer.headers["Location"]) == (303, f"/chats/{board}/{place}")
    told = [
        (each["kind"], each["of"], each["body"], each.get("remove")) for each in ada.read(board)["messages"]
    ]
    assert told[-4:] == [
        ("reaction", 60, "👍", None),
        ("text", 60, "indeed", None),
        ("edit", 2, "two", None),
        ("reaction", 2, "👍", True),
    ]


@both_doors
def test_others_may_reply_and_react_but_neither_edit_nor_delete(
    change: Change, ada: Person, grace: Person, board: int
) -> None:
    ada.say(board, "hello")
    assert change(grace, board, kind="edit", of=1, body="goodbye") == "forbidden"
    assert change(grace, board, kind="delete", of=1) == "forbidden"
    assert change(grace, board, kind="reaction", of=1, body="👍") == 2
    assert change(grace, board, kind="reaction", of=1, body="👍", remove=True) == 3
    assert change(grace, board, body="hello to you", of=1) == 4
    text, on, off, reply = ada.read(board, after=0)["messages"]
    assert (text["body"], text["author"]["id"]) == ("hello", ada.id)
    assert not {"edited_at", "deleted_at"} & set(text)
    assert (on["kind"], on["of"], on["body"]) == ("reaction", 1, "👍")
    assert (off["kind"], off["of"], off["body"], off["remove"]) == ("reaction", 1, "👍", True)
    assert (reply["kind"], reply["of"], reply["author"]["id"]) == ("text", 1, grace.id)


@both_doors
@pytest.mark.parametrize("kind", ["text", "edit", "delete", "reaction"])
def test_nothing_can_be_about_what_is_unknown_deleted_or_no_text(
    kind: str, change: Change, ada: Person, board: int
) -> None:
    ada.say(board, "helo")
    change(ada, board, kind="edit", of=1, body="hello")
    ada.say(board, "gone")
    change(ada, board, kind="delete", of=3)
    change(ada, board, kind="reaction", of=1, body="👍")
    before = ada.read(board, after=0)
    for of in (2, 3, 4, 5, 6, 999, 0, -1):
        assert change(ada, board, kind=kind, of=of, body="x") == "bad_request", of
    assert ada.read(board, after=0) == before


def test_a_change_may_be_about_a_text_that_memory_has_forgotten(
    ada: Person, board: int, said: Callable[[int], object]
) -> None:
    said(600)
    assert over_http(ada, board, kind="edit", of=1, body="changed") == 601
    assert ada.read(board, after=0, limit=1)["messages"][0]["body"] == "changed"


def test_a_change_with_a_known_client_id_is_made_once(ada: Person, board: int) -> None:
    ada.say(board, "hello")
    fields = {"kind": "delete", "of": 1, "client_id": "one"}
    first = ada.http.post(ada.messages(board), json=fields)
    again = ada.http.post(ada.messages(board), json=fields)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json()["seq"] == first.json()["seq"]


def test_the_administrator_posts_as_system_and_changes_are_notices(
    server: Server, ada: Person, board: int
) -> None:
    said = f"room({board}).post('welcome')\nroom({board}).topic = 'all things'\n"
    assert server.flask("shell", input=said).returncode == 0
    post, notice = ada.read(board, after=0)["messages"]
    assert (post["kind"], post["author"], post["body"]) == (
        "text",
        {"id": "system", "name": "system"},
        "welcome",
    )
    assert (notice["kind"], notice["author"]["id"]) == ("notice", "system")
    assert _listed(ada, board)["topic"] == "all things"


# -- what every answer says -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/api/rooms", None, 200),
        ("GET", "/api/rooms/{}/messages", None, 200),
        ("GET", "/api/rooms/{}/messages?before=9", None, 200),
        ("GET", "/api/rooms/{}/messages?after=9", None, 200),
        ("GET", "/api/rooms/{}/messages?after=x", None, 400),
        ("GET", "/api/rooms/0/messages", None, 404),
        ("POST", "/api/rooms/{}/messages", {"json": {"body": "hi"}}, 201),
        ("POST", "/api/rooms/{}/messages", {"json": {"body": ""}}, 400),
        ("GET", "/api/rooms/{}/presence", None, 200),
        ("POST", "/api/rooms/{}/typing", None, 204),
        ("POST", "/api/rooms/{}/read", {"json": {"seq": 0}}, 204),
        ("GET", "/chats/{}/http?lastupdate=-1", None, 200),
        ("GET", "/chats/{}/http?lastupdate=x", None, 400),
        ("POST", "/chats/{}/http", {"data": {"new_message": "hi"}}, 200),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_answers_of_the_live_endpoints_may_be_kept_by_no_cache_and_held_by_no_proxy(
    method: str, path: str, body: dict[str, Any] | None, status: int, ada: Person, board: int
) -> None:
    answer = ada.http.request(method, path.format(board), **(body or {}))
    assert answer.status_code == status
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Accel-Buffering"] == "no"
    assert "Set-Cookie" not in answer.headers
    if status < 300 and answer.content:
        assert answer.headers["Content-Type"].startswith("application/json")


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_the_server_says_that_it_is_alive_and_ready(path: str, server: Server) -> None:
    answer = nobody_gets(server.url + path)
    assert answer.status_code == 200
    assert "Set-Cookie" not in answer.headers


def test_a_path_that_there_is_not_is_404_for_programs_and_a_page_for_people(server: Server) -> None:
    assert nobody_gets(server.url + "/api/nothing").headers["Content-Type"] == "application/problem+json"
    page = nobody_gets(server.url + "/nothing", headers={"Accept": "text/html"})
    assert (page.status_code, page.headers["Content-Type"]) == (404, "text/html; charset=utf-8")


@pytest.mark.parametrize(
    ("method", "path", "happened", "safe"),
    [("GET", "/nothing", "There is no such page", "The rooms are all still here"),
     ("GET", "/chats/999999/", "There is no room here that you can see", "All other rooms are as they were"),
     ("GET", "/chats/1/?before=x", "That request cannot be understood", "before is a whole number. Nothing was changed"),
     ("DELETE", "/chats/1/", "This address does not take that", "Nothing was changed"),
     ("POST", "/chats/1/", "You may not do that", "Nothing was changed")],
)  # fmt: skip
def test_a_page_for_what_went_wrong_says_what_happened_what_is_safe_and_the_way_on_each_once(
    method: str, path: str, happened: str, safe: str, one_worker: Server
) -> None:
    headers = {"Accept": "text/html", "Origin": "http://mallory.example"}
    with httpx.Client(base_url=one_worker.url, verify=False) as http:
        page = http.request(method, path, headers=headers)
    body = re.sub(r"<[^>]*>", " ", html.unescape(page.text.partition("<main")[2]))
    assert re.search(rf"<h1>{happened}</h1>", page.text)
    assert safe in re.sub(r"\s+", " ", body)
    assert body.count(happened) == 1
    assert "All rooms" in page.text
    assert str(page.status_code) in body


def test_a_page_that_is_not_for_who_looks_says_so(
    server: Server, ada: Person, grace: Person, board: int
) -> None:
    page = grace.http.get(f"/chats/{board}/reports/", headers={"Accept": "text/html"})
    assert page.status_code == 403
    assert "<h1>This page is not for you</h1>" in page.text
    assert "You may not do that" not in page.text
    assert "other rooms" not in page.text


# -- clients that leave ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, int]]:
    """A server that nobody else uses, and how many sockets it has open when nobody is there."""
    server = Server(tmp_path_factory.mktemp("quiet") / "instance").start()
    yield server, _open_sockets(server)
    server.kill()


@pytest.mark.parametrize(
    "path",
    ["/api/rooms/{}/messages?after=0&wait=55", "/chats/{}/http?lastupdate=0", "/api/rooms/{}/stream?after=0"],
    ids=["long poll", "tutorial", "stream"],
)
def test_a_waiting_request_whose_client_leaves_ends_at_once(path: str, quiet: tuple[Server, int]) -> None:
    server, idle = quiet
    people = [Person(server, f"guest {number}") for number in range(5)]
    ada, room = people[0], people[0].make_room()
    eventually(lambda: _open_sockets(server) == idle + 5, "each has a connection")
    clients = [RawSocket(server) for _ in people]
    for client, person in zip(clients, people, strict=True):
        client.request("GET", path.format(room), Cookie=person.cookie)
    presence = f"/api/rooms/{room}/presence"
    eventually(lambda: ada.http.get(presence).json()["count"] == 5, "all of them wait")
    assert _open_sockets(server) == idle + 10
    for client in clients:
        client.sock.close()
    eventually(lambda: _open_sockets(server) == idle + 5, "all of them are gone")
    for person in people:
        person.close()


GET = b"GET %b HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.parametrize(
    "data",
    [
        GET % b"/api/rooms/1/messages?after=0&wait=55",
        GET % b"/chats/1/http?lastupdate=0",
        GET % b"/api/rooms/1/stream",
        b"",
        b"GET /api/roo",
        b"POST /api/rooms/1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{",
        b"nonsense\r\n\r\n",
    ],
    ids=["long poll", "tutorial", "stream", "nothing", "half a head", "half a body", "nonsense"],
)
@pytest.mark.parametrize("politely", [True, False], ids=["closes", "resets"])
def test_a_client_that_leaves_in_the_middle_is_no_error_in_the_log(
    data: bytes, politely: bool, quiet: tuple[Server, int]
) -> None:
    server, idle = quiet
    seen = len(server.log)
    with RawSocket(server) as raw:
        raw.send(data)
        eventually(lambda: _open_sockets(server) > idle or data.startswith(b"nonsense"))
        if not politely:
            raw.reset()
    eventually(lambda: _open_sockets(server) == idle)
    foreign = {"Origin": "http://mallory.example"}
    nobody_posts(server.url + "/guests", headers=foreign)  # this is logged, behind whatever was before it
    eventually(lambda: any("mallory.example" in line for line in server.log[seen:]))
    assert not [line for line in server.log[seen:] if "ERROR" in line or "Traceback" in line]


def test_a_poll_that_was_given_up_takes_no_message_with_it(ada: Person, grace: Person, board: int) -> None:
    for number in range(20):
        with RawSocket(ada.server) as client:
            client.request("GET", f"/api/rooms/{board}/messages?after={number}&wait=55", Cookie=grace.cookie)
        ada.say(board, "word")
    assert _seqs(grace.read(board, after=0)) == list(range(1, 21))


def test_requests_that_are_sent_without_waiting_for_answers_are_answered_in_order(
    ada: Person, board: int
) -> None:
    ada.say(board, "word")
    with RawSocket(ada.server) as client:
        client.request("GET", f"/api/rooms/{board}/messages?after=1&wait=1")
        client.request("GET", f"/api/rooms/{board}/messages?after=0")
        assert b'"messages":[]' in client.answer().body
        assert b'"body":"word"' in client.answer().body


def test_many_polls_wait_in_one_worker_and_all_are_woken(ada: Person, board: int) -> None:
    clients = [RawSocket(ada.server) for _ in range(200)]
    for client in clients:
        client.request("GET", f"/api/rooms/{board}/messages?after=0&wait=55")
    eventually(lambda: waiting(ada.server) >= len(clients), "all of them wait")
    ada.say(board, "news")
    for client in clients:
        assert b'"body":"news"' in client.answer().body
        client.sock.close()


# -- within ---------------------------------------------------------------------------------------------


def _seqs(batch: dict[str, Any]) -> list[int]:
    return [message["seq"] for message in batch["messages"]]


def _listed(person: Person, room: int) -> dict[str, Any]:
    rooms = person.http.get("/api/rooms").json()["rooms"]
    return next(each for each in rooms if each["id"] == room)


def _open_sockets(server: Server) -> int:
    """How many sockets the server's one worker has open."""
    (worker,) = server.worker_pids
    count = 0
    for descriptor in Path(f"/proc/{worker}/fd").iterdir():
        try:
            count += str(descriptor.readlink()).startswith("socket:")
        except FileNotFoundError:
            continue  # closed while we looked
    return count
