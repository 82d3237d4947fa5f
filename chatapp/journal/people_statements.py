"""The statements of a transaction that are about people. A refusal is found before anything is written."""

from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from chatapp.errors import BadRequest, Forbidden, Term
from chatapp.journal import people_reading as reading
from chatapp.journal import people_requests as requests
from chatapp.journal import token_statements
from chatapp.journal.people_reading import (
    ADDRESSES,
    INVITATIONS,
    PASSKEYS,
    RESETS,
    SERVER,
    SESSIONS,
    SPENT,
    USERS,
)
from chatapp.journal.people_requests import Person
from chatapp.journal.reading import GUESTS, MEMBERS, guest
from chatapp.journal.requests import Act, PeopleRequest
from chatapp.journal.statements import impose, lift, note
from chatapp.journal.token_requests import TokenRequest
from chatapp.message import DAY_MICROSECONDS, Author
from chatapp.names import key

TAKEN = Term("That name is taken, or passes for somebody’s: choose another one")
ENDED_KEPT, UNUSED_KEPT = 30 * DAY_MICROSECONDS, 400 * DAY_MICROSECONDS  # of sessions; a cookie: a year
# Columns that all processes know of each person.
PUBLIC = {"name", "key", "role", "status", "disabled", "language"}


def perform(connection: Connection, request: PeopleRequest, at: int) -> tuple[Any, bool]:
    """Carry out `request`; its answer, and whether who somebody is has changed. Raises ChatError."""
    match request:
        case requests.SignUp():
            return _sign_up(connection, request, at), True
        case requests.ChangeAccount():
            return _change(connection, request, at)
        case requests.OpenSession():
            return _open_session(connection, request, at), False
        case requests.EndSessions():
            ended = _end_sessions(connection, request, at)
            return ended, bool(ended)
        case requests.SawSessions():
            seen = update(SESSIONS).where(SESSIONS.c.key.in_(request.keys))
            connection.execute(seen.values(seen_at=at))
        case requests.KeepPasskey():
            return _keep_passkey(connection, request, at)
        case requests.DropPasskey():
            _drop_passkey(connection, request)
        case requests.TakeRecoveryCode():
            return _take_recovery_code(connection, request), False
        case requests.Spend():
            return _spend(connection, request, at), False
        case requests.Invite():
            return _invite(connection, request, at), False
        case requests.TakeInvitationBack():
            _take_back(connection, request, at)
        case requests.OfferReset():
            _offer_reset(connection, request, at)
        case requests.Reset():
            return _reset(connection, request, at), True
        case requests.OfferAddress():
            _offer_address(connection, request, at)
        case requests.ConfirmAddress():
            return _confirm_address(connection, request, at), False
        case requests.DropAddress():
            return _drop_address(connection, request, at), False
        case requests.ResetFactor():
            _reset_factor(connection, request, at)
        case requests.ImposeEverywhere():
            if any(each.person and reading.erased(connection, each.person) for each in request.sanctions):
                raise BadRequest("There is nobody with that id (any more)")
            for sanction in request.sanctions:
                impose(connection, None, sanction, request.by, at)
                if sanction.person is not None:
                    token_statements.revoke_hooks_of(connection, sanction.person, request.by, at)
            note(connection, request.by, request.act, None, at)
            return 0, True
        case requests.LiftEverywhere():
            lift(connection, None, request.sanction, at)
            note(connection, request.by, request.act, None, at)
            return 0, True
        case TokenRequest():
            return token_statements.perform(connection, request, at)
        case _:
            raise TypeError(request)
    return 0, False


def move(connection: Connection) -> int:
    """Who somebody is has changed: the new number."""
    moved: int = connection.execute(
        update(SERVER).values(people=SERVER.c.people + 1).returning(SERVER.c.people)
    ).scalar_one()
    return moved


def _sign_up(connection: Connection, request: requests.SignUp, at: int) -> Person:
    if request.first and reading.begun(connection):
        raise Forbidden("This server has its administrator already")
    if reading.name_taken(connection, request.name):
        raise BadRequest(TAKEN)
    if request.passkey is not None:
        _check_unknown(connection, request.passkey)
    if request.invitation is not None:
        _use_invitation(connection, request.invitation)
    row = {
        "person_id": request.person,
        "name": request.name,
        "key": key(request.name),
        "role": request.role,
        "made_at": at,
        "changed": _next(connection),
        "fs_uniquifier": request.uniquifier,
        **request.secrets,
    }
    former = guest(connection, request.person) if request.person else None
    if former is not None and former.name != request.name:
        row["renamed"] = row["changed"]
    user: int = connection.execute(insert(USERS).values(row).returning(USERS.c.id)).scalar_one()
    person = request.person or f"u{user}"
    connection.execute(update(USERS).where(USERS.c.id == user).values(person_id=person))
    if request.passkey is not None:
        _add_passkey(connection, user, request.passkey, at)
    connection.execute(delete(GUESTS).where(GUESTS.c.person_id == person))
    if request.role == "administrator":
        connection.execute(update(SERVER).values(begun=True))
    by = request.by or Author(person, request.name)
    note(connection, by, Act(f"made an account: {request.name} ({request.role})", person), None, at)
    return Person(person, request.name, request.role)


def _use_invitation(connection: Connection, code: str) -> None:
    columns = INVITATIONS.c
    found = reading.invitation(connection, code)
    if found is None:
        raise Forbidden("This invitation is used up, or its time is over: ask for another one")
    connection.execute(update(INVITATIONS).where(columns.id == found).values(uses=columns.uses - 1))


def _change(connection: Connection, request: requests.ChangeAccount, at: int) -> tuple[Person, bool]:
    before = _person(connection, request.person)
    columns = dict(request.columns)
    if "name" in columns:
        columns["key"] = key(columns["name"])
        other = reading.person_called(connection, columns["name"])
        anew = columns["key"] != key(before.name)  # whoever has it may write it otherwise
        if (other is not None and other.id != request.person) or (
            anew and reading.hook_called(connection, columns["name"])
        ):
            raise BadRequest(TAKEN)
    if before.role == "administrator" and (
        columns.get("role", "administrator") != "administrator" or columns.get("disabled")
    ):
        _keep_an_administrator(connection, request.person)
    public = bool(PUBLIC & columns.keys())
    if public:
        columns["changed"] = _next(connection)
    if columns.get("name", before.name) != before.name:
        columns["renamed"] = columns["changed"]
        mine = MEMBERS.c.person_id == request.person
        connection.execute(update(MEMBERS).where(mine).values(name=columns["name"]))
    if columns.get("role") == "administrator":
        connection.execute(update(SERVER).values(begun=True))
    ended = columns.get("password") is not None and _first_way_in(connection, request.person, at)
    connection.execute(update(USERS).where(USERS.c.person_id == request.person).values(columns))
    if "password" in columns:
        _end_links(connection, request.person)
    if request.end_sessions or columns.get("disabled"):
        ended = bool(_end_sessions(connection, requests.EndSessions(request.person), at)) or ended
    if columns.get("disabled"):
        token_statements.revoke_hooks_of(connection, request.person, request.by, at)
    if request.act is not None:
        note(connection, request.by, request.act, None, at)
    return _person(connection, request.person), public or ended


def _end_links(connection: Connection, person: str) -> None:
    """With a new password the links end that are about: who made somebody set it may have asked for them."""
    user = _user(connection, person)
    for table in (RESETS, ADDRESSES):
        connection.execute(delete(table).where(table.c.user_id == user))


def _first_way_in(connection: Connection, person: str, at: int) -> bool:
    """Somebody is about to get a password or a passkey: if it is their first, all tokens that there are for
    them end, for others may have them. Whether there were any.
    """
    account = reading.account(connection, "person_id", person)
    if account is None or account["password"] is not None or account["passkeys"]:
        return False
    ended = token_statements.revoke_all(connection, account["id"], at)
    if ended:
        said = "is no bot any more: tokens made before the first way to sign in were revoked"
        note(connection, Author(person, account["name"]), Act(said, person), None, at)
    return bool(ended)


def check_erasable(connection: Connection, request: requests.Erase) -> None:
    """Raises BadRequest for nobody, and for the last administrator."""
    found = reading.person(connection, request.person)
    if found is None and guest(connection, request.person) is None:
        raise BadRequest("There is nobody with that id")
    if found is not None and found.role == "administrator":
        _keep_an_administrator(connection, request.person)


def _keep_an_administrator(connection: Connection, but: str) -> None:
    others = select(USERS.c.id).where(
        USERS.c.role == "administrator", USERS.c.disabled.is_(False), USERS.c.person_id != but
    )
    if connection.scalar(others.limit(1)) is None:
        raise BadRequest("The server would be left without an administrator: make somebody else one first")


def _open_session(connection: Connection, request: requests.OpenSession, at: int) -> int:
    if _person(connection, request.person).disabled:
        raise Forbidden("This account is disabled")
    user, columns = _user(connection, request.person), SESSIONS.c
    old = (columns.ended_at < at - ENDED_KEPT) | (columns.seen_at < at - UNUSED_KEPT)
    connection.execute(delete(SESSIONS).where(columns.user_id == user, old))
    row = {
        "key": request.key,
        "user_id": user,
        "device": request.device,
        "address": request.address,
        "made_at": at,
        "seen_at": at,
    }
    connection.execute(insert(SESSIONS).values(row))
    return 0


def _end_sessions(connection: Connection, request: requests.EndSessions, at: int) -> int:
    columns = SESSIONS.c
    mine = update(SESSIONS).where(
        columns.user_id == _user(connection, request.person), columns.ended_at.is_(None)
    )
    if request.only is not None:
        mine = mine.where(columns.key == request.only)
    if request.but is not None:
        mine = mine.where(columns.key != request.but)
    ended = connection.execute(mine.values(ended_at=at, changed=_next(connection))).rowcount
    if ended and request.act is not None:
        note(connection, request.by, request.act, None, at)
    return ended


def _keep_passkey(connection: Connection, request: requests.KeepPasskey, at: int) -> tuple[int, bool]:
    user = _user(connection, request.person)
    if request.id is not None:
        mine = (PASSKEYS.c.id == request.id) & (PASSKEYS.c.user_id == user)
        connection.execute(update(PASSKEYS).where(mine).values({**request.columns, "used_at": at}))
        return request.id, False
    _check_unknown(connection, request.columns)
    ended = _first_way_in(connection, request.person, at)
    return _add_passkey(connection, user, request.columns, at), ended


def _check_unknown(connection: Connection, passkey: dict[str, Any]) -> None:
    """Its id comes from the browser: of two who say the same one at once, one has it."""
    if reading.passkey_owner(connection, passkey["credential_id"]) is not None:
        raise BadRequest("There is an account with this passkey already: sign in with it")


def _add_passkey(connection: Connection, user: int, columns: dict[str, Any], at: int) -> int:
    row = {**columns, "user_id": user, "made_at": at, "used_at": at}
    made: int = connection.execute(insert(PASSKEYS).values(row).returning(PASSKEYS.c.id)).scalar_one()
    return made


def _drop_passkey(connection: Connection, request: requests.DropPasskey) -> None:
    account = reading.account(connection, "person_id", request.person)
    if account is None:
        raise BadRequest("There is nobody with that account")
    if reading.signs_in(account) and not reading.signs_in(account, but=request.id):
        raise Forbidden("It is your only way to sign in: set a password first, or add another passkey")
    mine = PASSKEYS.c.user_id == account["id"]
    connection.execute(delete(PASSKEYS).where(PASSKEYS.c.id == request.id, mine))


def _take_recovery_code(connection: Connection, request: requests.TakeRecoveryCode) -> int:
    mine = USERS.c.person_id == request.person
    left: list[str] = list(connection.scalar(select(USERS.c.mf_recovery_codes).where(mine)) or [])
    if request.code not in left:
        return 0
    left.remove(request.code)
    connection.execute(update(USERS).where(mine).values(mf_recovery_codes=left))
    return 1


def _spend(connection: Connection, request: requests.Spend, at: int) -> int:
    connection.execute(delete(SPENT).where(SPENT.c.until < at))
    if connection.scalar(select(SPENT.c.key).where(SPENT.c.key == request.key)) is not None:
        return 0
    connection.execute(insert(SPENT).values(key=request.key, until=request.until))
    return 1


def _invite(connection: Connection, request: requests.Invite, at: int) -> int:
    row = {
        "key": request.key,
        "by_id": request.by.id,
        "by_name": request.by.name,
        "note": request.note,
        "made_at": at,
        "expires_at": request.expires_at,
        "uses": request.uses,
        "room_id": request.room,
    }
    made: int = connection.execute(insert(INVITATIONS).values(row).returning(INVITATIONS.c.id)).scalar_one()
    note(connection, request.by, Act(f"made invitation {made} for {request.uses}", request.note), None, at)
    return made


