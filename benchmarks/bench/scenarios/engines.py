"""PostgreSQL and Redis in the place of SQLite's files, one worker: deliveries, and messages kept.

The two are on the load client's core, and come before it there: people's machines take no turns from the
database.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager

from benchmarks.bench import machine, ours, postgres, redis_server
from benchmarks.bench.client import Result
from benchmarks.bench.results import Results
from benchmarks.bench.scenario import Lane, Measure, Scenario, tag
from benchmarks.bench.scenarios import fanout, kept
from benchmarks.bench.servers import with_children
from benchmarks.bench.table import Row

Settings = dict[str, str]


@contextmanager
def _files(core: int) -> Iterator[Settings]:
    yield {}


@contextmanager
def _redis(core: int) -> Iterator[Settings]:
    with postgres.serve() as database, redis_server.serve() as redis:
        machine.put_first([*with_children(database.pid), redis.pid], core)
        yield {"CHATAPP_DATABASE_URL": database.url, "CHATAPP_BUS_URL": redis.url}


@contextmanager
def _notify(core: int) -> Iterator[Settings]:
    with postgres.serve() as database:
        machine.put_first(with_children(database.pid), core)
        yield {"CHATAPP_DATABASE_URL": database.url, "CHATAPP_BUS_URL": database.url}


Engine = Callable[[int], AbstractContextManager[Settings]]  # of the core on which it is

ENGINES: Mapping[str, Engine] = {
    "SQLite": _files,
    "PostgreSQL, Redis": _redis,
    "PostgreSQL, NOTIFY": _notify,
}
FLOORS = {"PostgreSQL, Redis": 0.8}  # of fan-out ÷ SQLite


class Engines(Scenario):
    name = "engines"
    about = "fan-out and messages kept with PostgreSQL and Redis, or NOTIFY, beside SQLite"
    repetitions = 3

    def make_lanes(self) -> Mapping[str, Lane]:
        return {name: self._of(engine) for name, engine in ENGINES.items()}

    def _of(self, engine: Engine) -> Lane:
        return lambda: self._measure(engine)

    def _measure(self, engine: Engine) -> Result:
        found: Result = {}
        bench = self.bench
        with (
            engine(bench.client.core) as settings,
            ours.serve((bench.core,), **settings) as server,
        ):

            def load(**more: object) -> Result:
                return bench.load(server, ours.speaking(server, tag()), more)

            for window in fanout.WINDOWS:
                readers = {**ours.by_websocket(server), "readers": fanout.READERS}
                found[f"fan-out {window}"] = load(**readers, speakers=1, in_flight=window)
            for sockets, window in kept.SENDERS:
                found[f"kept {sockets}"] = load(speakers=sockets, in_flight=window)
        return found

    def rows(self, results: Results) -> list[Row]:
        rows = []
        for name in list(ENGINES)[1:]:
            limits = {"floor": FLOORS[name]} if name in FLOORS else {}
            for window in fanout.WINDOWS:
                path = (f"fan-out {window}", "deliveries_per_s")
                what = f"fan-out to 1,000 WebSockets, {window} in flight, {name} ÷ SQLite"
                mine, theirs = Measure(name, path), Measure("SQLite", path)
                more = {"peer": "SQLite", "unit": "deliveries/s", **limits}
                rows.append(self.row(results, what, mine, theirs, **more))
        for name in ENGINES:
            for sockets, window in kept.SENDERS:
                what = f"messages kept, {sockets} × {window} in flight: {name}"
                path = (f"kept {sockets}", kept.FIGURE)
                rows.append(self.row(results, what, Measure(name, path), unit="messages/s"))
        return rows
