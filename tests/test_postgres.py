"""PostgreSQL: many write at once, nobody waits for its answers but who asked, and it may go and come back."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine, create_engine, event, insert

from chatapp import account_rows
from chatapp.journal import Journal, postgres_bulk
from chatapp.journal.connections import READERS
from chatapp.journal.databases import engine_options, listen
from chatapp.journal.postgres_bulk import LOCK
from chatapp.journal.postgres_connections import driver
from chatapp.journal.requests import ChangeRoom, Kept, MakeRoom, Post, Request
from chatapp.journal.writing import perform
from chatapp.message import Author
from tests.clients import RESUMING, UNIT, Person, eventually
from tests.postgres import Postgres, name_in
from tests.servers import ROOT, START_SECONDS, Server
from tests.test_schema import UPGRADE_THAT_WORKS
from tests.test_schema import newer_program as newer_program  # a fixture
from tests.test_storage_faults import post, refused
from tests.test_workers import one_on_each_worker

ADA = Author("g1", "ada", guest=True)
COLUMN = "op.add_column('messages', sa.Column('mood', sa.Text()))"
BOTH = f"{UPGRADE_THAT_WORKS}; {COLUMN}"
INDEX = "from chatapp.migrations.indexes import make_index; make_index('ix_mood', 'messages', ['at'])"
# It takes minutes for what it has done in no time else.
VACUUMED_SLOWLY = (
    "ALTER TABLE messages SET (autovacuum_vacuum_cost_delay = 100, autovacuum_vacuum_cost_limit = 1)"
)
PATCHED = """
import sys
from gevent import monkey

monkey.patch_all()

import gevent
from sqlalchemy import create_engine, text

from chatapp.journal import Journal
from chatapp.journal.databases import engine_options, listen

url = sys.argv[1]
engine = create_engine(url, **engine_options(url, 5))
listen(engine)
journal = Journal(engine, 1000)
"""
# How often everything else had its turn while statements slept, and how many of them did so at once.
SLEEPS = """
turns, now, most = 0, 0, 0

def others():
    global turns
    while True:
        turns += 1
        gevent.sleep(0.001)

def sleeps(connection):
    global now, most
    now += 1
    most = max(most, now)
    connection.execute(text("SELECT pg_sleep(0.2)"))
    now -= 1

gevent.spawn(others)
gevent.joinall([gevent.spawn(journal.read, sleeps) for _ in range(12)], raise_error=True)
print(turns, most)
"""
# Of as many as there are connections and more, each is given up in another way while its statement waits.
GIVEN_UP = """
def sleeps(connection):
    connection.execute(text("SELECT pg_sleep(60)"))

def impatient():
    with gevent.Timeout(0.1, False):
        journal.read(sleeps)

asking = [gevent.spawn(what, *who) for what, *who in [(journal.read, sleeps), (impatient,)] * 3]
gevent.sleep(0.1)
for one in asking:
    one.kill()
print([journal.read(lambda connection: connection.scalar(text("SELECT 1"))) for _ in range(6)])
"""
# Groups of messages into some rooms, in whatever order, each sent by two processes at once, with deeds in between.
WRITES = """
import random
from chatapp.journal.requests import ChangeRoom, Kept, Post
from chatapp.message import Author

rooms, chance = [int(room) for room in sys.argv[2].split()], random.Random(sys.argv[3])
ada = Author(sys.argv[4], "ada", guest=True)
failed = []

def done(answer):
    if not isinstance(answer, (Kept, int)):
        failed.append(repr(answer))

print("ready", flush=True)
sys.stdin.readline()
for number in range(60):
    for room in chance.sample(rooms, len(rooms)):
        journal.submit(Post(room, ada, f"word {number}", client_id=f"id {number}"), done)
    if number % 10 == 0:
        effect = ChangeRoom({"topic": f"about {number}"})
        journal.submit(Post(chance.choice(rooms), ada, "tells", "notice", effects=(effect,)), done)
    gevent.sleep(0)
