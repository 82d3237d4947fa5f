"""What the database has of one person: all of it in one answer, and taken out of it."""

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, Row, Text, cast, delete, exists, insert, select, tuple_, update

from chatapp.journal import people_reading, reading, sentences, token_statements
from chatapp.journal.people_reading import (
    ADDRESSES,
    ERASED,
    ERASING,
    ERASURES,
    INVITATIONS,
    PASSKEYS,
    RESETS,
    SESSIONS,
    TOKENS,
    USERS,
)
from chatapp.journal.people_requests import Erase
from chatapp.journal.reading import (
    AUDIT,
    DELETED_TEXTS,
    FILES,
    GUESTS,
    HOOKS,
    MEMBERS,
    MENTIONS,
    MESSAGES,
    READS,
    REPORTS,
    ROOMS,
    SANCTIONS,
    of_one_deed,
    report_settled_about,
)
from chatapp.journal.requests import EraseOnward
from chatapp.journal.statements import change_room, new_epoch
from chatapp.message import Author, format_time
from chatapp.permissions import RANKS, Identity

NAME = "removed person"
STRETCH = 500  # messages out of which somebody is taken in one transaction, for which all others wait
# Of an account: what says nothing about the person, or is a secret that they know and nobody else is to.
SECRETS = {
    "id",
    "changed",
    "renamed",
    "passkeys",
    "password",
    "tf_primary_method",
    "fs_uniquifier",
    "fs_webauthn_user_handle",
    "tf_totp_secret",
    "mf_recovery_codes",
    "key",
    "email_key",
}


def export(connection: Connection, person: str) -> dict[str, Any]:
    """Everything that is kept of somebody, as plain values; times as in the protocol, and beside the number
    of a room its name: `room`, see `_room_names`.
    """
    names = _room_names(connection, person)
    return {
        part: [_named(row, names) for row in kept] if isinstance(kept, list) else kept
        for part, kept in _kept(connection, person).items()
    }


def _kept(connection: Connection, person: str) -> dict[str, Any]:
    account = people_reading.account(connection, "person_id", person) or {}
    user = account.get("id")
    return {
        "account": _plain({name: value for name, value in account.items() if name not in SECRETS})
        | ({"second_factor": account["tf_primary_method"] is not None} if account else {}),
        "passkeys": [
            _plain({"name": key["name"], "made_at": key["made_at"]}) for key in account.get("passkeys", ())
        ],
        "addresses_to_confirm": _rows(
            connection, ADDRESSES, ADDRESSES.c.user_id == user, without={"key", "user_id"}
        ),
        "sessions": _rows(
            connection, SESSIONS, SESSIONS.c.user_id == user, without={"key", "user_id", "changed"}
        ),
        "tokens": _rows(connection, TOKENS, TOKENS.c.user_id == user, without={"key", "user_id", "changed"}),
        "hooks": _rows(connection, HOOKS, HOOKS.c.by_id == person, without={"key", "name_key"}),
        "guest": _rows(connection, GUESTS, GUESTS.c.person_id == person),
        # Without their name, which the table of members has beside each: `name` there is no room's.
        "rooms": _rows(connection, MEMBERS, MEMBERS.c.person_id == person, without={"person_id", "name"}),
        "read": _rows(connection, READS, READS.c.person_id == person, without={"person_id"}),
        "messages": _messages_of(connection, person),
        # What they said and somebody deleted, as long as it may come back, without by whom.
        "deleted_texts": _rows(connection, DELETED_TEXTS, _said_by(person), without={"by_id"}),
        "called_in": _rows(connection, MENTIONS, MENTIONS.c.person_id == person, without={"person_id"}),
        # `sha256`: as what the content lies in the folder of uploads.
        "files": _rows(
            connection, FILES, FILES.c.person_id == person, without={"person_id"}, order=(FILES.c.at,)
        ),
        "sanctions": [
            _plain({name: value for name, value in row._mapping.items() if name != "device"})
            for row in sanctions_on(connection, person)
        ],
        # Those that they imposed, without on whom.
        "imposed": _rows(
            connection,
            SANCTIONS,
            SANCTIONS.c.by_id == person,
            without={"person_id", "device", "network", "name", "by_id", "by_name"},
        ),
        "invitations": _rows(
            connection, INVITATIONS, INVITATIONS.c.by_id == person, without={"key", "by_id", "by_name"}
        ),
        # Those that they made: who is reported does not see by whom.
        "reports": _rows(
            connection,
            REPORTS,
            REPORTS.c.by_id == person,
            without={"author_id", "author_name", "guest", "bot", "body"},
        ),
        "audit": _audit_of(connection, person),
    }


