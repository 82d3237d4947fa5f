"""What one of each costs the server in CPU: what benchmarks/simulate.py reckons with.

CPU and not time, so that it says the same where other work shares the cores. No lane has more than one server
with readers, or more than 1,000 of them in a room: what many of both cost is to be predicted, and is measured
by `servers`.
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from benchmarks.bench import ours, postgres, redis_server
from benchmarks.bench.client import Refused, Result, Words
from benchmarks.bench.machine import CHECKOUT
from benchmarks.bench.results import Results
from benchmarks.bench.scenario import Bench, Lane, Measure, Scenario, tag
from benchmarks.bench.scenarios import page
from benchmarks.bench.servers import cpu_s, with_children
from benchmarks.bench.table import Row

LOOK_SECONDS, SWEEP_SECONDS = 0.01, 0.25  # of the bus, of the revisions: as chatapp has them
READERS = 1000  # who hear a message; polls
BATCHES = (1, 4, 64)  # messages in flight
CROWD = 3000  # who come, and then only wait
WAIT_SECONDS = 25.0  # between two heartbeats of a connection
RATE = 200  # messages a second, each a notice of its own
AT_A_LOOK = RATE * LOOK_SECONDS  # notices that the bus finds
FEW = {"speakers": 1, "in_flight": 1000, "rate": RATE}
LISTENING = 4  # times as long as others measure
SPEAKERS = 64  # each into a room of its own with one message in flight: as many notices as messages
ROOMS = 1000  # followed by one reader each
SPARSE_RATE = 20  # messages a second: each look at the revisions finds that something was written
PEOPLE = 10_000  # in one room
TELLINGS = 5
MICRO = 1e6

FIGURES = {  # what is said of it, its unit
    **{f"message {batch}": (f"a message kept, {batch} in flight", "µs") for batch in BATCHES},
    **{f"delivery {batch}": (f"a delivery, {batch} in flight", "µs") for batch in BATCHES},
    "connect": ("a connection, handshake to `joined`", "µs"),
    "memory": ("an idle connection", "KB"),
    "server": ("a server with nobody on it", "MB"),
    "waiting": ("an idle connection, each second", "µs"),
    "alone": ("a server with nobody on it, each second", "µs"),
    "heard": ("a notice that concerns nobody on the server, two at a look", "µs"),
    "crowded": ("the same, as many as one worker sends", "µs"),
    "redis, heard": ("a notice by Redis that concerns nobody, each by itself", "µs"),
    "redis, crowded": ("the same, as many as one worker sends", "µs"),
    "redis, redis": ("the same, each by itself: Redis, for two servers", "µs"),
    "shown": ("a notice with one reader of the room there, and the delivery", "µs"),
    "poll": ("a long poll, one message each", "µs"),
    "page": ("a room page", "µs"),
    "look": ("one room in one look at the revisions", "µs"),
    **{
        f"postgres, {name}{whose}": (f"on PostgreSQL, {what}: {who}", "µs")
        for name, what in (
            *((f"message {batch}", f"a message kept, {batch} in flight") for batch in BATCHES),
            ("look", "one room in one look at the revisions"),
        )
        for whose, who in (("", "the server"), (", database", "the database"))
    },
    "lease": ("a lease written to the bus", "µs"),
    "telling": ("one person, where a room is told who is there", "µs"),
}
LANE_OF = {  # figure: where it is measured
    **dict.fromkeys(FIGURES, "messages"),
    **dict.fromkeys(("connect", "memory", "server", "waiting"), "crowd"),
    **dict.fromkeys(("alone", "heard", "shown", "crowded"), "notices"),
    **dict.fromkeys(("redis, heard", "redis, crowded", "redis, redis"), "redis"),
    **dict.fromkeys(("poll", "page"), "answers"),
    **dict.fromkeys(("lease", "telling"), "presence"),
    "look": "looks",
    **{name: "postgres" for name in FIGURES if name.startswith("postgres")},
}


class Costs(Scenario):
    name = "costs"
    about = "what one connection, delivery, message, notice … costs: for benchmarks/simulate.py"
    repetitions = 3

    def __init__(self, bench: Bench) -> None:
        super().__init__(replace(bench, timed=False))

    def make_lanes(self) -> Mapping[str, Lane]:
        return {
            "messages": self._messages,
            "crowd": self._crowd,
            "notices": self._notices,
            "redis": self._redis,
            "answers": self._answers,
            "looks": self._looks,
            "postgres": self._postgres,
            "presence": self._presence,
        }

    def _messages(self) -> Result:
        """A message to READERS, less the message to nobody, is READERS deliveries."""
        found = {}
        with ours.serve((self.bench.core,)) as server:

            def cost(batch: int, **more: object) -> float:
                words = {"speakers": 1, "in_flight": batch, **more}
                result = self.bench.load(server, ours.speaking(server, tag()), words)
                return MICRO * float(result["server_cpu_s"]) / float(result["messages"])

            for batch in BATCHES:
                alone = found[f"message {batch}"] = cost(batch)
                told = cost(batch, **ours.by_websocket(server), readers=READERS)
                found[f"delivery {batch}"] = (told - alone) / READERS
        return found

    def _crowd(self) -> Result:
        with ours.serve((self.bench.core,)) as server, self._holding(server, READERS):
            before, memory = server.cpu_s, server.memory_kb()
            with self._holding(server, CROWD):
                came, held = server.cpu_s, server.memory_kb()
                waiting = _spent_waiting(server)
        return {
            "connect": MICRO * (came - before) / CROWD,
            "memory": (held - memory) / CROWD,
            "server": (memory - READERS * (held - memory) / CROWD) / 1000,
            "waiting": MICRO * waiting / (CROWD + READERS),  # with the server's own, which `alone` has
        }

    def _notices(self) -> Result:
        """Few, which are looked for one by one or two by two, and many; less what the server costs alone."""
        with ours.serve_several((self.bench.core,), 2) as (first, second):
            alone = _spent_waiting(second)
            heard = self._hearing(first, second, alone, FEW)
            with self._holding(second, 1):
                shown = self._hearing(first, second, alone, FEW)
            crowded = self._hearing(first, second, alone, _many(first))
        return {"alone": MICRO * alone, "heard": heard, "shown": shown, "crowded": crowded}

    def _redis(self) -> Result:
        """The same with Redis as the bus, and what each notice costs Redis, which tells both servers."""
        with (
            redis_server.serve() as redis,
            ours.serve_several((self.bench.core,), 2, CHATAPP_BUS_URL=redis.url) as (first, second),
        ):
            alone = _spent_waiting(second)
            before = cpu_s([redis.pid])
            heard = self._hearing(first, second, alone, FEW)
            spent = (cpu_s([redis.pid]) - before) / (RATE * LISTENING * self.bench.seconds)
            crowded = self._hearing(first, second, alone, _many(first))
        return {"redis, heard": heard, "redis, crowded": crowded, "redis, redis": MICRO * spent}

    def _hearing(self, first: ours.Chat, second: ours.Chat, alone: float, words: Words) -> float:
        """CPU of the second for each message that the first keeps."""
        told = {"seconds": LISTENING * self.bench.seconds, "warmup": 0.0, **words}
        before, begun = second.cpu_s, time.monotonic()
        result = self.bench.load(first, ours.speaking(first, tag()), told)
        spent = second.cpu_s - before - alone * (time.monotonic() - begun)
        return MICRO * spent / float(result["messages"])

    def _answers(self) -> Result:
        with ours.serve((self.bench.core,)) as server:

            def cost(*words: Mapping[str, object], **more: object) -> float:
                result = self.bench.load(server, *words, **more)
                return MICRO * float(result["server_cpu_s"]) / float(result["cycles"])

            asked = cost(page.asking(server))
            polled = cost(
                ours.by_poll(server), ours.speaking(server, tag()), readers=READERS, speakers=1, in_flight=1
            )
        return {"page": asked, "poll": polled}

    def _looks(self) -> Result:
        """Rooms that are followed, while another one is written to: beside the same with one of them."""

        def spent(rooms: int) -> float:
            with ours.serve((self.bench.core,)) as server:
                first = server.new_rooms(rooms + 1)
                with self._holding(server, ROOMS, rooms=rooms, first_room=first):
                    before, begun = server.cpu_s, time.monotonic()
                    words = {"speakers": 1, "first_room": first + rooms, "in_flight": 1000}
                    pace = {"rate": SPARSE_RATE, "seconds": 4 * self.bench.seconds}
                    self.bench.load(server, ours.speaking(server, tag()), words, pace)
                    return (server.cpu_s - before) / (time.monotonic() - begun)

        return {"look": MICRO * (spent(ROOMS) - spent(1)) * SWEEP_SECONDS / (ROOMS - 1)}

    def _postgres(self) -> Result:
        """The same message and look on PostgreSQL: what it costs the server, and what the database."""
        found: Result = {}
        with (
            postgres.serve() as database,
            ours.serve((self.bench.core,), CHATAPP_DATABASE_URL=database.url) as server,
        ):

            def spent() -> tuple[float, float]:
                return server.cpu_s, cpu_s(with_children(database.pid))

            def between(before: tuple[float, float], per: float) -> list[float]:
                return [MICRO * (now - then) / per for now, then in zip(spent(), before, strict=True)]

            def note(name: str, costs: Iterable[float]) -> None:
                found[f"postgres, {name}"], found[f"postgres, {name}, database"] = costs

            for batch in BATCHES:
                before, words = spent(), {"speakers": 1, "in_flight": batch, "warmup": 0.0}
                result = self.bench.load(server, ours.speaking(server, tag()), words)
                note(f"message {batch}", between(before, float(result["messages"])))
            first = server.new_rooms(ROOMS)
            looking = []
            for rooms in (1, ROOMS):
                with self._holding(server, ROOMS, rooms=rooms, first_room=first):
                    before = spent()
                    time.sleep(WAIT_SECONDS)
                    looking.append(between(before, (ROOMS - 1) * WAIT_SECONDS / SWEEP_SECONDS))
            one, all_of_them = looking
            note("look", (more - less for more, less in zip(all_of_them, one, strict=True)))
        return found

    def _presence(self) -> Result:
        """By a program of its own: only it needs what the server is made of."""
        words = [sys.executable, "-m", "benchmarks.bench.telling", str(PEOPLE), str(TELLINGS)]
        done = subprocess.run(words, cwd=CHECKOUT, capture_output=True, text=True)
        if done.returncode:
            raise Refused(done.stderr)
        result: Result = json.loads(done.stdout)
        return result

    @contextmanager
    def _holding(self, server: ours.Chat, readers: int, **more: object) -> Iterator[None]:
        with self.bench.client.hold(server.port, {**ours.by_websocket(server), "readers": readers, **more}):
            yield

    def rows(self, results: Results) -> list[Row]:
        return [
            self.row(results, what, Measure(LANE_OF[name], (name,)), unit=unit, fewer=True)
            for name, (what, unit) in FIGURES.items()
        ]


def _many(server: ours.Chat) -> Words:
    return {
        "speakers": SPEAKERS,
        "in_flight": 1,
        "rooms": SPEAKERS,
        "first_room": server.new_rooms(SPEAKERS),
    }


def _spent_waiting(server: ours.Chat) -> float:
    """CPU seconds of each second in which nothing happens but heartbeats."""
    before, begun = server.cpu_s, time.monotonic()
    time.sleep(WAIT_SECONDS)
    return (server.cpu_s - before) / (time.monotonic() - begun)