assert journal.finish(60)
print(len(failed), failed[:3])
"""

# Stops, all of it, when a message is about to be written, with the room in its hands.
STOPS = """
import os, signal
from chatapp.journal import postgres_bulk
from chatapp.journal.requests import Post
from chatapp.message import Author

finish = postgres_bulk.finish

def stops(*what):
    print("about to write", flush=True)
    os.kill(os.getpid(), signal.SIGSTOP)
    finish(*what)

postgres_bulk.finish = stops
print(journal.ask(Post(int(sys.argv[2]), Author("g1", "ada", guest=True), "half")))
"""


@pytest.fixture
def empty(postgres: Postgres) -> Iterator[str]:
    with postgres.empty() as url:
        yield url


def start(program: str, *arguments: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", PATCHED + program, *arguments]
    return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_everything_goes_on_while_statements_wait_and_no_more_of_them_than_there_are_connections(
    empty: str,
) -> None:
    said, _ = start(SLEEPS, empty).communicate()
    turns, most = map(int, said.split())
    assert turns > 3 * READERS
    assert most == READERS


def test_who_gives_up_waiting_leaves_the_connection_to_others(empty: str) -> None:
    said, _ = start(GIVEN_UP, empty).communicate()
    assert said == f"{[1] * 6}\n"


def test_of_many_who_write_in_several_processes_each_is_kept_once_and_numbers_have_no_gap(
    empty: str, postgres: Postgres
) -> None:
    rooms = [str(room) for room in made_rooms(empty, 4)]
    writers = [
        start(WRITES, empty, " ".join(rooms), seed, f"g{number % 2}") for number, seed in enumerate("abcd")
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    for writer in writers:
        said, _ = writer.communicate()
        assert said == "0 []\n"
    with postgres.connect(empty) as database:
        counted = database.execute(
            "SELECT rooms.id, last_seq, count(*), min(seq), max(seq), count(DISTINCT at), "
            "count(client_id), count(DISTINCT (author_id, client_id)) FILTER (WHERE client_id IS NOT NULL) "
            "FROM rooms JOIN messages ON room_id = rooms.id GROUP BY rooms.id"
        ).fetchall()
        turned = database.execute(
            "SELECT * FROM messages a JOIN messages b USING (room_id) WHERE b.seq = a.seq + 1 AND b.at <= a.at"
        ).fetchall()
    assert len(counted) == len(rooms)
    for _, last, count, least, most, times, texts, ids in counted:
        assert (least, most) == (1, last)
        assert count == last == times
        assert texts == ids == 120, "by each of two, though each was sent twice"
    assert turned == []


def test_what_was_sent_so_already_is_found_by_its_index_however_full_a_table_is_that_was_empty_a_moment_ago(
    empty: str,
) -> None:
    (room,) = made_rooms(empty, 1)
    with engine_of(empty).connect() as connection:
        for number in range(20):
            perform(connection, [says(room, f"{number} {each}") for each in range(64)])
        plan = driver(connection).execute("EXPLAIN EXECUTE chat_sent('[]')").fetchall()
    assert "uq_messages_client_id" in str(plan)


def test_where_a_table_that_has_just_begun_cannot_be_analyzed_what_is_kept_is_kept(
    empty: str, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    (room,) = made_rooms(empty, 1)
    monkeypatch.setattr(postgres_bulk, "_ANALYZE", b"SELECT 1 / 0")
    with engine_of(empty).connect() as connection:
        for number in range(20):
            answers, _ = perform(connection, [says(room, f"{number} {each}") for each in range(64)])
            assert [type(answer) for answer in answers] == [Kept] * 64
    with postgres.connect(empty) as database:
        assert database.execute("SELECT count(*) FROM messages").fetchone() == (1280,)


# -- who waits for whom ----------------------------------------------------------------------------------------


IN_HAND = threading.local()  # the writer of a thread


class Writer:
    """A transaction of its own, which carries out `requests` in a thread and waits to be told to write and commit,
    which is one journey, with all locks in its hands: it is `ready`.
    """

    def __init__(self, url: str, *requests: Request) -> None:
        self._engine = engine_of(url)
        self._requests = requests
        self._commit = threading.Event()
        self.ready = threading.Event()
        self.answers: list[Any] = []
        self.backend = 0
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def commit(self) -> list[Any]:
        assert self.ready.wait(UNIT)
        self._commit.set()
        self._thread.join(UNIT)
        return self.answers

    def waits(self, database: "psycopg.Connection[Any]") -> bool:
        """Whether it waits for somebody's lock."""
        query = "SELECT 1 FROM pg_stat_activity WHERE pid = %s AND wait_event_type = 'Lock'"
        return bool(self.backend and database.execute(query, [self.backend]).fetchall())

    def _run(self) -> None:
        IN_HAND.writer = self
        with self._engine.connect() as connection, connection.begin():
            self.backend = driver(connection).info.backend_pid
            self.answers, _ = perform(connection, self._requests)

    def wait(self) -> None:
        self.ready.set()
        self._commit.wait(UNIT)


