"""A room as the administrator handles it, and how to get at one."""

import sys
import textwrap
import time
import unicodedata
from collections.abc import Callable
from typing import TypeVar

from chatapp import administration, membership, moderation, posting, retention
from chatapp.errors import BadRequest, NoSuchRoom
from chatapp.globals import get_hub
from chatapp.hub import Hub
from chatapp.journal import people_reading, reading
from chatapp.journal.requests import AuditLine, Member, RoomState, Sanction
from chatapp.live_rooms import LARGEST_ID
from chatapp.message import Author, Message
from chatapp.permissions import SYSTEM, Posting, RoomKind, RoomRole, may_take_over
from chatapp.posting import Draft

T = TypeVar("T")

FLUSH_SECONDS = 2.0
MAIL_SECONDS = 10.0
VERBS = """\
What can be done with a room:

room.post(text)          say something, as "system"
room.history(20)         the newest messages, oldest first
room.people()            who is here, over all workers
room.rename(name)        give it another name
room.topic = "…"         give it another topic ("" removes it)
room.close(), .open()    make it read-only, and writable again
room.clear()             remove all messages for good
room.new_epoch()         have every reader start over: where the database lost what they may have seen
room.delete(seq)         delete one message (a number, or a message of history())
room.restore(seq)        bring back one that a moderator deleted within the last hour (CHATAPP_UNDO_SECONDS)
room.kick(name)          send somebody out; they may come back
room.ban(name)           keep somebody out; room.time_out(name, seconds): they may only read
room.sanctions()         what is in force; room.lift(number) takes one back
room.members()           who is a member; room.take_in(name, "owner"), room.remove(name)
room.kind = "private"    or "public"; .posting = "members"; .guests = False
room.pace = 30           seconds between two messages of one person
room.keep(days=90)       how long messages are kept, or how many: keep(messages=1000); keep(): all
room.audit()             who did what here
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

    def new_epoch(self) -> "ShellRoom":
        """Have every reader start over: after a database lost what they may have seen."""
        self._do(lambda: administration.renew_log(self._hub, self.id))
        return self

    def delete(self, message: "Message | int", why: str = "") -> Message:
        """Delete one message, given itself or its number; returns the notice of it. One that others deleted
        and could bring back comes back only here after that.
        """
        seq = message if isinstance(message, int) else message.seq
        draft = Draft(kind="delete", of=seq, why=why)
        return self._do(lambda: posting.post(self._hub, SYSTEM, self.id, draft)).message

    def restore(self, message: "Message | int") -> Message:
        """Bring back one message that a moderator deleted; returns the notice of it. Raises BadRequest where
        it is too late, Forbidden where its author deleted it.
        """
        seq = message if isinstance(message, int) else message.seq
        draft = Draft(kind="restore", of=seq)
        return self._do(lambda: posting.post(self._hub, SYSTEM, self.id, draft)).message

    def text(self, seq: int) -> Message:
        """The text with this number. Raises BadRequest where there is none (any more)."""
        found = self._hub.journal.read(reading.before, self.id, seq + 1, 1) if 0 < seq < LARGEST_ID else []
        if not found or found[0].seq != seq or not found[0].readable:
            raise BadRequest(f"There is no text #{seq} in this room (any more)")
        return found[0]

    def deletable(self, seq: int) -> Message:
        """The text that `delete` would delete: one that stands, or that others deleted and could bring back.
        Raises BadRequest.
        """
        deleted = self._hub.journal.read(reading.deleted_texts, self.id, seq, seq, time.time_ns() // 1000)
        if any(may_take_over(SYSTEM.id, each.author_id, each.by_id, True) for each in deleted):
            (found,) = self._hub.journal.read(reading.before, self.id, seq + 1, 1)
            return found
        return self.text(seq)

    def kick(self, name: str, why: str = "") -> list[str]:
        """Send everybody called `name` out; returns their ids. They may come back."""
        return self._do(lambda: moderation.kick(self._hub, SYSTEM, self.id, name, why))

    def time_out(self, name: str, seconds: int = 0, why: str = "") -> list[Message]:
        """Let everybody called `name` only read, for `seconds` (0: until it is lifted)."""
        return self._on_each(
            name, lambda person: moderation.time_out(self._hub, SYSTEM, self.id, person, seconds, why)
        )

    def ban(self, name: str, seconds: int = 0, why: str = "", network: str = "") -> list[Message]:
        """Keep everybody called `name` out, for `seconds` (0: until it is lifted); of guests, their browser.

        `network`, as 192.0.2.0/24: also all guests who come from there.
        """
        return self._on_each(
            name, lambda person: moderation.ban(self._hub, SYSTEM, self.id, person, seconds, why, network)
        )

    def sanctions(self) -> list[Sanction]:
        """The time-outs and bans in force, the newest first."""
        return moderation.sanctions(self._hub, SYSTEM, self.id)

    def lift(self, sanction: int) -> Message:
        """Take a time-out or a ban back, by its number."""
        return self._do(lambda: moderation.lift(self._hub, SYSTEM, self.id, sanction))

    def members(self) -> list[Member]:
        """Who is a member, owners first."""
        return membership.members(self._hub, SYSTEM, self.id)

    def take_in(self, person: str, role: RoomRole | None = None) -> Message | None:
        """Make somebody, by name or id, a member, a moderator or an owner; None where they are that already.

        Without `role` they become a member, and who has a part already keeps it.
        """
        known = self._hub.journal.read(people_reading.find, person)
        who = known.id if known is not None else self._member(person)
        return self._do(lambda: membership.take_in(self._hub, SYSTEM, self.id, who, role))

    def remove(self, person: str, why: str = "") -> Message:
        """End somebody's membership, by name or id."""
        who = self._member(person)
        return self._do(lambda: membership.remove(self._hub, SYSTEM, self.id, who, why))

    @property
    def kind(self) -> RoomKind:
        """public, private or direct; may be set to the first two."""
        return self.state.kind

    @kind.setter
    def kind(self, kind: RoomKind) -> None:
        self._do(lambda: administration.set_kind(self._hub, SYSTEM, self.id, kind))

    @property
    def posting(self) -> Posting:
        """Who may write: everyone, members or moderators; may be set."""
        return self.state.posting

    @posting.setter
    def posting(self, posting: Posting) -> None:
        self._do(lambda: administration.set_posting(self._hub, SYSTEM, self.id, posting))

    @property
    def guests(self) -> bool:
        """Whether guests may come in; may be set."""
        return self.state.guests

    @guests.setter
    def guests(self, guests: bool) -> None:
        self._do(lambda: administration.set_guests(self._hub, SYSTEM, self.id, guests))

    @property
    def pace(self) -> int:
        """Seconds between two messages of one person; may be set."""
        return self.state.slow_seconds

    @pace.setter
    def pace(self, seconds: int) -> None:
        self._do(lambda: administration.set_pace(self._hub, SYSTEM, self.id, seconds))

    def keep(self, days: int | None = None, messages: int | None = None) -> Message | None:
        """Keep messages for so many days, and at most so many of them; neither: all, for ever."""
        return self._do(lambda: administration.set_retention(self._hub, SYSTEM, self.id, days, messages))

    def audit(self, limit: int = 100) -> list[AuditLine]:
        """Who did what here, the newest first."""
        return moderation.audit(self._hub, SYSTEM, self.id, limit)

    def _member(self, which: str) -> str:
        """The id of the member of that id or name; `which` itself where there is none. Raises BadRequest."""
        members = self.members()
        if which in {member.id for member in members}:
            return which
        called = [member.id for member in members if member.name == which]
        if len(called) > 1:
            raise BadRequest(f"Several members are called {which!r}; give an id: {', '.join(called)}")
        return called[0] if called else which

    def _on_each(self, name: str, act: Callable[[str], Message]) -> list[Message]:
        people = moderation.called(self._hub, self._hub.room(self.id), name)
        return self._do(lambda: [act(person) for person in people])

    def _do(self, verb: Callable[[], T]) -> T:
        return flushed(self._hub, verb)


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
    made = ShellRoom(hub, flushed(hub, lambda: administration.make_room(hub, SYSTEM, name, topic)))
    _warn_of_namesakes(made.id, name)
    return made


def delete_room(which: "int | str | ShellRoom") -> None:
    """Remove a room and its messages for good."""
    doomed = which if isinstance(which, ShellRoom) else room(which)
    hub = get_hub()
    flushed(hub, lambda: administration.drop(hub, SYSTEM, doomed.id))


def prune() -> int:
    """Remove what rooms do not keep; of how many rooms something was removed."""
    hub = get_hub()
    return flushed(hub, lambda: retention.prune(hub.journal))


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


def flushed(hub: Hub, verb: Callable[[], T]) -> T:
    # This process waits at a prompt or ends: let notices and mails out while we are at it.
    done = verb()
    hub.bus.flush(FLUSH_SECONDS)
    hub.mail.flush(MAIL_SECONDS)
    return done
