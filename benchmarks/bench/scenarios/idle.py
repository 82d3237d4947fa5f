"""WebSockets that only wait: how many one worker holds, and what each costs in memory."""

from collections.abc import Mapping

from benchmarks.bench import ours
from benchmarks.bench.client import Result
from benchmarks.bench.results import Results
from benchmarks.bench.scenario import Lane, Measure, Scenario
from benchmarks.bench.table import Row

FEW, MANY, MOST = 1000, 9_500, 15_000


class Idle(Scenario):
    name = "idle"
    about = f"WebSockets that one worker holds, up to {MOST:,}, and the memory of each"
    repetitions = 3

    def make_lanes(self) -> Mapping[str, Lane]:
        return {f"{count}": self._of(count) for count in (MANY, MOST)}

    def _of(self, count: int) -> Lane:
        return lambda: self._hold(count)

    def _hold(self, count: int) -> Result:
        """Memory beyond that with FEW: what the first of them bring into memory counts for nobody."""
        with ours.serve((self.bench.core,)) as server:
            words = ours.by_websocket(server)
            with self.bench.client.hold(server.port, {**words, "readers": FEW}):
                before = server.memory_kb()
                more = {**words, "readers": count - FEW}
                with self.bench.client.hold(server.port, more) as readers:
                    readers.wait_for(0, 60)
                    after = server.memory_kb()
        return {"held": count, "kb_each": (after - before) / (count - FEW)}

    def rows(self, results: Results) -> list[Row]:
        held, each = Measure(str(MOST), ("held",)), ("kb_each",)
        many = results.of(self.name, str(MANY))
        most = self.row(results, "idle WebSockets held by one worker", held, floor=MANY, aim=MOST)
        if most.refused and many and not any("refused" in each for each in many.values()):
            most = self.row(
                results,
                f"idle WebSockets held by one worker ({most.refused[0]})",
                Measure(str(MANY), ("held",)),
                floor=MANY,
                aim=MOST,
            )
        limits = {"unit": "KB", "floor": 24.0, "aim": 12.0, "fewer": True}
        return [
            most,
            self.row(results, f"memory of each of {MANY:,}", Measure(str(MANY), each), **limits),
            self.row(results, f"memory of each of {MOST:,}", Measure(str(MOST), each), unit="KB"),
        ]
