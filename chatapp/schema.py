"""The database's schema: is it ours, is it behind, is it ahead; and bringing it up."""

import logging
import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy
from flask import Flask
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from chatapp import models
from chatapp.errors import SetupError
from chatapp.journal.requests import MakeRoom
from chatapp.journal.shown import shown
from chatapp.journal.writing import perform

MIGRATIONS = Path(__file__).parent / "migrations"
MIGRATING = 0x6D696772  # the name of a lock of PostgreSQL's: "migr"
AGAIN_SECONDS = 0.2  # until somebody looks again whether another machine has brought the database up

log = logging.getLogger(__name__)


def bring_up(app: Flask, engine: Engine) -> None:
    """Apply the migrations that the database lacks, after copying it. Within `setting_up` and app context.

    Raises SetupError for a database that cannot be opened, that is not ours or is newer than this program.
    """
    try:
        _prepare(engine)
        with _alone(engine):
            _bring_up(app, engine)
    except (SQLAlchemyError, sqlite3.Error) as error:
        cause = " ".join(str(getattr(error, "orig", None) or error).split())  # some have several lines
        raise SetupError(f"the database {_name(engine)} cannot be used: {cause}") from None


def _bring_up(app: Flask, engine: Engine) -> None:
    have, want = revision(engine), newest()
    if have == want:
        return
    if have is not None and have not in known():
        raise SetupError(
            f"the database {_name(engine)} was written by a newer version (schema {have}, known up to "
            f"{want}): install that version, or restore the copy that was made before the upgrade"
        )
    if have is not None:
        _copy(engine, f"before-{want}")
    upgrade(app)
    if have is not None:  # the way back is another one then: docs/running.md
        log.info("the database %s has schema %s now, and had %s", _name(engine), want, have)
    else:
        with engine.connect().execution_options(writes=True) as connection, connection.begin():
            perform(connection, [MakeRoom("Lobby", "Say hello, ask anything")])


def upgrade(app: Flask) -> None:
    """Run the migrations, as `flask db upgrade` does."""
    # Alembic takes a fifth of a second to import, and nearly every start has nothing to migrate.
    from flask_migrate import upgrade as run

    enable_migrations(app)
    run(directory=str(MIGRATIONS))


def enable_migrations(app: Flask) -> None:
    """Make the commands of Flask-Migrate work on `app`."""
    from flask_migrate import Migrate

    Migrate(app, models.db, directory=str(MIGRATIONS))


def newest() -> str:
    """The revision that this program works with."""
    return known()[-1]


def known() -> list[str]:
    """All revisions up to that one, in their order."""
    return sorted(path.name.split("_")[0] for path in (MIGRATIONS / "versions").glob("[0-9]*_*.py"))


def _prepare(engine: Engine) -> None:
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:
            # A property of the file; readers go on while one process writes.
            connection.connection.driver_connection.execute("PRAGMA journal_mode=WAL")  # type: ignore[union-attr]


@contextmanager
def _alone(engine: Engine) -> Iterator[None]:
    """No other machine brings the same database up meanwhile. (On this one: instance.setting_up.)"""
    if engine.dialect.name == "sqlite":
        yield
        return
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        # Not pg_advisory_lock: an index that is made beside others waits for all statements that were there
        # before it, this one among them, which would wait for the index.
        taken = sqlalchemy.text(f"SELECT pg_try_advisory_lock({MIGRATING})")
        if not connection.scalar(taken):
            log.info("another server is bringing up the database %s: waiting for it", _name(engine))
            while not connection.scalar(taken):
                time.sleep(AGAIN_SECONDS)
        yield  # who closes a connection gives back what it holds


def revision(engine: Engine) -> str | None:
    """The schema's revision, or None for an empty database. Raises SetupError for one that is not ours."""
    with engine.connect() as connection:
        tables = sqlalchemy.inspect(connection).get_table_names()
        if "alembic_version" in tables:
            found: str | None = connection.scalar(sqlalchemy.text("SELECT version_num FROM alembic_version"))
            return found
        if tables:
            raise SetupError(f"the database {_name(engine)} is not one of this program: name another one")
        return None


def _copy(engine: Engine, suffix: str) -> None:
    """Copy a SQLite database beside itself with SQLite's own backup, which is safe while it is in use."""
    path = engine.url.database
    if engine.dialect.name != "sqlite" or not path:
        return
    with sqlite3.connect(path) as source, sqlite3.connect(f"{path}.{suffix}") as target:
        source.backup(target)
    source.close()
    target.close()


def _name(engine: Engine) -> str:
    return re.sub(r"^sqlite:///", "", shown(engine.url))
