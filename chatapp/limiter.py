"""How fast one identity, and one address, may go.

Rates are the `limits` library's, and what counts is one of its storages. Its strategy is not asked: it takes
four times as long to compare two numbers as to count, twice for each message.
"""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from limits import RateLimitItem, parse

from chatapp.bus import is_redis
from chatapp.config import Config
from chatapp.errors import TooFast
from chatapp.permissions import Identity
from chatapp.windows import ProcessStorage

ADDRESS_FACTOR = 5  # guests of one address together, since many may sit behind it
SIGN_INS_FACTOR = 10  # attempts to sign in from one address, in an office where all come at nine
FRAMES = 200  # frames of any kind on one socket, per 10 seconds, or twice the message rate where that is more
FRAME_SECONDS = 10
REFUSALS_IN_A_ROW = 100  # then the socket is closed
TYPING = parse("1 per 2 seconds")
READING = parse("10 per 10 seconds")
TURNING_BACK = parse("10 per 10 seconds")
REPORTS = parse("10 per 10 minutes")
FILES_AT_ONCE = 32  # requests that bring files into this process,
FILES_AT_ONCE_EACH = 4  # and those of one identity


class Limiter:
    """A window starts with its first hit, so n hits always fit into a full window. Where the bus is Redis all
    machines count together: what may be tried by asking (`_hit_anywhere`, which switches then), what is done
    all the time by telling each other of it behind (`_hit`, which does not). With any other bus N processes
    let through up to N times as much.
    """

    def __init__(self, config: Config) -> None:
        self._own = ProcessStorage()
        self._asked, self._told = _counted_together(config.bus_url)
        self._messages = config.rate("rate_messages")
        self._connections = config.rate("rate_connections")
        self._guests = config.rate("rate_guests")
        self._sign_ins = config.rate("rate_sign_ins")
        self._files = config.rate("rate_files")
        self._arriving: Counter[str] = Counter()
        self._searches = config.rate("rate_searches")

    @property
    def frames(self) -> int:
        """How many frames one socket may send in FRAME_SECONDS."""
        per_window = self._messages.amount * FRAME_SECONDS / self._messages.get_expiry()
        return max(FRAMES, round(2 * per_window))

    def message(self, identity: Identity) -> None:
        """Count a message of `identity`. Raises TooFast."""
        self._both(self._messages, "messages", identity)

    def connection(self, identity: Identity) -> None:
        """Count a WebSocket handshake or an event stream of `identity`. Raises TooFast."""
        self._both(self._connections, "connections", identity)

    def guest(self, address: str) -> None:
        """Count a new guest from `address`. Raises TooFast."""
        self._hit_anywhere(self._guests, "guests", address)

    def sign_in(self, account: str, address: str) -> None:
        """Count an attempt to sign in to `account` ("": to any), or to say a secret of it. Raises TooFast."""
        if account:
            self._hit_anywhere(self._sign_ins, "sign-ins to", account)
        self._hit_anywhere(self._sign_ins, "sign-ins from", address, SIGN_INS_FACTOR)

    def mail(self, account: str) -> None:
        """Count a mail to `account` that anybody may have asked for. Raises TooFast."""
        self._hit_anywhere(self._sign_ins, "mails to", account)

    def room(self, address: str) -> None:
        """Count a new room from `address`. Raises TooFast."""
        self._hit_anywhere(self._guests, "rooms", address)

    def account(self, identity: Identity) -> None:
        """Count a change that `identity` makes to an account, or a token that they make. Raises TooFast."""
        if identity.id != "system":
            self._hit_anywhere(self._guests, "accounts by", identity.id)

    def report(self, identity: Identity) -> None:
        """Count a report by `identity`. Raises TooFast."""
        self._both(REPORTS, "reports", identity)

    def search(self, identity: Identity) -> None:
        """Count a search of `identity`. Raises TooFast."""
        self._both(self._searches, "searches", identity)

    def file(self, identity: Identity) -> None:
        """Count a file of `identity`. Raises TooFast."""
        self._both(self._files, "files", identity)

    @contextmanager
    def arriving(self, identity: Identity) -> Iterator[None]:
        """Within, files of `identity` are on their way in, by one request. Raises TooFast."""
        each = self._arriving[identity.id]
        if each >= FILES_AT_ONCE_EACH or self._arriving.total() >= FILES_AT_ONCE:
            raise TooFast("Too many files are on their way already: try again", retry_after=1)
        self._arriving[identity.id] += 1
        try:
            yield
        finally:
            self._arriving[identity.id] -= 1
            if not self._arriving[identity.id]:
                del self._arriving[identity.id]

    def typing(self, room: int, identity: Identity) -> bool:
        """Whether this sign of writing is to be passed on: one in two seconds is."""
        return self._own.within(f"typing {room} {identity.id}", TYPING.get_expiry(), TYPING.amount)

    def reading(self, room: int, identity: Identity) -> bool:
        """Whether this read position, told by a request of its own, is to be kept."""
        return self._own.within(f"reading {room} {identity.id}", READING.get_expiry(), READING.amount)

    def turning_back(self, identity: Identity) -> None:
        """Count that `identity` wants what they have read to be unread again. Raises TooFast."""
        self._hit(TURNING_BACK, "turning back", identity.id)

    def _both(self, rate: RateLimitItem, what: str, identity: Identity) -> None:
        if identity.id == "system":
            return
        if identity.known:
            self._hit(rate, what, identity.id)
            if identity.guest:
                try:
                    self._hit(rate, f"{what} from", identity.address, ADDRESS_FACTOR)
                except TooFast:
                    self._told.give_back(f"{what} {identity.id}")
                    raise
        elif what == "messages":
            # A visitor has no identity of its own: the address stands for it.
            self._hit(rate, "messages of visitors from", identity.address)
        else:
            self._hit(rate, f"{what} from", identity.address, ADDRESS_FACTOR)

    def _hit(self, rate: RateLimitItem, what: str, whose: str, factor: int = 1) -> None:
        key = f"{what} {whose}"
        if not self._told.within(key, rate.get_expiry(), factor * rate.amount):
            raise _too_fast(self._told, key)

    def _hit_anywhere(self, rate: RateLimitItem, what: str, whose: str, factor: int = 1) -> None:
        key = f"{what} {whose}"
        if not self._asked.within(key, rate.get_expiry(), factor * rate.amount):
            raise _too_fast(self._asked, key)


