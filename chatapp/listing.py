"""The list of rooms as somebody sees it: what was said last, who is there, what is unread."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from chatapp import marking
from chatapp.errors import NoSuchRoom
from chatapp.hub import Hub
from chatapp.journal import reading, report_statements, search_reading
from chatapp.journal.requests import Level, Listed, RoomState
from chatapp.message import Author, Message
from chatapp.permissions import Identity, Rights, may

UNREAD_COUNTED = 100  # of one room: what is more, people read as "99+"


@dataclass(frozen=True)
class ListedRoom:
    """One line of the list. `party_here`: ids of those of the party who are on this server. `reports`: how
    many wait there for this person; none for who does not moderate it.
    """

    state: RoomState
    rights: Rights
    muted: bool
    party: list[Author]
    notify: Level | None
    unread: int
    mentions: int
    people: list[Author]
    party_here: frozenset[str] = frozenset()
    last: Message | None = None
    reports: int = 0

    @property
    def name(self) -> str:
        """What the person sees: a direct conversation is named after the others."""
        return ", ".join(other.name for other in self.party) or self.state.name

    @property
    def level(self) -> Level:
        """What this person's browsers tell them of."""
        return self.notify or ("all" if self.state.kind == "direct" else "mentions")

    @property
    def plain(self) -> dict[str, Any]:
        """As the API says it."""
        return {
            "id": self.state.id,
            "name": self.name,
            "topic": self.state.topic,
            "cursor": self.state.last_seq,
            "epoch": self.state.epoch,
            "unread": self.unread,
            "mentions": self.mentions,
            "here": len(self.people),
            "closed": self.state.closed,
            "kind": self.state.kind,
            "role": next(iter(self.rights.members.values()), None),
            "muted": self.muted,
            "notify": self.level,
            "party": [
                {"id": other.id, "name": other.name, "here": other.id in self.party_here}
                for other in self.party
            ],
            "posting": self.state.posting,
            "guests": self.state.guests,
            "slow_seconds": self.state.slow_seconds,
            "keep_days": self.state.keep_days,
            "keep_messages": self.state.keep_messages,
            "reports": self.reports,
        }


def rooms(hub: Hub, identity: Identity) -> list[ListedRoom]:
    """All rooms that `identity` may read, by id. Reads the database: switches."""
    return _seen(hub, identity, hub.journal.read(reading.listed, identity.id, _counted(identity)), {})


def rooms_with_last(hub: Hub, identity: Identity) -> list[ListedRoom]:
    """The same with what was said last in each, its HTML ready. Raises SignIn, Forbidden for who may read
    none by now.
    """
    made = hub.journal.read(_last_of_theirs, identity)
    marking.mark(hub.turnstile, made.values())
    # That takes its time, so all is looked at once more, of one moment: who they are, what they may read, and
    # what it says by now. What is another text since then is made where it is shown; those are few.
    identity = hub.people.still(identity)
    found, last = hub.journal.read(_listed_with_last, identity)
    last |= {room: message for room, message in made.items() if message == last.get(room)}
    return _seen(hub, identity, found, last)


def beside(hub: Hub, identity: Identity, room_id: int) -> tuple[list[ListedRoom], int | None]:
    """The same for the page of one of them, with the number of its first unread message. Switches."""
    found, first_unread = hub.journal.read(reading.listed_beside, identity.id, _counted(identity), room_id)
    return _seen(hub, identity, found, {}), first_unread


def one(hub: Hub, identity: Identity, room_id: int) -> ListedRoom:
    """One of them. Raises NoSuchRoom."""
    found = hub.journal.read(reading.listed, identity.id, _counted(identity), room_id)
    for room in _seen(hub, identity, found, {}):
        return room
    raise NoSuchRoom()


def reports(hub: Hub, identity: Identity, rooms: Iterable[ListedRoom]) -> int:
    """How many wait for somebody who has `rooms`; for administrators those of rooms that they are not in as
    well. Switches for these.
    """
    if may(identity, "administer"):
        return sum(hub.journal.read(report_statements.counts, identity.id).values())
    return sum(room.reports for room in rooms)


def _counted(identity: Identity) -> int:
    return UNREAD_COUNTED if identity.known else 0


def _last_of_theirs(connection: Connection, identity: Identity) -> dict[int, Message]:
    """What was said last in each room that `identity` may read."""
    theirs = search_reading.readable(connection, identity)
    last = reading.last_texts(connection, identity.id)
    return {room: message for room, message in last.items() if room in theirs}


def _listed_with_last(connection: Connection, identity: Identity) -> tuple[list[Listed], dict[int, Message]]:
    """`reading.listed` and `reading.last_texts`, of one moment."""
    listed = reading.listed(connection, identity.id, _counted(identity))
    return listed, reading.last_texts(connection, identity.id)


def _seen(hub: Hub, identity: Identity, found: list[Listed], last: dict[int, Message]) -> list[ListedRoom]:
    here = hub.presence.everywhere()
    on_server = {who.id for people in here.values() for who in people}
    theirs = [
        room
        for room in found
        if may(identity, "read", room.rights) and (identity.rooms is None or room.state.id in identity.rooms)
    ]
    moderated = {room.state.id for room in theirs if may(identity, "moderate", room.rights)}
    waiting = hub.journal.read(report_statements.counts, identity.id) if moderated else {}
    return [
        ListedRoom(
            room.state,
            room.rights,
            room.muted,
            room.party,
            room.notify,
            room.unread,
            room.mentions,
            here.get(room.state.id, []),
            frozenset(other.id for other in room.party if other.id in on_server),
            last.get(room.state.id),
            waiting.get(room.state.id, 0) if room.state.id in moderated else 0,
        )
        for room in theirs
    ]
