"""A restart with everybody connected: until all are back with their cursor, and have what was said since."""

import time
from collections.abc import Mapping

from benchmarks.bench import ours
from benchmarks.bench.client import Result
from benchmarks.bench.results import Results
from benchmarks.bench.scenario import MARK, Lane, Measure, Scenario, tag, text
from benchmarks.bench.table import Row

READERS = 9_500
SAID = 3  # messages before and after
PATIENCE_SECONDS = 300


class Restart(Scenario):
    name = "restart"
    about = f"a restart with {READERS:,} clients coming back with their cursor: seconds until all are live"
    repetitions = 3

    def make_lanes(self) -> Mapping[str, Lane]:
        return {"ours": self._ours}

    def _ours(self) -> Result:
        """They come back at once, not after a random wait as browsers do: the wait would be measured."""
        with ours.serve((self.bench.core,)) as server:
            words = {**ours.by_websocket(server), "readers": READERS, "come_back": True, "text": text()}
            with self.bench.client.hold(server.port, words) as readers:
                mark = tag()
                self._say(server, mark, range(SAID))
                readers.wait_for(SAID, PATIENCE_SECONDS)
                begun = time.monotonic()
                server.stop()
                stopped = time.monotonic()
                server.start()
                self._say(server, mark, range(SAID, 2 * SAID))
                live = readers.wait_for(2 * SAID, PATIENCE_SECONDS, since=begun)
        return {"seconds": live - begun, "stopping": stopped - begun}

    @staticmethod
    def _say(server: ours.Chat, mark: str, numbers: range) -> None:
        for number in numbers:
            said = f"~00000.{number:010d}~ "
            assert len(said) == MARK
            server.say(said + text(), f"{mark}.{number}")

    def rows(self, results: Results) -> list[Row]:
        limits = {"unit": "s", "floor": 15.0, "aim": 5.0, "fewer": True}
        what = f"a restart with {READERS:,} clients: SIGTERM to all live"
        return [
            self.row(results, what, Measure("ours", ("seconds",)), **limits),
            self.row(
                results, "  of it until the old server is gone", Measure("ours", ("stopping",)), unit="s"
            ),
        ]
