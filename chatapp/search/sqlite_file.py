"""The file of the index: made, opened, recognised, known to be damaged. All of it is for a thread."""

import os
import sqlite3
import time
from contextlib import suppress
from urllib.parse import quote

FORM = 1  # of the file and of the words in it (words.py, base.py): of another form it is made anew
BUSY_SECONDS = 5
LOOK_STEPS = 10_000  # of SQLite's machine, between two looks at the clock

SCHEMA = """
CREATE TABLE texts (
    id INTEGER PRIMARY KEY, room INTEGER NOT NULL, seq INTEGER NOT NULL, words TEXT NOT NULL);
CREATE UNIQUE INDEX texts_by_seq ON texts (room, seq);
CREATE TABLE places (
    room INTEGER PRIMARY KEY, epoch TEXT NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
    revision INTEGER NOT NULL);
CREATE TABLE notes (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
CREATE VIRTUAL TABLE terms USING fts5 (
    text, content='', columnsize=0,
    tokenize = "unicode61 remove_diacritics 0 categories 'L* N* M* Co So'");
INSERT INTO terms (terms, rank) VALUES ('usermerge', 2);
INSERT INTO notes VALUES ('behind', 1);
"""
LOST = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


class Reader:
    """A connection that looks things up, and gives up when it is `until` (monotonic)."""

    def __init__(self, path: str) -> None:
        self.until = 0.0
        self.file = identity(path)
        self.connection = connect(path)
        self.connection.execute("PRAGMA query_only=ON")
        self.connection.set_progress_handler(lambda: time.monotonic() > self.until, LOOK_STEPS)

    def close(self) -> None:
        self.connection.close()


def connect(path: str) -> sqlite3.Connection:
    """To a file that there is."""
    connection = sqlite3.connect(
        f"file:{quote(path)}?mode=rw",
        uri=True,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
    )
    connection.execute("PRAGMA secure_delete=ON")  # what was forgotten is not in the file any more
    connection.execute("PRAGMA synchronous=NORMAL")  # the last seconds may be lost, they are indexed again
    return connection


def make_file(path: str) -> sqlite3.Connection:
    """A new file, for this user only."""
    remove(path)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    connection = connect(path)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.executescript(f"BEGIN IMMEDIATE; {SCHEMA} PRAGMA user_version = {FORM}; COMMIT;")
    return connection


def remove(path: str) -> None:
    """The file with its log."""
    # The log first: found beside a new file it would be taken for that one's.
    for end in ("-wal", "-shm", ""):
        with suppress(FileNotFoundError):
            os.unlink(path + end)


def identity(path: str) -> tuple[int, int] | None:
    """Which file is at `path`, to notice that it was removed or replaced."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def is_lost(error: Exception) -> bool:
    """Whether the file is damaged."""
    return code(error) in LOST


def code(error: Exception) -> int:
    """SQLite's primary result code; 0 for an error that is not SQLite's."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF
