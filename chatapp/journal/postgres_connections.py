"""Connections to PostgreSQL. psycopg waits as gevent does, once the standard library is patched: no threads.

What one of them is used for has it alone, from its beginning to its commit. One that did not come to a good
end is closed, whatever state it is in; the next one opens anew.
"""

from collections.abc import Callable, Iterable
from select import POLLIN
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar, cast

from gevent import monkey
from sqlalchemy import URL, Connection, Engine, NullPool, Table, event
from sqlalchemy.exc import DBAPIError

from chatapp.errors import BadRequest, SetupError
from chatapp.journal.connections import Connections, Place
from chatapp.journal.shown import shown

if TYPE_CHECKING:  # a server on SQLite never loads it
    import psycopg

P = ParamSpec("P")
T = TypeVar("T")

# A process that has stopped, or a machine that is gone, may hold what others wait for: the server ends what
# it began. Who writes holds rooms, or keeps everybody from keeping anything.
IDLE_SECONDS = 30
IDLE_WRITING_SECONDS = 5
GONE_SECONDS = 15  # without an answer to any packet
# Who waits for an answer sends nothing. That the server has forgotten the connection, and its word of that is
# lost, is found only by asking for a sign of life; and a sweep that waits finds nothing meanwhile.
LOOK_SECONDS = 5
PATIENCE = {
    "keepalives_idle": LOOK_SECONDS,
    "keepalives_interval": LOOK_SECONDS,
    "keepalives_count": 3,
    "tcp_user_timeout": GONE_SECONDS * 1000,
}


def engine_options(url: URL, busy_seconds: int) -> dict[str, Any]:
    """See databases.py. What the URL says itself counts, but for the encoding: scripts are in UTF-8."""
    wanted = {
        "application_name": "chatapp",
        "connect_timeout": max(2, busy_seconds),
        **PATIENCE,
    }
    timeouts = {
        "lock_timeout": busy_seconds * 1000,
        "idle_in_transaction_session_timeout": IDLE_SECONDS * 1000,
    }
    own = url.query.get("options", "")
    options = " ".join(f"-c {name}={value}" for name, value in timeouts.items())
    connect_args = {name: value for name, value in wanted.items() if name not in url.query}
    return {
        "poolclass": NullPool,
        "hide_parameters": True,
        "use_native_hstore": False,  # it would be asked for with each connection
        "isolation_level": "READ COMMITTED",
        "connect_args": connect_args | {"options": f"{options} {own}".strip(), "client_encoding": "UTF8"},
    }


def listen(engine: Engine) -> None:
    """Set up every connection of `engine`: an ack means "on the disk", and all numbers are of one type.

    Connecting raises SetupError where the database has not all characters.
    """

    @event.listens_for(engine, "connect", insert=True)  # before SQLAlchemy reads anything from it
    def _connected(connection: "psycopg.Connection", _record: object) -> None:
        from psycopg.types.numeric import Int8Dumper

        if (encoding := connection.info.parameter_status("server_encoding")) != "UTF8":
            raise SetupError(
                f"the database {shown(engine.url)} has the encoding {encoding}: make one with "
                "createdb -E UTF8 -T template0"
            )
        # By its value a number would be of one of four types, and each statement be prepared for all of them.
        connection.adapters.register_dumper(int, Int8Dumper)
        # A server may be set to acknowledge what it has not written yet; more than "on" is left as it is.
        connection.execute(
            "SELECT set_config('synchronous_commit', 'on', false) "
            "WHERE current_setting('synchronous_commit') = 'off'"
        )
        connection.commit()


class PostgresConnections(Connections):
    """All to one server. Of one that writes each statement sees what was committed before it: what must not
    move meanwhile is locked.
    """

    def prepare(self) -> None:
        """Its server has done that."""

    def version(self) -> int | None:
        """Nothing that is here without asking the server tells whether anybody has written."""
        return None

    def _run(
        self,
        place: Place,
        writes: bool,
        function: Callable[Concatenate[Connection, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        import psycopg

        connection, whole = place.get(), False
        try:
            if connection is not None and was_left(driver(connection)):
                _end(connection)
                connection = None
            if connection is None:
                connection = self._open(writes)
            connection.begin()
            try:
                answer = function(connection, *args, **kwargs)
            except (DBAPIError, psycopg.Error):
                raise
            except Exception:
                connection.rollback()
                whole = True
                raise
            connection.commit()
            whole = True
            return answer
        except DBAPIError as error:
            _refuse_nul(error.orig)
            raise
        except psycopg.Error as error:  # of what goes straight through the driver
            _refuse_nul(error)
            raise cast(Exception, DBAPIError.instance(None, None, error, psycopg.Error)) from None
        finally:
            if not whole and connection is not None:
                _end(connection)
                connection = None
            place.put(connection)

    def _open(self, writes: bool) -> Connection:
        connection = self._engine.connect()
        if writes:
            with connection.begin():
                connection.exec_driver_sql(
                    f"SET idle_in_transaction_session_timeout = '{IDLE_WRITING_SECONDS}s'"
                )
            # A transaction is begun and committed with the statements in it: see postgres_bulk.py.
            return connection.execution_options(isolation_level="AUTOCOMMIT")
        return connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)


def driver(connection: Connection) -> "psycopg.Connection":
    """The connection as psycopg has it."""
    return cast("psycopg.Connection", connection.connection.driver_connection)


def copy_in(connection: Connection, table: Table, rows: Iterable[list[Any]]) -> None:
    """Add `rows`, each with the values of all columns in their order, in the transaction of `connection`."""
    import psycopg

    dialect = connection.dialect
    names = ", ".join(map(dialect.identifier_preparer.format_column, table.columns))
    as_sent = [column.type.dialect_impl(dialect).bind_processor(dialect) for column in table.columns]
    others = [(at, convert) for at, convert in enumerate(as_sent) if convert]
    try:
        with (
            driver(connection).cursor() as cursor,
            cursor.copy(f"COPY {table.name} ({names}) FROM STDIN") as to,
        ):
            for row in rows:
                for at, convert in others:
                    row[at] = convert(row[at])
                to.write_row(row)
    except psycopg.Error as error:
        raise cast(Exception, DBAPIError.instance(None, None, error, psycopg.Error)) from None


def was_left(connection: "psycopg.Connection") -> bool:
    """Whether the server has ended it while nobody used it: what is read from it unasked is that."""
    if connection.closed:
        return True
    look = monkey.get_original("select", "poll")()  # gevent's would have everybody else take a turn first
    look.register(connection.fileno(), POLLIN)
    return bool(look.poll(0))


def _end(connection: Connection) -> None:
    connection.invalidate()
    connection.close()


def _refuse_nul(error: object) -> None:
    """Raises BadRequest where somebody asked for what no text of PostgreSQL has: it is nowhere."""
    if "NUL (0x00)" in str(error) or getattr(error, "sqlstate", None) == "22P05":  # the latter in JSON
        raise BadRequest("There is nothing with such a character") from None
