"""The tutorial's own client works here unchanged, and misses nothing, however fast messages come."""

import json
import re
import threading
import time
from collections.abc import Callable
from contextlib import closing

import httpx
import pytest

from chatapp.transports.tutorial import WAIT_SECONDS
from tests.clients import Person, eventually, here
from tests.raw_socket import nobody_gets, nobody_posts
from tests.servers import Server

CONNECTED = {"status": 1, "timestamp": 0.0, "data": "connected..."}


@pytest.fixture
def server(one_worker: Server) -> Server:
    """One worker: tests/test_story.py tells the same of three."""
    return one_worker


class TutorialClient:
    """The client of the tutorial's page, line by line: give up after a second, ask again, one message each."""

    def __init__(self, server: Server, room: int) -> None:
        self._url = f"{server.url}/chats/{room}/http"
        self.lines: list[str] = []
        self.timestamps: list[float] = []
        self.stopping = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        eventually(lambda: self.lines == ["connected..."])

    def post(self, text: str) -> None:
        answer = nobody_posts(self._url, data={"new_message": text})
        assert (answer.status_code, answer.content) == (200, b"")

    def close(self) -> None:
        self.stopping = True
        self._thread.join(5)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        last: float = -1
        with httpx.Client(verify=False) as http:
            while not self.stopping:
                try:
                    answer = http.get(self._url, params={"lastupdate": str(last)}, timeout=1)
                except httpx.TimeoutException:
                    continue
                if answer.status_code == 200 and answer.json()["status"] == 1:
                    last = answer.json()["timestamp"]
                    self.timestamps.append(last)
                    self.lines.append(answer.json()["data"])


