"""What the buses of several machines have in common: a server that may be away, slow, or gone without a word.

Notices travel in envelopes, as many in one as fit. A process also hears its own, which shows that what it
hears is alive, and how long a notice takes, by one clock: those of two machines are never the same.

Nothing in here has to be right for a message to come. What makes a lost notice harmless stands in
live_rooms.py, which asks the database; this makes it sooner.
"""

import logging
import time
from abc import abstractmethod
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Generic, Protocol, TypeVar

import gevent
import msgspec
from gevent.lock import BoundedSemaphore
from msgspec import Struct

from chatapp.bus.base import Bus, Lease
from chatapp.counts import COUNTS
from chatapp.trouble import Trouble

LOOK_SECONDS = 2  # without a word from anybody, after which we say one ourselves,
ANSWER_SECONDS = 3  # and have to hear it; any other answer of the server takes no longer either
AGAIN_SECONDS = 5  # without a question to a server that did not answer, or until it is heard again
REACH_SECONDS = (
    10  # to begin to listen, for which nobody waits: where there are several addresses, to try them
)
CLOSE_SECONDS = 1  # for giving up leases at the end, which are over by themselves
HEAD = 5  # bytes at most before each notice in an envelope: msgpack's bin of up to 64 KiB
COVER = 40  # and of the envelope itself
MOST = 250  # notices in one, behind which others have their turn

C = TypeVar("C", bound="Closing")
T = TypeVar("T")

log = logging.getLogger(__name__)


class NoAnswer(Exception):
    """In time. No OSError, as TimeoutError is: drivers would take it for one of their own."""


class Closing(Protocol):
    def close(self) -> None: ...


class Ear(Protocol):
    """What hears the envelopes of all processes."""

    def wait(self, seconds: float) -> bool:
        """Whether there is something to `read`, at the latest after `seconds`. Switches."""

    def read(self) -> list[bytes]:
        """What is there, in order; may be nothing. Raises what says that no more will come."""

    def close(self) -> None: ...


class Envelope(Struct, array_like=True):
    """`at`: on the sender's `time.monotonic()`."""

    process: str
    at: float
    notices: list[bytes]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Envelope).decode


class NetworkBus(Bus, Generic[C]):
    """Two connections: one listens, all else is asked on the other, one thing at a time."""

    gone: tuple[type[Exception], ...]  # what says that the server cannot be reached

    def __init__(self) -> None:
        super().__init__()
        self._connection: C | None = None
        self._turn = BoundedSemaphore(1)
        self._fault, self._again_at = "", 0.0

    def prepare(self) -> None:
        """Each connection makes what it needs. A server that is away does not keep ours from starting."""
        try:
            self._ask(lambda connection: None)
        except Exception as error:
            Trouble(log, "the bus cannot be reached, we begin without it").tell(str(error))

    def reach(self) -> None:
        """Find out whether its server lets us listen. Nothing is made or said there. Raises what says not."""
        with gevent.Timeout(ANSWER_SECONDS, _no_answer()):
            self._listen().close()

    def look(self, room: int) -> list[Lease]:
        """The leases in `room`, where there may be no bus yet: nothing is made. Switches; may raise."""
        return self.held(room)

    def close(self) -> None:
        with suppress(Exception), gevent.Timeout(CLOSE_SECONDS, _no_answer()):
            self._ask(self._release_all)
        self._hang_up()

    def _send(self, payloads: list[bytes]) -> None:
        now = time.monotonic()
        envelopes = [_encode(Envelope(self.process, now, some)) for some in self._filled(payloads)]
        self._ask(lambda connection: self._post(connection, envelopes))

    def _receive(self) -> Iterator[bytes | None]:
        with gevent.Timeout(REACH_SECONDS, _no_answer()):
            ear = self._listen()
        self._again_at = 0.0  # it is there
        try:
            self._knock(ear)  # one that can be heard, and not be told anything, is none
            yield None
            while True:
                for envelope in ear.read():
                    yield from self._opened(envelope)
                    gevent.sleep(0)  # where many have come, others have their turn in between
                if not ear.wait(LOOK_SECONDS):
                    self._knock(ear)
        finally:
            ear.close()

    def _knock(self, ear: Ear) -> None:
        self._send([])
        if not ear.wait(ANSWER_SECONDS):
            raise NoAnswer("nothing is heard, not even of ourselves")

    def _filled(self, payloads: list[bytes]) -> Iterator[list[bytes]]:
        """The notices of one envelope each, in order; one without any where there are none."""
        some: list[bytes] = []
        size = COVER
        for payload in payloads:
            full = size + HEAD + len(payload) > self.largest + COVER + HEAD
            if some and (full or len(some) == MOST):
                yield some
                some, size = [], COVER
            some.append(payload)
            size += HEAD + len(payload)
        yield some

    def _opened(self, data: bytes) -> list[bytes]:
        try:
            envelope = _decode(data)
        except msgspec.DecodeError:
            return [data]  # it is no notice either, which is said where that is found
        if envelope.process != self.process:
            return envelope.notices
        COUNTS.bus_seconds.add(time.monotonic() - envelope.at)
        return []

    def _ask(self, job: Callable[[C], T]) -> T:
        """What `job` gets to know from the server, within ANSWER_SECONDS of its turn, for which it waits no
        longer either. Where there was no answer, nobody else waits for one for AGAIN_SECONDS: what was to be
        sent by then is lost.
        """
        if not self._turn.acquire(timeout=ANSWER_SECONDS):
            raise NoAnswer("too many wait for the bus")
        try:
            if time.monotonic() < self._again_at:
                raise ConnectionError(self._fault)
            reached = False
            try:
                with gevent.Timeout(ANSWER_SECONDS, _no_answer()):
                    if self._connection is not None and self._was_left(self._connection):
                        self._hang_up()
                    if self._connection is None:
                        self._connection = self._connect()
                    reached = True
                    return job(self._connection)
            except BaseException as error:
                self._hang_up()  # whatever state it is in
                if not reached or isinstance(error, (NoAnswer, *self.gone)):
                    self._fault, self._again_at = str(error), time.monotonic() + AGAIN_SECONDS
                raise
        finally:
            self._turn.release()

    def _hang_up(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    @abstractmethod
    def _listen(self) -> Ear:
        """Hears what is posted from now on. Switches; may raise."""

    @abstractmethod
    def _connect(self) -> C:
        """Another connection, and what it needs on the server. Switches; may raise."""

    @abstractmethod
    def _was_left(self, connection: C) -> bool:
        """Whether the server has ended it while nobody used it."""

    @abstractmethod
    def _post(self, connection: C, envelopes: list[bytes]) -> None:
        """Have all processes hear `envelopes`, in order."""

    @abstractmethod
    def _release_all(self, connection: C) -> None:
        """Give up all leases of this process."""


def _no_answer() -> NoAnswer:
    return NoAnswer("no answer in time")
