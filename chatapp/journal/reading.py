"""Questions to the database, each one indexed. All run in the threadpool, on a connection of their own."""

import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, cast

from msgspec import UNSET, structs
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Integer,
    Row,
    ScalarSelect,
    Select,
    String,
    Table,
    and_,
    bindparam,
    func,
    literal_column,
    or_,
    select,
)

from chatapp import account_rows, models
from chatapp.journal.requests import AuditLine, Listed, Look, Member, Prune, RoomState, Sanction
from chatapp.journal.sentences import REPORT_SETTLED
from chatapp.message import DAY_MICROSECONDS, Author, File, Message, format_time
from chatapp.permissions import NOBODY, RANKS, Identity, Rights, Sanctions

# Tables rather than mapped classes: rows are read by the thousand, and no session is wanted here.
ROOMS, MESSAGES, DELETED_TEXTS, MENTIONS, READS, MEMBERS, SANCTIONS, GUESTS, REPORTS, AUDIT, HOOKS, FILES = (
    cast(Table, kind.__table__)
    for kind in (
        models.Room,
        models.Message,
        models.DeletedText,
        models.Mention,
        models.Read,
        models.Member,
        models.Sanction,
        models.Guest,
        models.Report,
        models.AuditEntry,
        account_rows.Hook,
        models.File,
    )
)

_STATE = select(
    ROOMS.c.id,
    ROOMS.c.name,
    ROOMS.c.topic,
    ROOMS.c.epoch,
    ROOMS.c.first_seq,
    ROOMS.c.last_seq,
    ROOMS.c.revision,
    ROOMS.c.closed,
    ROOMS.c.removals,
    ROOMS.c.kind,
    ROOMS.c.posting,
    ROOMS.c.guests,
    ROOMS.c.slow_seconds,
    ROOMS.c.keep_days,
    ROOMS.c.keep_messages,
    ROOMS.c.rights,
)
_COLUMNS = MESSAGES.c
# A text that still says something, in the very words of the index `ix_messages_texts`: SQLite takes a partial
# index only where it reads its condition in the question, so no parameter stands for the kind.
SAYS = and_(_COLUMNS.kind == literal_column("'text'"), _COLUMNS.deleted_at.is_(None))
LAST_SEQ = 2**63 - 1
_LOOKED_THROUGH = 1000  # texts of one room, among which one's own may be


def states(connection: Connection) -> list[RoomState]:
    """All rooms, by id."""
    return [RoomState(*row) for row in connection.execute(_STATE.order_by(ROOMS.c.id))]


_PERSON = bindparam("person", type_=String)
_CURSOR = bindparam("cursor", type_=BigInteger)
_ROOM, _MOST = bindparam("room", type_=BigInteger), bindparam("most", type_=Integer)
_READ_UP_TO = func.coalesce(READS.c.seq, 0)


def _unread() -> Select[Any]:
    """Up to `most` texts of others in a room, behind what a person has read: looked for among the newest
    1,000, for who writes without ever reading has as many of their own as there are.
    """
    newest = (
        select(_COLUMNS.author_id)
        .where(_COLUMNS.room_id == ROOMS.c.id, _COLUMNS.seq > _READ_UP_TO, SAYS)
        .order_by(_COLUMNS.seq.desc())
        .limit(_LOOKED_THROUGH)
        .correlate(ROOMS, READS)
        .subquery()
    )
    return select(newest.c.author_id).where(newest.c.author_id != _PERSON).limit(_MOST)


def _unread_calls() -> Select[Any]:
    """Up to `most` of those in which the person is called."""
    columns = MENTIONS.c
    mine = (columns.person_id == _PERSON) & (columns.room_id == ROOMS.c.id)
    return select(columns.seq).where(mine, columns.seq > _READ_UP_TO).limit(_MOST).correlate(ROOMS, READS)


def _count(rows: Select[Any]) -> ScalarSelect[int]:
    return select(func.count()).select_from(rows.subquery()).scalar_subquery()


