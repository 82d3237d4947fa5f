"""Groups: what is asked for at once is kept in one transaction, and one fault in it harms nobody else."""

import errno
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gevent
import pytest
from gevent import monkey
from gevent.event import Event
from sqlalchemy import create_engine, event

from chatapp import models, retention
from chatapp.errors import BadRequest, NoSuchRoom, NotKept, RoomClosed
from chatapp.journal import (
    BURST,
    LONG_SHOWING,
    Journal,
    reading,
    sqlite_bulk,
    sqlite_connections,
    sqlite_log,
    statements,
    writing,
)
from chatapp.journal.databases import engine_options, listen
from chatapp.journal.requests import ChangeRoom, Commit, DropRoom, Kept, MakeRoom, Post, Prune, Request
from chatapp.message import Author
from tests.clients import UNIT
from tests.conftest import in_a_file

native_sleep = monkey.get_original("time", "sleep")

ADA = Author("g1", "ada", guest=True)
UNKEEPABLE = (
    "\ud800"  # half a character: no database takes it. The doors refuse it before the journal sees it.
)


class Keeper:
    """A journal with a room, all that it tells, and how often it has tried to write."""

    def __init__(self, url: str, **settings: bool) -> None:
        engine = create_engine(url, **engine_options(url, busy_seconds=1))
        listen(engine)
        models.db.metadata.create_all(engine)
        self.journal = Journal(engine, queue_limit=1000, **settings)
        self.commits: list[Commit] = []
        self.journal.on_commit = self.commits.extend
        self.tries = 0
        self._write = self.journal._connections.write
        self.journal._connections.write = self._counted  # type: ignore[method-assign]
        self.room = self.journal.ask(MakeRoom("board"))
        self.commits.clear()
        self.tries = 0

    def ask(self, *requests: Request) -> list[Any]:
        """The answers to `requests`, which are one group; they come in this order."""
        answers: list[Any] = []
        for request in requests:
            self.journal.submit(request, answers.append)
        with gevent.Timeout(UNIT):
            while len(answers) < len(requests):
                gevent.sleep(0.01)
        return answers

    @property
    def shown(self) -> list[tuple[int, str]]:
        return [(message.seq, message.body) for commit in self.commits for message in commit.messages]

    def _counted(self, *arguments: Any) -> Any:
        self.tries += 1
        return self._write(*arguments)


@pytest.fixture
def keeper(store: str) -> Iterator[Keeper]:
    keeper = Keeper(store)
    yield keeper
    assert keeper.journal.finish(UNIT)


def says(room: int, *bodies: str) -> list[Request]:
    return [Post(room, ADA, body, client_id=f"id of {body!r}") for body in bodies]


def test_what_is_asked_at_once_is_one_transaction(keeper: Keeper) -> None:
    bodies = [f"word {number}" for number in range(100)]
    answers = keeper.ask(*says(keeper.room, *bodies))
    assert [(kept.message.seq, kept.message.body) for kept in answers] == list(enumerate(bodies, 1))
    assert keeper.tries == len(keeper.commits) == 1


@pytest.mark.parametrize("places", [[0], [99], [37], [0, 1, 50, 98, 99], range(100)])
def test_a_request_that_no_database_would_take_fails_alone(
    places: Any, keeper: Keeper, caplog: pytest.LogCaptureFixture
) -> None:
    bodies = [UNKEEPABLE if number in places else f"word {number}" for number in range(100)]
    answers = keeper.ask(*says(keeper.room, *bodies))
    good = [body for body in bodies if body != UNKEEPABLE]
    assert [number for number, answer in enumerate(answers) if isinstance(answer, NotKept)] == list(places)
    kept = [answer.message for answer in answers if isinstance(answer, Kept)]
    assert [(message.seq, message.body) for message in kept] == list(enumerate(good, 1))
    assert keeper.shown == list(enumerate(good, 1)), "once, in order, without a gap"
    assert len(caplog.records) == len(places), "each is a fault of the program, and named"
    assert "word" not in caplog.text, "without what people wrote"
    assert keeper.ask(*says(keeper.room, "after"))[0].message.seq == len(good) + 1
    again = keeper.ask(*says(keeper.room, *good))
    assert [(kept.message.seq, kept.new) for kept in again] == [
        (number + 1, False) for number in range(len(good))
    ]


def test_messages_of_many_rooms_cost_a_group_no_more_statements_than_those_of_one(keeper: Keeper) -> None:
    rooms = [keeper.journal.ask(MakeRoom(f"room {number}")) for number in range(20)]
    asked: list[str] = []
    event.listen(
        keeper.journal._connections._engine, "before_cursor_execute", lambda *how: asked.append(how[2])
    )
    keeper.ask(*says(rooms[0], *map(str, range(20))))
    in_one = len(asked)
    asked.clear()
    keeper.ask(*(request for room in rooms for request in says(room, "hello")))
    assert len(asked) == in_one


