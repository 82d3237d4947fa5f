"""Questions to the database about people, each one indexed."""

import hashlib
import time
from typing import Any, cast

from msgspec import structs
from sqlalchemy import Connection, Table, exists, func, select

from chatapp import account_rows
from chatapp.errors import Forbidden, SignIn
from chatapp.journal.people_requests import InvitationLine, Invited, News, Person, SessionLine
from chatapp.journal.reading import HOOKS, MEMBERS, ROOMS, guest, sanctions
from chatapp.journal.token_requests import Holder
from chatapp.message import Author, format_time
from chatapp.names import key
from chatapp.permissions import Identity

SERVER, USERS, PASSKEYS, SESSIONS, INVITATIONS, ERASURES, ERASING, RESETS, ADDRESSES, SPENT, TOKENS = (
    cast(Table, kind.__table__)
    for kind in (
        account_rows.Server,
        account_rows.User,
        account_rows.Passkey,
        account_rows.Session,
        account_rows.Invitation,
        account_rows.Erasure,
        account_rows.Erasing,
        account_rows.ResetLink,
        account_rows.AddressLink,
        account_rows.Spent,
        account_rows.Token,
    )
)

FIRST_FACTOR, SECOND_FACTOR = "first", "secondary"  # the usage of a passkey, as the login library has it
ERASED = "erased "  # begins the key of an account of which nothing is left
_U, _S = USERS.c, SESSIONS.c
# A program: it has tokens, and no way to sign in. Who has an account and no password yet has no tokens.
IS_BOT = (
    _U.password.is_(None)
    & ~exists().where(PASSKEYS.c.user_id == _U.id).correlate(USERS)
    & exists().where(TOKENS.c.user_id == _U.id).correlate(USERS)
)
_PERSON = select(_U.person_id, _U.name, _U.role, _U.status, _U.disabled, _U.language, IS_BOT)


def number(connection: Connection) -> int:
    """Counts the transactions that changed who anybody is."""
    # Every transaction asks: through the driver, which takes a third of the time.
    return connection.exec_driver_sql("SELECT people FROM server").scalar() or 0


def begun(connection: Connection) -> bool:
    """Whether there was an administrator once."""
    return bool(connection.execute(select(SERVER.c.begun)).scalar_one())


def alone(connection: Connection) -> bool:
    """Whether no more than one person has an account."""
    query = select(_U.id).where(~_U.key.startswith(ERASED), ~IS_BOT).limit(2)
    return len(connection.execute(query).all()) < 2


def bots_in(connection: Connection, room: int) -> set[str]:
    """The ids of the bots among the members of a room."""
    query = select(_U.person_id).join(MEMBERS, MEMBERS.c.person_id == _U.person_id)
    return set(connection.scalars(query.where(MEMBERS.c.room_id == room, IS_BOT)))


def news(connection: Connection, since: int) -> News:
    """What has changed after the number `since`."""
    changed, renamed = [], []
    for row in connection.execute(_PERSON.add_columns(_U.renamed).where(_U.changed > since)):
        changed.append(Person(*row[:7]))
        if row.renamed > since:
            renamed.append(changed[-1])
    ended = [
        *connection.scalars(select(_S.key).where(_S.changed > since)),
        *connection.scalars(select(TOKENS.c.key).where(TOKENS.c.changed > since)),
    ]
    return News(
        number(connection),
        changed,
        renamed,
        ended,
        sanctions(connection, "ban", None),
        erasures(connection, since),
    )


def renamed(connection: Connection) -> list[Person]:
    """Those who had another name before."""
    return [Person(*row) for row in connection.execute(_PERSON.where(_U.renamed > 0))]


def with_status(connection: Connection) -> list[Person]:
    """Those who say something of themselves."""
    return [Person(*row) for row in connection.execute(_PERSON.where(_U.status != ""))]


def once_guests(connection: Connection) -> list[str]:
    """Ids of those who were guests before they had an account."""
    return list(connection.scalars(select(_U.person_id).where(_U.person_id.startswith("g"))))


def erasure(person_id: str) -> str:
    """What is kept of the id of somebody who was erased."""
    return hashlib.sha256(person_id.encode()).hexdigest()


def erasures(connection: Connection, since: int = -1) -> list[str]:
    """Who was erased after the number `since`, as `erasure` has it."""
    return list(connection.scalars(select(ERASURES.c.key).where(ERASURES.c.changed > since)))


def erased(connection: Connection, person_id: str) -> bool:
    """Whether the person with that id was taken out of the database."""
    query = select(ERASURES.c.key).where(ERASURES.c.key == erasure(person_id))
    return connection.scalar(query) is not None


