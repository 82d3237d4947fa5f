"""`bin/bench --quick`: whether anything broke grossly, in a minute, on any machine.

What one second of the server's CPU carries, divided by what it carries in the bare loop (peers/bare/bare.c)
on the same machine within the same minute. The ratio is compared with that in quick.json, by a factor of two:
CPU and not time, so that it says the same where other work shares the cores.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from statistics import median

from benchmarks.bench import ours, peers
from benchmarks.bench.client import Result
from benchmarks.bench.results import Results
from benchmarks.bench.scenario import Bench, Lane, Measure, Scenario, tag
from benchmarks.bench.table import Row

STORED = Path(__file__).resolve().parents[1] / "quick.json"
FACTOR = 2
READERS, IN_FLIGHT = 500, 4
SECONDS, WARMUP = 2.0, 0.5
CARRIED = {"fan-out": "deliveries", "streams": "deliveries", "polls": "cycles", "kept": "messages"}


class Quick(Scenario):
    name = "quick"
    about = "ourselves beside a bare loop, against the ratio that is stored"
    repetitions = 3

    def __init__(self, bench: Bench) -> None:
        super().__init__(bench)
        bench.seconds, bench.warmup, bench.timed = SECONDS, WARMUP, False

    def make_lanes(self) -> Mapping[str, Lane]:
        return {"both": self._both}

    def _both(self) -> Result:
        bare, many = self.bench.peer(peers.Bare), {"readers": READERS, "speakers": 1, "in_flight": IN_FLIGHT}
        with bare.serve(self.bench.core) as server:
            unit = self.bench.load(server, bare.by_websocket(""), bare.speaking(""), many)
        with ours.serve((self.bench.core,)) as chat:

            def load(coming: Mapping[str, object], **more: object) -> Result:
                return self.bench.load(chat, coming, ours.speaking(chat, tag()), more)

            results = {
                "fan-out": load(ours.by_websocket(chat), **many),
                "streams": load(ours.by_stream(chat), **many),
                "polls": load(ours.by_poll(chat), **{**many, "in_flight": 1}),
                "kept": load({}, speakers=1, in_flight=64),
            }
        carried = {name: _by_cpu(result, CARRIED[name]) for name, result in results.items()}
        return {"runs": {**results, "bare": unit}, "bare": _by_cpu(unit, "deliveries"), **carried}

    def rows(self, results: Results) -> list[Row]:
        stored = json.loads(STORED.read_text()) if STORED.exists() else {}
        return [
            self.row(
                results,
                f"{name}: {carried} for each second of CPU",
                Measure("both", (name,)),
                Measure("both", ("bare",)),
                peer="bare",
                floor=stored[name]["lowest"] / FACTOR if name in stored else None,
            )
            for name, carried in CARRIED.items()
        ]


def store(rows: list[Row]) -> None:
    """Have the ratios of `rows` be those that later ones are compared with; not where one was refused."""
    if not all(row.measured for row in rows):
        return
    kept = {
        row.what.partition(":")[0]: {
            "ratio": _figures(median(row.measured)),
            "lowest": _figures(min(row.measured)),
            "highest": _figures(max(row.measured)),
        }
        for row in rows
        if row.measured
    }
    STORED.write_text(json.dumps(kept, indent=2) + "\n")


def _figures(value: float) -> float:
    """Three of them."""
    return float(f"{value:.3g}")


def _by_cpu(result: Result, carried: str) -> float:
    """0.01 s is the finest that the kernel tells."""
    return float(result[carried]) / max(float(result["server_cpu_s"]), 0.01)
