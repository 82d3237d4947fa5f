"""Questions to the database for the search: how far each log is, which rooms somebody may read, and texts."""

from collections.abc import Collection, Iterable
from functools import cache

from msgspec import Struct
from sqlalchemy import Connection, bindparam, select

from chatapp.journal.reading import MEMBERS, MESSAGES, ROOMS, bans, message_of, parties
from chatapp.message import Message
from chatapp.permissions import NOBODY, Identity, Rights, RoomKind, RoomRole, Sanctions, may

# Of the log, those that change no other text than by being a text themselves.
OWN = ("text", "reaction", "notice")

_TOLD = ("seq", "kind", "of", "at", "author_id", "author_name", "body", "files", "deleted_at")
_ONE = select(*MESSAGES.c).where(MESSAGES.c.room_id == bindparam("room"), MESSAGES.c.seq == bindparam("seq"))
# All that the index needs of a message: to read that costs a third of what the whole one does.
_NEWS = (
    select(*(MESSAGES.c[name] for name in _TOLD))
    .where(
        MESSAGES.c.room_id == bindparam("room"),
        MESSAGES.c.seq > bindparam("cursor"),
        MESSAGES.c.seq <= bindparam("until"),
    )
    .order_by(MESSAGES.c.seq)
    .limit(bindparam("most"))
)


class Place(Struct, frozen=True):
    """A place in a room's log: its numbers `first` to `last` while it was called `epoch`.

    `revision`: of the room when that was all of it; 0 where it was not.
    """

    epoch: str
    first: int
    last: int
    revision: int = 0


def places(connection: Connection) -> dict[int, Place]:
    """The log of every room, as it is now."""
    columns = ROOMS.c
    query = select(columns.id, columns.epoch, columns.first_seq, columns.last_seq, columns.revision)
    return {room: Place(*place) for room, *place in connection.execute(query)}


def readable(
    connection: Connection, identity: Identity, only: Collection[int] | None = None
) -> dict[int, str]:
    """The rooms (of those in `only`) that `identity` may read, as it calls them: a direct conversation is
    named after the others.
    """
    columns = ROOMS.c
    mine = (MEMBERS.c.room_id == columns.id) & (MEMBERS.c.person_id == identity.id)
    query = (
        select(columns.id, columns.name, columns.kind, columns.guests, MEMBERS.c.role)
        .outerjoin(MEMBERS, mine)
        .where((columns.kind == "public") | MEMBERS.c.role.is_not(None))
    )
    if only is not None:
        query = query.where(columns.id.in_(only))
    banned = bans(connection)

    @cache  # of a thousand rooms most are alike
    def allowed(kind: RoomKind, guests: bool, role: RoomRole | None, imposed: Sanctions) -> bool:
        members = {} if role is None else {identity.id: role}
        return may(identity, "read", Rights(kind=kind, guests=guests, members=members, bans=imposed))

    found, named_after_people = {}, False
    for room, name, kind, guests, role in connection.execute(query):
        if identity.rooms is not None and room not in identity.rooms:
            continue
        if allowed(kind, guests, role, banned.get(room, NOBODY)):
            found[room] = name
            named_after_people |= kind == "direct"
    if named_after_people:
        for room, others in parties(connection, identity.id).items():
            if room in found:
                found[room] = ", ".join(other.name for other in others) or found[room]
    return found


def texts(
    connection: Connection, identity: Identity, numbers: Collection[tuple[int, int]]
) -> tuple[dict[int, str], dict[tuple[int, int], Message]]:
    """The rooms among those of `numbers` (room, seq) that `identity` may read, by name, and the messages in
    them that have those numbers: of one moment.
    """
    rooms = readable(connection, identity, {room for room, _ in numbers})
    found = [_one(connection, room, seq) for room, seq in numbers if room in rooms]
    return rooms, {(message.room, message.seq): message for message in found if message is not None}


class Text(Struct, frozen=True):
    """A text that still says something, and all by which it is found. `at`: microseconds since 1970.
    `author`: an id. `name`: theirs when they wrote. `files`: whether there are any.
    """

    room: int
    seq: int
    at: int
    author: str
    name: str
    body: str
    files: bool


def text_of(message: Message) -> Text | None:
    """What `message` says as it is now; None where that is nothing."""
    if not message.readable:
        return None
    author = message.author
    where = message.room, message.seq, message.microseconds
    return Text(*where, author.id, author.name, message.body, bool(message.files))


class News(Struct, frozen=True):
    """What the log of `room` has of the numbers from `first` to `last`, and what that changes, numbers before
    them: `seqs`. `texts`: of all these those that there are, as they are now.
    """

    room: int
    first: int
    last: int
    seqs: Collection[int]
    texts: list[Text]


def news(connection: Connection, asked: Iterable[tuple[int, int, int]], limit: int) -> list[News]:
    """The next `limit` messages of each of the `asked`, (room, after which number, until which)."""
    return [_news(connection, *each, limit) for each in asked]


def _news(connection: Connection, room: int, cursor: int, until: int, limit: int) -> News:
    bounds = {"room": room, "cursor": cursor, "until": until, "most": limit}
    rows = list(connection.execute(_NEWS, bounds))
    last = rows[-1].seq if len(rows) == limit else until
    before = {row.of for row in rows if row.of and row.of <= cursor and row.kind not in OWN}
    for seq in before:
        rows += connection.execute(_NEWS, {"room": room, "cursor": seq - 1, "until": seq, "most": 1})
    texts = [
        Text(room, seq, at, author, name, body, bool(files))
        for seq, kind, _, at, author, name, body, files, deleted_at in rows
        if kind == "text" and deleted_at is None
    ]
    return News(room, cursor + 1, last, before, texts)


def _one(connection: Connection, room: int, seq: int) -> Message | None:
    # One by one: twenty of them take half a millisecond, a statement for all would have to be made each time.
    row = connection.execute(_ONE, {"room": room, "seq": seq}).first()
    return None if row is None else message_of(row)
