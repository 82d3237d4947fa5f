"""The statements of a transaction that are about files, and what is asked about them.

A row of a file is of nobody but its sender until a message has it. It goes with that message, or some time
after the message was deleted; what lies in the folder goes when no row is left that has it, and counts as
long as it lies there.
"""

from collections.abc import Collection, Sequence
from typing import Any, cast

import msgspec
from msgspec import structs
from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    Table,
    and_,
    delete,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)

from chatapp import models
from chatapp.errors import BadRequest
from chatapp.journal.reading import FILES, MESSAGES
from chatapp.journal.requests import Attachment, KeepFile
from chatapp.message import File

ASKED_AT_ONCE = 500  # digests: SQLite takes so many values and more in one statement

CONTENTS = cast(Table, models.Content.__table__)

_COLUMNS = FILES.c


class Stored(msgspec.Struct, frozen=True):
    """A file as it is served. `digest`: under which its content lies."""

    id: str
    name: str
    type: str
    size: int
    width: int | None
    digest: str


def keep(connection: Connection, request: KeepFile, at: int) -> None:
    """`at`: microseconds since 1970."""
    row = msgspec.to_builtins(request.file) | {
        "room_id": request.room,
        "person_id": request.identity.id,
        "sha256": request.digest,
        "at": at,
    }
    connection.execute(insert(FILES).values({"width": None, "height": None, **row}))
    known = exists().where(CONTENTS.c.sha256 == request.digest)
    content = select(literal(request.digest), literal(request.file.size)).where(~known)
    connection.execute(insert(CONTENTS).from_select(["sha256", "size"], content))


def claimed(connection: Connection, room: int, person: str, wanted: Sequence[Attachment]) -> list[File]:
    """What `person` sent to the room and no message has yet, as `wanted`. Raises BadRequest."""
    found = {file.id: file for file in unsent(connection, room, person, [each.id for each in wanted])}
    if len(found) < len(wanted):
        raise BadRequest("There is no such file of yours in this room (any more), or it is sent already")
    return [structs.replace(found[each.id], alt=each.alt) for each in wanted]


def unsent(connection: Connection, room: int, person: str, ids: Collection[str]) -> list[File]:
    """Those of `ids` that `person` sent to the room and no message has yet, the oldest first."""
    query = select(
        _COLUMNS.id, _COLUMNS.name, _COLUMNS.type, _COLUMNS.size, _COLUMNS.width, _COLUMNS.height
    ).where(
        _COLUMNS.id.in_(ids),
        _COLUMNS.room_id == room,
        _COLUMNS.person_id == person,
        _COLUMNS.seq.is_(None),
    )
    return [File(*row) for row in connection.execute(query.order_by(_COLUMNS.at))]


def give(connection: Connection, room: int, seq: int, files: Sequence[File]) -> None:
    """From now on the message `seq` has `files`."""
    ids = [file.id for file in files]
    connection.execute(update(FILES).where(_COLUMNS.room_id == room, _COLUMNS.id.in_(ids)).values(seq=seq))


def let_go(connection: Connection, room: int, seq: int) -> None:
    """Forget at once what a message had as files: it will not come back. Their contents are collected."""
    message = and_(MESSAGES.c.room_id == room, MESSAGES.c.seq == seq)
    connection.execute(update(MESSAGES).where(message).values(files=None))
    connection.execute(delete(FILES).where(_COLUMNS.room_id == room, _COLUMNS.seq == seq))


def collect(connection: Connection, files: Collection[str], before: int) -> int:
    """Forget those of `files` that are to go still; how many that were."""
    due = connection.execute(_due(before).where(_COLUMNS.id.in_(files))).all()
    for row in due:
        if row.seq is not None:
            message = and_(MESSAGES.c.room_id == row.room_id, MESSAGES.c.seq == row.seq)
            connection.execute(update(MESSAGES).where(message).values(files=None))
    connection.execute(delete(FILES).where(_COLUMNS.id.in_([row.id for row in due])))
    return len(due)


def due(connection: Connection, before: int, limit: int) -> list[str]:
    """Ids of at most `limit` files that no message has had since `before` (microseconds since 1970)."""
    return list(connection.scalars(_due(before).limit(limit)))


def unknown(connection: Connection, digests: Sequence[str]) -> list[str]:
    """Those of `digests` that no file has."""
    known: set[str] = set()
    for start in range(0, len(digests), ASKED_AT_ONCE):
        some = digests[start : start + ASKED_AT_ONCE]
        known.update(connection.scalars(select(_COLUMNS.sha256).where(_COLUMNS.sha256.in_(some)).distinct()))
    return [digest for digest in digests if digest not in known]


def contents_of_none(connection: Connection) -> list[str]:
    """The digests of contents that no file has any more, whether they still lie there or not."""
    return list(connection.scalars(select(CONTENTS.c.sha256).where(_of_none())))


def forget_contents(connection: Connection, digests: Sequence[str]) -> int:
    """Those of `digests` that still no file has lie there no more; how many that were."""
    forgotten = 0
    for start in range(0, len(digests), ASKED_AT_ONCE):
        some = CONTENTS.c.sha256.in_(digests[start : start + ASKED_AT_ONCE])
        forgotten += connection.execute(delete(CONTENTS).where(some, _of_none())).rowcount
    return forgotten


def total(connection: Connection) -> int:
    """Bytes of all that lies in the folder, without thumbnails: also of what no file has any more."""
    return int(connection.scalar(select(func.sum(CONTENTS.c.size))) or 0)  # PostgreSQL sums to a numeric


def _of_none() -> ColumnElement[bool]:
    return ~exists().where(_COLUMNS.sha256 == CONTENTS.c.sha256)


def readable(connection: Connection, room: int, file: str, person: str) -> Stored | None:
    """A file of a message of the room that still has its words, or one that `person` is about to send."""
    query = (
        select(_COLUMNS.id, _COLUMNS.name, _COLUMNS.type, _COLUMNS.size, _COLUMNS.width, _COLUMNS.sha256)
        .outerjoin(MESSAGES, _of_message())
        .where(
            _COLUMNS.id == file,
            _COLUMNS.room_id == room,
            or_(
                and_(MESSAGES.c.seq.is_not(None), MESSAGES.c.deleted_at.is_(None)),
                and_(_COLUMNS.seq.is_(None), _COLUMNS.person_id == person),
            ),
        )
    )
    row = connection.execute(query).first()
    return None if row is None else Stored(*row)


def _due(before: int) -> Select[Any]:
    return (
        select(_COLUMNS.id, _COLUMNS.room_id, _COLUMNS.seq)
        .outerjoin(MESSAGES, _of_message())
        .where(
            or_(
                and_(_COLUMNS.seq.is_(None), _COLUMNS.at < before),
                and_(_COLUMNS.seq.is_not(None), MESSAGES.c.deleted_at < before),
            )
        )
    )


def _of_message() -> Any:
    return and_(MESSAGES.c.room_id == _COLUMNS.room_id, MESSAGES.c.seq == _COLUMNS.seq)