@pytest.fixture(autouse=True)
def writers_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    finish = postgres_bulk.finish

    def wait_and_finish(*what: Any) -> None:
        if writer := getattr(IN_HAND, "writer", None):
            writer.wait()
        finish(*what)

    monkeypatch.setattr(postgres_bulk, "finish", wait_and_finish)


def engine_of(url: str) -> Engine:
    engine = create_engine(url, **engine_options(url, busy_seconds=60))
    listen(engine)
    return engine


def made_rooms(url: str, count: int) -> list[int]:
    with engine_of(url).connect() as connection, connection.begin():
        connection.execute(insert(account_rows.Server).values(id=1, people=0, begun=False))
        made, _ = perform(connection, [MakeRoom(f"room {number}") for number in range(count)])
    return [room for room in made if isinstance(room, int)]


def says(room: int, body: str = "hello") -> Post:
    return Post(room, ADA, body, client_id=body)


def tells(room: int) -> Post:
    return Post(room, ADA, "tells", "notice", effects=(ChangeRoom({"topic": "news"}),))


@pytest.fixture
def watcher(empty: str, postgres: Postgres) -> Iterator["psycopg.Connection[Any]"]:
    with postgres.connect(empty, autocommit=True) as connection:
        yield connection


def test_who_writes_into_a_room_waits_for_who_has_written_there_and_goes_on_behind_them(
    empty: str, watcher: "psycopg.Connection[Any]"
) -> None:
    (room,) = made_rooms(empty, 1)
    first = Writer(empty, says(room, "one"), says(room, "both"))
    assert first.ready.wait(UNIT)
    second = Writer(empty, says(room, "both"), says(room, "two"))
    eventually(lambda: second.waits(watcher))
    assert [(kept.message.seq, kept.new) for kept in first.commit()] == [(1, True), (2, True)]
    assert [(kept.message.seq, kept.new) for kept in second.commit()] == [(2, False), (3, True)]


def test_who_writes_into_another_room_waits_for_nobody(empty: str) -> None:
    one, other = made_rooms(empty, 2)
    first = Writer(empty, says(one))
    assert first.ready.wait(UNIT)
    assert [kept.message.seq for kept in Writer(empty, says(other)).commit()] == [1]
    first.commit()


def test_who_stops_while_a_message_is_kept_keeps_nobody_waiting_for_long_and_is_told_that_it_was_not(
    empty: str,
) -> None:
    (room,) = made_rooms(empty, 1)
    stopped = start(STOPS, empty, str(room))
    assert stopped.stdout is not None
    assert stopped.stdout.readline() == "about to write\n"
    other = Writer(empty, says(room))  # as patient as a minute
    assert other.ready.wait(2 * UNIT), (
        "5 s are the server's patience with who says nothing, the rest is a busy machine's"
    )
    assert [kept.message.seq for kept in other.commit()] == [1]
    stopped.send_signal(signal.SIGCONT)
    stopped.communicate()
    assert stopped.returncode != 0


