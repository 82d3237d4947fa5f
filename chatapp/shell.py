"""The administrator's verbs, as they are used in `flask shell` and by `flask room …`.

Everything here reads the database and writes through the journal, so it works beside a running server, whose
workers hear of it within milliseconds, as well as without one.
"""

import sys
import textwrap
import unicodedata
from collections.abc import Callable
from types import TracebackType
from typing import Any, TypeVar

from chatapp import administration, moderation, posting
from chatapp.errors import BadRequest, ChatError, NoSuchRoom
from chatapp.globals import get_hub
from chatapp.hub import Hub
from chatapp.journal import reading
from chatapp.journal.requests import RoomState
from chatapp.live_rooms import LARGEST_ID
from chatapp.message import Author, Message
from chatapp.permissions import SYSTEM
from chatapp.posting import Draft

T = TypeVar("T")

FLUSH_SECONDS = 2.0
NAMES = 'rooms()  room(1)  room("Lobby")  create_room(name)  delete_room(room)  help(room(1))'
VERBS = """\
What can be done with a room:

room.post(text)          say something, as "system"
room.history(20)         the newest messages, oldest first
room.people()            who is here, over all workers
room.rename(name)        give it another name
room.topic = "…"         give it another topic ("" removes it)
room.close(), .open()    make it read-only, and writable again
room.clear()             remove all messages for good
room.delete(seq)         delete one message (a number, or a message of history())
room.kick(name)          send somebody out; they may come back
"""


class History(list[Message]):
    """Messages that show as lines at the prompt."""

    def __repr__(self) -> str:
        return "\n".join(map(line, self)) or "[]"


def line(message: Message) -> str:
    """`message` as one line: number, time in UTC, who said or did what."""
    return f"#{message.seq}  {message.at[:19].replace('T', ' ')}Z  {message.told}"


class ShellRoom:
    """A room as the administrator handles it. What it shows is read anew each time."""

    def __init__(self, hub: Hub, room_id: int) -> None:
        self._hub = hub
        self.id = room_id
        # What help(room(1)) shows. Without a text of its own it would show the class with all its innards.
        self.__doc__ = VERBS

    def __repr__(self) -> str:
        try:
            state = self.state
        except NoSuchRoom:
            return f"<Room {self.id}, deleted>"
        closed = ", closed" if state.closed else ""
        return f"<Room {state.id} {state.name!r} at #{state.last_seq}{closed}>"

    @property
    def state(self) -> RoomState:
        """The room as the database has it now."""
        state = self._hub.journal.read(reading.state, self.id)
        if state is None:
            raise NoSuchRoom(f"There is no room {self.id} (any more)")
        return state

    @property
    def name(self) -> str:
        """What the room is called; `rename` changes it."""
        return self.state.name

    @property
    def topic(self) -> str:
        """What the room is about; may be set."""
        return self.state.topic

    @topic.setter
    def topic(self, topic: str) -> None:
        self._do(lambda: administration.set_topic(self._hub, SYSTEM, self.id, topic))

    @property
    def closed(self) -> bool:
        """Whether the room is read-only; `close` and `open` change it."""
        return self.state.closed

    def post(self, text: str) -> Message:
        """Say something, as "system"; returns the message as it was kept."""
        return self._do(lambda: posting.post(self._hub, SYSTEM, self.id, Draft(text))).message

    def history(self, limit: int = 20) -> "History":
        """The newest `limit` messages, oldest first."""
        return History(self._hub.journal.read(reading.before, self.id, self.state.last_seq + 1, limit))

    def people(self) -> list[Author]:
        """Who is here, by name, over all workers."""
        return self._hub.presence.people(self.state.id)

    def rename(self, name: str) -> "ShellRoom":
        """Give the room another name. Warns where another one is called so."""
        self._do(lambda: administration.rename(self._hub, SYSTEM, self.id, name))
        _warn_of_namesakes(self.id, name)
        return self

    def close(self) -> "ShellRoom":
        """Make the room read-only."""
        self._do(lambda: administration.close(self._hub, SYSTEM, self.id))
        return self

    def open(self) -> "ShellRoom":
        """Let people write again."""
        self._do(lambda: administration.reopen(self._hub, SYSTEM, self.id))
        return self

    def clear(self) -> "ShellRoom":
        """Remove all messages for good; every reader starts over. Numbers go on."""
        self._do(lambda: administration.clear(self._hub, SYSTEM, self.id))
        return self

    def delete(self, message: "Message | int") -> Message:
        """Delete one message, given itself or its number; returns the notice of it."""
        seq = message if isinstance(message, int) else message.seq
        draft = Draft(kind="delete", of=seq)
        return self._do(lambda: posting.post(self._hub, SYSTEM, self.id, draft)).message

    def text(self, seq: int) -> Message:
        """The text with this number. Raises BadRequest where there is none (any more)."""
        found = self._hub.journal.read(reading.before, self.id, seq + 1, 1) if 0 < seq < LARGEST_ID else []
        if not found or found[0].seq != seq or not found[0].readable:
            raise BadRequest(f"There is no text #{seq} in this room (any more)")
        return found[0]

    def kick(self, name: str) -> list[str]:
        """Send everybody called `name` out; returns their ids. They may come back."""
        return self._do(lambda: moderation.kick(self._hub, SYSTEM, self.id, name))

    def _do(self, verb: Callable[[], T]) -> T:
        return _flushed(self._hub, verb)


