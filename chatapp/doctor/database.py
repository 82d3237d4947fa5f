"""The database: reachable, of this program, of this version; what each kind has of its own is beside it."""

from contextlib import suppress

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from chatapp import schema
from chatapp.config import Config
from chatapp.doctor import clock, postgres, sent, sqlite
from chatapp.doctor.answering import remedy
from chatapp.doctor.finding import Finding, Findings, error
from chatapp.errors import SetupError
from chatapp.journal.databases import is_postgres
from chatapp.journal.shown import shown


def examine(engine: Engine, config: Config, workers: int) -> Findings:
    """Where the first thing that is wrong hides the rest, that alone is said."""
    try:
        yield from _examine(engine, config, workers)
    except SetupError as refusal:
        yield error("foreign-database", str(refusal), "the server does not start", _OTHER)
    except (SQLAlchemyError, OSError) as fault:
        yield _unusable(fault, engine)


def is_up(engine: Engine) -> bool:
    """Whether it can be read, and a start would find nothing to do."""
    with suppress(SetupError, SQLAlchemyError, OSError):
        return schema.revision(engine) == schema.newest()
    return False


def _examine(engine: Engine, config: Config, workers: int) -> Findings:
    kind = postgres if is_postgres(engine) else sqlite
    have = schema.revision(engine)
    yield from kind.examine(engine, config, workers)
    yield from _version(have)
    if have == schema.newest():
        yield from clock.examine(engine)
        yield from sent.examine(engine, config)


def _version(have: str | None) -> Findings:
    want = schema.newest()
    if have is None or have == want:  # an empty one is set up by the first start
        return
    if have in schema.known():
        yield error(
            "schema-behind",
            f"the database has schema {have}, and this program works with {want}",
            "a server that runs on it is of an older version than these commands",
            "restart the server: it brings the database up; or flask db upgrade while it is stopped",
        )
    else:
        yield error(
            "schema-ahead",
            f"the database has schema {have}, and this program knows them up to {want}",
            "a newer version has written it: this one does not start",
            "install that version again, or restore the copy that was made before the upgrade "
            "(chat.db.before-…)",
        )


def _unusable(fault: Exception, engine: Engine) -> Finding:
    cause = " ".join(str(getattr(fault, "orig", None) or fault).split())
    where = shown(engine.url) if is_postgres(engine) else engine.url.database
    return error(
        "database-unusable",
        f"the database {where} cannot be used: {cause}",
        "nothing can be read or kept",
        remedy(cause, "CHATAPP_DATABASE_URL") if is_postgres(engine) else _BACKUP,
    )


_OTHER = "name another database in CHATAPP_DATABASE_URL; an empty one is set up by the first start"
_BACKUP = "if it is damaged, stop the server and restore a backup: flask data restore FOLDER"
