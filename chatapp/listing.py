"""The list of rooms as somebody sees it: what was said last, who is there, what is unread."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from chatapp import marking
from chatapp.errors import NoSuchRoom
from chatapp.hub import Hub
from chatapp.journal import reading, report_statements
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


def rooms(hub: Hub, identity: Identity, *, with_last: bool = False) -> list[ListedRoom]:
    """All rooms that `identity` may read, by id. Reads the database: switches.

    `with_last`: with what was said last, and its HTML ready.
    """
    # What was said is read before who may read it: nothing shows that was kept after a right was withdrawn.
    last = hub.journal.read(reading.last_texts) if with_last else {}
    marking.mark(hub.turnstile, last.values())  # takes its time: before it is read who may read it
    found = hub.journal.read(reading.listed, identity.id, UNREAD_COUNTED if identity.known else 0)
    return _seen(hub, identity, found, last)


def beside(hub: Hub, identity: Identity, room_id: int) -> tuple[list[ListedRoom], int | None]:
    """The same for the page of one of them, with the number of its first unread message. Switches."""
    most = UNREAD_COUNTED if identity.known else 0
    found, first_unread = hub.journal.read(reading.listed_beside, identity.id, most, room_id)
    return _seen(hub, identity, found, {}), first_unread


def one(hub: Hub, identity: Identity, room_id: int) -> ListedRoom:
    """One of them. Raises NoSuchRoom."""
    for room in rooms(hub, identity):
        if room.state.id == room_id:
            return room
    raise NoSuchRoom()


def reports(hub: Hub, identity: Identity, rooms: Iterable[ListedRoom]) -> int:
    """How many wait for somebody who has `rooms`; for administrators those of rooms that they are not in as
    well. Switches for these.
    """
    if may(identity, "administer"):
        return sum(hub.journal.read(report_statements.counts, identity.id).values())
    return sum(room.reports for room in rooms)


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
