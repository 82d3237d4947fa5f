"""Whom a text calls: looked up once, in the transaction that keeps it, among those who may read the room."""

from sqlalchemy import Connection, select

from chatapp import mentions
from chatapp.journal.people_reading import USERS
from chatapp.journal.reading import MEMBERS, ROOMS
from chatapp.journal.requests import Post


def called(connection: Connection, post: Post) -> dict[str, str]:
    """By the words behind an `@`, the ids of members of the room and, where it is public, of everybody with
    an account and of the guests who are present.
    """
    if "@" not in post.body or post.kind not in ("text", "edit"):
        return {}
    asked = mentions.keys(post.body)
    if not asked:
        return {}
    public = connection.scalar(select(ROOMS.c.kind).where(ROOMS.c.id == post.room)) == "public"
    known = {mentions.key(guest.name): guest.id for guest in post.guests if public}
    known |= {mentions.key(name): person for person, name in _guests_who_are_members(connection, post.room)}
    accounts = select(USERS.c.key, USERS.c.person_id).where(
        USERS.c.key.in_(asked), USERS.c.disabled.is_(False)
    )
    if not public:
        accounts = accounts.join(MEMBERS, MEMBERS.c.person_id == USERS.c.person_id).where(
            MEMBERS.c.room_id == post.room
        )
    # Who has an account comes before a guest who was let in under such a name before.
    known |= {row.key: row.person_id for row in connection.execute(accounts)}
    return mentions.called(post.body, known)


def _guests_who_are_members(connection: Connection, room: int) -> list[tuple[str, str]]:
    columns = MEMBERS.c
    query = (
        select(columns.person_id, columns.name)
        .outerjoin(USERS, USERS.c.person_id == columns.person_id)
        .where(columns.room_id == room, columns.person_id.startswith("g"), USERS.c.id.is_(None))
    )
    return [(row.person_id, row.name) for row in connection.execute(query)]
