"""Two workers beside one, by what a delivery costs them in CPU: the client needs a core as well."""

from collections.abc import Mapping

from benchmarks.bench import ours
from benchmarks.bench.client import Result
from benchmarks.bench.results import Results
from benchmarks.bench.scenario import Lane, Measure, Scenario, tag
from benchmarks.bench.table import Row

READERS, IN_FLIGHT = 1000, 4


class Workers(Scenario):
    name = "workers"
    about = "two workers beside one: deliveries for each second of CPU"

    def make_lanes(self) -> Mapping[str, Lane]:
        return {"two": lambda: self._measure(2), "one": lambda: self._measure(1)}

    def _measure(self, workers: int) -> Result:
        """All on the servers' core, so that both have the same."""
        with ours.serve((self.bench.core,), workers) as server:
            words = {"readers": READERS, "speakers": 1, "in_flight": IN_FLIGHT}
            result = self.bench.load(server, ours.by_websocket(server), ours.speaking(server, tag()), words)
        return {**result, "deliveries_per_cpu_s": result["deliveries"] / result["server_cpu_s"]}

    def rows(self, results: Results) -> list[Row]:
        path = ("deliveries_per_cpu_s",)
        return [
            self.row(
                results,
                "2 workers ÷ 1, deliveries for each second of CPU",
                Measure("two", path),
                Measure("one", path),
                peer="one worker",
                unit="/s",
                floor=0.85,
                aim=0.95,
            )
        ]
