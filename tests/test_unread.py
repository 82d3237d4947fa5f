"""What is unread: texts of others, as they are now, behind how far somebody has read, on whichever device."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
import sqlalchemy
from sqlalchemy import insert

from chatapp import models
from chatapp.journal import reading
from chatapp.listing import UNREAD_COUNTED
from tests.clients import Person, eventually
from tests.conftest import in_a_file
from tests.servers import Server


@pytest.fixture
def database(store: str) -> Iterator[sqlalchemy.Connection]:
    """One with a room, the first, and nobody behind it."""
    engine = sqlalchemy.create_engine(store)
    models.db.metadata.create_all(engine)
    with engine.connect() as connection:
        connection.execute(insert(reading.ROOMS), [{"name": "board", "epoch": "e", "created_at": 1}])
        yield connection
    engine.dispose()


def text(seq: int, author: str) -> dict[str, Any]:
    return {"room_id": 1, "seq": seq, "at": seq, "kind": "text", "body": "word"} | {
        "author_id": author,
        "author_name": author,
        "guest": False,
    }


@pytest.fixture
def ada(server: Server) -> Iterator[Person]:
    with closing(Person(server, "ada")) as person:
        yield person


@pytest.fixture
def grace(server: Server) -> Iterator[Person]:
    with closing(Person(server, "grace")) as person:
        yield person


@pytest.fixture
def board(ada: Person) -> int:
    return ada.make_room()


def unread(person: Person, room: int) -> int:
    rooms = person.http.get("/api/rooms").json()["rooms"]
    return next(each["unread"] for each in rooms if each["id"] == room)


def change(who: Person, room: int, **fields: Any) -> None:
    answer = who.http.post(who.messages(room), json=fields)
    assert answer.status_code == 201, answer.text


@pytest.mark.parametrize("server", ["one_worker", "three_workers", "on_postgres"], indirect=True)
def test_texts_of_others_are_unread_as_long_as_they_say_something(
    ada: Person, grace: Person, board: int
) -> None:
    first, second, own = ada.say(board, "one"), ada.say(board, "two"), grace.say(board, "mine")
    assert (unread(ada, board), unread(grace, board)) == (1, 2)
    change(ada, board, kind="edit", of=first["seq"], body="one, and more")
    change(ada, board, kind="reaction", of=own["seq"], body="👍")
    change(ada, board, kind="reaction", of=own["seq"], body="👍", remove=True)
    assert (unread(ada, board), unread(grace, board)) == (1, 2)
    change(ada, board, kind="delete", of=second["seq"])
    assert unread(grace, board) == 1
    change(ada, board, kind="restore", of=second["seq"])
    assert unread(grace, board) == 2
    grace.http.post(f"/api/rooms/{board}/read", json={"seq": first["seq"]}).raise_for_status()
    eventually(lambda: unread(grace, board) == 1)
    change(ada, board, kind="delete", of=first["seq"])
    change(ada, board, kind="restore", of=first["seq"])
    assert unread(grace, board) == 1


def test_of_many_unread_texts_a_hundred_are_counted_also_behind_many_of_ones_own(
    database: sqlalchemy.Connection,
) -> None:
    authors = ["u2"] * 500 + ["u1"] * 500
    texts = [text(seq, author) for seq, author in enumerate(authors, 1)]
    database.execute(insert(reading.MESSAGES), texts)
    assert [room.unread for room in reading.listed(database, "u1", UNREAD_COUNTED)] == [UNREAD_COUNTED]
    database.execute(insert(reading.READS), [{"person_id": "u1", "room_id": 1, "seq": 493}])
    assert [room.unread for room in reading.listed(database, "u1", UNREAD_COUNTED)] == [7]


@in_a_file  # PostgreSQL plans by how much there is
def test_an_index_counts_them_and_no_text_is_read_for_it(database: sqlalchemy.Connection) -> None:
    asked: list[tuple[str, Any]] = []
    sqlalchemy.event.listen(
        database.engine, "before_cursor_execute", lambda *each: asked.append((each[2], each[3]))
    )
    reading.listed(database, "u1", UNREAD_COUNTED)
    [(count, parameters)] = [each for each in asked if "count" in each[0]]
    plan = database.exec_driver_sql(f"EXPLAIN QUERY PLAN {count}", parameters).all()
    of_messages = [row.detail for row in plan if "messages" in row.detail]
    assert of_messages == ["SEARCH messages USING COVERING INDEX ix_messages_texts (room_id=? AND seq>?)"]