def _messages_of(connection: Connection, person: str) -> list[dict[str, Any]]:
    """What somebody said and did; of what they brought back not the words, which may be somebody else's."""
    columns = MESSAGES.c
    order = (columns.room_id, columns.seq)
    found = _rows(connection, MESSAGES, columns.author_id == person, {"author_id", "guest", "bot"}, order)
    for message in found:
        if message["kind"] == "restore":
            message |= {"body": "", "called": None, "files": None}
    return found


def _audit_of(connection: Connection, person: str) -> list[dict[str, Any]]:
    """What somebody did, without to whom and why; and what was done to them, without by whom."""
    columns = AUDIT.c
    theirs = (columns.who_id == person) | (columns.whom == person) & ~report_settled_about(person)
    entries = _rows(connection, AUDIT, theirs, order=(columns.id,))
    for entry in entries:
        if entry["who_id"] != person:
            del entry["who_id"], entry["who_name"]
        elif entry["whom"] != person:
            del entry["whom"], entry["why"]
            entry["what"] = sentences.without_name(entry["what"], "somebody")
    return entries


def _room_names(connection: Connection, person: str) -> dict[int, str]:
    """What rooms are called that somebody knows of: public ones and those that they are in. The name of a
    conversation is those of its people, so it is left out.
    """
    member = select(MEMBERS.c.room_id).where(MEMBERS.c.person_id == person)
    columns = ROOMS.c
    known = (columns.kind == "public") | ((columns.kind == "private") & columns.id.in_(member))
    conversation = (columns.kind == "direct") & columns.id.in_(member)
    named = {row.id: row.name for row in connection.execute(select(columns.id, columns.name).where(known))}
    return named | dict.fromkeys(connection.scalars(select(columns.id).where(conversation)), "conversation")


def _named(row: dict[str, Any], names: dict[int, str]) -> dict[str, Any]:
    """A row with the name of its room behind its number, and the rooms of a token as such pairs."""
    named: dict[str, Any] = {}
    for column, value in row.items():
        if column == "rooms" and value is not None:
            named[column] = [{"room_id": room, "room": names.get(room)} for room in value]
            continue
        named[column] = value
        if column == "room_id":
            named["room"] = names.get(value)
    return named


def rooms_of(connection: Connection, person: str) -> set[int]:
    """The rooms whose rows, but for the log, have somebody."""
    member = select(MEMBERS.c.room_id).where(MEMBERS.c.person_id == person)
    kept_out = select(SANCTIONS.c.room_id).where(
        SANCTIONS.c.person_id == person, SANCTIONS.c.room_id.is_not(None)
    )
    removed = select(ROOMS.c.id).where(_has(ROOMS.c.removals, person))
    return {room for query in (member, kept_out, removed) for room in connection.scalars(query).all()}