def test_what_was_kept_before_is_found_again_in_a_group_of_any_size_in_its_own_room(keeper: Keeper) -> None:
    other = keeper.journal.ask(MakeRoom("attic"))
    bodies = [f"word {number}" for number in range(sqlite_bulk.ASKED_AT_ONCE + 50)]
    first = keeper.ask(*says(keeper.room, *bodies))
    again = keeper.ask(*says(other, *bodies[:5]), *says(keeper.room, *bodies))
    assert [kept.new for kept in again] == [True] * 5 + [False] * len(bodies)
    assert [kept.message for kept in again[5:]] == [kept.message for kept in first]


@pytest.mark.parametrize("said", [1, 3, 6, 7, 9, 20])
def test_what_a_room_does_not_keep_is_removed_some_at_a_time_until_none_is_left(
    said: int, keeper: Keeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statements, "PRUNED_AT_ONCE", 3)
    keeper.ask(*says(keeper.room, *map(str, range(said))))
    wanted = Prune(keeper.room, keep=2)
    first, second = keeper.journal.ask(wanted), keeper.journal.ask(wanted)
    over = max(0, said - 2)
    assert (first, second) == (1 + min(3, over), 1 + min(6, over))
    effect = ChangeRoom({"keep_messages": 1})
    keeper.ask(Post(keeper.room, ADA, "keeps 1", kind="notice", effects=(effect,)))
    retention.prune(keeper.journal)
    left = keeper.journal.read(reading.before, keeper.room, 2**62, 100)
    assert [message.seq for message in left] == [said + 1]
    assert retention.prune(keeper.journal) == 0


def test_a_refusal_concerns_its_request_alone(keeper: Keeper) -> None:
    other = keeper.journal.ask(MakeRoom("other"))
    keeper.tries = 0
    answers = keeper.ask(
        *says(other, "before"),
        *says(keeper.room, "one"),
        Post(keeper.room, ADA, "of what?", kind="edit", of=77),
        DropRoom(other),
        *says(other, "too late"),
        *says(keeper.room, "two"),
        Post(keeper.room, ADA, "closes", kind="notice", effects=(ChangeRoom({"closed": True}),)),
        *says(keeper.room, "three"),
    )
    refusals = [type(answer) for answer in answers if isinstance(answer, Exception)]
    assert refusals == [BadRequest, NoSuchRoom, RoomClosed]
    assert [body for _, body in keeper.shown] == ["one", "two", "closes"]
    assert keeper.tries == 1


