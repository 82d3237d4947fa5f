"""What the database has of one person: all of it in one answer, and taken out of it."""

from typing import Any

from sqlalchemy import Connection, Text, cast, delete, or_, select, update

from chatapp.journal import people_reading
from chatapp.journal.people_reading import ERASED, PASSKEYS, RESETS, SESSIONS, TOKENS, USERS
from chatapp.journal.people_requests import Erase
from chatapp.journal.reading import (
    AUDIT,
    GUESTS,
    HOOKS,
    MEMBERS,
    MESSAGES,
    READS,
    REPORTS,
    ROOMS,
    SANCTIONS,
)
from chatapp.journal.statements import change_room, new_epoch
from chatapp.message import format_time

NAME = "removed person"
# Of an account: what says nothing about the person, or is a secret that they know and nobody else is to.
SECRETS = {
    "password",
    "fs_uniquifier",
    "fs_webauthn_user_handle",
    "tf_totp_secret",
    "mf_recovery_codes",
    "key",
}


def export(connection: Connection, person: str) -> dict[str, Any]:
    """Everything that is kept of somebody, as plain values; times as in the protocol."""
    account = people_reading.account(connection, "person_id", person) or {}
    user = account.get("id")
    return {
        "account": _plain(
            {name: value for name, value in account.items() if name not in SECRETS | {"passkeys"}}
        ),
        "passkeys": [
            _plain({"name": key["name"], "made_at": key["made_at"]}) for key in account.get("passkeys", ())
        ],
        "sessions": _rows(connection, SESSIONS, SESSIONS.c.user_id == user, without={"key", "user_id"}),
        "tokens": _rows(connection, TOKENS, TOKENS.c.user_id == user, without={"key", "user_id", "changed"}),
        "hooks": _rows(connection, HOOKS, HOOKS.c.by_id == person, without={"key"}),
        "guest": _rows(connection, GUESTS, GUESTS.c.person_id == person),
        "rooms": _rows(connection, MEMBERS, MEMBERS.c.person_id == person, without={"person_id"}),
        "read": _rows(connection, READS, READS.c.person_id == person, without={"person_id"}),
        "messages": _rows(
            connection,
            MESSAGES,
            MESSAGES.c.author_id == person,
            without={"author_id", "guest"},
            order=(MESSAGES.c.room_id, MESSAGES.c.seq),
        ),
        "sanctions": _rows(connection, SANCTIONS, SANCTIONS.c.person_id == person, without={"device"}),
        # Those that they made: who is reported does not see by whom.
        "reports": _rows(
            connection,
            REPORTS,
            REPORTS.c.by_id == person,
            without={"author_id", "author_name", "guest", "body"},
        ),
        "audit": _rows(connection, AUDIT, (AUDIT.c.who_id == person) | (AUDIT.c.whom == person)),
    }


def rooms_of(connection: Connection, person: str) -> set[int]:
    """The rooms in whose logs somebody is."""
    columns = MESSAGES.c
    own = select(columns.room_id).where(columns.author_id == person).distinct()
    told = select(columns.room_id).where(_of_them(person)).distinct()
    member = select(MEMBERS.c.room_id).where(MEMBERS.c.person_id == person)
    return {room for query in (own, told, member) for room in connection.scalars(query)}


def erase(connection: Connection, request: Erase, at: int) -> None:
    """Take somebody out of the database; what they said stays under another name, or goes.

    Rows of a log are never removed: its numbers have no gap. The logs in which they were get new epochs, so
    that every reader starts over with them as they are now.
    """
    person, alias = request.person, request.alias
    for room in rooms_of(connection, person):
        change_room(connection, room, {"epoch": new_epoch()})
    _take_out_of_logs(connection, request, at)
    _bury_account(connection, request, at)
    for table in (MEMBERS, READS, GUESTS):
        connection.execute(delete(table).where(table.c.person_id == person))
    rooms = update(ROOMS).where(
        ROOMS.c.kind == "direct", ROOMS.c.name.contains(request.name, autoescape=True)
    )
    connection.execute(rooms.values(name=NAME))
    imposed = update(SANCTIONS).where(SANCTIONS.c.person_id == person)
    connection.execute(imposed.values(person_id=alias, name=NAME, reason="", lifted_at=at))
    connection.execute(update(SANCTIONS).where(SANCTIONS.c.by_id == person).values(by_id=alias, by_name=NAME))
    connection.execute(delete(REPORTS).where(REPORTS.c.author_id == person))
    made = update(REPORTS).where(REPORTS.c.by_id == person)
    connection.execute(made.values(by_id=alias, by_name=NAME, why=""))
    connection.execute(update(HOOKS).where(HOOKS.c.by_id == person).values(by_id=alias, by_name=NAME))
    connection.execute(update(AUDIT).where(AUDIT.c.who_id == person).values(who_id=alias, who_name=NAME))
    for entry in connection.execute(select(*AUDIT.c).where(AUDIT.c.whom == person)).all():
        what = entry.what.replace(request.name, NAME)
        connection.execute(update(AUDIT).where(AUDIT.c.id == entry.id).values(whom=alias, what=what, why=""))


