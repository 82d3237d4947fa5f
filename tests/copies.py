"""All that a database of messages has, to be put into another one of its kind: furnished once, copied for each test."""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from chatapp import models

FILE = "sqlite:///"


@dataclass(frozen=True)
class Rows:
    """Of PostgreSQL: each table's, as COPY has them, and how far its sequences have counted."""

    tables: dict[str, bytes]
    sequences: list[tuple[str, int]]


def copy_of(url: str) -> Any:
    """What `put` takes."""
    if url.startswith(FILE):
        with closing(sqlite3.connect(url.removeprefix(FILE))) as database:
            return database.serialize()
    with _connect(url) as connection:
        tables = {}
        for table in models.db.metadata.sorted_tables:
            with connection.cursor().copy(f"COPY {table.name} TO STDOUT") as rows:  # type: ignore[arg-type]
                tables[table.name] = b"".join(rows)
        counted = "SELECT sequencename, last_value FROM pg_sequences WHERE last_value IS NOT NULL"
        return Rows(
            {name: rows for name, rows in tables.items() if rows}, connection.execute(counted).fetchall()
        )


def put(url: str, copy: Any) -> None:
    """Into a file that is not there yet, or tables of PostgreSQL that are empty."""
    if url.startswith(FILE):
        Path(url.removeprefix(FILE)).write_bytes(copy)
        return
    with _connect(url) as connection:
        for name, rows in copy.tables.items():
            with connection.cursor().copy(f"COPY {name} FROM STDIN") as into:  # type: ignore[arg-type]
                into.write(rows)
        connection.cursor().executemany("SELECT setval(%s, %s)", copy.sequences)


def _connect(url: str) -> "psycopg.Connection[Any]":
    return psycopg.connect(url.replace("+psycopg", ""))
