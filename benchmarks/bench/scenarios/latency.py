"""From a send to its delivery, at a fifth of what the same set-up can do, beside a bare fsync."""

from collections.abc import Mapping

from benchmarks.bench import machine, ours
from benchmarks.bench.client import Result
from benchmarks.bench.results import Results
from benchmarks.bench.scenario import Lane, Measure, Scenario, tag
from benchmarks.bench.table import Row

READERS = 10
SPEAKERS = 8  # each into a room of its own
SHARE = 5
LIMITS = {"p50_ms": (3.0, 2.0), "p99_ms": (12.0, 6.0)}  # times a bare fsync: floor, aim
VOID_MS = 0.1


class Latency(Scenario):
    name = "latency"
    about = "from a send to its delivery at a fifth of capacity, beside a bare fsync"

    def make_lanes(self) -> Mapping[str, Lane]:
        return {"ours": self._ours}

    def _ours(self) -> Result:
        full, _ = self._measure(in_flight=64 // SPEAKERS)
        rate = full["messages_per_s"] / SHARE
        # By a server of its own: the search index has nothing left to do of what was said before.
        fifth, fsync = self._measure(in_flight=1000, rate=f"{rate:.1f}")
        return {"full": full, "fifth": fifth, "fsync_ms": fsync}

    def _measure(self, **more: object) -> tuple[Result, float]:
        """One run with a new server, and how long a bare fsync takes beside its database, in milliseconds."""
        with ours.serve((self.bench.core,)) as server:
            rooms = {
                "readers": READERS * SPEAKERS,
                "rooms": SPEAKERS,
                "first_room": server.new_rooms(SPEAKERS),
                "speakers": SPEAKERS,
            }
            coming, speaking = ours.by_websocket(server), ours.speaking(server, tag())
            result = self.bench.load(server, coming, speaking, rooms, **more)
            fsync, _ = machine.fsync_ms(server.instance)
        return result, fsync

    def rows(self, results: Results) -> list[Row]:
        fsyncs = [each["fsync_ms"] for each in results.of(self.name, "ours").values() if "fsync_ms" in each]
        void = f"a bare fsync takes less than {VOID_MS} ms here" if fsyncs and min(fsyncs) < VOID_MS else ""
        rows = []
        for figure, (floor, aim) in LIMITS.items():
            row = self.row(
                results,
                f"send → delivered at a fifth of capacity, {figure[:3]} ÷ a bare fsync",
                Measure("ours", ("fifth", figure)),
                Measure("ours", ("fsync_ms",)),
                peer="fsync",
                unit="ms",
                floor=floor,
                aim=aim,
                fewer=True,
                void=void,
            )
            rows.append(row)
        return rows
