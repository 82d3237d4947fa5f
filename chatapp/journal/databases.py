"""Which databases there are, and what each of them has of its own: its connections, and its bulk."""

from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from sqlalchemy import Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError

from chatapp.errors import SetupError
from chatapp.journal import postgres_bulk, postgres_connections, sqlite_bulk, sqlite_connections
from chatapp.journal.bulk import Bulk

P = ParamSpec("P")
T = TypeVar("T")

# By the dialect's name: what is asked and written straight through the driver.
BULK: dict[str, Bulk] = {"sqlite": sqlite_bulk, "postgresql": postgres_bulk}


class Connections(Protocol):
    """A bounded number of connections; all of it switches but `version`, and the hub goes on meanwhile."""

    def read(self, function: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """`function(connection, …)` in a transaction that sees one state."""

    def write(
        self, function: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """`function(connection, …)` in a transaction that writes, committed when this returns."""

    def version(self) -> int | None:
        """Changes when anybody has written. Never switches; None where only reading can tell."""

    def close(self) -> None:
        """Close what is not in use; what is asked later opens anew."""


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
    if _is_postgres(engine):
        postgres_connections.listen(engine)
    else:
        sqlite_connections.listen(engine)


def connections_of(engine: Engine) -> Connections:
    """Connections to the database of `engine`."""
    if _is_postgres(engine):
        return postgres_connections.PostgresConnections(engine)
    return sqlite_connections.SqliteConnections(engine)


def _is_postgres(engine: Engine) -> bool:
    return engine.dialect.name == "postgresql"
