"""A private room beside a public one: rights are looked at when somebody comes, never for a delivery."""

import json
from collections.abc import Mapping

from benchmarks.bench import ours
from benchmarks.bench.client import Result
from benchmarks.bench.results import Results
from benchmarks.bench.scenario import Lane, Measure, Scenario, tag
from benchmarks.bench.table import Row


class Private(Scenario):
    name = "private"
    about = "fan-out in a private room beside a public one"

    def make_lanes(self) -> Mapping[str, Lane]:
        return {"private": lambda: self._measure("private"), "public": lambda: self._measure("public")}

    def _measure(self, kind: str) -> Result:
        with ours.serve((self.bench.core,)) as server:
            room = json.loads(server.flask("room", "create", "den", "--json"))["id"]
            server.flask("room", "set", str(room), "--kind", kind)
            server.flask("room", "take-in", str(room), server.person)
            words = {"readers": 1000, "speakers": 1, "in_flight": 4, "first_room": room}
            return self.bench.load(server, ours.by_websocket(server), ours.speaking(server, tag()), words)

    def rows(self, results: Results) -> list[Row]:
        path = ("deliveries_per_s",)
        limits = {"peer": "public", "unit": "deliveries/s", "aim": 0.95}
        what = "a private room ÷ a public one, 4 in flight"
        return [self.row(results, what, Measure("private", path), Measure("public", path), **limits)]
