"""Many rooms with few readers each, beside one room with all of them: with as many messages in flight, which
there share each call, and with one, which goes alone, as each does in many rooms.
"""

from collections.abc import Mapping

from benchmarks.bench import ours
from benchmarks.bench.client import Result
from benchmarks.bench.results import Results
from benchmarks.bench.scenario import Lane, Measure, Scenario, tag
from benchmarks.bench.table import Row

ROOMS, EACH = 2000, 5
SPEAKERS = 8
IN_FLIGHT = 64  # of each speaker, its rooms in turn; of the one speaker in the one room


class Rooms(Scenario):
    name = "rooms"
    about = f"{ROOMS:,} rooms with {EACH} readers each, beside one room with all {ROOMS * EACH:,}"

    def make_lanes(self) -> Mapping[str, Lane]:
        return {
            "many": lambda: self._measure(ROOMS, IN_FLIGHT),
            "one": lambda: self._measure(1, IN_FLIGHT),
            "one, each alone": lambda: self._measure(1, 1),
        }

    def _measure(self, rooms: int, in_flight: int) -> Result:
        with ours.serve((self.bench.core,)) as server:
            words = {
                "readers": ROOMS * EACH,
                "rooms": rooms,
                "first_room": server.new_rooms(rooms),
                "speakers": min(rooms, SPEAKERS),
                "in_flight": in_flight,
                "patience": 60,
            }
            return self.bench.load(server, ours.by_websocket(server), ours.speaking(server, tag()), words)

    def rows(self, results: Results) -> list[Row]:
        path = ("deliveries_per_s",)
        return [
            self.row(
                results,
                f"{ROOMS:,} rooms × {EACH} readers ÷ one room of {ROOMS * EACH:,}, {how}",
                Measure("many", path),
                Measure(lane, path),
                peer="one room",
                unit="deliveries/s",
                floor=0.2,
                aim=0.5,
            )
            for lane, how in (("one", f"{IN_FLIGHT} in flight"), ("one, each alone", "1 in flight"))
        ]
