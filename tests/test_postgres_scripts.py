"""Scripts for PostgreSQL, straight by libpq: one journey, its answers, its faults, and the hub goes on."""

from collections.abc import Iterator

import gevent
import psycopg
import pytest
from sqlalchemy import Connection, create_engine

from chatapp.journal.databases import engine_options, listen
from chatapp.journal.postgres_scripts import is_begun, literal, run_script
from tests.postgres import Postgres

LARGE = 20_000_000
WORDS = "Grüße, 'Wort' \\ 聊天 🎉".encode()


@pytest.fixture
def connection(postgres: Postgres) -> Iterator[Connection]:
    with postgres.empty() as url:
        engine = create_engine(url, **engine_options(url, busy_seconds=60))
        listen(engine)
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            yield connection


def test_each_statement_of_a_script_has_its_answer(connection: Connection) -> None:
    said = run_script(
        connection, b"SELECT 1, NULL; CREATE TEMP TABLE t (n int); SELECT n FROM t; VALUES (2), (-3)"
    )
    assert said == [[(1, None)], [], [], [(2,), (-3,)]]


def test_a_script_that_fails_is_told_of_what_failed_and_nothing_of_it_was_done(
    connection: Connection,
) -> None:
    with pytest.raises(psycopg.errors.DivisionByZero, match="division by zero"):
        run_script(connection, b"CREATE TEMP TABLE t (n int); SELECT 1 / 0; CREATE TEMP TABLE u (n int)")
    assert run_script(connection, b"SELECT count(*) FROM pg_class WHERE relname IN ('t', 'u')") == [[(0,)]]


def test_a_transaction_goes_over_several_scripts(connection: Connection) -> None:
    run_script(connection, b"CREATE TEMP TABLE t (n int)")
    run_script(connection, b"BEGIN; INSERT INTO t VALUES (1)")
    assert is_begun(connection)
    run_script(connection, b"ROLLBACK")
    assert not is_begun(connection)
    assert run_script(connection, b"SELECT * FROM t") == [[]]


def test_words_come_as_they_were_written_whatever_the_environment_says(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    with postgres.empty() as url:
        engine = create_engine(url, **engine_options(url, busy_seconds=60))
        listen(engine)
        with engine.connect() as connection:
            said = literal(connection, WORDS)
            asked = b"SELECT length(%s), octet_length(%s), (encode(%s, 'hex') = '%s')::int"
            bytes_of_it = b"convert_to(%s, 'UTF8')" % said
            answer = run_script(connection, asked % (said, said, bytes_of_it, WORDS.hex().encode()))
    assert answer == [[(len(WORDS.decode()), len(WORDS), 1)]]


@pytest.mark.parametrize(
    ("script", "answer"),
    [
        (b"SELECT 7 FROM pg_sleep(0.2)", 7),
        (b"SELECT length('%s')" % (b"x" * LARGE), LARGE),  # larger than any buffer between
    ],
    ids=["for its answer", "to be taken"],
)
def test_everything_goes_on_while_a_script_waits(connection: Connection, script: bytes, answer: int) -> None:
    turns = 0

    def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            gevent.sleep(0.001)

    beside = gevent.spawn(others)
    assert run_script(connection, script) == [[(answer,)]]
    beside.kill()
    assert turns > 3
    assert run_script(connection, b"SELECT 1") == [[(1,)]]


def test_a_server_that_goes_in_the_middle_is_said_to_have_gone(connection: Connection) -> None:
    with pytest.raises(psycopg.OperationalError):
        run_script(connection, b"SELECT 1; SELECT pg_terminate_backend(pg_backend_pid())::int; SELECT 2")
    connection.invalidate()
