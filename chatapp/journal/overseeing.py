"""Questions to the database of whoever runs the server: all rooms, all people, how many of what."""

import time
from collections import Counter
from collections.abc import Iterable
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, Select, Table, func, select

from chatapp.journal import report_statements
from chatapp.journal.people_reading import ERASED, INVITATIONS, IS_BOT, SESSIONS, USERS
from chatapp.journal.people_requests import Person
from chatapp.journal.reading import GUESTS, MEMBERS, MESSAGES, REPORTS, ROOMS, SANCTIONS, SAYS
from chatapp.message import format_time
from chatapp.permissions import RoomKind


class Totals(Struct, frozen=True):
    """How many there are. `people`: with an account, but for bots. `sessions`: that have not ended."""

    people: int
    bots: int
    administrators: int
    disabled: int
    sessions: int
    guests: int
    rooms: dict[str, int]  # by kind
    reports: int
    invitations: int
    bans: int


class AccountLine(Struct, frozen=True):
    """An account; `seen_at`: None for who is signed in nowhere."""

    person: Person
    made_at: str
    sessions: int
    seen_at: str | None


class RoomLine(Struct, frozen=True):
    """A room; `messages`: texts that still say something. `mine`: whether the asker is a member."""

    id: int
    name: str
    kind: RoomKind
    closed: bool
    members: int
    messages: int
    last_at: str | None
    reports: int
    mine: bool


class RoomName(Struct, frozen=True):
    """What a room is called before who runs the server: "room 7" where they are not in it and it is not
    public, "board (7)" where another one has that name. `known`: whether it is called by its name.
    """

    id: int
    kind: RoomKind
    name: str
    known: bool


class GuestLine(Struct, frozen=True):
    """Who came in as a guest."""

    id: str
    name: str
    address: str
    at: str


def totals(connection: Connection, asking: str) -> Totals:
    """How many of what there is now; of reports those that are not about the person who asks."""
    now = time.time_ns() // 1000

    def count(query: Select[Any]) -> int:
        return connection.scalar(query) or 0

    def of(table: Table) -> Select[Any]:
        return select(func.count()).select_from(table)

    users, rooms = USERS.c, select(ROOMS.c.kind, func.count()).group_by(ROOMS.c.kind)
    there = ~users.key.startswith(ERASED)
    good = (INVITATIONS.c.uses > 0) & (INVITATIONS.c.expires_at > now)
    columns = SANCTIONS.c
    deeds = select(columns.at, columns.by_id)  # one may be of a guest, a browser and a network
    in_force = columns.room_id.is_(None) & columns.lifted_at.is_(None)
    in_force &= (columns.until == 0) | (columns.until > now)
    return Totals(
        people=count(of(USERS).where(there, ~IS_BOT)),
        bots=count(of(USERS).where(there, IS_BOT)),
        administrators=count(of(USERS).where(users.role == "administrator", users.disabled.is_(False))),
        disabled=count(of(USERS).where(there, users.disabled.is_(True))),
        sessions=count(of(SESSIONS).where(SESSIONS.c.ended_at.is_(None))),
        guests=count(of(GUESTS)),
        rooms={row[0]: row[1] for row in connection.execute(rooms)},
        reports=count(of(REPORTS).where(report_statements.waits(asking))),
        invitations=count(of(INVITATIONS).where(good)),
        bans=count(select(func.count()).select_from(deeds.where(in_force).distinct().subquery())),
    )


def accounts(connection: Connection, begins: str, limit: int) -> list[AccountLine]:
    """Those whose name begins with `begins`, by name."""
    columns, sessions = USERS.c, SESSIONS.c
    mine = (sessions.user_id == columns.id) & sessions.ended_at.is_(None)
    open_sessions = select(func.count()).select_from(SESSIONS).where(mine).scalar_subquery()
    seen = select(func.max(sessions.seen_at)).where(mine).scalar_subquery()
    query = select(
        columns.person_id,
        columns.name,
        columns.role,
        columns.status,
        columns.disabled,
        columns.language,
        IS_BOT,
        columns.made_at,
        open_sessions,
        seen,
    )
    query = query.where(~columns.key.startswith(ERASED)).order_by(func.lower(columns.name), columns.id)
    if begins:
        query = query.where(func.lower(columns.name).startswith(begins.lower(), autoescape=True))
    return [
        AccountLine(
            Person(*row[:7]),
            format_time(row[7]),
            row[8],
            format_time(row[9]) if row[9] else None,
        )
        for row in connection.execute(query.limit(limit))
    ]


def room_names(connection: Connection, asking: str) -> list[RoomName]:
    """All rooms, by id, as they are called before the person who asks."""
    mine = set(connection.scalars(select(MEMBERS.c.room_id).where(MEMBERS.c.person_id == asking)))
    query = select(ROOMS.c.id, ROOMS.c.kind, ROOMS.c.name).order_by(ROOMS.c.id)
    found = [(row, row.kind == "public" or row.id in mine) for row in connection.execute(query)]
    names = Counter(row.name for row, known in found if known)

    def called(room: int, name: str, known: bool) -> str:
        if not known:
            return f"room {room}"
        return name if names[name] == 1 else f"{name} ({room})"

    return [RoomName(row.id, row.kind, called(row.id, row.name, known), known) for row, known in found]


def rooms(connection: Connection, asking: str) -> list[RoomLine]:
    """All rooms, also those that the person who asks is not in, by id; reports are counted as in `totals`."""
    columns = ROOMS.c
    members = {
        row[0]: row[1]
        for row in connection.execute(select(MEMBERS.c.room_id, func.count()).group_by(MEMBERS.c.room_id))
    }
    mine = set(connection.scalars(select(MEMBERS.c.room_id).where(MEMBERS.c.person_id == asking)))
    reports = report_statements.counts(connection, asking)
    texts = select(MESSAGES.c.room_id, func.count()).where(SAYS).group_by(MESSAGES.c.room_id)
    messages = {row[0]: row[1] for row in connection.execute(texts)}
    query = select(
        columns.id,
        columns.name,
        columns.kind,
        columns.closed,
        columns.last_at,
    )
    return [
        RoomLine(
            id=row.id,
            name=row.name,
            kind=row.kind,
            closed=row.closed,
            members=members.get(row.id, 0),
            messages=messages.get(row.id, 0),
            last_at=format_time(row.last_at) if row.last_at else None,
            reports=reports.get(row.id, 0),
            mine=row.id in mine,
        )
        for row in connection.execute(query.order_by(columns.id))
    ]


def guests(connection: Connection, limit: int) -> list[GuestLine]:
    """Who came in lately as a guest, the newest first."""
    columns = GUESTS.c
    query = select(columns.person_id, columns.name, columns.address, columns.at)
    rows = connection.execute(query.order_by(columns.at.desc()).limit(limit))
    return [GuestLine(*row[:3], format_time(row[3])) for row in rows]


def names_of(connection: Connection, people: Iterable[str]) -> dict[str, str]:
    """What those of `people`, ids, are called who have an account or came in as a guest."""
    asked, found = set(people), dict[str, str]()
    for table in (GUESTS, USERS):  # a guest who has made an account has kept the id
        query = select(table.c.person_id, table.c.name).where(table.c.person_id.in_(asked))
        found |= {row[0]: row[1] for row in connection.execute(query)}
    return found