# To put these together takes longer than to answer them: it is done once.
_STATE_OF = _STATE.where(ROOMS.c.id == _ROOM)
_AFTER = (
    select(*_COLUMNS)
    .where(
        _COLUMNS.room_id == _ROOM,
        _COLUMNS.seq > _CURSOR,
        _COLUMNS.seq <= bindparam("until", type_=BigInteger),
    )
    .order_by(_COLUMNS.seq)
    .limit(_MOST)
)
_BEFORE = (
    select(*_COLUMNS)
    .where(_COLUMNS.room_id == _ROOM, _COLUMNS.seq < _CURSOR)
    .order_by(_COLUMNS.seq.desc())
    .limit(_MOST)
)
_LISTED = (
    _STATE.add_columns(MEMBERS.c.role, MEMBERS.c.muted, MEMBERS.c.notify)
    .add_columns(_count(_unread()), _count(_unread_calls()))
    .outerjoin(MEMBERS, (MEMBERS.c.room_id == ROOMS.c.id) & (MEMBERS.c.person_id == _PERSON))
    .outerjoin(READS, (READS.c.room_id == ROOMS.c.id) & (READS.c.person_id == _PERSON))
    .where((ROOMS.c.kind == "public") | MEMBERS.c.role.is_not(None))
    .order_by(ROOMS.c.id)
)
_LISTED_ALONE = _LISTED.where(ROOMS.c.id == _ROOM)
_FIRST_UNREAD = (
    select(_COLUMNS.seq)
    .join(READS, (READS.c.room_id == _COLUMNS.room_id) & (READS.c.person_id == _PERSON))
    .where(_COLUMNS.room_id == _ROOM, _COLUMNS.seq > READS.c.seq, _COLUMNS.author_id != _PERSON, SAYS)
    .order_by(_COLUMNS.seq)
    .limit(1)
)
_BANS = select(
    SANCTIONS.c.room_id, SANCTIONS.c.person_id, SANCTIONS.c.device, SANCTIONS.c.network, SANCTIONS.c.until
).where(SANCTIONS.c.kind == "ban", SANCTIONS.c.room_id.is_not(None), SANCTIONS.c.lifted_at.is_(None))
_PARTIES = (
    select(MEMBERS.c.room_id, MEMBERS.c.person_id, MEMBERS.c.name)
    .join(ROOMS, ROOMS.c.id == MEMBERS.c.room_id)
    .where(
        ROOMS.c.kind == "direct",
        MEMBERS.c.room_id.in_(select(MEMBERS.c.room_id).where(MEMBERS.c.person_id == _PERSON)),
        MEMBERS.c.person_id != _PERSON,
    )
    .order_by(MEMBERS.c.name)
)


def listed(connection: Connection, person: str, most: int, only: int | None = None) -> list[Listed]:
    """The rooms that are public or that `person` ("": nobody) is in, by id, as they concern that person; of
    them `only` one, where that is given.

    Of what is unread of a room at most `most` are counted, as of its `last_seq`.
    """
    banned, others = bans(connection), parties(connection, person)
    found = []
    query = _LISTED if only is None else _LISTED_ALONE
    rows = connection.execute(query, {"person": person, "most": most, "room": only})
    for *columns, role, muted, notify, unread, calls in rows:
        state = RoomState(*columns)
        members = {} if role is None else {person: role}
        rights = Rights(
            state.rights, state.kind, state.posting, state.guests, members, banned.get(state.id, NOBODY)
        )
        found.append(Listed(state, rights, bool(muted), others.get(state.id, []), notify, unread, calls))
    return found


def bans(connection: Connection) -> dict[int, Sanctions]:
    """The bans in force of each room that has any."""
    rows: dict[int, list[Any]] = {}
    for room, *ban in connection.execute(_BANS):
        rows.setdefault(room, []).append(ban)
    return {room: Sanctions(imposed) for room, imposed in rows.items()}


