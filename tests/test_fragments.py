"""Rows of a page are made once and kept (pages/fragments.py): everybody still sees their own, as it is now."""

import re
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import httpx
import msgspec
import pytest

from chatapp import create_app
from chatapp.pages import fragments
from chatapp.pages.rows import Row
from tests.clients import Person, eventually
from tests.people import Member, member
from tests.servers import Server

PAGE = {"Accept": "text/html"}


def row(reader: httpx.Client, room: int, seq: int, **headers: str) -> str:
    """A message's row on the room's page, as `reader` gets it."""
    answer = reader.get(f"/chats/{room}/", headers={**PAGE, **headers})
    assert answer.status_code == 200, answer.text
    found = re.search(rf'<li class="[^"]*" tabindex="-1" id="m{seq}">.*?\n</li>', answer.text, re.DOTALL)
    assert found, answer.text
    return found[0]


@pytest.fixture
def mary(server: Server) -> Iterator[Member]:
    with closing(member(server, "mary")) as person:
        yield person


@pytest.fixture
def visitor(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, verify=False) as client:
        yield client


def test_its_author_whom_it_calls_others_and_visitors_see_each_their_own(
    mary: Member, ada: Person, grace: Person, visitor: httpx.Client, board: int
) -> None:
    seq = ada.say(board, f"hello @{mary.name}")["seq"]
    for _ in range(2):  # made, and as it was kept
        for_mary, for_ada, for_grace = (row(each.http, board, seq) for each in (mary, ada, grace))
        for_visitor = row(visitor, board, seq)
        assert ["for-me" in each for each in (for_mary, for_ada, for_grace, for_visitor)] == [
            True,
            *[False] * 3,
        ]
        assert ['class="mention own"' in each for each in (for_mary, for_ada, for_grace)] == [
            True,
            False,
            False,
        ]
        assert ['class="face own"' in each for each in (for_mary, for_ada, for_grace)] == [False, True, False]
        assert "Reply" in for_grace
        assert "Reply" not in for_visitor  # who has no name yet answers nobody


def test_what_is_changed_deleted_or_reacted_to_is_shown_so_at_once(
    ada: Person, grace: Person, board: int
) -> None:
    seq = ada.say(board, "helo")["seq"]

    def turn(who: Person, **fields: object) -> None:
        who.http.post(who.messages(board), json={"of": seq, **fields}).raise_for_status()

    assert all("helo" in row(each.http, board, seq) for each in (ada, grace))
    turn(ada, kind="edit", body="hello")
    assert all("hello</div>" in row(each.http, board, seq) for each in (ada, grace))
    turn(grace, kind="reaction", body="👍")
    assert ["reaction own" in row(each.http, board, seq) for each in (ada, grace, ada)] == [
        False,
        True,
        False,
    ]
    turn(ada, kind="delete")
    kept, others = row(ada.http, board, seq), row(grace.http, board, seq)
    assert "hello" not in kept + others
    tokens = re.findall(r'name="csrf_token" value="([^"]+)"', kept)
    assert len(tokens) == 1, "a form of hers to take it back"
    assert 'class="undo"' not in others
    turn(ada, kind="restore")
    assert all("hello</div>" in row(each.http, board, seq) for each in (ada, grace))


def test_a_new_name_and_another_language_make_another_row(
    mary: Member, ada: Person, visitor: httpx.Client, board: int
) -> None:
    seq = mary.say(board, "hello")["seq"]
    mary.http.post(mary.messages(board), json={"kind": "edit", "of": seq, "body": "Hello"}).raise_for_status()
    assert mary.name in row(ada.http, board, seq)
    former, mary.name = mary.name, f"{mary.name} the second"
    assert mary.change(mary.id, name=mary.name).status_code == 200
    eventually(lambda: mary.name in row(ada.http, board, seq), "every worker has heard of it")
    eventually(lambda: all(mary.name in row(visitor, board, seq) for _ in range(6)))
    languages = ("en", "de", "ar", "en")
    edited = [row(visitor, board, seq, **{"Accept-Language": each}) for each in languages]
    assert ["(edited)" in each for each in edited] == [True, False, False, True]
    assert "(geändert)" in edited[1]
    assert f">{former}<" not in "".join(edited)


def test_a_long_message_is_shown_whole(ada: Person, grace: Person, board: int) -> None:
    long = "word " * 700
    seq = ada.say(board, long)["seq"]
    for reader in (ada, grace, grace):
        assert row(reader.http, board, seq).count("word ") == 700


def test_a_row_that_was_kept_is_the_one_that_would_be_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHATAPP_INSTANCE_PATH", str(tmp_path))
    message = {"seq": 1, "kind": "text", "room": 1, "author": {"id": "u1", "name": "ada"}, "body": "hello"}
    row = Row({**message, "at": "2026-11-23T09:00:00.123456Z"}, True, True, None, [], "")

    def made() -> str:
        return fragments.log_rows([row], None, moderates=False, restorable=(), undo=0, token="")

    with create_app().test_request_context("/"):
        rows, before = [made(), made()], fragments._row.cache_info()
        assert before.hits > 0
        monkeypatch.setattr(fragments, "ROW_LIMIT", 0)
        assert [made(), made()] == rows
        assert fragments._row.cache_info() == before, "neither kept nor looked for"
    assert rows[0] == rows[1]


def test_who_moderates_sees_tools_on_what_was_deleted_and_others_none(server: Server, grace: Person) -> None:
    with ExitStack() as stack:
        owner = stack.enter_context(closing(member(server, "owner")))
        room = owner.make_room()
        seq = grace.say(room, "hello")["seq"]
        owner.http.post(owner.messages(room), json={"kind": "delete", "of": seq}).raise_for_status()
        for _ in range(2):
            seen = [row(each.http, room, seq) for each in (owner, grace)]
            assert ['class="tools"' in each for each in seen] == [True, False]


def test_what_is_kept_of_a_row_is_small_whatever_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHATAPP_INSTANCE_PATH", str(tmp_path))
    said = "&" * 1_200 + "😀"  # five times as long on a page, and as a text four bytes a sign
    message = {"seq": 1, "kind": "text", "room": 1, "author": {"id": "u1", "name": "ada"}, "body": said}
    row = msgspec.json.encode(Row({**message, "at": "2026-11-23T09:00:00.123456Z"}, True, True, None, [], ""))
    assert len(row) <= fragments.ROW_LIMIT
    with create_app().test_request_context("/"):
        assert sys.getsizeof(fragments._row(row, "", True, "en")) < 6 * fragments.ROW_LIMIT
