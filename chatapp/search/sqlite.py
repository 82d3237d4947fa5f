"""The index of one machine: SQLite's FTS5, in a file of its own, which may be removed at any time.

Entries are numbered by time, the newest with the smallest number: what is looked for is gone through from the
newest on, in the order in which it is kept, and no longer than until enough is found. Nothing is sorted.
"""

import fcntl
import json
import logging
import os
import sqlite3
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from typing import TypeVar

from gevent.lock import BoundedSemaphore
from gevent.queue import LifoQueue

from chatapp.journal.search_reading import Place
from chatapp.search.base import Entry, Found, Hit, Index, IndexFault, Stretch, TooSlow, Wanted
from chatapp.search.query import Phrase
from chatapp.search.sqlite_file import FORM, Reader, code, connect, identity, is_lost, make_file, remove
from chatapp.threads import in_thread
from chatapp.trouble import Trouble

T = TypeVar("T")

NEWEST = 2**53  # an entry's number is this less its time
READERS = 2  # at a time; the threadpool is the database's too
FIND_SECONDS = 2.0
# So many rooms are named in what FTS5 is asked for; where it may be more of them, what it finds is looked at
# one by one. (It goes through all that it is given for each entry that comes into question.)
NAMED_ROOMS = 20
FORGOTTEN_AT_ONCE = 500
TIDY_SECONDS = 3600
TIDY_PAGES = 200  # some 40 ms
SAME_TIME = 1000  # microseconds by which an entry may pass for older than it is
ROOM = "\ue000"  # marks in which room it is

FIND = """
SELECT texts.id, texts.room, texts.seq, texts.words FROM terms CROSS JOIN texts ON texts.id = terms.rowid
WHERE terms MATCH ? AND terms.rowid > ? AND terms.rowid <= ?
AND texts.room IN (SELECT value FROM json_each(?)) ORDER BY terms.rowid LIMIT ?
"""

THERE = "SELECT id, seq, words FROM texts WHERE room = ? AND seq BETWEEN ? AND ?"
THERE_TOO = "SELECT id, seq, words FROM texts WHERE room = ? AND seq IN (SELECT value FROM json_each(?))"
TAKEN = "SELECT id FROM texts WHERE id IN (SELECT value FROM json_each(?))"
KEEP = "INSERT INTO texts (id, room, seq, words) VALUES (?, ?, ?, ?)"
KEEP_TERMS = "INSERT INTO terms (rowid, text) VALUES (?, ?)"

log = logging.getLogger(__name__)


