"""Questions to the database, each one indexed. All run in the threadpool, on a connection of their own."""

from collections.abc import Iterable
from typing import Any, cast

from msgspec import UNSET
from sqlalchemy import Connection, Row, Table, func, select

from chatapp import models
from chatapp.journal.requests import RoomState
from chatapp.message import Author, Message, format_time

# Tables rather than mapped classes: rows are read by the thousand, and no session is wanted here.
ROOMS, MESSAGES, READS = (cast(Table, kind.__table__) for kind in (models.Room, models.Message, models.Read))

_STATE = select(
    ROOMS.c.id,
    ROOMS.c.name,
    ROOMS.c.topic,
    ROOMS.c.epoch,
    ROOMS.c.first_seq,
    ROOMS.c.last_seq,
    ROOMS.c.revision,
    ROOMS.c.closed,
    ROOMS.c.removals,
)
_COLUMNS = MESSAGES.c


def states(connection: Connection) -> list[RoomState]:
    """All rooms, by id."""
    return [RoomState(*row) for row in connection.execute(_STATE.order_by(ROOMS.c.id))]


def state(connection: Connection, room: int) -> RoomState | None:
    """One room, or None where there is none (any more)."""
    row = connection.execute(_STATE.where(ROOMS.c.id == room)).first()
    return RoomState(*row) if row else None


def revisions(connection: Connection) -> dict[int, int]:
    """The revision of every room."""
    return {row[0]: row[1] for row in connection.execute(select(ROOMS.c.id, ROOMS.c.revision))}


def after(
    connection: Connection, room: int, cursor: int, limit: int, until: int | None = None
) -> tuple[RoomState | None, list[Message]]:
    """The room and up to `limit` messages with cursor < seq ≤ until, oldest first, of one moment."""
    found = state(connection, room)
    if found is None:
        return None, []
    query = select(*_COLUMNS).where(_COLUMNS.room_id == room, _COLUMNS.seq > cursor)
    if until is not None:
        query = query.where(_COLUMNS.seq <= until)
    return found, _messages(connection.execute(query.order_by(_COLUMNS.seq).limit(limit)))


def newest(connection: Connection, room: int, limit: int) -> tuple[RoomState, list[Message]] | None:
    """The room and its newest `limit` messages, of one moment."""
    found = state(connection, room)
    return None if found is None else (found, before(connection, room, found.last_seq + 1, limit))


def before(connection: Connection, room: int, seq: int, limit: int) -> list[Message]:
    """The newest `limit` messages below `seq`, oldest first."""
    query = select(*_COLUMNS).where(_COLUMNS.room_id == room, _COLUMNS.seq < seq)
    return _messages(connection.execute(query.order_by(_COLUMNS.seq.desc()).limit(limit)))[::-1]


def text_after_time(connection: Connection, room: int, microseconds: int) -> Message | None:
    """The first text that still has a body and was published after that time."""
    query = select(*_COLUMNS).where(
        _COLUMNS.room_id == room,
        _COLUMNS.at > microseconds,
        _COLUMNS.kind == "text",
        _COLUMNS.deleted_at.is_(None),
    )
    return next(iter(_messages(connection.execute(query.order_by(_COLUMNS.at).limit(1)))), None)


def last_texts(connection: Connection) -> dict[int, Message]:
    """The newest text with a body of each room, looked for among its last 50 messages."""
    inner = MESSAGES.alias()
    newest = (
        select(func.max(inner.c.seq))
        .where(inner.c.room_id == ROOMS.c.id, inner.c.seq > ROOMS.c.last_seq - 50)
        .where(inner.c.kind == "text", inner.c.deleted_at.is_(None))
        .scalar_subquery()
    )
    query = select(*_COLUMNS).join(ROOMS, (_COLUMNS.room_id == ROOMS.c.id) & (_COLUMNS.seq == newest))
    return {message.room: message for message in _messages(connection.execute(query))}


def authors_called(connection: Connection, room: int, name: str) -> list[str]:
    """Ids of the authors who wrote under `name` among the room's newest 1,000 messages."""
    newest = select(_COLUMNS.author_id, _COLUMNS.author_name).where(_COLUMNS.room_id == room)
    recent = newest.order_by(_COLUMNS.seq.desc()).limit(1000).subquery()
    query = select(recent.c.author_id).where(recent.c.author_name == name).distinct()
    return list(connection.scalars(query))


def read_positions(connection: Connection, person: str) -> dict[int, int]:
    """How far a person has read, by room."""
    query = select(READS.c.room_id, READS.c.seq).where(READS.c.person_id == person)
    return {row[0]: row[1] for row in connection.execute(query)}


def count(connection: Connection, room: int) -> int:
    """How many messages the room has, of every kind."""
    query = select(func.count()).select_from(MESSAGES).where(_COLUMNS.room_id == room)
    return connection.scalar(query) or 0


def _messages(rows: Iterable[Row[Any]]) -> list[Message]:
    return [message_of(row) for row in rows]


def message_of(row: Any) -> Message:
    """The live message of a row."""
    return Message(
        room=row.room_id,
        seq=row.seq,
        kind=row.kind,
        author=Author(row.author_id, row.author_name, row.guest),
        at=format_time(row.at),
        body=row.body,
        of=row.of,
        client_id=row.client_id,
        remove=True if row.remove else UNSET,
        detail=UNSET if row.detail is None else row.detail,
        edited_at=UNSET if row.edited_at is None else format_time(row.edited_at),
        deleted_at=UNSET if row.deleted_at is None else format_time(row.deleted_at),
    )
