"""10,000,000 messages are brought up: how long each migration takes, and how long others wait meanwhile.

A new database is taken down to `--from`, filled, and brought up as a start of the server does it, with all
that belongs to that (on SQLite a copy of the file). Meanwhile somebody says one message after another, and
somebody else reads pages of history, both by the statements themselves: no server knows a schema that is
older than itself. A wait that goes over several migrations is shared out among them; "longest" is the longest
as a whole.

Exit status: 0, the aim is met; 1, it is not; 2, it cannot be run.
"""

import argparse
import os
import random
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import rig

sys.path.insert(0, str(rig.CHECKOUT))
from benchmarks.bench import postgres
from benchmarks.bench.client import Refused
from chatapp.journal.postgres_bulk import LOCK

AIM_SECONDS = 1.0  # that nobody waits longer
GIGABYTES = 8  # free space that 10,000,000 messages, their copy and PostgreSQL's log need
PAGE = 50
PAUSE_SECONDS = 0.005  # between two messages, and two pages
CALM_SECONDS = 5  # that they write and read before the upgrade, and after it
BEGAN, STEP = 1_700_000_000_000_000, 5_000_000  # microseconds: the first message, and between two of a room

FILL = """INSERT INTO messages (room_id, seq, at, kind, author_id, author_name, guest, body)
    SELECT {room}, seq, {began} + {step} * seq, 'text', 'g' || (seq * 7919 + {room}) % 200,
        'person ' || (seq * 7919 + {room}) % 200, {true},
        'message ' || seq || ' of room ' || {room} || ', as long as most that people write in a chat'
    FROM {numbers}"""
ROOM = (
    "INSERT INTO rooms (id, name, epoch, created_at, last_seq, last_at) VALUES ({0}, {0}, 'e', 0, {0}, {0})"
)
LOOK = "SELECT last_seq, last_at FROM rooms WHERE id = {0}"
SAY = """INSERT INTO messages (room_id, seq, at, kind, author_id, author_name, guest, body)
    VALUES ({0}, {0}, {0}, 'text', 'g1', 'ada', {true}, 'meanwhile')"""
ADVANCE = "UPDATE rooms SET last_seq = {0}, last_at = {0} WHERE id = {0}"
READ = """SELECT seq, at, kind, author_id, body FROM messages
    WHERE room_id = {0} AND seq < {0} ORDER BY seq DESC LIMIT 50"""

# As a start does it, which says what it has come to.
BRING_UP = """
from gevent import monkey
monkey.patch_all()
import logging
logging.basicConfig(format="%(message)s")
for name in ("alembic.runtime.migration", "chatapp.schema"):
    logging.getLogger(name).setLevel(logging.INFO)
import wsgi
"""


class Store(NamedTuple):
    """A database and how it is asked: `connect` in autocommit, `begin` a transaction that writes."""

    settings: dict[str, str]
    connect: Callable[[], Any]
    begin: str
    mark: str  # of a value in a statement
    true: str

    def ask(self, connection: Any, statement: str, *values: object) -> Any:
        return connection.execute(statement.format(self.mark, true=self.true), values)


class Stretch(NamedTuple):
    """What went on from `begin` to `end`."""

    begin: float
    end: float
    name: str = ""

    @property
    def seconds(self) -> float:
        return self.end - self.begin

    def within(self, other: "Stretch") -> float:
        """How much of it is in `other`."""
        return max(0.0, min(self.end, other.end) - max(self.begin, other.begin))


class Somebody(threading.Thread):
    """Does one thing after another, each as soon as the one before is done, and notes how long each took."""

    def __init__(self, store: Store, do: Callable[[Store, Any, random.Random], None], seed: int) -> None:
        super().__init__(daemon=True)
        self.waits: list[Stretch] = []
        self._store, self._do, self._chance = store, do, random.Random(seed)
        self._ended = threading.Event()
        self._fault: BaseException | None = None

    def run(self) -> None:
        try:
            with closing(self._store.connect()) as connection:
                while not self._ended.wait(PAUSE_SECONDS):
                    begun = time.monotonic()
                    self._do(self._store, connection, self._chance)
                    self.waits.append(Stretch(begun, time.monotonic()))
        except BaseException as fault:
            self._fault = fault

    def end(self) -> None:
        self._ended.set()
        self.join()

    def said(self) -> list[Stretch]:
        if self._fault is not None:
            raise rig.RigError(f"{type(self._fault).__name__}: {self._fault}") from self._fault
        return self.waits


