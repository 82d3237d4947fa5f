"""What every bus does: notices to the other processes, and leases that say who is present."""

import logging
import math
import secrets
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable

import gevent
import msgspec
from gevent.event import Event
from msgspec import Struct

from chatapp.bus.notices import LARGEST, Notice, decode, encode
from chatapp.message import Author
from chatapp.trouble import Trouble

LEASE_SECONDS = 60  # the longest lease
LONGEST_LEASE = 2 * LEASE_SECONDS  # that is believed: with room for processes that have waited for the bus
QUEUE_LIMIT = 10_000  # notices waiting to go out; beyond it the oldest are dropped, the sweep makes up for it
LOSS_SECONDS = 1  # from a loss until it is told of: what else is lost meanwhile is told of together

log = logging.getLogger(__name__)


class Lease(Struct, frozen=True):
    """Somebody is present in a room, says one process, until `expires`.

    That is on `time.monotonic()` of the process that has it in hand, which nobody can set. It is the same for
    all processes of a machine, so the bus of one writes it down as it is. Machines do not share it: a bus of
    several keeps when the lease ends on its server's clock, by the seconds that are left of it.
    """

    room: int
    who: Author
    expires: float


class Bus(ABC):
    """`publish` never waits: one greenlet sends what has queued up. Faults are logged and outlived."""

    largest = LARGEST  # bytes of a notice
    # Seconds from the end of one sending to the next: what is published meanwhile goes out together. A notice
    # that comes alone waits for nothing. Each sending is a transaction, or a journey, and switches threads.
    pace = 0.002

    def __init__(self) -> None:
        self.process = secrets.token_hex(8)
        self._outgoing: deque[bytes] = deque(maxlen=QUEUE_LIMIT)
        self._sender: gevent.Greenlet[[], None] | None = None
        self._sent_at = -math.inf
        self._sent = Event()
        self._sent.set()
        self._unsent = Trouble(log, "notices are not sent, the sweep makes up for them")
        self.on_loss: Callable[[], None] = lambda: None  # something that was published did not go out
        self._loss: gevent.Greenlet[[], None] | None = None
        self._deaf = Trouble(log, "the bus cannot be read, trying again every second")

    def publish(self, notice: Notice) -> None:
        """Tell the other processes. Never switches, never fails."""
        if not self._is_heard():
            return
        payloads = encode(notice, self.largest)
        if len(self._outgoing) + len(payloads) > QUEUE_LIMIT:
            self._lost_some()
        self._outgoing.extend(payloads)
        if self._sender is None:
            self._sent.clear()
            self._sender = gevent.spawn(self._send_all)

    @property
    def queued(self) -> int:
        """How many notices wait to be sent."""
        return len(self._outgoing)

    def flush(self, seconds: float) -> bool:
        """Wait until what was published is out; False if that takes longer."""
        return bool(self._sent.wait(seconds))

    def listen(self, on_notice: Callable[[Notice], None], on_gap: Callable[[], None]) -> None:
        """Call `on_notice` for each notice of another process, for ever. `on_gap`: from now on they come,
        some may have been lost before.
        """
        while True:
            try:
                for payload in self._receive():
                    self._deaf.over()
                    if payload is None:
                        on_gap()
                    else:
                        self._hand_on(payload, on_notice)
            except Exception as error:
                self._deaf.tell(str(error))
                gevent.sleep(1)

    def _hand_on(self, payload: bytes, on_notice: Callable[[Notice], None]) -> None:
        try:
            on_notice(decode(payload))
        except msgspec.DecodeError as error:
            log.warning("a notice of another version was passed over: %s", error)
        except Exception:
            log.exception("a notice could not be handled")

    def _send_all(self) -> None:
        # Between the last look at the queue and `_sender = None` nothing switches.
        while self._outgoing:
            if (early := self._sent_at + self.pace - time.monotonic()) > 0:
                gevent.sleep(early)
            payloads = list(self._outgoing)
            self._outgoing.clear()
            try:
                self._send(payloads)
            except Exception as error:
                self._unsent.tell(str(error), len(payloads))
                self._lost_some()
            else:
                self._unsent.over()
            self._sent_at = time.monotonic()
        self._sender = None
        self._sent.set()

    def _lost_some(self) -> None:
        """Say so in a while, to who publishes something then: if that is lost as well, it is said again."""
        if not self._loss:
            self._loss = gevent.spawn_later(LOSS_SECONDS, self.on_loss)

    def _is_heard(self) -> bool:
        """Whether another process may listen. Never switches."""
        return True

    @abstractmethod
    def prepare(self) -> None:
        """Make what the bus needs where it is missing; processes that start at once take turns."""

    @abstractmethod
    def _send(self, payloads: list[bytes]) -> None:
        """Send to all other processes, in order. May switch, may raise."""

    @abstractmethod
    def _receive(self) -> Iterable[bytes | None]:
        """None once it listens, and the other processes' notices from then on; ends where some may have been
        missed.
        """

    @abstractmethod
    def hold(self, leases: Iterable[Lease], released: Iterable[tuple[int, str]]) -> None:
        """Write this process's `leases`, give up those `released`, as (room, person). Switches; may raise."""

    @abstractmethod
    def held(self, room: int | None = None) -> list[Lease]:
        """The leases of the other processes that have not expired. Switches; may raise."""

    @abstractmethod
    def present(self) -> set[str]:
        """The ids of all who hold such leases, in whichever room. Switches; may raise."""

    @abstractmethod
    def close(self) -> None:
        """Give up all leases of this process and close."""