def _take_back(connection: Connection, request: requests.TakeInvitationBack, at: int) -> None:
    columns = INVITATIONS.c
    mine = update(INVITATIONS).where(columns.id == request.id, columns.uses > 0).values(uses=0)
    if not connection.execute(mine).rowcount:
        raise BadRequest("There is no such invitation (any more)")
    note(connection, request.by, Act(f"took invitation {request.id} back"), None, at)


def _offer_reset(connection: Connection, request: requests.OfferReset, at: int) -> None:
    user = _user(connection, request.person)
    connection.execute(delete(RESETS).where((RESETS.c.user_id == user) | (RESETS.c.expires_at < at)))
    connection.execute(insert(RESETS).values(key=request.key, user_id=user, expires_at=request.expires_at))
    note(connection, request.by, Act("made a link for a new password", request.person), None, at)


def _reset(connection: Connection, request: requests.Reset, at: int) -> Person:
    person = reading.reset_for(connection, request.key)
    if person is None:
        raise Forbidden("This link was used, or its time is over: ask for another one")
    columns = {"password": request.password, "fs_uniquifier": request.uniquifier}
    _first_way_in(connection, person.id, at)
    _end_links(connection, person.id)
    connection.execute(update(USERS).where(USERS.c.person_id == person.id).values(columns))
    _end_sessions(connection, requests.EndSessions(person.id), at)
    note(connection, Author(person.id, person.name), Act("set a new password with a link"), None, at)
    return person


def _offer_address(connection: Connection, request: requests.OfferAddress, at: int) -> None:
    columns, user = ADDRESSES.c, _user(connection, request.person)
    connection.execute(delete(ADDRESSES).where((columns.user_id == user) | (columns.expires_at < at)))
    row = {
        "key": request.key,
        "user_id": user,
        "email": request.address,
        "expires_at": request.expires_at,
    }
    connection.execute(insert(ADDRESSES).values(row))


def _confirm_address(
    connection: Connection, request: requests.ConfirmAddress, at: int
) -> tuple[Person, str | None]:
    found = reading.address_link(connection, request.key)
    if found is None:
        raise Forbidden("This link was used, or its time is over: ask for another one")
    person, address = found
    owner = reading.person_reached(connection, address)
    if owner is not None and owner.id != person.id:
        raise BadRequest("That address belongs to another account by now")
    before = reading.address_of(connection, person.id)
    connection.execute(delete(ADDRESSES).where(ADDRESSES.c.key == request.key))
    columns = {"email": address, "email_key": reading.address_key(address)}
    connection.execute(update(USERS).where(USERS.c.person_id == person.id).values(columns))
    note(connection, Author(person.id, person.name), Act("set an e-mail address", person.id), None, at)
    return person, before if before != address else None


def _drop_address(connection: Connection, request: requests.DropAddress, at: int) -> str | None:
    user = _user(connection, request.person)
    connection.execute(delete(ADDRESSES).where(ADDRESSES.c.user_id == user))
    before = reading.address_of(connection, request.person)
    if before is not None:
        none = {"email": None, "email_key": None}
        connection.execute(update(USERS).where(USERS.c.id == user).values(none))
        note(connection, request.by, Act("took an e-mail address away", request.person), None, at)
    return before


def _reset_factor(connection: Connection, request: requests.ResetFactor, at: int) -> None:
    person = _person(connection, request.person)
    if not reading.has_factor(connection, person.id):
        raise BadRequest("%(name)s has no second factor", name=person.name)
    none = dict.fromkeys(("tf_primary_method", "tf_totp_secret", "mf_recovery_codes"))
    connection.execute(update(USERS).where(USERS.c.person_id == person.id).values(none))
    mine = PASSKEYS.c.user_id == _user(connection, person.id)
    connection.execute(delete(PASSKEYS).where(mine, PASSKEYS.c.usage == reading.SECOND_FACTOR))
    note(connection, request.by, request.act, None, at)


def _next(connection: Connection) -> int:
    """The number that `move` gives at the end of this request, within the same transaction."""
    return reading.number(connection) + 1


def _person(connection: Connection, person: str) -> Person:
    found = reading.person(connection, person)
    if found is None:
        raise BadRequest("There is nobody with that account")
    return found


def _user(connection: Connection, person: str) -> int:
    user: int | None = connection.scalar(select(USERS.c.id).where(USERS.c.person_id == person))
    if user is None:
        raise BadRequest("There is nobody with that account")
    return user