@pytest.mark.parametrize(
    ("calls", "journeys"), [(0, 2), (3, 2 + 2 + 3)], ids=["nobody is called", "three call somebody"]
)
def test_what_many_say_at_once_is_two_journeys_to_the_server_and_calls_cost_what_the_docs_say(
    calls: int, journeys: int, empty: str, tmp_path: Path
) -> None:
    """As docs/design.md has it ("What is sent together"); the server ends each with `ReadyForQuery`."""
    (room,) = made_rooms(empty, 1)
    engine, connections = engine_of(empty), list["psycopg.Connection[Any]"]()
    event.listen(engine, "connect", lambda connection, _record: connections.append(connection))
    journal = Journal(engine, queue_limit=100)
    assert isinstance(journal.ask(says(room)), Kept)  # it is connected by now
    traces = [(tmp_path / str(number)).open("w") for number in range(len(connections))]
    for connection, trace in zip(connections, traces, strict=True):
        connection.pgconn.trace(trace.fileno())
    answers: list[object] = []
    for number in range(64):
        journal.submit(says(room, f"@grace {number}" if number < calls else f"{number}"), answers.append)
    assert journal.finish(UNIT)
    assert [answer.message.seq for answer in answers if isinstance(answer, Kept)] == list(range(2, 66))
    for connection in connections:
        connection.pgconn.untrace()
    engine.dispose()
    said = "".join(Path(trace.name).read_text() for trace in traces)
    assert said.count("ReadyForQuery") == journeys


@pytest.mark.parametrize("request_of", [tells, lambda room: MakeRoom("attic")], ids=["a deed", "a new room"])
def test_what_is_more_than_messages_is_done_alone(
    request_of: Callable[[int], Request], empty: str, watcher: "psycopg.Connection[Any]"
) -> None:
    one, other = made_rooms(empty, 2)
    first = Writer(empty, says(one))
    assert first.ready.wait(UNIT)
    alone = Writer(empty, request_of(other))
    eventually(lambda: alone.waits(watcher))
    first.commit()
    assert alone.ready.wait(UNIT)
    behind = Writer(empty, says(one, "behind"))
    eventually(lambda: behind.waits(watcher))
    alone.commit()
    assert [kept.message.seq for kept in behind.commit()] == [2]


def test_rooms_are_taken_in_the_order_of_their_ids_so_that_nobody_waits_in_a_circle(
    empty: str, watcher: "psycopg.Connection[Any]", postgres: Postgres
) -> None:
    rooms = made_rooms(empty, 3)
    watcher.execute(
        "UPDATE rooms SET topic = 'rewritten' WHERE id = %s", [rooms[0]]
    )  # it lies behind the others now
    take = "SELECT FROM rooms WHERE id = %s FOR UPDATE NOWAIT"
    with postgres.connect(empty) as holder:
        holder.execute(take, [rooms[1]])
        writer = Writer(empty, *map(says, reversed(rooms)))
        eventually(lambda: writer.waits(watcher))
        with pytest.raises(psycopg.errors.LockNotAvailable):
            watcher.execute(take, [rooms[0]])
        watcher.execute(take, [rooms[2]])
    assert [kept.message.seq for kept in writer.commit()] == [1, 1, 1]


# -- the beginning ---------------------------------------------------------------------------------------------


def test_models_and_migrations_make_the_same_tables_and_the_first_room_is_the_lobby(
    on_postgres: Server,
) -> None:
    checked = on_postgres.flask("db", "check")
    assert "No new upgrade operations" in checked.stdout + checked.stderr
    assert on_postgres.ask("SELECT name FROM rooms WHERE id = 1") == [("Lobby",)]
    assert on_postgres.ask("SELECT count(*) FROM rooms WHERE name = 'Lobby'") == [(1,)]


def test_a_server_that_cannot_reach_its_database_says_so_in_one_line_without_the_password(
    tmp_path: Path,
) -> None:
    url = "postgresql+psycopg://chat:secret-word@127.0.0.1:1/chat"
    done = Server(tmp_path / "instance", database_url=url).flask("room", "list")
    assert done.returncode == 4
    (said,) = done.stderr.splitlines()
    assert "cannot be used" in said
    assert "refused" in said
    assert "secret-word" not in said


