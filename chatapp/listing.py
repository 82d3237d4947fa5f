"""The list of rooms as somebody sees it: what was said last, who is there, what is unread."""

from dataclasses import dataclass
from typing import Any

from chatapp.hub import Hub
from chatapp.journal import reading
from chatapp.journal.requests import RoomState
from chatapp.message import Author, Message
from chatapp.permissions import Identity


@dataclass(frozen=True)
class ListedRoom:
    """One line of the list."""

    state: RoomState
    unread: int
    people: list[Author]
    last: Message | None = None

    @property
    def plain(self) -> dict[str, Any]:
        """As the API says it."""
        return {
            "id": self.state.id,
            "name": self.state.name,
            "topic": self.state.topic,
            "cursor": self.state.last_seq,
            "epoch": self.state.epoch,
            "unread": self.unread,
            "here": len(self.people),
            "closed": self.state.closed,
        }


def rooms(hub: Hub, identity: Identity, *, with_last: bool = False) -> list[ListedRoom]:
    """All rooms that `identity` may see, by id. Reads the database: switches."""
    states = hub.journal.read(reading.states)
    read = hub.journal.read(reading.read_positions, identity.id) if identity.known else {}
    last = hub.journal.read(reading.last_texts) if with_last else {}
    here = hub.presence.everywhere()
    return [
        ListedRoom(state, _unread(state, identity, read), here.get(state.id, []), last.get(state.id))
        for state in states
    ]


def _unread(state: RoomState, identity: Identity, read: dict[int, int]) -> int:
    if not identity.known:
        return 0
    return max(0, state.last_seq - max(read.get(state.id, 0), state.first_seq - 1))