def say(rooms: int) -> Callable[[Store, Any, random.Random], None]:
    def do(store: Store, connection: Any, chance: random.Random) -> None:
        room = 1 + chance.randrange(rooms)
        connection.execute(store.begin)
        ((seq, at),) = store.ask(
            connection, f"{LOOK} {'FOR NO KEY UPDATE' if store.true == 'true' else ''}", room
        )
        store.ask(connection, SAY, room, seq + 1, at + 1)
        store.ask(connection, ADVANCE, seq + 1, at + 1, room)
        connection.execute("COMMIT")

    return do


def read(rooms: int, each: int) -> Callable[[Store, Any, random.Random], None]:
    def do(store: Store, connection: Any, chance: random.Random) -> None:
        room, before = 1 + chance.randrange(rooms), chance.randint(PAGE + 1, each + 1)
        store.ask(connection, LOOK, room).fetchall()
        found = store.ask(connection, READ, room, before).fetchall()
        if len(found) != PAGE:
            raise rig.RigError(f"a page had {len(found)} messages")

    return do


@contextmanager
def sqlite_store(folder: Path) -> Iterator[Store]:
    path = folder / "chat.db"

    def connect() -> sqlite3.Connection:
        found = sqlite3.connect(path, timeout=600, isolation_level=None, check_same_thread=False)
        found.execute("PRAGMA synchronous=FULL")
        return found

    yield Store({}, connect, "BEGIN IMMEDIATE", "?", "1")


@contextmanager
def postgresql_store(folder: Path) -> Iterator[Store]:
    with postgres.serve() as server:
        where = server.url.replace("+psycopg", "")
        yield Store(
            {"CHATAPP_DATABASE_URL": server.url},
            lambda: psycopg.connect(where, autocommit=True),
            f"BEGIN; SELECT pg_advisory_xact_lock_shared({LOCK})",
            "%s",
            "true",
        )


STORES = {"sqlite": sqlite_store, "postgresql": postgresql_store}


def fill_sqlite(connection: Any, rooms: int, each: int) -> None:
    """Room by room and in order, as the table is clustered."""
    connection.execute("PRAGMA synchronous=OFF")
    connection.execute("PRAGMA cache_size=-200000")
    count = f"SELECT 1 UNION ALL SELECT seq + 1 FROM number WHERE seq < {each}"
    for room in range(1, rooms + 1):
        text = FILL.format(room=room, began=BEGAN, step=STEP, true="1", numbers="number")
        connection.execute(f"WITH RECURSIVE number (seq) AS ({count}) {text}")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def fill_postgresql(connection: Any, rooms: int, each: int) -> None:
    """As people do: each message in another room. The indexes are made afterwards."""
    indexes = "SELECT indexdef, indexname FROM pg_indexes WHERE tablename = 'messages'"
    found = connection.execute(f"{indexes} AND indexname <> 'pk_messages'").fetchall()
    for _, name in found:
        connection.execute(f"DROP INDEX {name}")
    connection.execute("ALTER TABLE messages DROP CONSTRAINT pk_messages")
    connection.execute("SET session_replication_role = replica")  # each room is there
    numbers = f"generate_series(1, {each}::bigint) AS seq, generate_series(1, {rooms}) AS room"
    connection.execute(FILL.format(room="room", began=BEGAN, step=STEP, true="true", numbers=numbers))
    connection.execute("SET maintenance_work_mem = '512MB'")
    connection.execute("ALTER TABLE messages ADD CONSTRAINT pk_messages PRIMARY KEY (room_id, seq)")
    for statement, _ in found:
        connection.execute(statement)
    connection.execute("CHECKPOINT")


FILLERS = {"sqlite": fill_sqlite, "postgresql": fill_postgresql}


def fill(kind: str, store: Store, rooms: int, each: int) -> None:
    with closing(store.connect()) as connection:
        for room in range(1, rooms + 1):
            if room > 1:  # the lobby is there
                store.ask(connection, ROOM, room, f"room-{room}", each, BEGAN + STEP * each)
        store.ask(connection, ADVANCE, each, BEGAN + STEP * each, 1)
        FILLERS[kind](connection, rooms, each)