def _counted_together(bus_url: str) -> tuple[ProcessStorage, ProcessStorage]:
    """Where machines that share the bus at `bus_url` count together, if they do: what is asked for at each
    count, and what is told behind it. Raises SetupError.
    """
    if not is_redis(bus_url):
        return ProcessStorage(), ProcessStorage()
    # Who has no such bus never loads its driver.
    from chatapp.counting_server import CountingServer
    from chatapp.shared_windows import SharedStorage
    from chatapp.told_windows import ToldStorage

    server = CountingServer(bus_url)
    return SharedStorage(server), ToldStorage(server)


def _too_fast(counts: ProcessStorage, key: str) -> TooFast:
    wait = counts.get_expiry(key) - time.monotonic()
    return TooFast(retry_after=max(1, round(wait + 0.5)))


class FrameBudget:
    """At most `limit` frames of one socket in ten seconds. `with budget:` is around what a frame causes.

    Raises TooFast at its beginning when there were too many. Whichever rate refuses a frame, it stands in the
    row of refusals; a hundred in a row exhaust the budget.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._spent = 0
        self._refused = 0
        self._until = 0.0

    @property
    def exhausted(self) -> bool:
        return self._refused >= REFUSALS_IN_A_ROW

    def count(self) -> None:
        """Count a frame that asks for no answer; too many of them exhaust the budget as well."""
        with suppress(TooFast), self:
            pass

    def __enter__(self) -> None:
        now = time.monotonic()
        if now >= self._until:
            self._until = now + FRAME_SECONDS
            self._spent = 0
        self._spent += 1
        if self._spent > self._limit:
            self._refused += 1
            raise TooFast(retry_after=max(1, round(self._until - now + 0.5)))

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._refused = self._refused + 1 if kind is TooFast else 0
