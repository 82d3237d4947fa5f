"""Scripts of statements that are one journey to PostgreSQL, straight by libpq: what psycopg's cursors do for
one, and for its answers, takes as long as the server does.

Their values are in UTF-8, as all that is written here, and their answers whole numbers.
"""

from typing import TYPE_CHECKING

from gevent.socket import wait_read, wait_readwrite
from sqlalchemy import Connection

from chatapp.journal.postgres_connections import driver

if TYPE_CHECKING:  # a server on SQLite never loads it
    from psycopg.pq.abc import PGresult


def is_begun(connection: Connection) -> bool:
    """Whether a transaction is under way there."""
    from psycopg.pq import TransactionStatus

    return driver(connection).pgconn.transaction_status != TransactionStatus.IDLE


def literal(connection: Connection, value: bytes) -> bytes:
    """How `value`, in UTF-8, is written in a statement."""
    from psycopg.pq import Escaping

    return Escaping(driver(connection).pgconn).escape_literal(value)


def run_script(connection: Connection, script: bytes) -> list[list[tuple[int | None, ...]]]:
    """Carry out the statements of `script`, no COPY, until one fails; the rows of each. Switches.

    Raises psycopg.Error, and the connection is to be closed where it stopped before the last answer.
    """
    from psycopg.errors import error_from_result

    libpq = driver(connection).pgconn
    libpq.send_query(script)
    while libpq.flush():  # there is more than fits
        wait_readwrite(libpq.socket)
        libpq.consume_input()
    results = []
    while True:
        while libpq.is_busy():
            wait_read(libpq.socket)
            libpq.consume_input()
        result = libpq.get_result()
        if result is None:
            break
        results.append(result)
    if results[-1].error_message:  # nothing behind it was carried out
        raise error_from_result(results[-1])
    return [_whole_numbers(result) for result in results]


def _whole_numbers(result: "PGresult") -> list[tuple[int | None, ...]]:
    return [
        tuple(
            None if (value := result.get_value(row, column)) is None else int(value)
            for column in range(result.nfields)
        )
        for row in range(result.ntuples)
    ]