def erase(connection: Connection, request: Erase, at: int) -> None:
    """Take somebody out of all but the logs, so that nothing of theirs comes in any more; and note that they
    are to be taken out of these: `next_named` and `erase_onward`.
    """
    person, alias = request.person, request.alias
    sanctions = sanctions_on(connection, person)
    begun = {"person_id": person, "alias": alias, "keep_messages": request.keep_messages}
    connection.execute(insert(ERASING).values(begun | {"room_id": 0, "seq": 0, "at": at}))
    _take_out_of_deleted_texts(connection, request)
    _take_out_of_files(connection, request)
    _take_out_of_audit(connection, person, alias, sanctions)
    _bury_account(connection, request, at)
    token_statements.revoke_hooks_of(connection, person, doer(request), at)
    conversations = _conversations(connection, person)
    for table in (MEMBERS, MENTIONS, READS, GUESTS):
        connection.execute(delete(table).where(table.c.person_id == person))
    _take_out_of_rooms(connection, request, conversations)
    for sanction in sanctions:
        connection.execute(
            update(SANCTIONS).where(SANCTIONS.c.id == sanction.id).values(_nobodys(sanction, alias, at))
        )
    made = update(REPORTS).where(REPORTS.c.by_id == person)
    connection.execute(made.values(by_id=alias, by_name=NAME, why=""))
    for table in (SANCTIONS, HOOKS, INVITATIONS):
        connection.execute(update(table).where(table.c.by_id == person).values(by_id=alias, by_name=NAME))


def doer(request: Erase) -> Author:
    """Under whom it is noted: who erases themselves is nobody any more by then."""
    return Author(request.alias, NAME) if request.by.id == request.person else request.by


def heirs(connection: Connection, person: str) -> list[tuple[int, Author]]:
    """Who is to own each room of which somebody is the only owner: of those with an account that is not
    disabled the one of the highest rank, and of these who has been a member longest; a bot only where there
    is nobody else, and who is banned or timed out only where there is no bot either: an owner is under no
    sanction of the room. A room where nobody is left to own it has none.
    """
    columns, users = MEMBERS.c, USERS.c
    signs_in = users.password.is_not(None) | exists().where(PASSKEYS.c.user_id == users.id)
    owned = select(columns.room_id).where(columns.person_id == person, columns.role == "owner")
    staying = (
        select(
            *(columns.room_id, columns.role, columns.person_id),
            *(users.name, users.disabled, signs_in.label("signs_in")),
        )
        .join(USERS, users.person_id == columns.person_id)
        .where(columns.room_id.in_(owned), columns.person_id != person)
        .order_by(columns.room_id, columns.at, columns.person_id)
    )
    found = []
    for room, rows in groupby(connection.execute(staying).all(), lambda row: row.room_id):
        others = list(rows)
        able = [row for row in others if not row.disabled]
        if able and all(row.role != "owner" for row in others):
            free = _under_no_sanction(connection, room, able)
            # The first of those who come before the others.
            heir = max(able, key=lambda row: (row.person_id in free, row.signs_in, RANKS[row.role]))
            found.append((room, Author(heir.person_id, heir.name)))
    return found


def _under_no_sanction(connection: Connection, room: int, people: list[Row[Any]]) -> set[str]:
    """Ids of those of `people` who are neither banned, from the room or the server, nor timed out there."""
    places = (("ban", None), ("ban", room), ("timeout", room))
    imposed = [reading.sanctions(connection, kind, place) for kind, place in places]
    identities = [Identity(row.person_id, row.name, "member") for row in people]
    return {each.id for each in identities if not any(some.meet(each) for some in imposed)}


def sanctions_on(connection: Connection, person: str) -> list[Row[Any]]:
    """The rows of all that was ever imposed on somebody, also those on their browser and network: these do
    not say whose they are, but were imposed by one deed with one that does.
    """
    columns = SANCTIONS.c
    found = {
        row.id: row for row in connection.execute(select(*columns).where(columns.person_id == person)).all()
    }
    for row in list(found.values()):
        together = select(*columns).where(
            columns.person_id.is_(None),
            columns.room_id.is_not_distinct_from(row.room_id),
            of_one_deed(row.kind, row.at, row.by_id),
        )
        found |= {each.id: each for each in connection.execute(together)}
    return list(found.values())


