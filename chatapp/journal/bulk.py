"""What is asked and written for a whole group of messages, straight through the driver: what SQLAlchemy makes
of each statement, and of each row's parameters, takes longer than the database does.
"""

import json
from collections.abc import Collection
from functools import cache
from itertools import chain, islice
from typing import Any

from sqlalchemy import JSON, Connection, Dialect, Row, and_, insert, or_, select

from chatapp.journal.reading import MESSAGES

ASKED_AT_ONCE = 300  # an old SQLite takes 999 parameters
NEW_MESSAGE = (
    *("room_id", "seq", "at", "kind", "author_id", "author_name", "guest", "body", "of", "client_id"),
    *("remove", "detail", "called", "files", "bot"),
)
_C = MESSAGES.c

# By all of uq_messages_client_id: many people may send with one and the same client_id.
_SENT_WITH = """
WITH wanted (room_id, client_id, author_id) AS (VALUES {})
SELECT messages.room_id, messages.seq FROM wanted
JOIN messages ON messages.room_id = wanted.room_id AND messages.client_id = wanted.client_id
    AND messages.author_id = wanted.author_id
"""


def sent_with(connection: Connection, sent: Collection[tuple[int, str, str]]) -> list[Row[Any]]:
    """The rows of the messages that were sent so already. `sent`: (room, client_id, author)."""
    found: list[Row[Any]] = []
    asked = iter(sent)
    while some := list(islice(asked, ASKED_AT_ONCE)):
        query = _SENT_WITH.format(", ".join(["(?, ?, ?)"] * len(some)))  # nothing of it is anybody's words
        places = connection.exec_driver_sql(query, tuple(chain.from_iterable(some))).all()
        if places:  # somebody sends again
            here = or_(*(and_(_C.room_id == room, _C.seq == seq) for room, seq in places))
            found += connection.execute(select(*_C).where(here))
    return found


def insert_messages(connection: Connection, rows: list[dict[str, Any]]) -> None:
    """Add `rows`, with the columns NEW_MESSAGE. Straight through the driver: what SQLAlchemy makes of a row's
    parameters takes as long as the row.
    """
    sql, names = _insert_into_messages(connection.dialect)
    written = [[_WRITE[name](row[name]) if name in _WRITE else row[name] for name in names] for row in rows]
    connection.exec_driver_sql(sql, [tuple(row) for row in written])


@cache
def _insert_into_messages(dialect: Dialect) -> tuple[str, tuple[str, ...]]:
    compiled = insert(MESSAGES).compile(dialect=dialect, column_keys=NEW_MESSAGE)
    return str(compiled), tuple(compiled.positiontup or ())


def _as_json(value: object) -> str | None:
    return None if value is None else json.dumps(value)


_WRITE = {column.name: _as_json for column in MESSAGES.c if isinstance(column.type, JSON)}
