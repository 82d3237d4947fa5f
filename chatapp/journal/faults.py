"""What can be wrong with the database, in one line for whoever runs the server."""

import sqlite3

from sqlalchemy.exc import DBAPIError, OperationalError

# SQLite's primary result codes (https://sqlite.org/rescode.html), what they mean for people, and what to do.
ADVICE = {
    sqlite3.SQLITE_BUSY: "another program holds its lock: it goes on by itself when that one lets go",
    sqlite3.SQLITE_READONLY: "make the file, its folder and the disk writable: it goes on by itself",
    sqlite3.SQLITE_IOERR: "the system's log says more; where the disk heals, it goes on by itself",
    sqlite3.SQLITE_FULL: "make room: it goes on by itself",
    sqlite3.SQLITE_CANTOPEN: "is there room, may this user open it, are there file descriptors left?",
    sqlite3.SQLITE_CORRUPT: "it is damaged: stop the server and restore the backup",
    sqlite3.SQLITE_NOTADB: "it is damaged: stop the server and restore the backup",
}
# PostgreSQL's (https://www.postgresql.org/docs/current/errcodes-appendix.html), by what they begin with.
POSTGRES_ADVICE = {
    "08": "it goes on by itself when the server is there again",
    "25006": "this server only reads, as a standby does: name the one that writes",
    "28": "CHATAPP_DATABASE_URL names a user or password that it does not take",
    "3D000": "CHATAPP_DATABASE_URL names a database that it has not: make it with createdb",
    "53100": "make room on the server's disk: it goes on by itself",
    "53300": "raise its max_connections: each worker has up to 5 connections",
    "55P03": "somebody else holds a lock: it goes on by itself when they let go",
    "57": "it goes on by itself when the server is there again",
    "58": "the server's log says more; where its disk heals, it goes on by itself",
    "XX": "it is damaged: stop the server and restore the backup",
}
MANUAL = 'docs/running.md, "When the disk is full, broken or gone"'


class Unusable(Exception):
    """The database cannot be used just now, though SQLite may say nothing."""


class DatabaseGone(Unusable):
    """The file at the database's path is not the one that is open: what is kept in that one is lost."""


def code(error: BaseException) -> int:
    """SQLite's primary result code; 0 for an error that is not SQLite's."""
    return getattr(getattr(error, "orig", error), "sqlite_errorcode", 0) & 0xFF


def _state(error: BaseException) -> str:
    """PostgreSQL's code; "08" where there was no answer at all; "" for an error that is not PostgreSQL's."""
    state: str | None = getattr(getattr(error, "orig", error), "sqlstate", "")
    return "08" if state is None else state


def is_of_all(error: Exception) -> bool:
    """Whether each request alone would fail as well: the disk is full, the database locked or gone.

    Not so where it is damaged: other rooms may lie in pages that are whole.
    """
    if isinstance(error, OperationalError | sqlite3.OperationalError | Unusable):
        return True
    return _state(error) == "25006"


def is_of_database(error: Exception) -> bool:
    """Whether the database is to blame, not what was asked of it."""
    return is_of_all(error) or code(error) in ADVICE or _state(error).startswith("XX")


def lasts(error: Exception) -> bool:
    """Whether it stays wrong until somebody stops the server and mends it."""
    if isinstance(error, DatabaseGone) or _state(error).startswith("XX"):
        return True
    return code(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def explain(error: Exception) -> str:
    """What happened and what to do. Never what people wrote: SQLAlchemy's own text would carry that, and of
    PostgreSQL's all but the first line.
    """
    orig = error.orig if isinstance(error, DBAPIError) else error
    said = next(iter(str(orig).splitlines()), "") or type(error).__name__
    state = _state(error)
    advice = ADVICE.get(code(error)) or next(
        (advice for begins, advice in POSTGRES_ADVICE.items() if state.startswith(begins)), None
    )
    return f"{said}: {advice} ({MANUAL})" if advice else said
