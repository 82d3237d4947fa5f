"""A program that keeps messages until it is killed: `python -m tests.crash_writer PATH`, driven by test_crash.py.

It makes a database at PATH. For each line on its standard input, {sender: number}, it forks a writer, which uses the
journal as the server does and whose senders go on with those numbers; the line after that says that the writer was
killed. What a writer is told is written to standard output at once, a line for each.
"""

import json
import os
import sys
from typing import Any

import gevent
from gevent.event import AsyncResult
from sqlalchemy import Engine, create_engine, event

from chatapp import models
from chatapp.journal import Journal
from chatapp.journal.databases import engine_options, listen
from chatapp.journal.requests import Clear, DropRoom, Kept, MakeRoom, MarkRead, Post, Request
from chatapp.journal.writing import perform
from chatapp.message import Author

ROOMS = 3  # they stay; others come and go
SENDERS = 8
EDIT_EVERY = 5  # of what a sender sends
CHECKPOINT_PAGES = (
    50  # instead of 1,000: many a writer is to be killed while the log is moved into the database
)


def main(path: str) -> None:
    engine = make_database(path)
    for line in sys.stdin:
        writer = os.fork()
        if not writer:
            try:
                Writer(engine, json.loads(line)).run()
            finally:
                report("failed")
                os._exit(1)
        report("writer", writer)
        sys.stdin.readline()
        report("ended", os.waitstatus_to_exitcode(os.waitpid(writer, 0)[1]))


def make_database(path: str) -> Engine:
    """A database with the rooms that stay, and an engine that has seen each kind of statement: writers are quick."""
    url = f"sqlite:///{path}"
    engine = create_engine(url, **engine_options(url, busy_seconds=5))
    listen(engine)
    with engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
        driver.execute("PRAGMA journal_mode=WAL")
    models.db.metadata.create_all(engine)
    event.listen(engine, "connect", checkpoint_often)
    with engine.connect().execution_options(writes=True) as connection, connection.begin():
        perform(connection, [MakeRoom(f"room {number}") for number in range(ROOMS)])
        who, passing = Author("g0", "nobody", guest=True), ROOMS + 1
        perform(connection, [MakeRoom("passing")])
        perform(connection, [Post(passing, who, "hello", client_id="1"), MarkRead(passing, who.id, 1)])
        perform(connection, [Post(passing, who, "good day", kind="edit", of=1), Clear(passing)])
        perform(connection, [DropRoom(passing)])
    return engine


def checkpoint_often(connection: Any, _record: object) -> None:
    connection.execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}")


def report(*words: object) -> None:
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def is_edit(number: int) -> bool:
    """Whether a sender's message `number` changes the one before it."""
    return number % EDIT_EVERY == EDIT_EVERY - 1


def body(sender: int, number: int) -> str:
    return f"{sender} says {number}"


class Writer:
    """Several senders, each with a sequence of its own, and one who makes and removes rooms."""

    def __init__(self, engine: Engine, next: dict[str, int]) -> None:
        self._journal = Journal(engine, queue_limit=10_000)
        self._next = next

    def run(self) -> None:
        senders = [gevent.spawn(self._talk, sender) for sender in range(SENDERS)]
        gevent.wait([*senders, gevent.spawn(self._build)], count=1)

    def _talk(self, sender: int) -> None:
        number, of = self._next.get(str(sender), 0), None
        while True:
            edit = is_edit(number)
            post = Post(
                room=1 + sender % ROOMS,
                author=Author(f"g{sender}", f"sender {sender}", guest=True),
                body=body(sender, number),
                kind="edit" if edit else "text",
                of=of if edit else None,
                client_id=f"{sender} {number}",
            )
            kept: Kept = self._ask(
                post, lambda kept: ("kept", kept.message.room, kept.message.seq, kept.message.client_id)
            )
            of = of if edit else kept.message.seq
            number += 1

    def _build(self) -> None:
        who = Author("g0", "builder", guest=True)
        while True:
            room = self._ask(MakeRoom("passing"), lambda room: ("made", room))
            for request in (Post(room, who, "hello"), MarkRead(room, who.id, 1), Post(room, who, "goodbye")):
                self._journal.submit(request, lambda answer: None)
            self._ask(Clear(room), lambda last: ("cleared", room, last))
            self._ask(Post(room, who, "the last word"))
            report("drops", room)
            self._ask(DropRoom(room), lambda room: ("dropped", room))

    def _ask(self, request: Request, told: Any = None) -> Any:
        result: AsyncResult[Any] = AsyncResult()

        def done(answer: Any) -> None:
            if isinstance(answer, Exception):
                result.set_exception(answer)
                return
            if told is not None:
                report(*told(answer))
            result.set(answer)

        self._journal.submit(request, done)
        return result.get()


if __name__ == "__main__":
    main(sys.argv[1])
