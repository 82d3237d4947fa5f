"""Room: one live room of this process: what was said last, who reads it, and who waits for news.

Invariants
- `deliver`, `reset`, `tell` and `close` never switch: a room changes between two switches or not at all.
- No reader's cursor passes `last`; what is read from the journal for readers ends there. (Otherwise what
  is committed but not yet delivered here would come twice.)
- `arrival` is replaced before the old one is set. Who takes it, then looks, then waits loses no wake-up.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from gevent.event import Event

from chatapp.audience import Audience, Reader
from chatapp.backlog import Backlog
from chatapp.errors import ChatError, NoSuchRoom
from chatapp.journal.requests import REMOVALS_KEPT, Look, RoomState
from chatapp.message import AMENDING, Message
from chatapp.permissions import EVERYBODYS, Rights, may, withdrawn

UNKNOWN = RoomState(0, "", "", "", 1, 0, 0, False)
NEWEST = 50  # messages for a reader without a cursor, and after a reset


class Log(Protocol):
    """What a room needs to serve those who are far behind: see stretches.py."""

    def messages_after(self, room: int, cursor: int, limit: int, until: int) -> list[Message]:
        """Up to `limit` messages with cursor < seq ≤ until, oldest first. Switches."""

    def changed(self, room: int) -> None:
        """What was read of `room` before is old. Never switches."""


class Room:
    """Created empty; the hub loads it, then delivers to it whatever is kept."""

    def __init__(self, room_id: int, log: Log, backlog_size: int) -> None:
        self.id = room_id
        self.loaded = Event()
        self.gone = False
        self.fault: ChatError = NoSuchRoom()  # why, when it is gone
        self.state = UNKNOWN  # as it was read last
        self.name, self.topic, self.epoch = "", "", ""
        self.closed = False
        self.rights = EVERYBODYS
        self.first, self.last, self.revision = 1, 0, 0
        self.removals: dict[str, int] = {}  # who was removed lately, by which number
        self.wanted = 0  # the highest number heard of; more than `last`: there is a gap to fill
        self.stale = False  # whether more than messages may have changed
        self.synced: int | None = None  # the database's version of which it has all there was
        self.holders = 0  # requests that are about to read it, or wait for news of it
        self.waiting = 0  # those of them that wait
        self.arrival = Event()
        self.readers: set[Reader] = set()
        self.live = Audience()
        self._log = log
        self._backlog_size = backlog_size
        self._backlog = Backlog(backlog_size)

    def __repr__(self) -> str:
        return f"<Room {self.id} {self.name!r} at #{self.last}, {len(self.readers)} subscribers>"

    @property
    def weight(self) -> int:
        """Bytes of memory that its backlog takes, at most."""
        return self._backlog.weight

    @property
    def authors(self) -> frozenset[str]:
        """The ids of those who wrote its newest messages: those in memory."""
        return self._backlog.authors()

    def forget(self) -> None:
        """Leave the older half of the backlog to the journal."""
        self._backlog.halve()

    @property
    def shows_html(self) -> bool:
        """Whether somebody who is live wants the HTML of texts."""
        return self.live.reads_html

    @property
    def behind(self) -> bool:
        """Whether the journal has to be read to be where the other processes are."""
        return self.stale or self.wanted > self.last

    @property
    def newest(self) -> int:
        """The cursor of a reader that has none: before the last 50 messages."""
        return max(self.first - 1, self.last - NEWEST)

    # -- what the hub tells ------------------------------------------------------------------------

    def load(self, found: Look) -> None:
        """Take over what the journal has: the room's state and its newest messages."""
        self.restrict(found.rights, found.state.removals)
        self.last = found.state.last_seq
        self._take(found.state)
        self._backlog = Backlog(self._backlog_size, found.messages)
        self._log.changed(self.id)
        self.loaded.set()

    def refresh(self, state: RoomState) -> None:
        """Take over a state of the same log, unless a newer one is known: answers may overtake each other."""
        if state.revision >= self.revision:
            self._take(state)

    def restrict(self, rights: Rights | None, removals: Mapping[str, int]) -> None:
        """Take over who may do what here, unless that is known. Comes before what was said under these
        rights: whoever may not read any more is gone by then. `removals`: by which message people were
        removed, also where it is not shown yet.
        """
        if rights is None or rights.number <= self.rights.number:
            return
        self.rights = rights
        for reader in list(self.readers):
            if not may(reader.identity, "read", rights):
                removed = removals.get(reader.identity.id, 0) > self.last
                reader.dismiss(withdrawn(reader.identity, rights, removed))

    def deliver(self, messages: Sequence[Message]) -> None:
        """Show `messages`, kept and consecutive, to all readers; not what is old or follows a gap."""
        if not messages or messages[-1].seq <= self.last or messages[0].seq > self.last + 1:
            return
        news = messages[self.last + 1 - messages[0].seq :]
        shown = 0
        for index, message in enumerate(news):
            if message.removed:  # that person gets nothing that comes after the notice that says so
                self._show(news[shown : index + 1])
                self._expel(message.removed, message.seq)
                shown = index + 1
        self._show(news[shown:])
        self.ring()

    def reset(self, found: Look) -> None:
        """Start over with another log: every reader is told to discard what it shows."""
        if found.state.revision < self.revision:
            return  # an answer that was overtaken
        self.load(found)
        self.wanted = self.last
        for reader in list(self.readers):
            reader.restart()
        self.ring()

    def drop(self, fault: ChatError | None = None) -> None:
        """The room is no more, or could not be loaded because of `fault`."""
        self.gone = True
        self.fault = fault or NoSuchRoom()
        self.loaded.set()
        for reader in list(self.readers):
            reader.dismiss(NoSuchRoom())
        self.ring()

    def ring(self) -> None:
        """Wake everybody who waits for news of this room."""
        arrived, self.arrival = self.arrival, Event()
        arrived.set()

    def tell(self, kind: str, data: bytes, to: "Callable[[Reader], bool] | None" = None) -> None:
        """Send an ephemeral frame to those who are live; late readers miss it."""
        for reader in self.live:
            if to is None or to(reader):
                reader.tell(kind, data)

    # -- what readers ask --------------------------------------------------------------------------

    def remembers(self, cursor: int) -> bool:
        """Whether everything after `cursor` is in memory, so that `after` does not switch."""
        return cursor >= self.last or self._backlog.reaches(cursor)

    def after(self, cursor: int, limit: int) -> list[Message]:
        """Up to `limit` messages after `cursor`, oldest first, none after `last`. May switch."""
        if cursor >= self.last:
            return []
        if self._backlog.reaches(cursor):
            return self._backlog.after(cursor, limit)
        oldest = max(cursor, self.first - 1)  # retention may have taken what was before
        return self._log.messages_after(self.id, oldest, limit, self.last)

    def removed(self, person: str, since: int) -> bool:
        """Whether `person` was removed by a message after `since`."""
        return self.removals.get(person, 0) > since

    def text_after_time(self, microseconds: int) -> tuple[bool, Message | None]:
        """Whether memory can answer, and the first text published after that time. Does not switch."""
        if self.last < self.first:
            return True, None
        if not (self._backlog.reaches(self.first - 1) or self._backlog.reaches_time(microseconds)):
            return False, None
        return True, self._backlog.after_time(microseconds)

    # -- within ------------------------------------------------------------------------------------

    def _take(self, state: RoomState) -> None:
        self.state = state
        self.name, self.topic, self.epoch = state.name, state.topic, state.epoch
        self.closed = state.closed
        if state.first_seq > self.first:  # retention took what was before
            self.first = state.first_seq
            self._backlog.forget_before(self.first)
            self._log.changed(self.id)
        self.revision = max(self.revision, state.revision)
        # Those whose notice is shown but was not seen here: the log was cleared before we came to it.
        for person, seq in state.removals.items():
            if self.removals.get(person, 0) < seq <= self.last:
                self._expel(person, seq)

    def _show(self, messages: Sequence[Message]) -> None:
        if messages:
            self._backlog.extend(messages)
            if any(message.kind in AMENDING for message in messages):
                self._log.changed(self.id)
            self.last = messages[-1].seq
            self.live.push(messages, self.epoch)

    def _expel(self, person: str, seq: int) -> None:
        self.removals.pop(person, None)
        self.removals[person] = seq
        if len(self.removals) > REMOVALS_KEPT:
            del self.removals[next(iter(self.removals))]
        for reader in list(self.readers):
            if reader.identity.id == person:
                reader.dismiss(withdrawn(reader.identity, self.rights, removed=True), sent_out=True)
