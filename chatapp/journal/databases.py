"""Which databases there are, and what each of them has of its own: its connections, and its bulk."""

from typing import Any

from sqlalchemy import Engine, make_url
from sqlalchemy.exc import ArgumentError

from chatapp.errors import SetupError
from chatapp.journal import postgres_bulk, postgres_connections, sqlite_bulk, sqlite_connections
from chatapp.journal.bulk import Bulk
from chatapp.journal.connections import Connections

# By the dialect's name: what is asked and written straight through the driver.
BULK: dict[str, Bulk] = {"sqlite": sqlite_bulk, "postgresql": postgres_bulk}


def engine_options(url: str, busy_seconds: int) -> dict[str, Any]:
    """Options for the engine of `url`. No pool: `Connections` keeps what it opens. No message in any log.

    Raises SetupError for a URL of which there is no kind.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        # It is not shown: with a slip in it, it may have a password all the same.
        raise SetupError("CHATAPP_DATABASE_URL is no URL: write sqlite:////path/to/chat.db") from None
    if parsed.drivername in ("postgresql", "postgresql+psycopg"):
        return postgres_connections.engine_options(parsed, busy_seconds)
    return sqlite_connections.engine_options(parsed, busy_seconds)


def listen(engine: Engine) -> None:
    """Set up every connection that `engine` makes."""
    if is_postgres(engine):
        postgres_connections.listen(engine)
    else:
        sqlite_connections.listen(engine)


def connections_of(engine: Engine, quick_commits: bool = True) -> Connections:
    """Connections to the database of `engine`. `quick_commits`: whether the hub waits for writes
    to SQLite that take a moment.
    """
    if is_postgres(engine):
        return postgres_connections.PostgresConnections(engine)
    return sqlite_connections.SqliteConnections(engine, quick_commits)


def is_postgres(engine: Engine) -> bool:
    """Whether it is a server's, else a file of SQLite's."""
    return engine.dialect.name == "postgresql"