def test_an_upgrade_that_would_have_to_wait_for_others_says_so_within_a_second_and_they_go_on(
    postgres: Postgres,
    tmp_path: Path,
    newer_program: Callable[[str], Path],
) -> None:
    url = postgres.database()
    older = Server(tmp_path / "instance", database_url=url)
    assert older.flask("room", "list").returncode == 0
    upgrade = ["--app", str(newer_program(UPGRADE_THAT_WORKS) / "wsgi.py"), "room", "list"]
    with postgres.connect(url) as reader:
        reader.execute("SELECT count(*) FROM rooms")  # an export, say, in its transaction
        waited = older.flask(*upgrade)
        assert waited.returncode != 0
        assert "lock timeout" in waited.stderr
        assert older.flask("room", "list").returncode == 0
    assert older.flask(*upgrade).returncode == 0


def upgraded(program: Path, instance: Path, url: str) -> "subprocess.CompletedProcess[str]":
    """What a start of that program says that finds an older schema."""
    return Server(instance, database_url=url).flask("--app", f"{program / 'wsgi.py'}", "room", "list")


def test_an_index_of_messages_is_made_beside_those_who_write_and_machines_that_start_meanwhile(
    postgres: Postgres,
    new_server: Callable[..., Server],
    tmp_path: Path,
    newer_program: Callable[[str], Path],
) -> None:
    url, program = postgres.database(), newer_program(INDEX)
    older = new_server(database_url=url).start()
    ada = Person(older, "ada")
    board = ada.make_room()
    ada.say(board, "before")
    with (
        closing(ada),
        ThreadPoolExecutor(2) as pool,
        postgres.connect(url) as writer,
        postgres.connect(url, autocommit=True) as watcher,
    ):
        writer.execute(
            "LOCK TABLE messages IN ROW EXCLUSIVE MODE"
        )  # as who has written, and not committed yet
        starts = [pool.submit(upgraded, program, tmp_path / "first", url)]
        waits = "SELECT 1 FROM pg_stat_progress_create_index WHERE phase LIKE 'waiting for writers%'"
        eventually(lambda: watcher.execute(waits).fetchall(), "the first has come to it", START_SECONDS)
        starts.append(pool.submit(upgraded, program, tmp_path / "second", url))
        asked = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%advisory_lock(%'"
        eventually(
            lambda: len(watcher.execute(asked + " AND pid <> pg_backend_pid()").fetchall()) == 2,
            "both ask",
            START_SECONDS,
        )
        assert ada.say(board, "meanwhile")["seq"] == 2
        writer.commit()
        for start in starts:
            assert start.result().returncode == 0, start.result().stderr
        assert "another server is bringing up the database" in starts[1].result().stderr
        valid = watcher.execute(
            "SELECT indisvalid FROM pg_index WHERE indexrelid = 'ix_mood'::regclass"
        ).fetchall()
    assert valid == [(True,)]


@pytest.mark.parametrize("whole", [True, False])
def test_an_index_that_an_upgrade_which_was_killed_has_left_is_made_anew_only_where_it_is_not_whole(
    postgres: Postgres, tmp_path: Path, newer_program: Callable[[str], Path], whole: bool
) -> None:
    url, program = postgres.database(), newer_program(INDEX)
    assert Server(tmp_path / "first", database_url=url).flask("room", "list").returncode == 0
    found = "SELECT indexrelid, indisvalid FROM pg_index WHERE indexrelid = 'ix_mood'::regclass"
    with postgres.connect(url, autocommit=True) as watcher:
        watcher.execute(
            "INSERT INTO messages (room_id, seq, at, kind, author_id, author_name, guest, body) "
            "VALUES (1, 1, 1, 'text', 'g1', 'ada', true, 'hello')"
        )
        watcher.execute("CREATE INDEX CONCURRENTLY ix_mood ON messages (at)")
        watcher.execute("UPDATE pg_index SET indisvalid = %s WHERE indexrelid = 'ix_mood'::regclass", [whole])
        [(left, _)] = watcher.execute(found).fetchall()
        assert upgraded(program, tmp_path / "second", url).returncode == 0
        [(index, valid)] = watcher.execute(found).fetchall()
    assert valid
    assert (index == left) == whole


def test_an_upgrade_that_waits_for_who_is_keeping_messages_has_not_taken_any_table_of_theirs_before(
    postgres: Postgres, tmp_path: Path, newer_program: Callable[[str], Path]
) -> None:
    url, program = postgres.database(), newer_program(BOTH)
    assert Server(tmp_path / "first", database_url=url).flask("room", "list").returncode == 0
    with ThreadPoolExecutor(1) as pool, postgres.connect(url) as writer:
        writer.execute(f"SELECT pg_advisory_xact_lock_shared({LOCK})")
        writer.execute("LOCK TABLE messages IN ROW EXCLUSIVE MODE")
        start = pool.submit(upgraded, program, tmp_path / "second", url)
        while not start.done():
            # What comes next, which could not be had from an upgrade that waited for the messages: a circle.
            writer.execute("SAVEPOINT now; LOCK TABLE rooms IN ROW EXCLUSIVE MODE NOWAIT; ROLLBACK TO now")
            time.sleep(0.01)
        assert "lock timeout" in start.result().stderr
        writer.commit()
    assert upgraded(program, tmp_path / "second", url).returncode == 0


def test_an_upgrade_has_postgresql_give_up_vacuuming_the_messages(
    tmp_path: Path, newer_program: Callable[[str], Path]
) -> None:
    with closing(Postgres(autovacuum="on", autovacuum_naptime="1s").start()) as postgres:
        url = postgres.database()
        assert Server(tmp_path / "first", database_url=url).flask("room", "list").returncode == 0
        with postgres.connect(url, autocommit=True) as watcher:
            watcher.execute(VACUUMED_SLOWLY)
            watcher.execute(
                "INSERT INTO messages (room_id, seq, at, kind, author_id, author_name, guest, body) "
                "SELECT 1, n, n, 'text', 'g1', 'ada', true, repeat('word ', 100) FROM generate_series(1, 20000) AS n"
            )
            eventually(
                lambda: watcher.execute(
                    "SELECT 1 FROM pg_stat_progress_vacuum WHERE relid = 'messages'::regclass"
                ).fetchall(),
                "it vacuums",
                60,
            )
        done = upgraded(newer_program(COLUMN), tmp_path / "second", url)
        assert done.returncode == 0, done.stderr
        assert "canceling autovacuum task" in postgres.log


def test_a_database_that_cannot_have_all_characters_is_refused(postgres: Postgres, tmp_path: Path) -> None:
    url = postgres.database("ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0")
    done = Server(tmp_path / "instance", database_url=url).flask("room", "list")
    assert done.returncode == 4
    assert "createdb -E UTF8" in done.stderr


# -- a server that goes and comes back -------------------------------------------------------------------------


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGQUIT], ids=["stopped", "crashed"])
def test_while_the_server_of_the_database_is_gone_senders_are_told_and_readers_stay_and_get_all(
    end: int, new_server: Callable[..., Server]
) -> None:
    with closing(Postgres().start()) as postgres:
        server = new_server(workers=2, database_url=postgres.database())
        stay_and_get_all(server, away=lambda: postgres.stop(end), back=postgres.start)


