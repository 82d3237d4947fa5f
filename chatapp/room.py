"""Room: one live room of this process, and Subscriber: one reader that follows it.

The cursor is the reader: there is no queue per reader. A subscriber is *live* (at the room's end, pushed to
from `deliver`) or *late* (served from backlog or journal, from its cursor, at the pace of its socket).

Invariants
- `deliver`, `reset`, `tell` and `close` never switch: a room changes between two switches or not at all.
- No subscriber's cursor passes `last`; what is read from the journal for readers ends there. (Otherwise what
  is committed but not yet delivered here would come twice.)
- `arrival` is replaced before the old one is set. Who takes it, then looks, then waits loses no wake-up.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from gevent.event import Event

from chatapp.backlog import Backlog
from chatapp.encodings import Encoding
from chatapp.journal.requests import RoomState
from chatapp.message import Author, Message
from chatapp.outlet import Outlet
from chatapp.permissions import Identity

NEWEST = 50  # messages for a reader without a cursor, and after a reset
STRETCH = 100  # messages offered to a late reader at once


class Log(Protocol):
    """What a room needs of the journal."""

    def messages_after(self, room: int, cursor: int, limit: int, until: int) -> list[Message]:
        """Up to `limit` messages with cursor < seq ≤ until, oldest first. Switches."""


class Room:
    """Created empty; the hub loads it, then delivers to it whatever is kept."""

    def __init__(self, room_id: int, log: Log, backlog_size: int) -> None:
        self.id = room_id
        self.loaded = Event()
        self.gone = False
        self.name, self.topic, self.epoch = "", "", ""
        self.closed = False
        self.first, self.last, self.revision = 1, 0, 0
        self.wanted = 0  # the highest number heard of; more than `last`: there is a gap to fill
        self.stale = False  # whether more than messages may have changed
        self.waiting = 0  # requests that hold this room while they wait
        self.arrival = Event()
        self.subscribers: set[Subscriber] = set()
        self.live: dict[Subscriber, None] = {}
        self._log = log
        self._backlog_size = backlog_size
        self._backlog = Backlog(backlog_size)

    def __repr__(self) -> str:
        return f"<Room {self.id} {self.name!r} at #{self.last}, {len(self.subscribers)} subscribers>"

    @property
    def state(self) -> RoomState:
        return RoomState(
            self.id, self.name, self.topic, self.epoch, self.first, self.last, self.revision, self.closed
        )

    @property
    def behind(self) -> bool:
        """Whether the journal has to be read to be where the other processes are."""
        return self.stale or self.wanted > self.last

    @property
    def newest(self) -> int:
        """The cursor of a reader that has none: before the last 50 messages."""
        return max(self.first - 1, self.last - NEWEST)

    # -- what the hub tells ------------------------------------------------------------------------

    def load(self, state: RoomState, messages: Sequence[Message]) -> None:
        """Take over what the journal has: `state` and its newest messages, read at one moment."""
        self._take(state)
        self.last = state.last_seq
        self._backlog = Backlog(self._backlog_size, messages)
        self.loaded.set()

    def refresh(self, state: RoomState) -> None:
        """Take over a newer state of the same log."""
        self._take(state)

    def deliver(self, messages: Sequence[Message]) -> bool:
        """Show `messages`, kept and consecutive, to all readers. False if there is a gap before them."""
        if not messages or messages[-1].seq <= self.last:
            return True
        if messages[0].seq > self.last + 1:
            return False
        news = messages[self.last + 1 - messages[0].seq :]
        shown = 0
        for index, message in enumerate(news):
            if message.removed:  # that person gets nothing that comes after the notice that says so
                self._show(news[shown : index + 1])
                self._expel(message.removed)
                shown = index + 1
        self._show(news[shown:])
        self.ring()
        return True

    def reset(self, state: RoomState, messages: Sequence[Message]) -> None:
        """Start over with another log: every reader is told to discard what it shows."""
        self.load(state, messages)
        self.wanted = self.last
        for subscriber in list(self.subscribers):
            subscriber.restart()
        self.ring()

    def drop(self) -> None:
        """The room is no more."""
        self.gone = True
        self.loaded.set()
        for subscriber in list(self.subscribers):
            subscriber.dismiss("no_such_room")
        self.ring()

    def tell(self, kind: str, data: bytes, to: "Callable[[Subscriber], bool] | None" = None) -> None:
        """Send an ephemeral frame to those who are live; late readers miss it."""
        for subscriber in list(self.live):
            if to is None or to(subscriber):
                subscriber.tell(kind, data)

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
        return self._log.messages_after(self.id, cursor, limit, self.last)

    def text_after_time(self, microseconds: int) -> tuple[bool, Message | None]:
        """Whether memory can answer, and the first text published after that time. Does not switch."""
        if self.last < self.first:
            return True, None
        if not (self._backlog.reaches(self.first - 1) or self._backlog.reaches_time(microseconds)):
            return False, None
        return True, self._backlog.after_time(microseconds)

    # -- within ------------------------------------------------------------------------------------

    def _take(self, state: RoomState) -> None:
        self.name, self.topic, self.epoch = state.name, state.topic, state.epoch
        self.first, self.closed = state.first_seq, state.closed
        self.revision = max(self.revision, state.revision)

    def _show(self, messages: Sequence[Message]) -> None:
        if messages:
            self._backlog.extend(messages)
            self.last = messages[-1].seq
            self._push(messages)

    def _push(self, messages: Sequence[Message]) -> None:
        # Each encoding is made once; each reader then costs one system call.
        batches: dict[Encoding, tuple[list[bytes], bytes]] = {}
        for subscriber in list(self.live):
            batch = batches.get(subscriber.encoding)
            if batch is None:
                frames = [subscriber.encoding.message(message, self.epoch) for message in messages]
                batch = batches[subscriber.encoding] = (frames, b"".join(frames))
            subscriber.push(messages, *batch)

    def _expel(self, person: str) -> None:
        for subscriber in list(self.subscribers):
            if subscriber.identity.id == person:
                subscriber.dismiss("forbidden")

    def ring(self) -> None:
        """Wake everybody who waits for news of this room."""
        arrived, self.arrival = self.arrival, Event()
        arrived.set()


class Subscriber:
    """One reader following one room through `outlet`.

    `on_reset` and `on_live` tell the transport: write the frame that says so. `on_dismissed(code)`: the
    subscription was ended from this side, because the room is gone or the person was removed.
    """

    def __init__(
        self,
        room: Room,
        identity: Identity,
        outlet: Outlet,
        encoding: Encoding,
        on_reset: "Callable[[Subscriber], None]",
        on_live: "Callable[[Subscriber], None]",
        on_dismissed: "Callable[[Subscriber, str], None]",
    ) -> None:
        self.room, self.identity = room, identity
        self.outlet, self.encoding = outlet, encoding
        self.cursor = 0
        self.ended = False
        self._log_number = 0  # counts resets: what was read from an older log is not sent
        self._on_reset, self._on_live, self._on_dismissed = on_reset, on_live, on_dismissed

    @property
    def author(self) -> Author:
        return Author.of(self.identity)

    def start(self, cursor: int) -> None:
        """Follow the room from after `cursor`. Never switches: what memory has goes out at once."""
        self.cursor = cursor
        self.room.subscribers.add(self)
        self._catch_up()

    def end(self) -> None:
        """Stop following. Nothing of the room is sent after this."""
        self.ended = True
        self.room.subscribers.discard(self)
        self.room.live.pop(self, None)

    def push(self, messages: Sequence[Message], frames: Sequence[bytes], data: bytes) -> None:
        """Send `data`, the joined `frames` of `messages`. What the socket does not take makes us late."""
        sent = self.outlet.offer(data) if data else 0
        if sent == len(data):
            self.cursor = messages[-1].seq
            return
        for message, frame in zip(messages, frames, strict=True):
            if sent < len(frame):
                if sent:  # the frame that was cut is completed first, everything after it is read again
                    self.outlet.keep(frame[sent:])
                    self.cursor = message.seq
                break
            sent -= len(frame)
            self.cursor = message.seq
        self.room.live.pop(self, None)
        self.outlet.serve(self)

    def tell(self, kind: str, data: bytes) -> None:
        """Send an ephemeral frame; dropped where the socket is far behind."""
        frame = self.encoding.event(kind, data)
        if frame:
            self.outlet.send(frame, droppable=True)

    def advance(self) -> bool:
        """Offer the next stretch; True when live or ended. May switch while the journal is read."""
        if self.ended or self._go_live():
            return True
        log_number, cursor = self._log_number, self.cursor
        messages = self.room.after(cursor, STRETCH)
        if log_number != self._log_number or self.ended:
            return self.ended
        if not messages:  # retention took what was there
            self.cursor = max(self.cursor, min(self.room.last, self.room.first - 1))
            return False if self.cursor > cursor else self._skip_to_end()
        frames = [self.encoding.message(message, self.room.epoch) for message in messages]
        self.push(messages, frames, b"".join(frames))
        return self._go_live()

    def restart(self) -> None:
        """The log was replaced: say so and go on with its newest messages."""
        self._log_number += 1
        self.room.live.pop(self, None)
        self._on_reset(self)
        self.cursor = self.room.newest
        self._catch_up()

    def dismiss(self, code: str) -> None:
        """End from this side; the transport tells the reader why."""
        self.end()
        self._on_dismissed(self, code)

    def _catch_up(self) -> None:
        # Straight away as far as memory and socket allow; the pump does the rest.
        if self._go_live() or (self.room.remembers(self.cursor) and self.advance()):
            return
        self.outlet.serve(self)

    def _go_live(self) -> bool:
        # Nothing switches between the comparison and joining `live`: no delivery falls between them.
        if self.cursor < self.room.last or self.outlet.unsent:
            return False
        self.room.live[self] = None
        self._on_live(self)
        return True

    def _skip_to_end(self) -> bool:
        self.cursor = self.room.last
        return self._go_live()


if TYPE_CHECKING:
    from chatapp.outlet import Late

    def _subscriber_is_late(subscriber: Subscriber) -> Late:
        return subscriber
