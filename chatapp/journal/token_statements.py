"""The statements of a transaction that are about tokens and hooks. A refusal is found before anything is
written.
"""

from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from chatapp.errors import BadRequest, Forbidden
from chatapp.journal import people_reading as reading
from chatapp.journal import token_requests as requests
from chatapp.journal.people_reading import TOKENS, USERS
from chatapp.journal.reading import HOOKS
from chatapp.journal.requests import Act, MakeHook
from chatapp.journal.statements import note
from chatapp.message import Author
from chatapp.names import key

TOKENS_LIMIT = 100  # of one person
HOOKS_LIMIT = 100  # of one room


def perform(connection: Connection, request: requests.TokenRequest, at: int) -> tuple[Any, bool]:
    """Carry out `request`; its answer, and whether who somebody is has changed. Raises ChatError."""
    match request:
        case requests.MakeToken():
            return _make(connection, request, at), False
        case requests.RevokeToken():
            _revoke(connection, request, at)
            return 0, True
        case requests.SawTokens():
            seen = update(TOKENS).where(TOKENS.c.key.in_(request.keys))
            connection.execute(seen.values(used_at=at))
            return 0, False
        case _:
            raise TypeError(request)


def _make(connection: Connection, request: requests.MakeToken, at: int) -> int:
    owner = reading.account(connection, "person_id", request.person)
    if owner is None:
        raise BadRequest("There is nobody with that account")
    if request.bot and (owner["password"] is not None or owner["passkeys"]):
        raise Forbidden(
            "%(name)s is no bot: they sign in, and make their tokens themselves", name=owner["name"]
        )
    columns = TOKENS.c
    mine = (columns.user_id == owner["id"]) & columns.revoked_at.is_(None)
    if (connection.scalar(select(func.count()).where(mine)) or 0) >= TOKENS_LIMIT:
        raise BadRequest("Nobody has more than %(limit)s tokens: revoke some", limit=TOKENS_LIMIT)
    row = {
        "key": request.key,
        "user_id": owner["id"],
        "name": request.name,
        "scopes": list(request.scopes),
        "rooms": None if request.rooms is None else list(request.rooms),
        "made_at": at,
        "expires_at": request.expires_at,
    }
    made: int = connection.execute(insert(TOKENS).values(row).returning(columns.id)).scalar_one()
    said = f"made token {made} for {owner['name']}: {', '.join(request.scopes)}"
    note(connection, request.by, Act(said, request.person, request.name), None, at)
    return made


def _revoke(connection: Connection, request: requests.RevokeToken, at: int) -> None:
    columns = TOKENS.c
    whose = select(USERS.c.person_id).join(TOKENS, columns.user_id == USERS.c.id)
    owner = connection.scalar(whose.where(columns.id == request.id, columns.revoked_at.is_(None)))
    if owner is None or request.person not in (None, owner):
        raise BadRequest("There is no such token (any more)")
    revoked = {"revoked_at": at, "changed": reading.number(connection) + 1}
    connection.execute(update(TOKENS).where(columns.id == request.id).values(revoked))
    note(connection, request.by, Act(f"revoked token {request.id}", owner), None, at)


def revoke_all(connection: Connection, user: int, at: int) -> int:
    """All tokens of an account are good no longer; how many there were."""
    columns = TOKENS.c
    mine = update(TOKENS).where(columns.user_id == user, columns.revoked_at.is_(None))
    return connection.execute(mine.values(revoked_at=at, changed=reading.number(connection) + 1)).rowcount


def make_hook(connection: Connection, room: int, request: MakeHook, by: Author, at: int) -> None:
    """Raises BadRequest for a name that passes for a person's, and where there are too many. (That nobody
    takes a hook's name later: people_statements.py.)
    """
    if reading.person_called(connection, request.name) is not None:
        raise BadRequest("%(name)s is somebody’s name: a hook has one of its own", name=request.name)
    mine = (HOOKS.c.room_id == room) & HOOKS.c.revoked_at.is_(None)
    if (connection.scalar(select(func.count()).where(mine)) or 0) >= HOOKS_LIMIT:
        raise BadRequest("No room has more than %(limit)s hooks: revoke some", limit=HOOKS_LIMIT)
    row = {
        "room_id": room,
        "key": request.key,
        "name": request.name,
        "name_key": key(request.name),
        "by_id": by.id,
        "by_name": by.name,
        "made_at": at,
    }
    connection.execute(insert(HOOKS).values(row))


def revoke_hook(connection: Connection, room: int, hook: int, at: int) -> None:
    """Raises BadRequest where it is not in force (any more)."""
    columns = HOOKS.c
    mine = (columns.id == hook) & (columns.room_id == room) & columns.revoked_at.is_(None)
    if not connection.execute(update(HOOKS).where(mine).values(revoked_at=at)).rowcount:
        raise BadRequest("There is no such hook (any more)")


def revoke_hooks_of(connection: Connection, person: str, by: Author, at: int) -> None:
    """All hooks that somebody made, in whatever rooms; each is noted as revoked by `by`."""
    columns = HOOKS.c
    mine = (columns.by_id == person) & columns.revoked_at.is_(None)
    for hook in connection.execute(select(columns.id, columns.room_id, columns.name).where(mine)).all():
        connection.execute(update(HOOKS).where(columns.id == hook.id).values(revoked_at=at))
        note(connection, by, Act(f"revoked the hook {hook.name}", f"h{hook.id}"), hook.room_id, at)
