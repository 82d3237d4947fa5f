"""PostgreSQL: many write at once, nobody waits for its answers but who asked, and it may go and come back."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from chatapp.journal.postgres_connections import READERS
from tests.clients import RESUMING, Person, eventually
from tests.postgres import Postgres
from tests.servers import ROOT, Server
from tests.test_storage_faults import post, refused

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


@pytest.fixture
def empty(postgres: Postgres) -> Iterator[str]:
    with postgres.empty() as url:
        yield url


def start(program: str, *arguments: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", PATCHED + program, *arguments]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def test_everything_goes_on_while_statements_wait_and_no_more_of_them_than_there_are_connections(
    empty: str,
) -> None:
    said, _ = start(SLEEPS, empty).communicate()
    turns, most = map(int, said.split())
    assert turns > 3 * READERS
    assert most == READERS


def test_of_many_who_write_in_several_processes_each_is_kept_once_and_numbers_have_no_gap(
    empty: str, postgres: Postgres
) -> None:
    rooms = ["1", "2", "3", "4"]
    with postgres.connect(empty) as database:
        database.execute("INSERT INTO server VALUES (1, 0, false)")
        for room in rooms:
            database.execute(
                "INSERT INTO rooms (id, name, topic, epoch, first_seq, last_seq, last_at, revision, closed, removals, "
                "created_at, kind, posting, guests, slow_seconds, rights) VALUES "
                "(%s, 'a room', '', 'e', 1, 0, 0, 1, false, '{}', 1, 'public', 'everyone', true, 0, 1)",
                [room],
            )
    writers = [
        start(WRITES, empty, " ".join(rooms), seed, f"g{number % 2}") for number, seed in enumerate("abcd")
    ]
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


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGQUIT], ids=["stopped", "crashed"])
def test_while_the_server_of_the_database_is_gone_senders_are_told_and_readers_stay_and_get_all(
    end: int, new_server: Callable[..., Server]
) -> None:
    postgres = Postgres().start()
    try:
        server = new_server(workers=2, database_url=postgres.database()).start()
        ada = Person(server, "ada")
        board = ada.make_room()
        readers = [transport(ada, board, after=0) for transport in RESUMING]
        kept = [ada.say(board, f"before {number}")["seq"] for number in range(3)]
        with ThreadPoolExecutor(4) as pool:
            sending = [pool.submit(until_kept, ada, board, f"meanwhile {number}") for number in range(8)]
            postgres.stop(end)
            assert refused(post(ada, board, "gone"))
            postgres.start()
            kept += [sent.result() for sent in sending]
        kept.append(until_kept(ada, board, "gone"))
        kept.append(ada.say(board, "after")["seq"])
        assert sorted(kept) == list(range(1, len(kept) + 1)), "each once, and no number was lost"
        for reader in readers:
            reader.wait_for(len(kept))
            assert reader.seqs == sorted(kept)
            assert reader.resets == 0
            reader.close()
        ada.close()
        server.stop()
    finally:
        postgres.close()


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


def until_kept(person: Person, room: int, body: str) -> int:
    """Sends as clients do, again and again under one client_id; its number."""
    answers: list[Any] = []

    def sent() -> bool:
        answers.append(post(person, room, body))
        return answers[-1].status_code in (200, 201)

    eventually(sent, "it is kept")
    seq: int = answers[-1].json()["seq"]
    return seq
