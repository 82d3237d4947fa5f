"""One answer is bounded in bytes, whatever is said: what does not fit is asked for next, and nothing is lost."""

import re
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

from chatapp import marking
from chatapp.message import Author, Message, format_time
from chatapp.turnstile import Turnstile
from tests.clients import Person
from tests.servers import Server

LENGTH = 4_000  # characters of a message
COUNT = 60  # messages: more than a page has
LARGE = 40  # of them grow: more than an answer has
ROOM_FOR_ALL = (
    3 * marking.ANSWER_BYTES
)  # a page: its messages twice, for eyes and for the script, and all else

# What grows most on its way into a page, each in another way.
HOSTILE = {
    "emoji": "*a*" + "😀" * (LENGTH - 3),
    "line separators": "*a* " + "\u2028" * (LENGTH - 5) + "b",
    "signs": "&<" * (LENGTH // 2),
    "signs and markup": "*a* " + "&" * (LENGTH - 4),
    "hard spaces": "*a* " + "\u00a0&" * (LENGTH // 2 - 2),
    "lists in lists": "\n".join(["- - - - - a"] * 300)[:LENGTH],
    "quotes in quotes": "\n".join([">" * 9 + " &&&&&&&&"] * 200)[:LENGTH],
    "code in colours": "```c\n" + ('if(1)"a";\n' * LENGTH)[: LENGTH - 10] + "\n```",
    "calls": "@ada " * (LENGTH // 5),
}


@pytest.fixture(scope="module")
def loud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server on which one may say as much as one likes."""
    limits = {"rate_messages": "100000 per 1 seconds", "rate_guests": "1000 per 1 seconds"}
    server = Server(tmp_path_factory.mktemp("loud") / "instance", **limits).start()
    yield server
    server.kill()


@pytest.fixture(scope="module", params=HOSTILE)
def said(request: pytest.FixtureRequest, loud: Server) -> Iterator[tuple[Person, int]]:
    """Somebody, and a room in which at last the same was said again and again."""
    with closing(Person(loud, "ada")) as ada:
        room = ada.make_room()
        ada.read(room)  # who is here can be called
        ada.say_all(room, [*["hi"] * (COUNT - LARGE), *[HOSTILE[request.param]] * LARGE])
        yield ada, room


def test_a_page_of_messages_that_grow_is_small_and_leads_to_all_of_them(said: tuple[Person, int]) -> None:
    ada, room = said
    seen: list[int] = []
    address = f"/chats/{room}/"
    while address:
        page = ada.http.get(address, headers={"Accept": "text/html"})
        assert len(page.content) < ROOM_FOR_ALL
        numbers = [int(number) for number in re.findall(r'<li class="message[^>]* id="m(\d+)"', page.text)]
        assert numbers
        seen = [*numbers, *seen]
        older = re.search(r'id="older" href="([^"]+)"( hidden)?', page.text)
        assert older
        address = "" if older[2] else older[1]
    assert seen == list(range(seen[0], seen[0] + COUNT))


@pytest.mark.parametrize("html", [0, 1])
def test_history_and_polls_of_messages_that_grow_are_small_and_lose_none(
    html: int, said: tuple[Person, int]
) -> None:
    ada, room = said
    last = ada.read(room, after=-1)["cursor"]
    backwards = all_of(
        ada, room, lambda batch: {"before": batch["messages"][0]["seq"]}, before=last + 1, html=html
    )
    assert sorted(backwards) == list(range(1, last + 1))
    onwards = all_of(ada, room, lambda batch: {"after": batch["cursor"]}, after=0, html=html)
    assert onwards == list(range(1, last + 1))
    afresh = all_of(ada, room, lambda batch: {"after": batch["cursor"]}, html=html)
    assert afresh == list(range(last - 49, last + 1)), "without a cursor the last fifty, as ever"


def all_of(
    who: Person, room: int, then: Callable[[dict[str, Any]], dict[str, int]], **query: int
) -> list[int]:
    """The numbers of what is read until there is no more; `then`: how one goes on behind an answer."""
    seqs: list[int] = []
    while True:
        answer = who.http.get(who.messages(room), params={**query, "limit": 200})
        batch = answer.json()
        if not batch["messages"]:
            return seqs
        assert len(answer.content) < marking.ANSWER_BYTES + 1000
        seqs += [message["seq"] for message in batch["messages"]]
        query = {"html": query["html"], **then(batch)}


@pytest.mark.parametrize(("newest", "number"), [(False, 1), (True, 3)])
def test_a_message_that_is_larger_than_an_answer_comes_alone(
    newest: bool, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(marking, "ANSWER_BYTES", 10)
    log = [Message(1, seq, "text", Author("u1", "ada"), format_time(seq), "hi") for seq in (1, 2, 3)]
    assert [each.seq for each in marking.fitting(Turnstile(), log, html=True, newest=newest)] == [number]