def person_of_session(connection: Connection, session: str) -> tuple[int, Person | None]:
    """The number of now, and who is signed in with the session of that key, unless it has ended."""
    query = _PERSON.join(SESSIONS, _S.user_id == _U.id).where(_S.key == session, _S.ended_at.is_(None))
    row = connection.execute(query).first()
    return number(connection), Person(*row) if row else None


def holder_of_token(connection: Connection, token: str) -> tuple[int, Holder | None]:
    """The number of now, and whom the token of that key stands for, unless it was revoked."""
    columns = TOKENS.c
    query = (
        _PERSON.join(TOKENS, columns.user_id == _U.id)
        .add_columns(columns.scopes, columns.rooms, columns.expires_at)
        .where(columns.key == token, columns.revoked_at.is_(None))
    )
    row = connection.execute(query).first()
    if row is None:
        return number(connection), None
    rooms = None if row.rooms is None else frozenset(row.rooms)
    return number(connection), Holder(Person(*row[:7]), frozenset(row.scopes), rooms, row.expires_at or 0)


def hook_in_force(connection: Connection, author_id: str) -> bool:
    """Whether the hook that writes under `author_id` is not revoked."""
    query = select(HOOKS.c.id).where(HOOKS.c.id == int(author_id[1:]), HOOKS.c.revoked_at.is_(None))
    return connection.scalar(query) is not None


def person(connection: Connection, person_id: str) -> Person | None:
    """Somebody with an account."""
    row = connection.execute(_PERSON.where(_U.person_id == person_id)).first()
    return Person(*row) if row else None


def person_called(connection: Connection, name: str) -> Person | None:
    """Who has that name, or one that passes for it."""
    row = connection.execute(_PERSON.where(_U.key == key(name))).first()
    return Person(*row) if row else None


def name_taken(connection: Connection, name: str) -> bool:
    """Whether nobody new may have that name."""
    return person_called(connection, name) is not None or hook_called(connection, name)


def hook_called(connection: Connection, name: str) -> bool:
    """Whether a hook in force has that name, or one that passes for it."""
    query = select(HOOKS.c.id).where(HOOKS.c.name_key == key(name), HOOKS.c.revoked_at.is_(None))
    return connection.scalar(query.limit(1)) is not None


def find(connection: Connection, name_or_id: str) -> Author | None:
    """Who has that id, or else is called so: a person with an account, or (by the id) a guest."""
    found = person(connection, name_or_id) or person_called(connection, name_or_id)
    return Author(found.id, found.name) if found else guest(connection, name_or_id)


def search(connection: Connection, begins: str, limit: int) -> list[Person]:
    """People whose name begins with `begins`, by name; nobody whose account is disabled."""
    return [each for each in people(connection, begins, limit) if not each.disabled]


def people(connection: Connection, begins: str = "", limit: int = 10_000) -> list[Person]:
    """People by name, those whose name begins with `begins`."""
    query = _PERSON.where(~_U.key.startswith(ERASED)).order_by(func.lower(_U.name), _U.id).limit(limit)
    if begins:
        query = query.where(func.lower(_U.name).startswith(begins.lower(), autoescape=True))
    return [Person(*row) for row in connection.execute(query)]


def account(connection: Connection, column: str, value: object) -> dict[str, Any] | None:
    """All columns of the account that has this value in a unique column, and its `passkeys`."""
    row = connection.execute(select(*_U).where(_U[column] == value)).mappings().first()
    if row is None:
        return None
    keys = connection.execute(select(*PASSKEYS.c).where(PASSKEYS.c.user_id == row["id"]))
    return {**row, "passkeys": [dict(each) for each in keys.mappings()]}


def signs_in(account: dict[str, Any], but: int | None = None) -> bool:
    """Whether there is a way to sign in to `account`: a password, or a passkey that is more than a second
    factor. `but`: the id of a passkey that does not count.
    """
    return account["password"] is not None or any(
        each["usage"] == FIRST_FACTOR and each["id"] != but for each in account["passkeys"]
    )


def asks_more(account: dict[str, Any]) -> bool:
    """Whether `account` asks for more than a password: it has an authenticator, or a passkey that is a second
    factor.
    """
    return account["tf_primary_method"] is not None or any(
        each["usage"] == SECOND_FACTOR for each in account["passkeys"]
    )


def has_factor(connection: Connection, person_id: str) -> bool:
    """Whether somebody's password alone does not let them in."""
    found = account(connection, "person_id", person_id)
    return found is not None and asks_more(found)


def passkey_owner(connection: Connection, credential_id: bytes) -> str | None:
    """The person whose passkey that is."""
    query = select(_U.person_id).join(PASSKEYS, PASSKEYS.c.user_id == _U.id)
    owner: str | None = connection.scalar(query.where(PASSKEYS.c.credential_id == credential_id))
    return owner


