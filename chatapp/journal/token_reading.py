"""Questions to the database about tokens and hooks, each one indexed."""

from typing import NamedTuple

from sqlalchemy import Connection, select

from chatapp.journal.people_reading import TOKENS, USERS
from chatapp.journal.reading import HOOKS
from chatapp.journal.token_requests import HookLine, TokenLine
from chatapp.message import format_time


class FoundHook(NamedTuple):
    """A hook whose address somebody has."""

    id: int
    room: int
    name: str


def tokens(connection: Connection, person: str | None = None) -> list[TokenLine]:
    """The tokens of a person, or (None) of everybody, that nobody has revoked, the newest first."""
    columns = TOKENS.c
    query = (
        select(
            columns.id,
            columns.name,
            USERS.c.person_id,
            USERS.c.name,
            columns.scopes,
            columns.rooms,
            columns.made_at,
            columns.expires_at,
            columns.used_at,
        )
        .join(USERS, USERS.c.id == columns.user_id)
        .where(columns.revoked_at.is_(None))
        .order_by(columns.id.desc())
    )
    if person is not None:
        query = query.where(USERS.c.person_id == person)
    return [
        TokenLine(*row[:6], *(None if time is None else format_time(time) for time in row[6:]))  # type: ignore[arg-type]
        for row in connection.execute(query)
    ]


def hooks(connection: Connection, room: int) -> list[HookLine]:
    """The hooks of a room that nobody has revoked, the newest first."""
    columns = HOOKS.c
    query = select(columns.id, columns.name, columns.by_name, columns.made_at).where(
        columns.room_id == room, columns.revoked_at.is_(None)
    )
    return [
        HookLine(*row[:3], format_time(row[3]))
        for row in connection.execute(query.order_by(columns.id.desc()))
    ]


def hook(connection: Connection, key: str) -> FoundHook | None:
    """The hook with that secret (as its hash), unless it is revoked."""
    columns = HOOKS.c
    query = select(columns.id, columns.room_id, columns.name).where(
        columns.key == key, columns.revoked_at.is_(None)
    )
    row = connection.execute(query).first()
    return FoundHook(*row) if row else None
