"""Ten million messages: a page of history, the start, the memory, each beside a log of a thousand.

The databases are made once and kept in the cache. The search index is left out: the bench holds its lock, as
another worker would that builds it (`search` measures it).
"""

import fcntl
import http.client
import os
import random
import shutil
import sqlite3
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from benchmarks.bench import ours
from benchmarks.bench.client import Refused, Result
from benchmarks.bench.results import Results
from benchmarks.bench.scenario import Lane, Measure, Scenario
from benchmarks.bench.servers import running
from benchmarks.bench.table import Row

BIG, SMALL = (1000, 10_000), (10, 100)  # rooms, messages in each
PAGES, PAGE = 2000, 50
FIRST_ROOM = ours.LOBBY + 1
BEGAN = 1_700_000_000_000_000  # microseconds since 1970: the first message
STEP = 5_000_000  # between two of a room
SAME = 1.1  # what "the same as with 1,000 messages" allows
GIGABYTES = 6  # free space that is needed to make the big one

ROOM = """INSERT INTO rooms (id, name, topic, epoch, first_seq, last_seq, last_at, revision, closed, removals,
    created_at, kind, posting, guests, slow_seconds, rights)
    VALUES (?, ?, '', 'e', 1, ?, ?, 2, 0, '{}', 0, 'public', 'everyone', 1, 0, 1)"""
# Room by room and in order, as the table is clustered: each row is written once, at the end of the file.
MESSAGES = """WITH RECURSIVE number (seq) AS
    (SELECT 1 UNION ALL SELECT seq + 1 FROM number WHERE seq < :count)
    INSERT INTO messages (room_id, seq, at, kind, author_id, author_name, guest, body)
    SELECT :room, seq, :began + :step * seq, 'text', printf('g%016x', (seq * 7919 + :room) % 200),
        'person ' || ((seq * 7919 + :room) % 200), 1,
        'message ' || seq || ' of room ' || :room || ', as long as most that people write in a chat'
    FROM number"""


class BigLog(Scenario):
    name = "big-log"
    about = "10,000,000 messages in 1,000 rooms: page of history, start, memory, beside 1,000 messages"

    def make_lanes(self) -> Mapping[str, Lane]:
        return {"big": lambda: self._measure(*BIG), "small": lambda: self._measure(*SMALL)}

    def _measure(self, rooms: int, each: int) -> Result:
        instance = self._made(rooms, each)
        server = ours.Chat(instance, (self.bench.core,))
        with index_held(instance):
            begun = time.monotonic()
            with running(server):
                start = time.monotonic() - begun
                memory = server.memory_kb() / 1024
                times = sorted(pages(server, rooms, each))
                return {
                    "start_s": start,
                    "memory_mb": memory,
                    "page_p50_ms": times[len(times) // 2],
                    "page_p99_ms": times[int(0.99 * len(times))],
                    "memory_after_mb": server.memory_kb() / 1024,
                }

    def _made(self, rooms: int, each: int) -> Path:
        """The instance folder with so many messages."""
        folder = self.bench.cache / f"log-{rooms}x{each}"
        if (folder / "made").exists():
            return folder
        free = shutil.disk_usage(self.bench.cache).free / 1e9
        if (rooms, each) == BIG and free < GIGABYTES:
            raise Refused(f"{GIGABYTES} GB are needed for {rooms * each:,} messages, {free:.1f} are free")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        with index_held(folder), running(ours.Chat(folder, (self.bench.core,))):
            pass  # it makes the database
        begun = time.monotonic()
        fill(folder / "chat.db", rooms, each)
        with index_held(folder), running(ours.Chat(folder, (self.bench.core,))):
            pass  # whatever is done once
        (folder / "made").touch()
        print(f"{rooms * each:,} messages written in {time.monotonic() - begun:.0f} s", file=sys.stderr)
        return folder

    def rows(self, results: Results) -> list[Row]:
        def row(what: str, figure: str, unit: str, floor: float) -> list[Row]:
            big, small = Measure("big", (figure,)), Measure("small", (figure,))
            same = {"peer": "1,000 messages", "unit": unit, "aim": SAME, "fewer": True}
            return [
                self.row(results, f"10,000,000 messages: {what}", big, unit=unit, floor=floor, fewer=True),
                self.row(results, "  ÷ the same with 1,000", big, small, **same),
            ]

        def beyond(what: str, figure: str, floor: float | None = None, aim: float | None = None) -> Row:
            both = self.row(results, what, Measure("big", (figure,)), Measure("small", (figure,)))
            more = [big - small for big, small in zip(both.values, both.theirs or (), strict=True)]
            return Row(what, more, unit="MB", floor=floor, aim=aim, fewer=True, refused=both.refused)

        return [
            *row("page of history, p99", "page_p99_ms", "ms", 5.0),
            *row("start", "start_s", "s", 1.5),
            beyond("10,000,000 messages: memory beyond that with 1,000", "memory_mb", floor=20.0, aim=1.0),
            beyond(f"  after {PAGES:,} pages of all rooms", "memory_after_mb"),
        ]


@contextmanager
def index_held(instance: Path) -> Iterator[None]:
    """Keep every server from building a search index of `instance`."""
    lock = os.open(instance / "search.db.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def fill(path: Path, rooms: int, each: int) -> None:
    """`rooms` more rooms with `each` messages, straight into the database at `path`, which a server made."""
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA synchronous=OFF")
    database.execute("PRAGMA cache_size=-200000")
    for room in range(FIRST_ROOM, FIRST_ROOM + rooms):
        database.execute("BEGIN")
        database.execute(ROOM, (room, f"room-{room}", each, BEGAN + STEP * each))
        database.execute(MESSAGES, {"room": room, "count": each, "began": BEGAN, "step": STEP})
        database.execute("COMMIT")
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()


def pages(server: ours.Chat, rooms: int, each: int) -> Iterator[float]:
    """Milliseconds of one page of history after another, anywhere in any room, on one connection."""
    chance = random.Random(7)
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    for number in range(PAGES + 100):
        room = chance.randrange(FIRST_ROOM, FIRST_ROOM + rooms)
        before = chance.randint(PAGE + 1, each + 1)
        path = f"/api/rooms/{room}/messages?before={before}&limit={PAGE}"
        begun = time.perf_counter()
        connection.request("GET", path, headers={"Cookie": server.cookie})
        answer = connection.getresponse()
        text = answer.read()
        took = (time.perf_counter() - begun) * 1000
        if answer.status != 200 or text.count(b'"type":"message"') != PAGE:
            raise Refused(f"{path} was answered {answer.status}: {text[:200]!r}")
        if number >= 100:  # the connection's first ones bring code into memory
            yield took
    connection.close()