@pytest.mark.parametrize("clients", ["know both", "know an address that moves"])
def test_when_a_synchronous_standby_takes_over_nothing_acknowledged_is_lost_and_readers_stay_and_get_all(
    clients: str, new_server: Callable[..., Server], tmp_path: Path
) -> None:
    with primary_and_standby() as (primary, standby):
        address = tmp_path / "address"
        address.symlink_to(primary.host)
        hosts = f"{primary.host},{standby.host}" if clients == "know both" else address
        url = url_of(primary.database(), f"{hosts}")

        def take_over() -> None:
            standby.promote()
            address.unlink()
            address.symlink_to(standby.host)

        stay_and_get_all(new_server(workers=2, database_url=url), away=primary.kill, back=take_over)


def test_when_an_asynchronous_standby_has_taken_over_a_new_epoch_has_readers_start_over_with_what_it_has(
    new_server: Callable[..., Server],
) -> None:
    with primary_and_standby() as (primary, standby):
        url = url_of(primary.database(), f"{primary.host},{standby.host}")
        server = new_server(workers=2, database_url=url).start()
        ada = Person(server, "ada")
        board = ada.make_room()
        readers = [transport(ada, board, after=0) for transport in RESUMING]
        both = [ada.say(board, f"on both {number}")["seq"] for number in range(2)]
        eventually(primary.has_standby)
        primary.do_without_standby()
        standby.stop()
        lost = [ada.say(board, f"lost {number}")["seq"] for number in range(5)]
        for reader in readers:
            reader.wait_for(len(both + lost))
        primary.kill()
        standby.start()
        standby.promote()
        assert server.console("room", "new-epoch", "--all").status == 0
        assert until_kept(ada, board, "after") == lost[0], "the number is given to another message"
        for reader in readers:
            eventually(lambda reader=reader: reader.seqs == [*both, lost[0]], "it has started over")
            assert reader.resets == 1
            assert reader.bodies[-1] == "after"
            reader.close()
        ada.close()
        server.stop()


