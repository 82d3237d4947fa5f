"""All tables, in the order in which one refers to another, and what a database knows beside their rows."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any, cast

from sqlalchemy import Column, Connection, Engine, Table, func, insert, select, text

from chatapp import account_rows, models
from chatapp.archive.errors import Refused
from chatapp.journal.postgres_connections import copy_in

SERVER = cast(Table, account_rows.Server.__table__)
ROOMS = cast(Table, models.Room.__table__)
FILES = cast(Table, models.File.__table__)

CACHE = 64 * 1024  # KiB of pages that SQLite keeps while tables are filled: it changes its indexes all over

TABLES: list[Table] = models.db.metadata.sorted_tables


@contextmanager
def one_moment(engine: Engine) -> Iterator[Connection]:
    """A connection that sees the database as it is now, however long it reads. Nobody waits for it."""
    with engine.connect() as connection:
        if engine.dialect.name != "sqlite":  # whose readers see one state anyway
            connection = connection.execution_options(isolation_level="REPEATABLE READ")
        with connection.begin():
            yield connection


def file_of(engine: Engine) -> str:
    """The path of a SQLite database. Raises Refused for another one."""
    if engine.dialect.name != "sqlite" or not engine.url.database:
        raise Refused("only SQLite’s database is backed up so: for PostgreSQL see docs/backup.md")
    return engine.url.database


@contextmanager
def alone(engine: Engine) -> Iterator[None]:
    """Raises Refused where anybody else has the database open."""
    if engine.dialect.name == "sqlite":
        with _alone_with_file(file_of(engine)):
            yield
        return
    with engine.connect() as connection:
        others = connection.scalar(_OTHERS)
    if others:
        raise Refused("the database is in use: stop the server, and what else is connected to it, first")
    yield


_OTHERS = text(
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
    "AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
)


@contextmanager
def _alone_with_file(path: str) -> Iterator[None]:
    """Each process holds a lock as long as it has the database open.

    Meanwhile its file is all of it: SQLite has moved the write-ahead log into it. Where that fails otherwise
    (it is damaged) nothing is said: whoever asks is about to put another one in its place.
    """
    try:
        _set_journal(path, "DELETE")
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
            raise Refused(f"{path} is in use: stop the server, and what else has it open, first") from None
    try:
        yield
    finally:
        with suppress(sqlite3.DatabaseError):
            _set_journal(path, "WAL")


def _set_journal(path: str, mode: str) -> None:
    with closing(sqlite3.connect(path, timeout=1)) as database:
        database.execute(f"PRAGMA journal_mode={mode}")


def expect_much(connection: Connection) -> None:
    """Have a transaction last as long, and take as much memory, as filling all tables does."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"PRAGMA cache_size=-{CACHE}")
    else:
        connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")


def put(connection: Connection, table: Table, rows: list[list[Any]]) -> None:
    """Add `rows`, each with the values of all columns in their order."""
    if connection.dialect.name == "sqlite":
        names = [column.name for column in table.columns]
        connection.execute(insert(table), [dict(zip(names, row, strict=True)) for row in rows])
    else:
        copy_in(connection, table, rows)


def check_empty(connection: Connection) -> None:
    """Raises Refused where the database has more in it than a first start makes."""
    for table in TABLES:
        rows = select(func.count()).select_from(table)
        if table is SERVER:
            used = connection.scalar(rows.where(SERVER.c.begun))
        elif table is ROOMS:
            used = (connection.scalar(rows) or 0) > 1 or connection.scalar(rows.where(ROOMS.c.last_seq > 0))
        else:
            used = connection.scalar(rows)
        if used:
            is_file = connection.dialect.name == "sqlite"
            raise Refused(
                f"there is something in the database already ({table.name}): an export is taken in by an "
                "empty one only, as a first start makes it. Name another "
                + ("folder in CHATAPP_INSTANCE_PATH" if is_file else "database in CHATAPP_DATABASE_URL")
            )


def named(connection: Connection) -> set[str]:
    """The digests of all files."""
    return set(connection.scalars(select(FILES.c.sha256).distinct()))


def given(connection: Connection, table: Table) -> int:
    """The highest id that the database has ever given in `table`, 0 where it gives none."""
    column = _numbered(table)
    if column is None:
        return 0
    highest = connection.scalar(select(func.coalesce(func.max(column), 0))) or 0
    if connection.dialect.name == "sqlite":
        counted = connection.scalar(_COUNTED, {"name": table.name}) if _autoincrement(table) else 0
    else:
        sequence = connection.scalar(func.pg_get_serial_sequence(table.name, column.name))
        counted = connection.scalar(text(f"SELECT CASE WHEN is_called THEN last_value END FROM {sequence}"))  # nosec B608  # a name that the database gave
    return max(highest, counted or 0)


def give_after(connection: Connection, table: Table, number: int) -> None:
    """The next id that the database gives in `table`, which has its rows, is higher than `number`."""
    column = _numbered(table)
    if column is None or not number:
        return
    if connection.dialect.name == "sqlite":
        if _autoincrement(table):
            connection.execute(text("DELETE FROM sqlite_sequence WHERE name = :name"), {"name": table.name})
            insert = text("INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :seq)")
            connection.execute(insert, {"name": table.name, "seq": number})
    else:
        connection.execute(_COUNT_ON, {"table": table.name, "column": column.name, "number": number})


_COUNT_ON = text("SELECT setval(CAST(pg_get_serial_sequence(:table, :column) AS regclass), :number)")
_COUNTED = text("SELECT seq FROM sqlite_sequence WHERE name = :name")


def _numbered(table: Table) -> "Column[int] | None":
    return table.autoincrement_column


def _autoincrement(table: Table) -> bool:
    return bool(table.dialect_options["sqlite"]["autoincrement"])
