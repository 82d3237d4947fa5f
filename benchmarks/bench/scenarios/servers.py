"""One to three servers on one instance folder, with more and more readers of one room among them.

What they cost together, by CPU: it says the same where other work shares the cores, and that the client needs
one of two cores does not count. benchmarks/simulate.py predicts it from what one of each costs (`costs`).
"""

from collections.abc import Mapping
from dataclasses import replace

from benchmarks.bench import ours
from benchmarks.bench.client import Result
from benchmarks.bench.results import Results
from benchmarks.bench.scenario import Bench, Lane, Measure, Scenario, tag, text
from benchmarks.bench.table import Row

COUNTS = (1, 2, 3)
READERS = (1000, 3000, 9500)
IN_FLIGHT = 4
LONG = 3  # times as long as others measure: with 9,500 readers few messages are through in that
FIGURES = {
    "delivery": ("CPU of a delivery", "µs"),
    "connect": ("CPU of a connection", "µs"),
    "memory": ("memory of all", "MB"),
}


class Servers(Scenario):
    name = "servers"
    about = "CPU and memory of 1 to 3 servers with 1,000 to 9,500 readers of one room"
    repetitions = 3

    def __init__(self, bench: Bench) -> None:
        super().__init__(replace(bench, timed=False))

    def make_lanes(self) -> Mapping[str, Lane]:
        return {lane(count, readers): self._of(count, readers) for count in COUNTS for readers in READERS}

    def _of(self, count: int, readers: int) -> Lane:
        return lambda: self._measure(count, readers)

    def _measure(self, count: int, readers: int) -> Result:
        with ours.serve_several((self.bench.core,), count) as servers:
            first, ports = servers[0], [server.port for server in servers[1:]]
            words = {**ours.by_websocket(first), "readers": readers, "port": ports}
            before = sum(server.cpu_s for server in servers)
            with self.bench.client.hold(first.port, words):
                came = sum(server.cpu_s for server in servers)
                held = sum(server.memory_kb() for server in servers)
            told = {
                "seconds": LONG * self.bench.seconds,
                "warmup": self.bench.warmup,
                "text": text(),
                "patience": 60,
            }
            speaking = {**ours.speaking(first, tag()), "speakers": 1, "in_flight": IN_FLIGHT}
            pids = [pid for server in servers for pid in server.pids]
            result = self.bench.client.run(first.port, pids, {**told, **words, **speaking}, timed=False)
        return {
            **result,
            "delivery": 1e6 * result["server_cpu_s"] / result["deliveries"],
            "connect": 1e6 * (came - before) / readers,
            "memory": held / 1000,
        }

    def rows(self, results: Results) -> list[Row]:
        return [
            self.row(
                results,
                f"{what}, {count} server{'s' * (count > 1)}, {readers:,} readers",
                Measure(lane(count, readers), (figure,)),
                unit=unit,
                fewer=True,
            )
            for figure, (what, unit) in FIGURES.items()
            for count in COUNTS
            for readers in READERS
        ]


def lane(count: int, readers: int) -> str:
    return f"{count} servers, {readers} readers"