@contextmanager
def primary_and_standby() -> Iterator[tuple[Postgres, Postgres]]:
    """The second is a copy of the first as that is where a standby comes back: it has named one already."""
    with closing(Postgres().start()) as primary:
        primary.wait_for_standby()
        with closing(Postgres(primary)) as standby:
            yield primary, standby


def stay_and_get_all(server: Server, away: Callable[[], object], back: Callable[[], object]) -> None:
    """Around `away` and `back` people send and read, on each worker and over every transport."""
    server.start()
    ada = Person(server, "ada")
    board = ada.make_room()
    everywhere = one_on_each_worker(ada)  # whichever is asked for the room while the database is gone has it
    for socket in everywhere:
        socket.join(board)
    readers = [transport(ada, board, after=0) for transport in RESUMING]
    kept = [ada.say(board, f"before {number}")["seq"] for number in range(3)]
    for reader in readers:
        reader.wait_for(len(kept))
    with ThreadPoolExecutor(4) as pool:
        sending = [pool.submit(until_kept, ada, board, f"meanwhile {number}") for number in range(8)]
        away()
        assert refused(post(ada, board, "gone"))
        back()
        kept += [sent.result() for sent in sending]
    kept.append(until_kept(ada, board, "gone"))
    kept.append(ada.say(board, "after")["seq"])
    assert sorted(kept) == list(range(1, len(kept) + 1)), "each once, and no number was lost"
    for reader in readers:
        reader.wait_for(len(kept))
        assert reader.seqs == sorted(kept)
        assert reader.resets == 0
        reader.close()
    for socket in everywhere:
        socket.expect(lambda frame: frame.get("seq") == len(kept))
        socket.close()
    ada.close()
    server.stop()


def test_who_sends_first_after_a_restart_of_the_database_notices_nothing(
    new_server: Callable[..., Server],
) -> None:
    postgres = Postgres().start()
    try:
        server = new_server(database_url=postgres.database()).start()
        ada = Person(server, "ada")
        board = ada.make_room()
        ada.say(board, "before")
        postgres.stop()
        postgres.start()
        assert post(ada, board, "after").json()["seq"] == 2
        ada.close()
        server.stop()
    finally:
        postgres.close()


def url_of(database: str, hosts: str) -> str:
    """As docs/running.md has it: whichever of `hosts` writes."""
    name = name_in(database)
    return f"postgresql+psycopg://chat@/{name}?host={hosts}&target_session_attrs=read-write"


def until_kept(person: Person, room: int, body: str) -> int:
    """Sends as clients do, again and again under one client_id; its number."""
    answers: list[Any] = []

    def sent() -> bool:
        answers.append(post(person, room, body))
        return answers[-1].status_code in (200, 201)

    eventually(sent, "it is kept")
    seq: int = answers[-1].json()["seq"]
    return seq