def _bury_account(connection: Connection, request: Erase, at: int) -> None:
    """Of the account only the id is left, so that it is never given again and every process signs it out."""
    user = connection.scalar(select(USERS.c.id).where(USERS.c.person_id == request.person))
    number = people_reading.number(connection) + 1
    for table in (PASSKEYS, RESETS):
        connection.execute(delete(table).where(table.c.user_id == user))
    sessions = update(SESSIONS).where(SESSIONS.c.user_id == user)
    connection.execute(sessions.values(device="", address="", ended_at=at, changed=number))
    tokens = update(TOKENS).where(TOKENS.c.user_id == user)
    connection.execute(tokens.values(name="", revoked_at=at, changed=number))
    blank = {column.name: None for column in USERS.c if column.nullable and column.name != "person_id"}
    left = {
        "name": NAME,
        "key": f"{ERASED}{request.alias}",
        "fs_uniquifier": request.alias,
        "role": "member",
        "status": "",
        "disabled": True,
        "changed": number,
        "renamed": 0,
    }
    connection.execute(update(USERS).where(USERS.c.id == user).values(blank | left))


def _take_out_of_logs(connection: Connection, request: Erase, at: int) -> None:
    columns, mine = MESSAGES.c, MESSAGES.c.author_id == request.person
    if not request.keep_messages:
        texts = update(MESSAGES).where(mine, columns.kind == "text")
        connection.execute(texts.values(body="", deleted_at=at))
        connection.execute(update(MESSAGES).where(mine, columns.kind == "edit").values(body=""))
        reactions = update(MESSAGES).where(mine, columns.kind == "reaction")
        connection.execute(reactions.values(remove=True))  # who takes all back has none
    for notice in connection.execute(select(*columns).where(_of_them(request.person))).all():
        place = update(MESSAGES).where(columns.room_id == notice.room_id, columns.seq == notice.seq)
        detail = _renamed(notice.detail, request)
        connection.execute(place.values(body=notice.body.replace(request.name, NAME), detail=detail))
    # Without the client_id: it is unique for each author, and they become others.
    names = {"author_id": request.alias, "author_name": NAME, "guest": False, "client_id": None}
    connection.execute(update(MESSAGES).where(mine).values(names))


def _of_them(person: str) -> Any:
    """Notices of what became of somebody: their detail names them."""
    detail = cast(MESSAGES.c.detail, Text)
    return (MESSAGES.c.kind == "notice") & or_(detail.contains(f'"{person}"', autoescape=True))


def _renamed(value: Any, request: Erase) -> Any:
    """`value`, plain JSON, with the alias for the id and the common name for the name."""
    if isinstance(value, dict):
        return {key: _renamed(part, request) for key, part in value.items()}
    if isinstance(value, list):
        return [_renamed(part, request) for part in value]
    return (
        {request.person: request.alias, request.name: NAME}.get(value, value)
        if isinstance(value, str)
        else value
    )


def _rows(
    connection: Connection, table: Any, where: Any, without: set[str] | None = None, order: Any = ()
) -> list[dict[str, Any]]:
    columns = [column for column in table.c if column.name not in (without or set())]
    query = select(*columns).where(where).order_by(*order)
    return [_plain(row) for row in connection.execute(query).mappings()]


def _plain(row: Any) -> dict[str, Any]:
    """A row with its times as people and the protocol write them."""
    return {
        name: _time(value) if name == "at" or name.endswith("_at") else value for name, value in row.items()
    }


def _time(value: int | None) -> str | None:
    return format_time(value) if value else None