def _nobodys(sanction: Row[Any], alias: str, at: int) -> dict[str, Any]:
    """What is left of a sanction. Their id never comes in again; a ban of a browser or a network goes on."""
    values: dict[str, Any] = {"name": NAME, "reason": ""}
    if sanction.person_id is not None:
        values["person_id"] = alias
    elif sanction.lifted_at is None and (sanction.until == 0 or sanction.until > at):
        return values
    return values | {"device": None, "network": None, "lifted_at": sanction.lifted_at or at}


def _conversations(connection: Connection, person: str) -> list[int]:
    query = (
        select(ROOMS.c.id)
        .join(MEMBERS, MEMBERS.c.room_id == ROOMS.c.id)
        .where(ROOMS.c.kind == "direct", MEMBERS.c.person_id == person)
    )
    return list(connection.scalars(query))


def _take_out_of_rooms(connection: Connection, request: Erase, conversations: list[int]) -> None:
    """`conversations`: the direct rooms in which they were; those are named after their people."""
    for room in conversations:
        party = connection.scalar(select(ROOMS.c.party).where(ROOMS.c.id == room)) or ""
        ids = [request.alias if each == request.person else each for each in party.split(" ")]
        names = connection.scalars(select(MEMBERS.c.name).where(MEMBERS.c.room_id == room)).all()
        name = ", ".join(sorted([*names, NAME]))
        change_room(connection, room, {"name": name, "party": " ".join(sorted(ids))})
    query = select(ROOMS.c.id, ROOMS.c.removals).where(_has(ROOMS.c.removals, request.person))
    for room, removals in connection.execute(query).all():
        if request.person in removals:
            left = {person: seq for person, seq in removals.items() if person != request.person}
            change_room(connection, room, {"removals": left})


def _take_out_of_files(connection: Connection, request: Erase) -> None:
    """What nobody has any more is collected within two hours."""
    theirs = FILES.c.person_id == request.person
    gone = theirs & FILES.c.seq.is_(None) if request.keep_messages else theirs
    connection.execute(delete(FILES).where(gone))
    connection.execute(update(FILES).where(theirs).values(person_id=request.alias))


def _take_out_of_audit(
    connection: Connection, person: str, alias: str, sanctions: Sequence[Row[Any]] = ()
) -> None:
    """And of what was brought before moderators."""
    connection.execute(delete(REPORTS).where(REPORTS.c.author_id == person))
    columns = AUDIT.c
    mine = update(AUDIT).where(columns.who_id == person)
    connection.execute(mine.values(who_id=alias, who_name=NAME))
    # A ban of a browser or a network that was taken back is noted as one of that.
    names = {sanction.name for sanction in sanctions}
    places = {place for each in sanctions for place in (each.device, each.network) if place is not None}
    query = select(*columns).where(columns.whom.in_([person, *sorted(places)]))
    for entry in connection.execute(query).all():
        if entry.whom == person:
            about_them = not sentences.about_nobody(entry.what)
        else:
            about_them = sentences.name_in(entry.what) in names
        if about_them:
            left = {"whom": alias, "what": sentences.without_name(entry.what, NAME), "why": ""}
            connection.execute(update(AUDIT).where(columns.id == entry.id).values(left))