class SqliteIndex(Index):
    """`path`: the file, made by the process that holds it."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._lock: int | None = None
        self._writer: sqlite3.Connection | None = None
        self._written: tuple[int, int] | None = None  # which file that one is to
        self._turn = BoundedSemaphore(1)  # one native thread at a time on it
        self._unreadable = Trouble(log, "the search index cannot be read")
        self._readers: LifoQueue[Reader | None] = LifoQueue(items=[None] * READERS)

    # -- changing it -------------------------------------------------------------------------------

    def hold(self) -> bool:
        if self._lock is None:
            lock = os.open(f"{self._path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.close(lock)
                return False
            self._lock = lock
        return True

    def let_go(self) -> None:
        with self._turn:
            in_thread(self._close_writer)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def there(self) -> bool:
        return os.path.exists(self._path)

    def places(self) -> dict[int, Place]:
        def job(connection: sqlite3.Connection) -> dict[int, Place]:
            rows = connection.execute("SELECT room, epoch, first, last, revision FROM places")
            return {room: Place(*place) for room, *place in rows}

        return self._change(job, make=True)

    def put(self, stretches: Sequence[Stretch]) -> None:
        def job(connection: sqlite3.Connection) -> None:
            _keep(connection, [entry for each in stretches for entry in _missing(connection, each)])
            _note_places(connection, stretches)

        self._change(job)

    def cut(self, room: int, first: int, last: int) -> None:
        def job(connection: sqlite3.Connection) -> bool:
            outside = "SELECT id, words FROM texts WHERE room = ? AND NOT seq BETWEEN ? AND ? LIMIT ?"
            those = connection.execute(outside, (room, first, last, FORGOTTEN_AT_ONCE)).fetchall()
            for number, words in those:
                _forget(connection, number, room, words)
            return bool(those)

        while self._change(job):
            pass

    def drop(self, room: int) -> None:
        self.cut(room, 0, -1)
        self._change(lambda connection: connection.execute("DELETE FROM places WHERE room = ?", (room,)))

    def note_behind(self, behind: bool) -> None:
        self._change(lambda connection: _note(connection, "behind", 1 if behind else None))

    def tidy(self, at_once: bool) -> bool:
        def due(connection: sqlite3.Connection) -> bool:
            if _noted(connection, "tidying") is not None:
                return True
            since = _noted(connection, "forgotten")
            if since is None or not (at_once or not 0 <= time.time() - since < TIDY_SECONDS):
                return False
            _note(connection, "forgotten", None)
            _note(connection, "tidying", 1)
            # What was forgotten is still in the older parts of the index. All parts become one, step by step.
            connection.execute("INSERT INTO terms (terms, rank) VALUES ('merge', ?)", (-TIDY_PAGES,))
            return True

        def step(connection: sqlite3.Connection) -> bool:
            before = connection.total_changes
            connection.execute("INSERT INTO terms (terms, rank) VALUES ('merge', ?)", (TIDY_PAGES,))
            return connection.total_changes - before > 1

        def end(connection: sqlite3.Connection) -> bool:
            # Outside of a transaction: what was overwritten may stand in the write-ahead log yet.
            busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            if not busy:
                connection.execute("DELETE FROM notes WHERE name = 'tidying'")
            return False

        if not self._change(due):
            return False
        return self._change(step) or self._change(end, in_transaction=False)

    # -- looking something up ----------------------------------------------------------------------

    def find(self, wanted: Wanted, limit: int) -> Found:
        if not (wanted.rooms and all(wanted.choices)):
            return Found([])
        newest = 0 if wanted.before is None else NEWEST - wanted.before
        oldest = NEWEST - (wanted.after or 0)
        values = (_match(wanted), newest, oldest, json.dumps(sorted(wanted.rooms)), limit + 1)

        def job(connection: sqlite3.Connection) -> Found:
            rows = connection.execute(FIND, values).fetchall()
            hits = [
                Hit(Entry(room, seq, NEWEST - number, words), cursor=NEWEST - number)
                for number, room, seq, words in rows[:limit]
            ]
            return Found(hits, len(rows) > limit, _noted(connection, "behind") is not None)

        return self._look(job)

    def close(self) -> None:
        for _ in range(self._readers.qsize()):
            reader = self._readers.get()
            if reader is not None:
                reader.close()
            self._readers.put(None)
        self.let_go()

    # -- within ------------------------------------------------------------------------------------

    def _change(
        self, job: Callable[[sqlite3.Connection], T], make: bool = False, in_transaction: bool = True
    ) -> T:
        def guarded() -> T:
            if self._lock is None:
                raise IndexFault("another process holds it")
            try:
                connection = self._open_writer(make)
                if not in_transaction:
                    return job(connection)
                connection.execute("BEGIN IMMEDIATE")
                answer = job(connection)
                connection.execute("COMMIT")
            except (sqlite3.Error, OSError) as error:
                self._close_writer()
                if is_lost(error):
                    log.warning("%s is damaged (%s): it is made anew", self._path, error)
                    remove(self._path)
                raise IndexFault(str(error)) from None
            except BaseException:
                self._close_writer()  # with what it has begun
                raise
            return answer

        with self._turn:
            return in_thread(guarded)

    def _open_writer(self, make: bool) -> sqlite3.Connection:
        if self._writer is not None and identity(self._path) == self._written:
            return self._writer
        self._close_writer()
        if not make:
            raise IndexFault("its file was removed")
        if os.path.exists(self._path):
            self._writer = connect(self._path)
            if self._writer.execute("PRAGMA user_version").fetchone()[0] != FORM:
                self._close_writer()
        self._writer = self._writer or make_file(self._path)
        self._written = identity(self._path)
        return self._writer

    def _close_writer(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _look(self, job: Callable[[sqlite3.Connection], T]) -> T:
        kept = self._readers.get()

        def guarded() -> T:
            nonlocal kept
            file = identity(self._path)
            try:
                if kept is None or kept.file != file:
                    if kept is not None:
                        kept.close()
                    kept = None
                    kept = Reader(self._path)
                kept.until = time.monotonic() + FIND_SECONDS
                return job(kept.connection)
            except sqlite3.Error as error:
                broken, kept = kept, None
                if broken is not None:
                    broken.close()
                if code(error) == sqlite3.SQLITE_INTERRUPT:
                    raise TooSlow() from None
                if is_lost(error) and file == identity(self._path):
                    with suppress(OSError):
                        os.unlink(self._path)  # who holds the index notices that, and makes it anew
                raise IndexFault(str(error)) from None

        try:
            answer = in_thread(guarded)
        except IndexFault as fault:
            if self.there():  # else it is not there yet, or is being made anew
                self._unreadable.tell(str(fault))
            raise
        finally:
            self._readers.put(kept)
        self._unreadable.over()
        return answer


def _is_kept(entry: Entry, number: int, words: str) -> bool:
    return entry.words == words and 0 <= number - (NEWEST - entry.at) < SAME_TIME


def _missing(connection: sqlite3.Connection, stretch: Stretch) -> Collection[Entry]:
    """What has to be added to have `stretch`, when all has been forgotten that is not in it."""
    coming = {entry.seq: entry for entry in stretch.entries}
    there = connection.execute(THERE, (stretch.room, stretch.first, stretch.last)).fetchall()
    if stretch.seqs:
        there += connection.execute(THERE_TOO, (stretch.room, json.dumps(list(stretch.seqs))))
    for number, seq, words in there:
        if seq in coming and _is_kept(coming[seq], number, words):
            del coming[seq]
        else:
            _forget(connection, number, stretch.room, words)
    return coming.values()


def _keep(connection: sqlite3.Connection, entries: Iterable[Entry]) -> None:
    coming: dict[int, Entry] = {}
    beside: list[Entry] = []  # of the same microsecond as another one
    # FTS5 writes at once what comes in the order of its numbers.
    for entry in sorted(entries, key=lambda entry: -entry.at):
        if coming.setdefault(NEWEST - entry.at, entry) is not entry:
            beside.append(entry)
    beside += [coming.pop(number) for (number,) in connection.execute(TAKEN, (json.dumps(list(coming)),))]
    texts = [(number, each.room, each.seq, each.words) for number, each in coming.items()]
    connection.executemany(KEEP, texts)
    connection.executemany(KEEP_TERMS, [(number, _text(room, words)) for number, room, _, words in texts])
    for entry in beside:
        _keep_beside(connection, entry)


def _keep_beside(connection: sqlite3.Connection, entry: Entry) -> None:
    """Two rooms may have a message of the same microsecond: the second one passes for a little older."""
    number = NEWEST - entry.at
    insert = f"{KEEP} ON CONFLICT (id) DO NOTHING"
    while not connection.execute(insert, (number, entry.room, entry.seq, entry.words)).rowcount:
        number += 1
    connection.execute(KEEP_TERMS, (number, _text(entry.room, entry.words)))


def _forget(connection: sqlite3.Connection, number: int, room: int, words: str) -> None:
    text = _text(room, words)
    connection.execute("INSERT INTO terms (terms, rowid, text) VALUES ('delete', ?, ?)", (number, text))
    connection.execute("DELETE FROM texts WHERE id = ?", (number,))
    if _noted(connection, "forgotten") is None:
        _note(connection, "forgotten", int(time.time()))


def _text(room: int, words: str) -> str:
    """What FTS5 is given: told to forget an entry it wants to be given the same."""
    return f"{words} {ROOM}{room}"


def _note_places(connection: sqlite3.Connection, stretches: Sequence[Stretch]) -> None:
    places = ((each.room, each.place) for each in stretches)
    rows = [(room, place.epoch, place.first, place.last, place.revision) for room, place in places]
    connection.executemany("INSERT OR REPLACE INTO places VALUES (?, ?, ?, ?, ?)", rows)


def _noted(connection: sqlite3.Connection, name: str) -> int | None:
    row = connection.execute("SELECT value FROM notes WHERE name = ?", (name,)).fetchone()
    return row[0] if row else None


def _note(connection: sqlite3.Connection, name: str, value: int | None) -> None:
    if value is None:
        connection.execute("DELETE FROM notes WHERE name = ?", (name,))
    else:
        connection.execute("INSERT OR REPLACE INTO notes VALUES (?, ?)", (name, value))


def _match(wanted: Wanted) -> str:
    """What FTS5 is asked for. Every word stands in quotation marks, and none has one in it."""
    parts = [_phrase(phrase) for phrase in wanted.phrases]
    parts += [_phrase(Phrase((mark,))) for mark in wanted.marks]
    choices = list(wanted.choices)
    if len(wanted.rooms) <= NAMED_ROOMS or not (parts or choices):
        choices.append(tuple(f"{ROOM}{room}" for room in wanted.rooms))
    parts += ["(" + " OR ".join(_phrase(Phrase((mark,))) for mark in marks) + ")" for marks in choices]
    return " AND ".join(parts)


def _phrase(phrase: Phrase) -> str:
    return '"' + " ".join(phrase.words) + '"' + (" *" if phrase.open else "")
