"""The bus of several machines by Redis or Valkey: PUBLISH, and a hash of leases for each room.

Redis is asked for nothing that it has to keep: it may run without a disk, and be emptied at any time.
"""

import time
from collections import defaultdict
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

import gevent
import msgspec
import redis

from chatapp.bus.base import LEASE_SECONDS, LONGEST_LEASE, Lease
from chatapp.bus.network import NetworkBus
from chatapp.errors import SetupError
from chatapp.message import Author

CONNECT_SECONDS = 1  # for one address, of which a name may have two

_encode = msgspec.msgpack.Encoder().encode
_held = msgspec.msgpack.Decoder(tuple[int, Author]).decode


def pool(url: str, answer: float | None, connect: float) -> redis.ConnectionPool:
    """Connections to the server at `url`, which wait so many seconds for an answer, and for each of its
    addresses. Connects to nothing yet.

    Raises SetupError for a URL that is none.
    """
    try:
        found = redis.ConnectionPool.from_url(
            url, protocol=2, socket_timeout=answer, socket_connect_timeout=connect, driver_info=None
        )
        found.make_connection()  # which looks at all that was given
        parts = urlsplit(url)
        path = parts.path.strip("/")
        if parts.scheme != "unix" and path and not path.isdigit():
            raise ValueError("the client would take it for database 0")
    except (ValueError, TypeError, redis.RedisError):
        # It is not shown: with a slip in it, it may have a password all the same.
        raise SetupError(
            "CHATAPP_BUS_URL is no URL of Redis: write redis://:password@host:6379/0, rediss://… or "
            "unix:///path/to/socket?db=0"
        ) from None
    return found


def prefix(pool: redis.ConnectionPool) -> str:
    """Before all names of a chat's: it has a database to itself, and channels are of no database."""
    return f"chatapp:{pool.connection_kwargs.get('db', 0)}:"


class RedisBus(NetworkBus["_Line"]):
    """`url`: as redis-py writes it. All times are in milliseconds of the server's clock."""

    gone = (redis.ConnectionError, redis.TimeoutError)

    def __init__(self, url: str) -> None:
        super().__init__()
        self._pool = pool(url, None, CONNECT_SECONDS)
        self._prefix = prefix(self._pool)
        self._channel, self._rooms = f"{self._prefix}notices", f"{self._prefix}rooms"
        self._own = f"{self.process} ".encode()  # before whom it has leases of, in their fields
        self._mine: set[tuple[int, str]] = set()

    def hold(self, leases: Iterable[Lease], released: Iterable[tuple[int, str]]) -> None:
        held, gone, at = list(leases), list(released), time.monotonic()
        if not held and not gone:
            return

        def job(line: _Line) -> None:
            now = _now(*line.ask(("TIME",)))
            fields: defaultdict[int, list[Any]] = defaultdict(list)
            last: defaultdict[int, int] = defaultdict(int)
            for each in held:
                end = now + round((each.expires - at) * 1000)
                fields[each.room] += self._field(each.who.id), _encode((end, each.who))
                last[each.room] = max(last[each.room], end)
            commands: list[tuple[Any, ...]] = [("ZREMRANGEBYSCORE", self._rooms, "-inf", now)]
            for room in fields:
                commands += [
                    ("HSET", self._key(room), *fields[room]),
                    ("PEXPIRE", self._key(room), LONGEST_LEASE * 1000),
                    ("ZADD", self._rooms, "GT", last[room], room),
                ]
            commands += [("HDEL", self._key(room), self._field(person)) for room, person in gone]
            self._mine.update((each.room, each.who.id) for each in held)
            line.ask(*commands)
            self._mine.difference_update(gone)

        self._ask(job)

    def held(self, room: int | None = None) -> list[Lease]:
        def job(line: _Line) -> list[Lease]:
            rooms = (
                [int(each) for each in line.ask(("ZRANGE", self._rooms, 0, -1))[0]]
                if room is None
                else [room]
            )
            answer, *answers = line.ask(("TIME",), *(("HGETALL", self._key(each)) for each in rooms))
            now, at = _now(answer), time.monotonic()
            found: list[Lease] = []
            over: list[tuple[str, str, bytes]] = []  # of processes that are no more
            for each, fields in zip(rooms, answers, strict=True):
                gevent.sleep(0)  # others have their turn in between
                for field, value in zip(fields[::2], fields[1::2], strict=True):
                    end, who = _held(value)
                    if end < now - LEASE_SECONDS * 1000:
                        over.append(("HDEL", self._key(each), field))
                    elif now < end < now + LONGEST_LEASE * 1000 and not field.startswith(self._own):
                        found.append(Lease(each, who, at + (end - now) / 1000))
            line.ask(*over)
            return found

        return self._ask(job)

    def present(self) -> set[str]:
        return {lease.who.id for lease in self.held()}

    def _key(self, room: int) -> str:
        return f"{self._prefix}present:{room}"

    def _field(self, person: str) -> bytes:
        return self._own + person.encode()

    def _listen(self) -> "_Ear":
        return _Ear(self._pool, self._channel)

    def _connect(self) -> "_Line":
        return _Line(self._pool)

    def _was_left(self, line: "_Line") -> bool:
        return line.left

    def _post(self, line: "_Line", envelopes: list[bytes]) -> None:
        line.ask(*(("PUBLISH", self._channel, envelope) for envelope in envelopes))

    def _release_all(self, line: "_Line") -> None:
        line.ask(*(("HDEL", self._key(room), self._field(person)) for room, person in self._mine))


class _Line:
    """A connection of redis-py's without its client, which takes four times as long over each question."""

    def __init__(self, pool: redis.ConnectionPool) -> None:
        connection: Any = pool.make_connection()
        connection.connect()
        self._connection = connection

    def ask(self, *commands: tuple[Any, ...]) -> list[Any]:
        """The server's answers, all in one journey. Raises the first that is a refusal; then hang up."""
        if not commands:
            return []
        packed = self._connection.pack_commands(commands)
        self._connection.send_packed_command(packed, check_health=False)
        return [self._connection.read_response() for _ in commands]

    @property
    def left(self) -> bool:
        """Whether the server has closed it while nobody used it."""
        try:
            return bool(self._connection.can_read())
        except redis.ConnectionError:
            return True

    def close(self) -> None:
        self._connection.disconnect()


class _Ear(_Line):
    def __init__(self, pool: redis.ConnectionPool, channel: str) -> None:
        super().__init__(pool)
        self.ask(("SUBSCRIBE", channel))
        self._heard = b""

    def wait(self, seconds: float) -> bool:
        try:
            heard = self._connection.read_response(timeout=seconds, disconnect_on_error=False)
        except redis.TimeoutError:
            return False
        self._heard = heard[2]  # behind "message" and the channel
        return True

    def read(self) -> list[bytes]:
        return [self._heard]


def _now(answer: list[bytes]) -> int:
    return int(answer[0]) * 1000 + int(answer[1]) // 1000