def test_two_pages_of_the_tutorial_talk_and_miss_nothing(server: Server, board: int) -> None:
    with closing(TutorialClient(server, board)) as one, closing(TutorialClient(server, board)) as two:
        said = [f"word {number}" for number in range(40)]
        threads = [
            threading.Thread(target=lambda who=who, part=part: [who.post(word) for word in part])
            for who, part in ((one, said[:20]), (two, said[20:]))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        eventually(lambda: len(one.lines) == len(two.lines) == 41)
        assert one.lines == two.lines
        assert sorted(one.lines[1:]) == sorted(said)
        assert [line for line in one.lines if line in said[:20]] == said[:20]
        assert len(set(one.timestamps)) == 41


def test_a_page_that_gave_up_while_nothing_was_said_hears_the_next_word(server: Server, board: int) -> None:
    with closing(TutorialClient(server, board)) as page:
        started = time.monotonic()
        eventually(lambda: time.monotonic() - started > 2.5, "it gave up twice")
        page.post("hello")
        eventually(lambda: page.lines == ["connected...", "hello"])


def test_the_first_request_is_answered_at_once(ada: Person, board: int) -> None:
    for _ in range(2):
        answer = ada.http.get(f"/chats/{board}/http", params={"lastupdate": "-1"})
        assert (answer.status_code, answer.json()) == (200, CONNECTED)
        ada.say(board, "word")  # makes no difference


@pytest.mark.parametrize(
    "query", [{}, {"lastupdate": "0"}, {"lastupdate": "0.0"}, {"lastupdate": "-5"}], ids=str
)
def test_no_lastupdate_means_zero(query: dict[str, str], ada: Person, board: int) -> None:
    ada.say(board, "first")
    ada.say(board, "second")
    answer = ada.http.get(f"/chats/{board}/http", params=query)
    assert answer.json()["data"] == "first"


def test_a_timestamp_is_the_messages_time_and_the_next_requests_cursor(ada: Person, board: int) -> None:
    before = time.time()
    ada.say_all(board, [f"word {number}" for number in range(30)])
    read, last = [], 0.0
    for _ in range(30):
        answer = _poll(ada, board, last)
        assert answer["status"] == 1
        assert isinstance(answer["timestamp"], float)
        assert answer["timestamp"] > last
        last = answer["timestamp"]
        read.append(answer["data"])
    assert read == [f"word {number}" for number in range(30)]
    assert before - 1 < last < time.time() + 1


def test_a_poll_waits_for_the_next_word(ada: Person, grace: Person, board: int) -> None:
    ada.say(board, "first")
    last = _poll(ada, board, 0)["timestamp"]
    heard: list[str] = []
    poll = threading.Thread(target=lambda: heard.append(_poll(grace, board, last)["data"]))
    poll.start()
    eventually(lambda: grace.id in here(ada, board), "she waits")
    ada.say(board, "second")
    poll.join(10)
    assert heard == ["second"]


def test_each_room_has_its_own_log(ada: Person, board: int) -> None:
    other = ada.make_room("other")
    ada.say(other, "there")
    ada.say(board, "here")
    assert _poll(ada, board, 0)["data"] == "here"
    assert _poll(ada, other, 0)["data"] == "there"


def test_deleted_texts_edits_reactions_and_notices_are_not_served_and_edited_texts_in_their_newest_form(
    server: Server, ada: Person, board: int
) -> None:
    for body in ("gone", "helo", "last"):
        ada.say(board, body)
    for fields in (
        {"kind": "delete", "of": 1},
        {"kind": "edit", "of": 2, "body": "hello"},
        {"kind": "reaction", "of": 2, "body": "👍"},
    ):
        assert ada.http.post(ada.messages(board), json=fields).status_code == 201
    assert server.console("room", "topic", str(board), "a notice").status == 0
    ada.say(board, "the end")
    read, last = [], 0.0
    while "the end" not in read:
        answer = _poll(ada, board, last)
        read.append(answer["data"])
        last = answer["timestamp"]
    assert read == ["hello", "last", "the end"]


def test_a_text_beyond_memory_is_served_from_the_log(ada: Person, board: int) -> None:
    ada.say_all(board, [str(number) for number in range(600)])
    first = _poll(ada, board, 0)
    assert first["data"] == "0"
    assert _poll(ada, board, first["timestamp"])["data"] == "1"


# -- post -----------------------------------------------------------------------------------------------


def test_a_post_is_answered_with_an_empty_200_once_it_is_kept(ada: Person, board: int) -> None:
    answer = ada.http.post(f"/chats/{board}/http", data={"new_message": "héllo & more"})
    assert (answer.status_code, answer.content) == (200, b"")
    (message,) = ada.read(board, after=0)["messages"]
    assert (message["body"], message["kind"], message["author"]["id"]) == ("héllo & more", "text", ada.id)


def test_somebody_without_a_name_posts_as_guest(server: Server, ada: Person, board: int) -> None:
    answer = nobody_posts(f"{server.url}/chats/{board}/http", data={"new_message": "hello"})
    assert answer.status_code == 200
    assert "Set-Cookie" not in answer.headers
    (message,) = ada.read(board, after=0)["messages"]
    assert (message["author"]["name"], message["author"]["guest"]) == ("guest", True)
    assert message["author"]["id"].startswith("g")
    assert message["author"]["id"] != ada.id


# -- JSONP ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("callback", ["cb", "$", "_a.b.c", "jQuery17_1234", "x" * 64])
def test_a_callback_wraps_the_answer(callback: str, server: Server, ada: Person, board: int) -> None:
    ada.say(board, "héllo")
    for since, data in (("-1", "connected..."), ("0", "héllo")):
        query = {"lastupdate": since, "callback": callback}
        answer = nobody_gets(f"{server.url}/chats/{board}/http", params=query)
        assert answer.headers["Content-Type"].split(";")[0] == "application/javascript"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        found = re.fullmatch(re.escape(callback) + r"\((.*)\);?", answer.text)
        assert found
        assert json.loads(found[1])["data"] == data


def test_a_script_says_the_same_to_everybody(server: Server, ada: Person, board: int) -> None:
    ada.say(board, "hello")
    query = {"lastupdate": "0", "callback": "cb"}
    answers = {
        nobody_gets(f"{server.url}/chats/{board}/http", params=query).text,
        ada.http.get(f"/chats/{board}/http", params=query).text,
        nobody_gets(
            f"{server.url}/chats/{board}/http", params=query, headers={"Origin": "http://mallory.example"}
        ).text,
    }
    assert len(answers) == 1


def test_what_ends_a_line_or_a_script_is_escaped_in_a_script(ada: Person, board: int) -> None:
    body = "a\u2028b\u2029c</script>\n\"'\\"
    ada.say(board, body)
    text = ada.http.get(f"/chats/{board}/http", params={"callback": "cb"}).text
    assert "\u2028" not in text
    assert "\u2029" not in text
    assert "\n" not in text
    assert json.loads(text.removeprefix("cb(").rstrip(";").removesuffix(")"))["data"] == body


# -- the pages' addresses -------------------------------------------------------------------------------


def test_the_tutorials_pages_are_there(ada: Person, board: int) -> None:
    ada.say(board, "hello <there>")
    for path in ("/chats/", f"/chats/{board}/", f"/chats/long_poll/{board}/"):
        answer = ada.http.get(path)
        assert answer.status_code == 200
        assert "board" in answer.text
        assert "<there>" not in answer.text
    assert ada.http.get("/").headers["Location"] == "/chats/"


@pytest.mark.parametrize("seconds", [1, pytest.param(WAIT_SECONDS, marks=pytest.mark.long)])
def test_nothing_while_it_waits_is_204(seconds: int, new_server: Callable[..., Server]) -> None:
    impatient = new_server()
    impatient.constants = (
        {} if seconds == WAIT_SECONDS else {"chatapp.transports.tutorial.WAIT_SECONDS": seconds}
    )
    impatient.start()
    with closing(Person(impatient, "patience")) as patience:
        room = patience.make_room("silence")
        answer = patience.http.get(f"/chats/{room}/http", params={"lastupdate": "0"})
    assert (answer.status_code, answer.content) == (204, b"")


def _poll(person: Person, room: int, since: float) -> dict[str, object]:
    return person.http.get(f"/chats/{room}/http", params={"lastupdate": repr(since)}).json()
