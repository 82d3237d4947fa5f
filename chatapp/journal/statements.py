"""The statements of a transaction that are about one room as a whole, or about one person's place in it."""

import secrets
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from chatapp.journal.reading import MESSAGES, READS, ROOMS
from chatapp.journal.requests import REMOVALS_KEPT, MakeRoom
from chatapp.message import Message


def new_epoch() -> str:
    """A short random name for one log; it stands in SSE ids behind a dot, so it has none."""
    return secrets.token_hex(4)


def insert_room(connection: Connection, request: MakeRoom, created_at: int) -> int:
    """Returns its id. `created_at`: microseconds since 1970."""
    row = {"name": request.name, "topic": request.topic, "epoch": new_epoch(), "created_at": created_at}
    room: int = connection.execute(insert(ROOMS).values(row).returning(ROOMS.c.id)).scalar_one()
    return room


def change_room(connection: Connection, room: int, change: dict[str, Any]) -> None:
    """Set the columns of `change`."""
    connection.execute(update(ROOMS).where(ROOMS.c.id == room).values(change))


def delete_room(connection: Connection, room: int) -> None:
    """The room with all that is in it."""
    for table in (MESSAGES, READS):
        connection.execute(delete(table).where(table.c.room_id == room))
    connection.execute(delete(ROOMS).where(ROOMS.c.id == room))


def begin_log_anew(connection: Connection, room: int, first_seq: int) -> None:
    """Remove all messages; the next one is `first_seq`, in a log of another name."""
    connection.execute(delete(MESSAGES).where(MESSAGES.c.room_id == room))
    change_room(connection, room, {"epoch": new_epoch(), "first_seq": first_seq})


def amend(connection: Connection, change: Message, at: int) -> None:
    """Bring the text that `change`, an edit or a delete, is about to its newest form. `at`: microseconds."""
    messages, columns = update(MESSAGES).where(MESSAGES.c.room_id == change.room), MESSAGES.c
    if change.kind == "edit":
        newest = {"body": change.body, "edited_at": at}
    else:
        newest = {"body": "", "deleted_at": at}
        edits = messages.where(columns.of == change.of, columns.kind == "edit")
        connection.execute(edits.values(body=""))
    connection.execute(messages.where(columns.seq == change.of).values(newest))


def remember_removal(connection: Connection, room: int, person: str, seq: int) -> None:
    """Beside the log: whoever missed the notice learns of it also when the log was cleared since."""
    query = select(ROOMS.c.removals).where(ROOMS.c.id == room)
    removals: dict[str, int] = dict(connection.execute(query).scalar_one())
    removals.pop(person, None)
    removals[person] = seq
    change_room(connection, room, {"removals": dict(list(removals.items())[-REMOVALS_KEPT:])})


def advance_read(connection: Connection, person: str, room: int, seq: int) -> int:
    """Never backwards; returns how far the person has read now."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    row = dialect.insert(READS).values(person_id=person, room_id=room, seq=seq)
    connection.execute(
        row.on_conflict_do_update(
            index_elements=[READS.c.person_id, READS.c.room_id],
            set_={"seq": row.excluded.seq},
            where=READS.c.seq < row.excluded.seq,
        )
    )
    position = select(READS.c.seq).where(READS.c.person_id == person, READS.c.room_id == room)
    read: int = connection.execute(position).scalar_one()
    return read
