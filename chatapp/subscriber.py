"""Subscriber: one pushed reader that follows one room.

The cursor is the reader: there is no queue per reader. A subscriber is *live* (at the room's end, one of its
`Audience`) or *late* (served from backlog or journal, from its cursor, at the pace of its socket).

Invariants
- No cursor passes its room's `last`.
- Between "caught up" and "live" nothing switches, so no delivery falls between them.
- Who is live is where the room is: its cursor is the room's `last`, and is set when it falls behind.
- What was read from the log that was there before a reset is never sent after it.
"""

import time
from collections.abc import Callable, Sequence

from chatapp.counts import COUNTS
from chatapp.encodings import Encoding
from chatapp.errors import ChatError
from chatapp.message import Author, Message
from chatapp.outlet import Outlet
from chatapp.permissions import Identity
from chatapp.room import Room

STRETCH = 100  # messages offered to a late reader at once,
STRETCH_BYTES = 65_536  # but no more than this: what a socket does not take was joined for nothing,
STRETCH_SECONDS = 0.01  # and none after so long: making HTML of texts keeps everybody else waiting


class Subscriber:
    """One reader following one room through `outlet`.

    `on_reset` and `on_live` tell the transport: write the frame that says so. `on_dismissed(error,
    sent_out)`: the subscription was ended from this side, because of `error`: the room is gone, or the person
    may not read it any more; `sent_out`: a notice of that was shown before.
    """

    def __init__(
        self,
        room: Room,
        identity: Identity,
        outlet: Outlet,
        encoding: Encoding,
        on_reset: "Callable[[Subscriber], None]",
        on_live: "Callable[[Subscriber], None]",
        on_dismissed: "Callable[[Subscriber, ChatError, bool], None]",
    ) -> None:
        self.room, self.identity = room, identity
        self.outlet, self.encoding = outlet, encoding
        self._cursor = 0
        self.ended = False
        self._log_number = 0  # counts resets: what was read from an older log is not sent
        self._reset_due = False  # one word for all the resets that a full socket has missed
        self._on_reset, self._on_live, self._on_dismissed = on_reset, on_live, on_dismissed

    @property
    def author(self) -> Author:
        return Author.of(self.identity)

    def start(self, cursor: int) -> None:
        """Follow the room from after `cursor`. Never switches: what memory has goes out at once."""
        self._cursor = cursor
        self.room.readers.add(self)
        self._catch_up()

    def end(self) -> None:
        """Stop following. Nothing of the room is sent after this."""
        self.ended = True
        self.room.readers.discard(self)
        self._leave_live()

    @property
    def cursor(self) -> int:
        """The last number that it was sent, or that it will never be: who is live needs none."""
        return self.room.last if self in self.room.live else self._cursor

    def fall_behind(self, messages: Sequence[Message], frames: Sequence[bytes], sent: int) -> None:
        """Be late: the socket took only `sent` bytes of `frames`, those of `messages`."""
        before = self._cursor = messages[0].seq - 1
        self.room.live.discard(self)
        if sent:
            self._go_on(messages, frames, sent)
        COUNTS.pushed += self._cursor - before
        COUNTS.fell_behind += 1
        self.outlet.serve(self)

    def _go_on(self, messages: Sequence[Message], frames: Sequence[bytes], sent: int) -> None:
        """Take `sent` bytes of `frames` as read."""
        for message, frame in zip(messages, frames, strict=True):
            if sent < len(frame):
                if sent:  # the frame that was cut is completed first, everything after it is read again
                    self.outlet.keep(frame[sent:])
                    self._cursor = message.seq
                break
            sent -= len(frame)
            self._cursor = message.seq

    def tell(self, kind: str, data: bytes) -> None:
        """Send an ephemeral frame; dropped where the socket is far behind."""
        frame = self.encoding.event(kind, data)
        if frame:
            self.outlet.send(frame, droppable=True)

    def advance(self) -> bool:
        """Offer the next stretch; True when live or ended. May switch while the journal is read."""
        if self.ended or self in self.room.live or self._go_live():
            return True
        log_number, cursor = self._log_number, self.cursor
        messages = self.room.after(cursor, STRETCH)
        if log_number != self._log_number or self.ended:
            return self.ended or self in self.room.live
        if not messages:  # retention took what was there
            self._cursor = max(self._cursor, min(self.room.last, self.room.first - 1))
            return False if self._cursor > cursor else self._skip_to_end()
        before = self._cursor = messages[0].seq - 1  # retention may have taken what was before
        frames = self._frames(messages)
        self._go_on(messages[: len(frames)], frames, self.outlet.offer(b"".join(frames)))
        COUNTS.caught_up += self._cursor - before
        return self._go_live()

    def restart(self) -> None:
        """The log was replaced: say so and go on with its newest messages."""
        self._log_number += 1
        self._reset_due = True
        self._leave_live()
        self._catch_up()

    def dismiss(self, error: ChatError, sent_out: bool = False) -> None:
        """End from this side; the transport tells the reader why."""
        self.end()
        self._on_dismissed(self, error, sent_out)

    def _catch_up(self) -> None:
        # Straight away as far as memory and socket allow; the pump does the rest.
        if self._go_live() or (self.room.remembers(self.cursor) and self.advance()):
            return
        self.outlet.serve(self)

    def _frames(self, messages: Sequence[Message]) -> list[bytes]:
        """The frames of as many of `messages` as a socket may take at once, at least of one."""
        frames, size = [], 0
        end = time.monotonic() + STRETCH_SECONDS
        for message in messages:
            frames.append(self.encoding.message(message, self.room.epoch))
            size += len(frames[-1])
            if size >= STRETCH_BYTES or time.monotonic() > end:
                break
        return frames

    def _go_live(self) -> bool:
        # Nothing switches between the comparison and joining `live`: no delivery falls between them.
        if self._reset_due and not self.outlet.unsent:
            self._reset_due = False
            self._on_reset(self)
            self._cursor = self.room.newest
        if self._reset_due or self._cursor < self.room.last or self.outlet.unsent:
            return False
        self.room.live.add(self)
        self._on_live(self)
        return True

    def _leave_live(self) -> None:
        self._cursor = self.cursor
        self.room.live.discard(self)

    def _skip_to_end(self) -> bool:
        self._cursor = self.room.last
        return self._go_live()