def bring_up(settings: dict[str, str]) -> list[Stretch]:
    """What it did, one after the other."""
    begun, name, found = time.monotonic(), "start", []
    command = [sys.executable, "-c", BRING_UP]
    with subprocess.Popen(
        command, cwd=rig.CHECKOUT, env=rig.environment(settings), stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        said = []
        for line in process.stderr:
            said.append(line)
            step = re.match(r"Running upgrade \S* -> (\d+)", line)
            if step or " has schema " in line:
                now = time.monotonic()
                found.append(Stretch(begun, now, name))
                begun, name = now, step[1] if step else ""
    if process.returncode or name:
        raise rig.RigError("".join(said) or "it said nothing of an upgrade")
    return found


def measure(kind: str, options: argparse.Namespace) -> bool:
    """Prints what was found; whether the aim is met."""
    rooms, each = options.rooms, options.messages // options.rooms
    with (
        tempfile.TemporaryDirectory(prefix="chat-migrations-") as folder,
        STORES[kind](Path(folder)) as store,
    ):
        settings = {"CHATAPP_INSTANCE_PATH": folder, **store.settings}
        rig.flask(settings, "db", "downgrade", options.begin)
        begun = time.monotonic()
        fill(kind, store, rooms, each)
        print(
            f"{kind}: {rooms * each:,} messages written in {time.monotonic() - begun:.0f} s", file=sys.stderr
        )
        somebody = [Somebody(store, say(rooms), 1), Somebody(store, read(rooms, each), 2)]
        for one in somebody:
            one.start()
        try:
            time.sleep(CALM_SECONDS)
            begun = time.monotonic()
            steps = bring_up(settings)
            up = Stretch(begun, time.monotonic(), "all of it")
            time.sleep(CALM_SECONDS)
        finally:
            for one in somebody:
                one.end()
    return report(kind, steps, up, *(one.said() for one in somebody))


def report(kind: str, steps: list[Stretch], up: Stretch, writes: list[Stretch], reads: list[Stretch]) -> bool:
    def longest(waits: list[Stretch], step: Stretch) -> float:
        return max((each.within(step) for each in waits), default=0.0) * 1000

    print(f"\n| {kind} | took, s | a message waited, ms | a page waited, ms |\n|---|---|---|---|")
    for step in (*steps, up):
        print(
            f"| {step.name} | {step.seconds:.2f} | {longest(writes, step):.0f} | {longest(reads, step):.0f} |"
        )
    most = [max(each.seconds for each in waits) for waits in (writes, reads)]
    print(f"\nlongest: of {len(writes):,} messages {most[0]:.2f} s, of {len(reads):,} pages {most[1]:.2f} s")
    met = max(most) <= AIM_SECONDS
    print(f"aim: nobody waits longer than {AIM_SECONDS:.0f} s: {'met' if met else 'NOT met'}")
    return met


def main() -> int:
    options = read_options()
    if (
        options.messages >= 5_000_000
        and (free := shutil.disk_usage(tempfile.gettempdir()).free / 1e9) < GIGABYTES
    ):
        raise rig.RigError(f"{GIGABYTES} GB are needed, {free:.1f} are free")
    met = [measure(kind, options) for kind in options.databases]
    print(f"load average {os.getloadavg()[0]:.1f}; {rig.versions()}, SQLite {sqlite3.sqlite_version}")
    return 0 if all(met) else 1


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("databases", nargs="*", default=[*STORES], help=f"of {', '.join(STORES)} (both)")
    parser.add_argument("--messages", type=int, default=10_000_000, help="how many there are (10,000,000)")
    parser.add_argument("--rooms", type=int, default=1000, help="in how many rooms (1,000)")
    parser.add_argument("--from", dest="begin", default="0001", help="the schema that is brought up (0001)")
    options = parser.parse_args()
    if unknown := set(options.databases) - set(STORES):
        parser.error(f"there is no database {', '.join(unknown)}")
    if options.rooms < 1 or options.messages // options.rooms < PAGE:
        parser.error(f"there is at least one room, with at least {PAGE} messages")
    return options


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (rig.RigError, Refused) as error:
        print(f"migrations: {error}", file=sys.stderr)
        sys.exit(2)