def parties(connection: Connection, person: str) -> dict[int, list[Author]]:
    """The other people of each direct room of `person`, by name."""
    found: dict[int, list[Author]] = {}
    for room, other, name in connection.execute(_PARTIES, {"person": person}):
        found.setdefault(room, []).append(Author(other, name))
    return found


def members(connection: Connection, room: int) -> list[Member]:
    """Who is a member of a room, owners first, by name."""
    columns = MEMBERS.c
    query = select(columns.person_id, columns.name, columns.role, columns.at).where(columns.room_id == room)
    found = [Member(row[0], row[1], row[2], format_time(row[3])) for row in connection.execute(query)]
    return sorted(found, key=lambda one: (-RANKS[one.role], one.name.casefold(), one.id))


def muted(connection: Connection, room: int, person: str) -> bool:
    """Whether a member does not want to hear of a room."""
    columns = MEMBERS.c
    query = select(columns.muted).where(columns.room_id == room, columns.person_id == person)
    return bool(connection.scalar(query))


def sanctions_of(connection: Connection, room: int | None) -> list[Sanction]:
    """The sanctions of a room, or of the whole server, that nobody has lifted, the newest first.

    What one deed imposed (on a person, their browser and a network) is one of them, and lifted as one.
    """
    return [imposed for imposed, _ in reversed(_imposed(connection, room))]


