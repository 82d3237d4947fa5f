"""What is asked of the database for every message costs the same in a room of ten and of ten million."""

import json
import re
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import gevent
import pytest
from sqlalchemy import Engine, create_engine, event

from chatapp import retention
from chatapp.journal import Journal, reading
from chatapp.journal.databases import engine_options, listen
from chatapp.journal.requests import ChangeRoom, Kept, MakeRoom, Post, Prune
from chatapp.message import Author
from tests.clients import UNIT
from tests.servers import Server

ADA, GRACE = Author("p1", "ada"), Author("p2", "grace")
# Reads all of a table, or all of a room: bounded only where it is ordered by what it is read by, and limited.
WHOLE = re.compile(r"SCAN messages|SEARCH messages\S* USING \w+ ?\w* \(room_id=\?\)")
ALL_THREE = "room_id=? AND client_id=? AND author_id=?"
BOUNDED = re.compile(r"ORDER BY messages\.seq( DESC)?\s+LIMIT")


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As a server makes it."""
    server = Server(tmp_path_factory.mktemp("statements") / "instance").start()
    server.stop()
    return server.instance / "chat.db"


@pytest.fixture
def engine(database: Path, tmp_path: Path) -> Iterator[Engine]:
    url = f"sqlite:///{shutil.copy(database, tmp_path / 'chat.db')}"
    engine = create_engine(url, **engine_options(url, busy_seconds=1))
    listen(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def journal(engine: Engine) -> Iterator[Journal]:
    journal = Journal(engine, queue_limit=1000)
    yield journal
    assert journal.finish(UNIT)


def write(journal: Journal) -> None:
    room = journal.ask(MakeRoom("board"))

    def post(body: str = "", **how: object) -> int:
        kept = journal.ask(Post(room, ADA, body, **how))  # type: ignore[arg-type]
        assert isinstance(kept, Kept)
        return kept.message.seq

    first = post("hello", client_id="a")
    assert post("hello", client_id="a") == first
    post("hello there", kind="edit", of=first, client_id="b")
    post("👍", kind="reaction", of=first, client_id="c")
    post(kind="delete", of=first, client_id="d", undo_seconds=60)
    journal.ask(Post(room, ADA, kind="notice", effects=(ChangeRoom({"slow_seconds": 1}),)))
    journal.ask(Post(room, GRACE, "slowly"))


def read(journal: Journal) -> None:
    room, person = 1, ADA.id
    journal.newest(room, 50, -1)
    journal.look(room, 0, 50, -1)
    journal.messages_after(room, 0, 50, 100)
    journal.read(reading.before, room, 100, 50)
    journal.read(reading.last_texts, person)
    journal.read(reading.listed, person, 99)
    journal.read(reading.first_unread, room, person)
    journal.read(reading.authors_called, room, "ada")
    journal.read(reading.name_of, room, person)
    journal.read(reading.text_after_time, room, 0)
    journal.read(reading.reactions, room, 1)


def prune(journal: Journal) -> None:
    room = journal.ask(MakeRoom("short"))
    for number in range(5):
        journal.ask(Post(room, ADA, str(number)))
    journal.ask(Post(room, ADA, kind="notice", effects=(ChangeRoom({"keep_days": 1, "keep_messages": 2}),)))
    journal.ask(Prune(room, keep=2, before=time.time_ns() // 1000))
    retention.prune(journal)


@pytest.mark.parametrize("work", [write, read, prune])
def test_no_statement_reads_a_whole_room(
    work: Callable[[Journal], None], engine: Engine, journal: Journal
) -> None:
    asked: set[tuple[str, int]] = set()

    @event.listens_for(engine, "before_cursor_execute")
    def _asked(_0: object, _1: object, statement: str, parameters: object, *_: object) -> None:
        if "messages" in statement:
            asked.add((statement, statement.count("?")))

    work(journal)
    assert asked
    for statement, parameters in asked:
        plan = plan_of(statement, parameters, Path(str(engine.url.database)))
        if not BOUNDED.search(statement):
            assert not WHOLE.search(plan), f"{statement}\n{plan}"


def plan_of(statement: str, parameters: int, path: Path) -> str:
    with closing(sqlite3.connect(path)) as database:
        steps = database.execute(f"EXPLAIN QUERY PLAN {statement}", [0] * parameters)
        return "\n".join(step[3] for step in steps)


def test_many_who_send_with_one_client_id_cost_no_statement_each(engine: Engine, journal: Journal) -> None:
    room = journal.ask(MakeRoom("board"))
    asked: list[tuple[str, int]] = []

    @event.listens_for(engine, "before_cursor_execute")
    def _asked(_0: object, _1: object, statement: str, parameters: object, *_: object) -> None:
        if "messages" in statement and "SELECT" in statement:
            asked.append((statement, statement.count("?")))

    def send(people: range) -> list[Kept]:
        answers: list[Kept] = []
        for number in people:
            author = Author(f"p{number}", f"ada {number}")
            journal.submit(Post(room, author, f"hello {number}", client_id="1"), answers.append)  # type: ignore[arg-type]
        with gevent.Timeout(UNIT):
            while len(answers) < len(people):
                gevent.sleep(0.01)
        return answers

    first = send(range(1000))
    assert all(kept.new for kept in first)
    asked.clear()
    assert all(kept.new for kept in send(range(1000, 2000)))
    assert len(asked) < 20
    asked.clear()
    again = send(range(1000))
    assert [(kept.message.seq, kept.new) for kept in again] == [(kept.message.seq, False) for kept in first]
    assert len(asked) < 40
    plans = {plan_of(statement, count, Path(str(engine.url.database))) for statement, count in asked}
    for plan in plans:
        searches = set(re.findall(r"(?:SEARCH|SCAN) messages.*", plan))
        assert searches in (
            {f"SEARCH messages USING COVERING INDEX uq_messages_client_id ({ALL_THREE})"},
            {"SEARCH messages USING PRIMARY KEY (room_id=? AND seq=?)"},
        ), plan


def test_of_many_rooms_only_those_that_are_live_are_looked_at(engine: Engine, journal: Journal) -> None:
    rooms = [journal.ask(MakeRoom(f"room {number}")) for number in range(10)]
    journal.ask(Post(rooms[3], ADA, "hello"))
    asked: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *given: asked.append(given[2]))
    found = journal.revisions([rooms[3], rooms[7], 999])
    assert found.keys() == {rooms[3], rooms[7]}
    assert found[rooms[3]] == found[rooms[7]] + 1
    (statement,) = [each for each in asked if "rooms" in each]
    with closing(sqlite3.connect(str(engine.url.database))) as database:
        steps = database.execute(f"EXPLAIN QUERY PLAN {statement}", [json.dumps(rooms)]).fetchall()
    assert "SEARCH rooms USING INTEGER PRIMARY KEY (rowid=?)" in [step[3] for step in steps]


def test_who_asks_for_one_room_has_no_other_looked_at(engine: Engine, journal: Journal) -> None:
    rooms = [journal.ask(MakeRoom(f"room {number}")) for number in range(10)]
    asked: list[tuple[str, object]] = []
    event.listen(engine, "before_cursor_execute", lambda *given: asked.append((given[2], given[3])))
    found = journal.read(reading.listed, "u1", 99, rooms[3])
    assert [each.state.id for each in found] == [rooms[3]]
    assert journal.read(reading.listed, "u1", 99, 999) == []
    statement, parameters = next(each for each in asked if "FROM rooms" in each[0])
    with closing(sqlite3.connect(str(engine.url.database))) as database:
        steps = database.execute(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchall()
    assert "SEARCH rooms USING INTEGER PRIMARY KEY (rowid=?)" in [step[3] for step in steps]