@in_a_file
def test_a_fault_of_the_database_fails_the_group_at_once_and_is_over_when_it_is(
    keeper: Keeper, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bodies = [f"word {number}" for number in range(50)]
    with closing(sqlite3.connect(tmp_path / "chat.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        for tries in (1, 2):
            answers = keeper.ask(*says(keeper.room, *bodies))
            assert [type(answer) for answer in answers] == [NotKept] * 50
            assert keeper.tries == tries, "nobody else waits for the lock as well"
    assert keeper.shown == []
    assert [kept.message.seq for kept in keeper.ask(*says(keeper.room, *bodies))] == list(range(1, 51))
    began, over = [record.getMessage() for record in caplog.records]
    assert "locked" in began
    assert "over (count: 100)" in over


def test_of_many_that_come_at_once_those_that_are_read_meanwhile_go_with_them(keeper: Keeper) -> None:
    def one_read_after_another() -> None:
        for half in (range(BURST), range(BURST, 2 * BURST)):
            for request in says(keeper.room, *[f"word {number}" for number in half]):
                keeper.journal.submit(request, answers.append)
            gevent.sleep(0)  # as a connection does between two reads

    answers: list[Any] = []
    gevent.spawn(one_read_after_another)
    with gevent.Timeout(UNIT):
        while len(answers) < 2 * BURST:
            gevent.sleep(0.01)
    assert keeper.tries == 1
    assert [body for _, body in keeper.shown] == [f"word {number}" for number in range(2 * BURST)]


class Talkers:
    """Those who say something when the socket that they read says that they may, as connections do."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self.groups: list[int] = []  # of messages, as they were shown
        self.answers: list[Any] = []
        self.shown: Callable[[], object] = lambda: None  # what becomes of it when one is
        keeper.journal.on_commit = self._show

    def submit(self, *bodies: str) -> None:
        for request in says(self._keeper.room, *bodies):
            self._keeper.journal.submit(request, self.answers.append)

    def will_say(self, *bodies: str) -> Callable[[], object]:
        """Says `bodies` when what is returned was called."""
        ours, theirs = gevent.socket.socketpair()

        def talk() -> None:
            theirs.recv(1)
            self.submit(*bodies)

        gevent.spawn(talk)
        gevent.sleep(0)
        return lambda: ours.send(b"!")

    def wait(self, count: int) -> None:
        with gevent.Timeout(UNIT):
            while len(self.answers) < count:
                gevent.sleep(0.01)

    def _show(self, commits: list[Any]) -> None:
        self.groups.append(sum(len(commit.messages) for commit in commits))
        native_sleep(2 * LONG_SHOWING)
        self.shown()


@pytest.fixture
def talkers(keeper: Keeper, monkeypatch: pytest.MonkeyPatch) -> Talkers:
    monkeypatch.setattr("chatapp.journal.GATHER_SHARE", UNIT / LONG_SHOWING)
    monkeypatch.setattr("chatapp.journal.GATHER_SECONDS", UNIT)
    return Talkers(keeper)


def test_after_what_took_long_to_be_shown_a_few_who_wait_go_with_those_who_answer_to_it(
    talkers: Talkers,
) -> None:
    say = talkers.will_say("waits")
    talkers.shown = lambda: (
        len(talkers.groups) > 1 or (say(), gevent.spawn_later(0.1, talkers.submit, "answers"))
    )
    talkers.submit("first")
    talkers.wait(3)
    assert talkers.groups == [1, 2]


def test_many_who_wait_do_not_wait_for_those_who_answer(
    talkers: Talkers, monkeypatch: pytest.MonkeyPatch
) -> None:
    say = talkers.will_say(*[f"waits {number}" for number in range(BURST)])

    def shown() -> None:
        if len(talkers.groups) == 1:
            say()
        elif len(talkers.groups) == 2:
            monkeypatch.setattr("chatapp.journal.LONG_SHOWING", UNIT)  # from here on nobody waits for anybody
            talkers.submit("answers")

    talkers.shown = shown
    talkers.submit("first")
    talkers.wait(BURST + 2)
    assert talkers.groups == [1, BURST, 1]


def test_who_is_alone_and_answers_to_themselves_waits_for_nobody_again_and_again(
    keeper: Keeper, talkers: Talkers, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Counted(Event):
        waits = 0

        def wait(self, timeout: float | None = None) -> bool:
            Counted.waits += 1
            return super().wait(timeout)

    monkeypatch.setattr("chatapp.journal.GATHER_SECONDS", 0.01)
    keeper.journal._arrived = Counted()
    says = iter([talkers.will_say(str(number)) for number in range(20)])
    talkers.shown = lambda: next(says, lambda: None)()
    talkers.submit("first")
    talkers.wait(21)
    assert talkers.groups == [1] * 21
    assert Counted.waits == 4, "before the second group, the fourth, the eighth and the sixteenth"


@pytest.fixture
def ahead(store: str) -> str:
    """The same, with a write-ahead log, as every server's has."""
    with closing(sqlite3.connect(store.removeprefix("sqlite:///"))) as database:
        assert database.execute("PRAGMA journal_mode=WAL").fetchone() == ("wal",)
    return store


def lengths(store: str) -> tuple[int, int]:
    """Of the write-ahead log: bytes, and when it was written to."""
    status = Path(f"{store.removeprefix('sqlite:///')}-wal").stat()
    return status.st_size, status.st_mtime_ns


@in_a_file
def test_the_log_has_its_length_before_it_is_written_and_nothing_of_that_is_ever_read(
    ahead: str, keeper: Keeper, tmp_path: Path
) -> None:
    keeper.ask(*says(keeper.room, "before"))
    keeper.journal.prepare()
    made = lengths(ahead)
    assert made[0] >= sqlite_log.BYTES
    keeper.journal.prepare()
    assert lengths(ahead) == made, "once"
    keeper.ask(*says(keeper.room, *[f"word {number}" for number in range(20)]))
    assert lengths(ahead)[0] == made[0], "it did not grow"
    # As after a crash: who opens it reads the log as far as it was committed.
    after = tmp_path / "after"
    after.mkdir()
    for name in ("chat.db", "chat.db-wal"):
        shutil.copy(tmp_path / name, after)
    with closing(sqlite3.connect(after / "chat.db")) as database:
        said = [body for (body,) in database.execute("SELECT body FROM messages ORDER BY seq")]
        assert said == ["before", *[f"word {number}" for number in range(20)]]
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@in_a_file
def test_a_server_that_goes_meanwhile_waits_for_no_more_of_the_log(
    ahead: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_log, "STEP", 4096)
    keeper = Keeper(ahead)
    preparing = gevent.spawn(keeper.journal.prepare)
    with gevent.Timeout(UNIT):
        while lengths(ahead)[0] < 100_000:
            gevent.sleep(0.001)
    assert keeper.ask(*says(keeper.room, "meanwhile"))[0].new
    assert keeper.journal.finish(UNIT)
    preparing.get(timeout=UNIT)
    assert lengths(ahead)[0] < sqlite_log.BYTES


@in_a_file
def test_where_the_disk_fails_meanwhile_the_log_is_as_long_as_before(
    ahead: str, keeper: Keeper, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(file: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    before = lengths(ahead)[0]
    monkeypatch.setattr("os.fsync", fails)
    keeper.journal.prepare()
    assert lengths(ahead)[0] == before
    assert ["could not be lengthened" in record.getMessage() for record in caplog.records] == [True]
    assert keeper.ask(*says(keeper.room, "kept"))[0].new


@in_a_file
def test_where_there_is_little_room_on_the_disk_the_log_grows_as_it_is_written(
    ahead: str, keeper: Keeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = SimpleNamespace(f_bavail=sqlite_log.BYTES, f_frsize=sqlite_log.ROOMY - 1)
    monkeypatch.setattr("os.statvfs", lambda path: free)
    keeper.journal.prepare()
    assert lengths(ahead)[0] < 1_000_000
    assert keeper.ask(*says(keeper.room, "kept"))[0].new


class Others:
    """All else that a worker does: how often it has had its turn, and how often while something was written."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.turns = self.meanwhile = 0
        self.during: Callable[[], object] = lambda: None  # what else the writing thread does
        perform = writing.perform

        def performing(*arguments: Any) -> Any:
            before = self.turns
            self.during()
            answer = perform(*arguments)
            self.meanwhile = self.turns - before
            return answer

        monkeypatch.setattr(writing, "perform", performing)
        self._greenlet = gevent.spawn(self._take_turns)

    def have_one(self) -> None:
        """Wait for it, in the writing thread."""
        before, deadline = self.turns, time.monotonic() + UNIT
        while self.turns == before:
            assert time.monotonic() < deadline, "nothing else had its turn"
            native_sleep(0.001)

    def close(self) -> None:
        self._greenlet.kill()

    def _take_turns(self) -> None:
        while True:
            self.turns += 1
            # Of 0 the loop would give up Python's lock again and again, for less than another thread needs to
            # wake up and take it: on a quiet machine that never wins.
            gevent.sleep(0.001)


@pytest.fixture
def others(monkeypatch: pytest.MonkeyPatch) -> Iterator[Others]:
    others = Others(monkeypatch)
    yield others
    others.close()


@in_a_file
def test_all_else_waits_for_a_write_where_the_last_one_waited_but_a_moment_for_the_disk(
    keeper: Keeper, others: Others, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_connections, "PATIENCE", UNIT)
    others.during = lambda: native_sleep(0.02)
    monkeypatch.setattr(sqlite_connections, "QUICK_SECONDS", UNIT)
    keeper.ask(*says(keeper.room, "after a quick one"))
    assert others.meanwhile == 0
    others.during = others.have_one
    monkeypatch.setattr(sqlite_connections, "QUICK_SECONDS", 0)
    keeper.ask(*says(keeper.room, "after one that took its time"))
    assert others.meanwhile > 0
    assert [body for _, body in keeper.shown] == ["after a quick one", "after one that took its time"]


@in_a_file
def test_where_it_takes_longer_after_all_the_others_go_on(
    keeper: Keeper, others: Others, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_connections, "QUICK_SECONDS", UNIT)
    others.during = others.have_one
    keeper.ask(*says(keeper.room, "one"))
    assert others.meanwhile > 0


@in_a_file
def test_behind_a_write_that_failed_or_waited_for_a_lock_nobody_waits_in_place(
    keeper: Keeper, others: Others, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(sqlite3.connect(store.removeprefix("sqlite:///"))) as another:
        another.execute("BEGIN IMMEDIATE")
        assert keeper.ask(*says(keeper.room, "refused"))[0].code == NotKept().code
    monkeypatch.setattr(sqlite_connections, "PATIENCE", UNIT)  # in place this would be for ever
    others.during = others.have_one
    assert keeper.ask(*says(keeper.room, "kept"))[0].new


@in_a_file
def test_switched_off_nothing_waits_for_a_write(
    store: str, others: Others, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper = Keeper(store, quick_commits=False)
    monkeypatch.setattr(sqlite_connections, "QUICK_SECONDS", UNIT)
    monkeypatch.setattr(sqlite_connections, "PATIENCE", UNIT)
    others.during = others.have_one
    for body in ("one", "two"):
        assert keeper.ask(*says(keeper.room, body))[0].new
    assert keeper.journal.finish(UNIT)