def reason(connection: Connection, room: int | None, kind: str, identity: Identity) -> str:
    """Why the longest ban or time-out of somebody is in force, or "": of what is of them or of their browser,
    for what a network has was somebody else's doing.
    """
    now = format_time(time.time_ns() // 1000)
    found = [
        each
        for each in sanctions_of(connection, room)
        if each.kind == kind
        and (each.until is None or each.until > now)
        and (each.person == identity.id or (each.device and each.device == identity.device))
    ]
    longest = max(found, key=lambda each: (each.until is None, each.until or ""), default=None)
    return longest.reason if longest else ""


def sanction(connection: Connection, room: int | None, number: int) -> Sanction | None:
    """The one of them that has that number, whichever of the numbers that it is of."""
    return next((imposed for imposed, numbers in _imposed(connection, room) if number in numbers), None)


def _imposed(connection: Connection, room: int | None) -> list[tuple[Sanction, set[int]]]:
    """What each deed imposed, and the numbers of all that it was of; the oldest first."""
    columns = SANCTIONS.c
    query = select(
        columns.id,
        columns.kind,
        columns.name,
        columns.person_id,
        columns.device,
        columns.network,
        columns.until,
        columns.reason,
        columns.by_name,
        columns.at,
        columns.by_id,
    ).where(columns.room_id.is_not_distinct_from(room), columns.lifted_at.is_(None))
    found: dict[tuple[str, int, str], Sanction] = {}
    numbers: dict[tuple[str, int, str], set[int]] = defaultdict(set)
    for row in connection.execute(query.order_by(columns.id)):
        deed = (row.kind, row.at, row.by_id)
        numbers[deed].add(row.id)
        if (first := found.get(deed)) is not None:
            found[deed] = structs.replace(
                first,
                person=first.person or row.person_id,
                device=first.device or row.device,
                network=first.network or row.network,
            )
            continue
        until = format_time(row.until) if row.until else None
        found[deed] = Sanction(*row[:6], until, *row[7:9], format_time(row.at))
    return [(imposed, numbers[deed]) for deed, imposed in found.items()]


def of_one_deed(kind: str, at: int, by: str) -> ColumnElement[bool]:
    """The sanctions that were imposed by one deed: on a person, their browser and a network."""
    columns = SANCTIONS.c
    return and_(columns.kind == kind, columns.at == at, columns.by_id == by)


def audit(
    connection: Connection,
    asking: str,
    limit: int,
    before: int = 2**62,
    room: int | None = None,
    about: str = "",
) -> list[AuditLine]:
    """The newest `limit` entries of the audit log below the id `before`, the newest first.

    `asking`: the id of who asks; that somebody reported them is nothing for them. `about`: only those in
    which this stands somewhere, in capitals or not; all of them are looked through.
    """
    columns = AUDIT.c
    query = select(
        columns.id,
        columns.at,
        columns.who_id,
        columns.who_name,
        columns.what,
        columns.room_id,
        columns.whom,
        columns.why,
    ).where(columns.id < before, ~report_settled_about(asking))
    if room is not None:
        query = query.where(columns.room_id == room)
    if about:
        told = (columns.who_id, columns.who_name, columns.what, columns.whom, columns.why)
        query = query.where(or_(*[column.icontains(about, autoescape=True) for column in told]))
    rows = connection.execute(query.order_by(columns.id.desc()).limit(limit))
    return [AuditLine(row[0], format_time(row[1]), *row[2:]) for row in rows]


def report_settled_about(person: str) -> ColumnElement[bool]:
    """Entries of the audit log that say how a report of somebody's message was settled."""
    return and_(AUDIT.c.whom == person, AUDIT.c.what.startswith(REPORT_SETTLED, autoescape=True))


def to_prune(connection: Connection, now: int) -> list[Prune]:
    """What retention has to remove at `now` (microseconds since 1970), room by room."""
    columns, found = ROOMS.c, []
    query = select(
        columns.id, columns.first_seq, columns.last_seq, columns.keep_days, columns.keep_messages
    ).where(columns.keep_days.is_not(None) | columns.keep_messages.is_not(None))
    for room, first, last, days, keep in connection.execute(query).all():
        before = None if days is None else now - days * DAY_MICROSECONDS
        old = before is not None and _has_older(connection, room, first, before)
        if old or (keep is not None and last - first + 1 > keep):
            found.append(Prune(room, before, keep))
    return found


def _has_older(connection: Connection, room: int, first: int, before: int) -> bool:
    query = select(_COLUMNS.seq).where(_COLUMNS.room_id == room, _COLUMNS.seq >= first, _COLUMNS.at < before)
    return connection.scalar(query.limit(1)) is not None


def state(connection: Connection, room: int) -> RoomState | None:
    """One room, or None where there is none (any more)."""
    row = connection.execute(_STATE_OF, {"room": room}).first()
    return RoomState(*row) if row else None


def first_public_room(connection: Connection) -> int | None:
    """Of those that there are the one that was made first, as the Lobby is."""
    found: int | None = connection.scalar(select(func.min(ROOMS.c.id)).where(ROOMS.c.kind == "public"))
    return found


def rights(connection: Connection, room: int) -> Rights:
    """Who may do what in a room that there is."""
    row = connection.execute(
        select(ROOMS.c.rights, ROOMS.c.kind, ROOMS.c.posting, ROOMS.c.guests).where(ROOMS.c.id == room)
    ).one()
    roles = select(MEMBERS.c.person_id, MEMBERS.c.role).where(MEMBERS.c.room_id == room)
    return Rights(
        row.rights,
        row.kind,
        row.posting,
        row.guests,
        {member[0]: member[1] for member in connection.execute(roles)},
        sanctions(connection, "ban", room),
        sanctions(connection, "timeout", room),
    )


def sanctions(connection: Connection, kind: str, room: int | None) -> Sanctions:
    """Those of a room, or (None) of the whole server, that nobody has lifted."""
    columns = SANCTIONS.c
    query = select(columns.person_id, columns.device, columns.network, columns.until).where(
        columns.room_id.is_(None) if room is None else columns.room_id == room,
        columns.lifted_at.is_(None),
        columns.kind == kind,
    )
    return Sanctions((row[0], row[1], row[2], row[3]) for row in connection.execute(query))


def look(connection: Connection, room: int, cursor: int, limit: int, known_rights: int) -> Look | None:
    """The room and what follows `cursor` in it, of one moment; None where there is no such room."""
    found = state(connection, room)
    if found is None:
        return None
    messages = after(connection, room, cursor, limit) if found.last_seq > cursor else []
    return Look(found, messages, _news(connection, found, known_rights))


def newest(connection: Connection, room: int, limit: int, known_rights: int) -> Look | None:
    """The room and its newest `limit` messages, of one moment."""
    found = state(connection, room)
    if found is None:
        return None
    messages = before(connection, room, found.last_seq + 1, limit)
    return Look(found, messages, _news(connection, found, known_rights))


def _news(connection: Connection, found: RoomState, known: int) -> Rights | None:
    return None if found.rights == known else rights(connection, found.id)


def after(
    connection: Connection, room: int, cursor: int, limit: int, until: int | None = None
) -> list[Message]:
    """Up to `limit` messages with cursor < seq ≤ until, oldest first."""
    bounds = {"room": room, "cursor": cursor, "until": LAST_SEQ if until is None else until, "most": limit}
    return _messages(connection.execute(_AFTER, bounds))


def before(connection: Connection, room: int, seq: int, limit: int) -> list[Message]:
    """The newest `limit` messages below `seq`, oldest first."""
    return _messages(connection.execute(_BEFORE, {"room": room, "cursor": seq, "most": limit}))[::-1]


def deleted_texts(connection: Connection, room: int, first: int, last: int, now: int) -> list[Row[Any]]:
    """The deleted texts from `first` to `last` that can still be brought back at `now` (microseconds since
    1970), each with what it `said`, whom it called (`called_then`) and who deleted it (`by_id`).
    """
    if not 0 < first <= last < 2**63:
        return []
    columns = DELETED_TEXTS.c
    query = (
        select(*_COLUMNS, columns.body.label("said"), columns.called.label("called_then"), columns.by_id)
        .join(DELETED_TEXTS, (columns.room_id == _COLUMNS.room_id) & (columns.seq == _COLUMNS.seq))
        .where(columns.room_id == room, columns.seq.between(first, last), columns.until > now)
    )
    return list(connection.execute(query))


def deleted_before(connection: Connection, now: int) -> bool:
    """Whether there are deleted texts that cannot be brought back any more at `now`."""
    columns = DELETED_TEXTS.c
    return connection.scalar(select(columns.seq).where(columns.until <= now).limit(1)) is not None


def first_unread(connection: Connection, room: int, person: str) -> int | None:
    """The number of the first text by others behind how far the person has read; None also for who has read
    nothing in the room yet.
    """
    first: int | None = connection.scalar(_FIRST_UNREAD, {"person": person, "room": room})
    return first


def listed_beside(
    connection: Connection, person: str, most: int, room: int
) -> tuple[list[Listed], int | None]:
    """`listed` and `first_unread` for the page of `room`."""
    return listed(connection, person, most), first_unread(connection, room, person) if most else None


def reactions(connection: Connection, room: int, seq: int) -> list[Message]:
    """The newest 1,000 reactions to a text, and what takes them back, oldest first."""
    query = select(*_COLUMNS).where(_COLUMNS.room_id == room, _COLUMNS.of == seq, _COLUMNS.kind == "reaction")
    return _messages(connection.execute(query.order_by(_COLUMNS.seq.desc()).limit(1000)))[::-1]


def text_after_time(connection: Connection, room: int, microseconds: int) -> Message | None:
    """The first text that still has a body and was published after that time."""
    query = select(*_COLUMNS).where(
        _COLUMNS.room_id == room,
        _COLUMNS.at > microseconds,
        _COLUMNS.kind == "text",
        _COLUMNS.deleted_at.is_(None),
    )
    return next(iter(_messages(connection.execute(query.order_by(_COLUMNS.at).limit(1)))), None)


def last_texts(connection: Connection, person: str) -> dict[int, Message]:
    """The newest text with a body of each room that is public or that `person` ("": nobody) is in, looked for
    among its last 50 messages.
    """
    inner = MESSAGES.alias()
    newest = (
        select(func.max(inner.c.seq))
        .where(inner.c.room_id == ROOMS.c.id, inner.c.seq > ROOMS.c.last_seq - 50)
        .where(inner.c.kind == "text", inner.c.deleted_at.is_(None))
        .scalar_subquery()
    )
    member = select(MEMBERS.c.room_id).where(MEMBERS.c.person_id == person)
    query = (
        select(*_COLUMNS)
        .select_from(MESSAGES)
        .join(ROOMS, (_COLUMNS.room_id == ROOMS.c.id) & (_COLUMNS.seq == newest))
        .where((ROOMS.c.kind == "public") | ROOMS.c.id.in_(member))
    )
    return {message.room: message for message in _messages(connection.execute(query))}


def authors_called(connection: Connection, room: int, name: str) -> list[str]:
    """Ids of the authors who wrote under `name` among the room's newest 1,000 messages."""
    newest = select(_COLUMNS.author_id, _COLUMNS.author_name).where(_COLUMNS.room_id == room)
    recent = newest.order_by(_COLUMNS.seq.desc()).limit(1000).subquery()
    query = select(recent.c.author_id).where(recent.c.author_name == name).distinct()
    return list(connection.scalars(query))


def name_of(connection: Connection, room: int, person: str) -> str | None:
    """What a person is called in a room: as a member, or as an author among its newest 1,000 messages."""
    columns = MEMBERS.c
    query = select(columns.name).where(columns.room_id == room, columns.person_id == person)
    name: str | None = connection.scalar(query)
    if name is None:
        newest = select(_COLUMNS.seq, _COLUMNS.author_id, _COLUMNS.author_name).where(
            _COLUMNS.room_id == room
        )
        recent = newest.order_by(_COLUMNS.seq.desc()).limit(1000).subquery()
        query = select(recent.c.author_name).where(recent.c.author_id == person)
        name = connection.scalar(query.order_by(recent.c.seq.desc()).limit(1))
    return name


def guest(connection: Connection, person: str) -> Author | None:
    """The guest with that id."""
    name = connection.scalar(select(GUESTS.c.name).where(GUESTS.c.person_id == person))
    return None if name is None else Author(person, name, guest=True)


def device_of(connection: Connection, person: str) -> str | None:
    """The browser in which a guest came in."""
    device: str | None = connection.scalar(select(GUESTS.c.device).where(GUESTS.c.person_id == person))
    return device


def count(connection: Connection, room: int) -> int:
    """How many messages the room has, of every kind."""
    query = select(func.count()).select_from(MESSAGES).where(_COLUMNS.room_id == room)
    return connection.scalar(query) or 0


def _messages(rows: Iterable[Row[Any]]) -> list[Message]:
    return [message_of(row) for row in rows]


def message_of(row: Sequence[Any]) -> Message:
    """The live message of a row with all columns of the table, in its order."""
    # Taken apart at once: a third of what fourteen columns cost that are looked up by their names.
    room, seq, at, kind, author, name, guest, body, of, client_id, *more = row
    remove, detail, edited_at, deleted_at, called, files, bot = more
    return Message(
        room=room,
        seq=seq,
        kind=kind,
        author=author_of(author, name, guest, bot),
        at=format_time(at),
        body=body,
        of=of,
        client_id=client_id,
        remove=True if remove else UNSET,
        detail=UNSET if detail is None else detail,
        edited_at=UNSET if edited_at is None else format_time(edited_at),
        deleted_at=UNSET if deleted_at is None else format_time(deleted_at),
        mentions=list(called.values()) if called else UNSET,
        called=list(called) if called else UNSET,
        # Those of a deleted message stay beside it until they are collected: a deletion may be taken back.
        files=UNSET if files is None or deleted_at is not None else [File(**each) for each in files],
    )


def author_of(person: str, name: str, guest: bool, bot: bool | None) -> Author:
    """Who wrote a message, by what its row, or that of a report about it, has of them."""
    return Author(person, name, guest, bool(bot) or person.startswith("h"))  # a hook, also from before `bot`


def files_of(row: Any) -> list[File]:
    """The files of a message's row, also of one that was deleted."""
    return [File(**each) for each in row.files or ()]