def _bury_account(connection: Connection, request: Erase, at: int) -> None:
    """Of the account only its number is left, so that it is never given again; and of the id its hash, so
    that no cookie lets them in again.
    """
    user = connection.scalar(select(USERS.c.id).where(USERS.c.person_id == request.person))
    number = people_reading.number(connection) + 1
    gone = {"key": people_reading.erasure(request.person), "changed": number}
    connection.execute(insert(ERASURES).values(gone))
    for table in (PASSKEYS, RESETS, ADDRESSES):
        connection.execute(delete(table).where(table.c.user_id == user))
    sessions = update(SESSIONS).where(SESSIONS.c.user_id == user)
    connection.execute(sessions.values(device="", address="", ended_at=at, changed=number))
    tokens = update(TOKENS).where(TOKENS.c.user_id == user)
    connection.execute(tokens.values(name="", revoked_at=at, changed=number))
    blank = {column.name: None for column in USERS.c if column.nullable}
    left = {
        "person_id": request.alias,
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


def _take_out_of_deleted_texts(connection: Connection, request: Erase) -> None:
    """From here on none comes to it that calls them (statements.keep_deleted)."""
    columns = DELETED_TEXTS.c
    connection.execute(delete(DELETED_TEXTS).where(_said_by(request.person)))
    by = update(DELETED_TEXTS).where(columns.by_id == request.person)
    connection.execute(by.values(by_id=request.alias))
    calling = select(columns.room_id, columns.seq, columns.called).where(_has(columns.called, request.person))
    for row in connection.execute(calling).all():
        place = update(DELETED_TEXTS).where(columns.room_id == row.room_id, columns.seq == row.seq)
        connection.execute(place.values(called=_without(row.called, request.person)))


def being_erased(connection: Connection, before: int) -> list[str]:
    """Who is still to be taken out of logs, with whom nobody has gone on since `before` (microseconds), nor
    has them waiting.
    """
    return list(connection.scalars(select(ERASING.c.person_id).where(ERASING.c.at < before)))


def next_named(connection: Connection, person: str) -> EraseOnward | None:
    """What is to be done next to take somebody out of the logs; None: nothing. Asks for no lock, for it may
    read all logs: nothing that names them is kept any more.
    """
    begun = connection.execute(select(*ERASING.c).where(ERASING.c.person_id == person)).first()
    if begun is None:
        return None
    columns = MESSAGES.c
    named = (columns.author_id == person) | _perhaps_of_them(person) | _has(columns.called, person)
    lifted = _lifted({sanction.room_id for sanction in sanctions_on(connection, begun.alias)})
    if not begun.keep_messages:
        named |= _brings_back(person, begun.alias)
    place = (columns.room_id, columns.seq)
    behind = tuple_(*place) > tuple_(begun.room_id, begun.seq)
    query = select(*place).where(behind, named | lifted).order_by(*place).limit(STRETCH)
    found = connection.execute(query).all()
    room = found[0].room_id if found else 0
    return EraseOnward(person, room, tuple(row.seq for row in found if row.room_id == room))


def erase_onward(connection: Connection, request: EraseOnward, at: int) -> int | None:
    """Do that. Returns the room that is done with by it: its log has a new epoch, so that every reader starts
    over with it as it is now. Doing it twice is doing it once.

    Rows of a log are never removed: its numbers have no gap.
    """
    if request.waiting:
        waiting = update(ERASING).where(ERASING.c.person_id.in_(request.waiting))
        connection.execute(waiting.values(at=at))
    here = ERASING.c.person_id == request.person
    begun = connection.execute(select(*ERASING.c).where(here)).first()
    if begun is None or (request.seqs and (request.room, request.seqs[-1]) <= (begun.room_id, begun.seq)):
        return None  # another process was faster
    left = begun.room_id if begun.room_id and begun.room_id != request.room else None
    if left is not None:
        change_room(connection, left, {"epoch": new_epoch()})
    if request.seqs:
        _take_out_of_log(connection, begun, request, at)
        reached = {"room_id": request.room, "seq": request.seqs[-1], "at": at}
        connection.execute(update(ERASING).where(here).values(reached))
    else:
        _take_out_of_audit(
            connection, begun.person_id, begun.alias
        )  # what others did to their messages since
        connection.execute(delete(ERASING).where(here))
    return left


def _take_out_of_log(connection: Connection, begun: Row[Any], request: EraseOnward, at: int) -> None:
    columns, person, alias = MESSAGES.c, begun.person_id, begun.alias
    here = (columns.room_id == request.room) & columns.seq.in_(request.seqs)
    mine = here & (columns.author_id == person)
    own = connection.scalars(select(columns.seq).where(mine)).all()
    for table in (DELETED_TEXTS,) if begun.keep_messages else (DELETED_TEXTS, MENTIONS):
        connection.execute(delete(table).where(table.c.room_id == request.room, table.c.seq.in_(own)))
    if not begun.keep_messages:
        texts = update(MESSAGES).where(mine, columns.kind == "text")
        connection.execute(texts.values(body="", deleted_at=at, called=None, files=None))
        edits = update(MESSAGES).where(mine, columns.kind == "edit")
        connection.execute(edits.values(body="", called=None))
        again = update(MESSAGES).where(here, _brings_back(person, alias))
        connection.execute(again.values(body="", called=None, files=None))
        reactions = update(MESSAGES).where(mine, columns.kind == "reaction")
        connection.execute(reactions.values(remove=True))  # who takes all back has none
    imposed = {(sanction.room_id, sanction.id) for sanction in sanctions_on(connection, alias)}
    for row in connection.execute(select(*columns).where(here)).all():
        place = update(MESSAGES).where(columns.room_id == row.room_id, columns.seq == row.seq)
        if row.kind == "notice" and row.detail is not None:
            detail = _nobody_in(row.detail, person, alias)
            if detail != row.detail or (row.room_id, detail.get("lifted")) in imposed:
                body = sentences.without_name(row.body, NAME)
                connection.execute(place.values(body=body, detail=detail))
        if row.called and person in row.called.values():
            connection.execute(place.values(called=_without(row.called, person)))
    # Without the client_id: it is unique for each author, and they become others.
    names = {"author_id": alias, "author_name": NAME, "guest": False, "bot": None, "client_id": None}
    connection.execute(update(MESSAGES).where(mine).values(names))


def _without(called: dict[str, str], person: str) -> dict[str, str] | None:
    return {words: each for words, each in called.items() if each != person} or None


def _said_by(person: str) -> Any:
    """Deleted texts of somebody."""
    texts, columns = MESSAGES.c, DELETED_TEXTS.c
    return exists().where(
        texts.room_id == columns.room_id, texts.seq == columns.seq, texts.author_id == person
    )


def _brings_back(*author: str) -> Any:
    """What says a text of somebody's again, whoever brought it back. `author`: the ids that they have."""
    text = MESSAGES.alias()
    return (MESSAGES.c.kind == "restore") & exists().where(
        text.c.room_id == MESSAGES.c.room_id, text.c.seq == MESSAGES.c.of, text.c.author_id.in_(author)
    )


def _has(column: Any, person: str) -> Any:
    """Whether JSON has that id as a text somewhere."""
    return cast(column, Text).contains(f'"{person}"', autoescape=True)


def _perhaps_of_them(person: str) -> Any:
    """Notices of what became of somebody, whose detail has their id, among others that have it by chance."""
    return (MESSAGES.c.kind == "notice") & _has(MESSAGES.c.detail, person)


def _lifted(rooms: set[int | None]) -> Any:
    """Notices of what was taken back in `rooms`, which say by a number of whom."""
    columns = MESSAGES.c
    own = sorted(room for room in rooms if room is not None)
    return (
        columns.room_id.in_(own)
        & (columns.kind == "notice")
        & cast(columns.detail, Text).contains('"lifted"')
    )


def _nobody_in(detail: dict[str, Any], person: str, alias: str) -> dict[str, Any]:
    """The detail of a notice with the alias for the person whom it is about, if it is about them."""
    whom = ("removed", "banned", "timeout")
    left = {key: alias if key in whom and value == person else value for key, value in detail.items()}
    member = detail.get("member")
    if isinstance(member, dict) and member.get("id") == person:
        left["member"] = {**member, "id": alias, "name": NAME}
    return left


def _rows(
    connection: Connection, table: Any, where: Any, without: set[str] | None = None, order: Any = ()
) -> list[dict[str, Any]]:
    columns = [column for column in table.c if column.name not in (without or set())]
    query = select(*columns).where(where).order_by(*order)
    return [_plain(row) for row in connection.execute(query).mappings()]


def _plain(row: Any) -> dict[str, Any]:
    """A row with its times as people and the protocol write them."""
    return {
        name: _time(value) if name in ("at", "until") or name.endswith("_at") else value
        for name, value in row.items()
    }


def _time(value: int | None) -> str | None:
    return format_time(value) if value else None