def sessions_of(connection: Connection, person_id: str) -> list[SessionLine]:
    """Where somebody is signed in, the one used last first."""
    query = (
        select(_S.key, _S.device, _S.address, _S.made_at, _S.seen_at)
        .join(USERS, _U.id == _S.user_id)
        .where(_U.person_id == person_id, _S.ended_at.is_(None))
        .order_by(_S.seen_at.desc())
    )
    return [
        SessionLine(*row[:3], format_time(row[3]), format_time(row[4])) for row in connection.execute(query)
    ]


def invitations(connection: Connection) -> list[InvitationLine]:
    """Those that are still good, the newest first."""
    columns = INVITATIONS.c
    query = select(
        columns.id,
        columns.note,
        columns.by_name,
        columns.made_at,
        columns.expires_at,
        columns.uses,
        columns.room_id,
    ).where(columns.uses > 0, columns.expires_at > time.time_ns() // 1000)
    return [
        InvitationLine(*row[:3], format_time(row[3]), format_time(row[4]), *row[5:])
        for row in connection.execute(query.order_by(columns.id.desc()))
    ]


def invitation(connection: Connection, code: str) -> int | None:
    """The number of the invitation, if it is still good. `code`: as its hash."""
    columns = INVITATIONS.c
    query = select(columns.id).where(
        columns.key == code, columns.uses > 0, columns.expires_at > time.time_ns() // 1000
    )
    found: int | None = connection.scalar(query)
    return found


def invited(connection: Connection, code: str) -> Invited | None:
    """What the invitation says, also one that is used up. `code`: as its hash."""
    columns = INVITATIONS.c
    query = select(columns.by_id, columns.by_name, columns.room_id, ROOMS.c.name)
    query = query.select_from(INVITATIONS.outerjoin(ROOMS, ROOMS.c.id == columns.room_id))
    row = connection.execute(query.where(columns.key == code)).first()
    return Invited(Author(row[0], row[1]), row[2], row[3]) if row else None


def reset_for(connection: Connection, code: str) -> Person | None:
    """Whose password the link sets, if it is still good."""
    query = _PERSON.join(RESETS, RESETS.c.user_id == _U.id).where(
        RESETS.c.key == code, RESETS.c.expires_at > time.time_ns() // 1000
    )
    row = connection.execute(query).first()
    return Person(*row) if row else None


def address_key(address: str) -> str:
    """An e-mail address as addresses are compared: few servers tell Ada@ from ada@, and nobody should."""
    return address.lower()


def address_of(connection: Connection, person_id: str) -> str | None:
    """Somebody's e-mail address, once it is confirmed."""
    found: str | None = connection.scalar(select(_U.email).where(_U.person_id == person_id))
    return found


def person_reached(connection: Connection, address: str) -> Person | None:
    """Whose address that is, confirmed."""
    row = connection.execute(_PERSON.where(_U.email_key == address_key(address))).first()
    return Person(*row) if row else None


def address_to_confirm(connection: Connection, person_id: str) -> str | None:
    """The address for which somebody was mailed a link that is still good."""
    columns = ADDRESSES.c
    query = (
        select(columns.email)
        .join(USERS, columns.user_id == _U.id)
        .where(_U.person_id == person_id, columns.expires_at > time.time_ns() // 1000)
    )
    found: str | None = connection.scalar(query)
    return found


def address_link(connection: Connection, code: str) -> tuple[Person, str] | None:
    """Whose address the link confirms, and which one, if it is still good."""
    columns = ADDRESSES.c
    query = (
        _PERSON.join(ADDRESSES, columns.user_id == _U.id)
        .add_columns(columns.email)
        .where(columns.key == code, columns.expires_at > time.time_ns() // 1000)
    )
    row = connection.execute(query).first()
    return (Person(*row[:7]), row.email) if row else None


def identity_now(connection: Connection, identity: Identity) -> Identity:
    """`identity` as it is now. Raises SignIn where it is none any more, Forbidden for who is banned."""
    if identity.role == "hook":
        if not hook_in_force(connection, identity.id):
            raise Forbidden("This hook was revoked")
        return identity
    if identity.session:
        _, found = person_of_session(connection, identity.session)
    elif identity.token:
        _, holder = holder_of_token(connection, identity.token)
        found = None if holder is None or identity.expired else holder.person
    elif identity.id:
        found = person(connection, identity.id)
    else:
        found = None
    signed_in = identity.role in ("member", "administrator")
    if signed_in and (found is None or found.disabled):
        raise SignIn("You are not signed in any more")
    if identity.role == "guest" and erased(connection, identity.id):
        raise SignIn("You are not known here any more")
    if identity.role == "guest" and found is not None:
        raise SignIn("You have an account now: sign in")
    if signed_in and found is not None:
        identity = structs.replace(identity, name=found.name, role=found.role)
    if sanctions(connection, "ban", None).meet(identity):
        raise Forbidden("You are banned here")
    return identity
