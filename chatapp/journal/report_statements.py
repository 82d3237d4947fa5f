"""Reports: the statements about them, and the questions."""

from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func, insert, select, update

from chatapp.errors import BadRequest
from chatapp.journal.reading import REPORTS, ROOMS, author_of
from chatapp.journal.requests import Outcome, Report, ReportLine
from chatapp.message import Author, format_time

LIMIT = 200  # how many that wait are shown at once, the oldest first

_R = REPORTS.c
_LINE = select(
    _R.id,
    _R.room_id,
    ROOMS.c.name.label("room_name"),
    ROOMS.c.kind,
    _R.seq,
    _R.author_id,
    _R.author_name,
    _R.guest,
    _R.bot,
    _R.body,
    _R.by_id,
    _R.by_name,
    _R.why,
    _R.at,
).join(ROOMS, ROOMS.c.id == _R.room_id)


def waits(asking: str) -> ColumnElement[bool]:
    """Whether a report is for the person who asks: it waits, and is not about them."""
    return _R.settled_at.is_(None) & (_R.author_id != asking)


def waiting(connection: Connection, asking: str, room: int | None = None) -> list[ReportLine]:
    """Those that wait, in a room or everywhere, the oldest first; see `waits`."""
    query = _LINE.where(waits(asking))
    if room is not None:
        query = query.where(_R.room_id == room)
    return [_line(row) for row in connection.execute(query.order_by(_R.id).limit(LIMIT))]


def counts(connection: Connection, asking: str) -> dict[int, int]:
    """How many wait in each room that has any; see `waits`."""
    query = select(_R.room_id, func.count()).where(waits(asking))
    return {row[0]: row[1] for row in connection.execute(query.group_by(_R.room_id))}


def one(connection: Connection, room: int, number: int, asking: str) -> ReportLine:
    """One that waits. Raises BadRequest where there is none, also to who is reported in it."""
    query = _LINE.where(_R.id == number, _R.room_id == room, waits(asking))
    row = connection.execute(query).first() if 0 < number < 2**63 else None
    if row is None:
        raise BadRequest("There is no such report (any more): somebody has settled it")
    return _line(row)


def keep(connection: Connection, request: Report, original: Row[Any], at: int) -> None:
    """`original`: the row of the message. `at`: microseconds since 1970."""
    mine = (_R.room_id == request.room) & (_R.seq == request.seq) & (_R.by_id == request.by.id)
    if connection.scalar(select(_R.id).where(mine)) is not None:
        return
    row = {
        "room_id": request.room,
        "seq": request.seq,
        "author_id": original.author_id,
        "author_name": original.author_name,
        "guest": original.guest,
        "bot": original.bot,
        "body": original.body,
        "by_id": request.by.id,
        "by_name": request.by.name,
        "why": request.why,
        "at": at,
    }
    connection.execute(insert(REPORTS).values(row))


def settle(connection: Connection, report: ReportLine, outcome: Outcome, at: int) -> None:
    """All that wait about the message of `report` have this outcome; what it said is forgotten."""
    about = (_R.room_id == report.room) & (_R.seq == report.seq) & _R.settled_at.is_(None)
    connection.execute(update(REPORTS).where(about).values(outcome=outcome, settled_at=at, body=""))


def _line(row: Any) -> ReportLine:
    return ReportLine(
        id=row.id,
        room=row.room_id,
        room_name="a conversation" if row.kind == "direct" else row.room_name,  # it is named after its people
        seq=row.seq,
        author=author_of(row.author_id, row.author_name, row.guest, row.bot),
        body=row.body,
        by=Author(row.by_id, row.by_name),
        why=row.why,
        at=format_time(row.at),
    )