def rooms() -> list[ShellRoom]:
    """All rooms, by number."""
    return [ShellRoom(get_hub(), state.id) for state in _states()]


def room(which: int | str) -> ShellRoom:
    """One room, by its number or its name: room(1), room("Lobby").

    Raises NoSuchRoom, and BadRequest where several rooms have that name.
    """
    states = _states()
    if isinstance(which, int):
        found = [state for state in states if state.id == which]
    else:
        found = [state for state in states if state.name == which] or [
            state for state in states if _folded(state.name) == _folded(which)
        ]
    if not found:
        known = ", ".join(f"{state.id} {state.name!r}" for state in states[:20]) or "none"
        raise NoSuchRoom(f"There is no room {which!r}. Rooms: {known}")
    if len(found) > 1:
        numbers = ", ".join(str(state.id) for state in found)
        raise BadRequest(f"Several rooms are called {which!r}; give a number: {numbers}")
    return ShellRoom(get_hub(), found[0].id)


room.__doc__ = f"{room.__doc__}\n{textwrap.indent(VERBS, '    ')}"


def create_room(name: str, topic: str = "") -> ShellRoom:
    """Make a room. Warns where another one is called so."""
    hub = get_hub()
    made = ShellRoom(hub, _flushed(hub, lambda: administration.make_room(hub, SYSTEM, name, topic)))
    _warn_of_namesakes(made.id, name)
    return made


def delete_room(which: "int | str | ShellRoom") -> None:
    """Remove a room and its messages for good."""
    doomed = which if isinstance(which, ShellRoom) else room(which)
    hub = get_hub()
    _flushed(hub, lambda: administration.drop(hub, SYSTEM, doomed.id))


def _warn_of_namesakes(room_id: int, name: str) -> None:
    # Not refused: people tell rooms apart by topic and address, and programs make many of one name.
    others = [state for state in _states() if state.id != room_id and _folded(state.name) == _folded(name)]
    if others:
        called = " and ".join(f"{state.name!r} ({state.id})" for state in others)
        print(
            f"There is another room called {called}: commands by name may ask for the number",
            file=sys.stderr,
        )


def _states() -> list[RoomState]:
    return get_hub().journal.read(reading.states)


def _folded(name: str) -> str:
    """What two names have in common that look alike."""
    return unicodedata.normalize("NFKC", name).strip().casefold()


def _flushed(hub: Hub, verb: Callable[[], T]) -> T:
    # This process waits at a prompt or ends: let the notice out while we are at it.
    done = verb()
    hub.bus.flush(FLUSH_SECONDS)
    return done


def begin() -> dict[str, Any]:
    """What `flask shell` knows from the start. Says so, and has refusals said in one line."""
    print(f"Rooms: {NAMES}", file=sys.stderr)  # where Python's own banner goes
    sys.excepthook = _say  # which the prompt asks, if it is not Python's own
    return {"rooms": rooms, "room": room, "create_room": create_room, "delete_room": delete_room}


def _say(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """A refusal is an answer, not a fault: it needs no traceback."""
    if isinstance(error, ChatError):
        print(f"{kind.__name__}: {error}", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)
