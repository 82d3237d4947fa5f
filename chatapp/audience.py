"""Audience: the readers of one room who are live, grouped by how frames are written for them.

A delivery is one system call for each of them, and touches nothing else of theirs: among a thousand readers
every object is one that the processor's caches have forgotten.

Invariants
- Nothing in here switches.
- Who is in here has been sent all up to the room's `last`, or is being sent it by `push`, and who is not sent
  it falls behind, whatever went wrong: nobody is live who lacks something.
- Nothing goes past what waits in an outlet: where something waits in one of these, `offer` looks at each.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, Protocol

from chatapp.counts import COUNTS
from chatapp.encodings import Encoding
from chatapp.errors import ChatError
from chatapp.message import Message
from chatapp.outlet import Outlet, nothing_waits
from chatapp.permissions import Identity

log = logging.getLogger(__name__)


class Reader(Protocol):
    """What a room knows of one that follows it; see subscriber.py. Nothing in here switches."""

    identity: Identity
    encoding: Encoding
    outlet: Outlet

    def fall_behind(self, messages: Sequence[Message], frames: Sequence[bytes], sent: int) -> None:
        """Leave the audience: the socket took only the first `sent` bytes of the joined `frames`, those of
        `messages`, which follow what it was sent before.
        """

    def tell(self, kind: str, data: bytes) -> None:
        """Send an ephemeral frame."""

    def restart(self) -> None:
        """The log was replaced."""

    def dismiss(self, error: ChatError, sent_out: bool = False) -> None:
        """End, and say why. `sent_out`: by a notice that it has been shown."""


class Audience:
    def __init__(self) -> None:
        self._readers: dict[Reader, None] = {}
        self._groups: dict[Encoding, _Group] | None = None  # made when it is needed, of who is in here then

    def __len__(self) -> int:
        return len(self._readers)

    def __contains__(self, reader: object) -> bool:
        return reader in self._readers

    def __iter__(self) -> Iterator[Reader]:
        """Those of this moment, also while they come and go."""
        return iter(list(self._readers))

    @property
    def reads_html(self) -> bool:
        """Whether somebody wants the HTML of texts."""
        return any(encoding.marked for encoding in self._grouped())

    def add(self, reader: Reader) -> None:
        """Take in one that has been sent all there is."""
        self._readers[reader] = None
        self._groups = None

    def discard(self, reader: Reader) -> None:
        """Let one go, if it is in here."""
        if reader in self._readers:
            del self._readers[reader]
            self._groups = None

    def push(self, messages: Sequence[Message], epoch: str) -> None:
        """Send `messages`, which follow what was sent before, to all."""
        for encoding, group in self._grouped().items():
            _push(group, encoding, messages, epoch)
        COUNTS.pushed += len(messages) * len(self._readers)  # to those who took it all, and so are in here

    def _grouped(self) -> "dict[Encoding, _Group]":
        if self._groups is None:
            readers: dict[Encoding, list[Reader]] = {}
            for reader in self._readers:
                readers.setdefault(reader.encoding, []).append(reader)
            self._groups = {encoding: _Group.of(them) for encoding, them in readers.items()}
        return self._groups


class _Group(NamedTuple):
    """Those for whom frames are written in one way: `sends` has for each of `readers` how it is sent to."""

    readers: list[Reader]
    sends: list[Callable[[bytes], int]]
    outlets: frozenset[Outlet]

    @classmethod
    def of(cls, readers: list[Reader]) -> "_Group":
        outlets = [reader.outlet for reader in readers]
        return cls(readers, [outlet.send_now for outlet in outlets], frozenset(outlets))


def _push(group: _Group, encoding: Encoding, messages: Sequence[Message], epoch: str) -> None:
    frames: list[bytes] = []
    try:
        frames = [encoding.message(message, epoch) for message in messages]
        data = b"".join(frames)
    except Exception:  # whoever reads it from the log will meet the same, alone
        log.exception("messages could not be written for %s", encoding.transport)
        for reader in group.readers:
            _fall_behind(reader, messages, [], 0)
        return
    if not data:  # nothing that such readers are shown
        return
    sends = group.sends
    if not nothing_waits(group.outlets):
        sends = [reader.outlet.offer for reader in group.readers]
    size = len(data)
    for index, send in enumerate(sends):
        try:
            sent = send(data)
        except BlockingIOError:
            sent = 0
        except Exception as error:  # it comes back with its cursor, and the others miss nothing for it
            _cut_off(group.readers[index].outlet, error)
            sent = 0
        if sent != size:
            _fall_behind(group.readers[index], messages, frames, sent)


def _fall_behind(reader: Reader, messages: Sequence[Message], frames: Sequence[bytes], sent: int) -> None:
    try:
        reader.fall_behind(messages, frames, sent)
    except Exception as error:
        _cut_off(reader.outlet, error)


def _cut_off(outlet: Outlet, error: Exception) -> None:
    if outlet.ending:
        return  # it has been said goodbye to, and has a moment to hang up by itself
    if not isinstance(error, OSError):  # which says that the peer has gone
        log.error("a reader could not be served", exc_info=error, extra={"request": outlet.request})
    outlet.abort()
