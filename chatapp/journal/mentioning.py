"""Whom texts call: looked up once, in the transaction that keeps them, among those who may read the room."""

from sqlalchemy import Connection, select

from chatapp import mentions
from chatapp.journal.people_reading import USERS
from chatapp.journal.reading import MEMBERS, ROOMS
from chatapp.journal.requests import Post


class Calls:
    """Of one transaction: what it has read of a room under the same rights it does not read again."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._public: dict[tuple[int, int], bool] = {}
        self._guests: dict[tuple[int, int], dict[str, str]] = {}

    def of(self, post: Post, rights: int) -> dict[str, str]:
        """By the words behind an `@`, the ids of members of the room, whose rights are those numbered
        `rights`, and, where it is public, of everybody with an account and of the guests who are present.
        """
        if "@" not in post.body or post.kind not in ("text", "edit"):
            return {}
        calls = mentions.calls(post.body)
        if not calls:
            return {}
        room = (post.room, rights)
        if room not in self._public:
            kind = select(ROOMS.c.kind).where(ROOMS.c.id == post.room)
            self._public[room] = self._connection.scalar(kind) == "public"
            self._guests[room] = self._guests_who_are_members(post.room)
        public = self._public[room]
        known = {mentions.key(guest.name): guest.id for guest in post.guests if public}
        # Who has an account comes before a guest who was let in under such a name before.
        known |= self._guests[room] | self._accounts(calls, None if public else post.room)
        return mentions.called(calls, known)

    def _accounts(self, calls: list[mentions.Call], members_of: int | None) -> dict[str, str]:
        query = select(USERS.c.key, USERS.c.person_id).where(
            USERS.c.key.in_({key for call in calls for _, key in call}), USERS.c.disabled.is_(False)
        )
        if members_of is not None:
            query = query.join(MEMBERS, MEMBERS.c.person_id == USERS.c.person_id)
            query = query.where(MEMBERS.c.room_id == members_of)
        return {row[0]: row[1] for row in self._connection.execute(query)}

    def _guests_who_are_members(self, room: int) -> dict[str, str]:
        columns = MEMBERS.c
        query = (
            select(columns.name, columns.person_id)
            .outerjoin(USERS, USERS.c.person_id == columns.person_id)
            .where(columns.room_id == room, columns.person_id.startswith("g"), USERS.c.id.is_(None))
        )
        return {mentions.key(name): person for name, person in self._connection.execute(query)}
