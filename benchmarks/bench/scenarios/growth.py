"""What a delivery costs the server as it grows: with readers, rooms, size, messages in flight, workers.

One curve for each; of everything else there is as much as in the middle of fan-out. CPU for each delivery, so
that a curve is level where the cost does not grow.
"""

from collections.abc import Mapping
from statistics import median
from typing import NamedTuple

from benchmarks.bench import ours
from benchmarks.bench.client import Result
from benchmarks.bench.results import Results
from benchmarks.bench.scenario import Lane, Measure, Scenario, tag, text
from benchmarks.bench.table import Row

READERS, ROOMS, SIZE, IN_FLIGHT, WORKERS = 1000, 1, 50, 4, 1
ROOM_READERS = 10_000  # of many rooms together


class Curve(NamedTuple):
    """`of`: what grows, as the point's setting is called. `title`: what stands below the picture."""

    of: str
    title: str
    points: tuple[int, ...]


CURVES = (
    Curve("readers", "readers of one room", (1, 10, 100, 1000, 10_000)),
    Curve("rooms", f"rooms with {ROOM_READERS:,} readers together", (1, 10, 100, 1000, 10_000)),
    Curve("size", "characters of a message", (20, 50, 200, 1000, 4000)),
    Curve("in_flight", "messages in flight", (1, 2, 4, 16, 64, 256)),
    Curve("workers", "workers, on one core", (1, 2, 4)),
)


class Growth(Scenario):
    name = "growth"
    about = "CPU of the server for a delivery, by readers, rooms, size, messages in flight, workers"
    repetitions = 3

    def make_lanes(self) -> Mapping[str, Lane]:
        return {lane(curve, point): self._of(curve, point) for curve in CURVES for point in curve.points}

    def _of(self, curve: Curve, point: int) -> Lane:
        at = {"readers": READERS, "rooms": ROOMS, "size": SIZE, "in_flight": IN_FLIGHT, "workers": WORKERS}
        if curve.of == "rooms":
            at["readers"] = ROOM_READERS
        at[curve.of] = point
        return lambda: self._measure(**at)

    def _measure(self, readers: int, rooms: int, size: int, in_flight: int, workers: int) -> Result:
        with ours.serve((self.bench.core,), workers) as server:
            words = {
                "readers": readers,
                "rooms": rooms,
                "first_room": server.new_rooms(rooms) if rooms > 1 else ours.LOBBY,
                "speakers": 1,
                "in_flight": in_flight,
                "text": text(size),
                "patience": 60,
            }
            result = self.bench.load(server, ours.by_websocket(server), ours.speaking(server, tag()), words)
        return {**result, "microseconds": 1e6 * result["server_cpu_s"] / result["deliveries"]}

    def rows(self, results: Results) -> list[Row]:
        return [
            self.row(
                results,
                f"CPU of a delivery, {point:,} {curve.title}",
                Measure(lane(curve, point), ("microseconds",)),
                unit="µs",
                fewer=True,
            )
            for curve in CURVES
            for point in curve.points
        ]

    def curves(self, results: Results) -> list[dict[str, object]]:
        """What there is to be drawn: of each curve its title and its points, with median, least and most."""
        drawn: list[dict[str, object]] = []
        for curve in CURVES:
            points = []
            for point in curve.points:
                found = results.of(self.name, lane(curve, point)).values()
                costs = [each["microseconds"] for each in found if "refused" not in each]
                if costs:
                    points.append((point, median(costs), min(costs), max(costs)))
            drawn.append({"title": curve.title, "points": points})
        return drawn


def lane(curve: Curve, point: int) -> str:
    return f"{curve.of} {point}"
