"""A thousand long polls that ask again once they are answered: by our cursor, and by the tutorial's."""

from collections.abc import Callable, Mapping

from benchmarks.bench import ours, peers
from benchmarks.bench.client import Result, Words
from benchmarks.bench.results import Results
from benchmarks.bench.scenario import Lane, Measure, Scenario, tag
from benchmarks.bench.table import Row

READERS = 1000
# One message at a time: the next is said when everybody has the last, so that each answer has one message.
TOLD = {"readers": READERS, "speakers": 1, "in_flight": 1, "patience": 60}
CYCLES = ("cycles_per_s",)


class Polls(Scenario):
    name = "polls"
    about = "1,000 long polls in one room: answers a second, by our cursor and by the tutorial's"

    def make_lanes(self) -> Mapping[str, Lane]:
        return {
            "ours": lambda: self._ours(ours.by_poll),
            "starlette": lambda: self._peer(peers.Starlette),
            "nchan": lambda: self._peer(peers.Nchan),
            "ours, tutorial": lambda: self._ours(ours.by_tutorial),
            "tornado": self._tornado,
        }

    def _ours(self, asking: Callable[[ours.Chat], Words]) -> Result:
        with ours.serve((self.bench.core,)) as server:
            return self.bench.load(server, asking(server), ours.speaking(server, tag()), TOLD)

    def _peer(self, kind: type[peers.Starlette | peers.Nchan]) -> Result:
        peer, mark = self.bench.peer(kind), tag()
        with peer.serve(self.bench.core) as server:
            return self.bench.load(server, peer.by_poll(mark), peer.speaking(mark), TOLD)

    def _tornado(self) -> Result:
        peer = self.bench.peer(peers.Tornado)
        with peer.serve(self.bench.core) as server:
            return self.bench.load(server, peer.by_poll(tag()), peer.posting(), TOLD)

    def rows(self, results: Results) -> list[Row]:
        return [
            self._row(
                results,
                "long-poll cycles, 1,000 readers ÷ Starlette",
                "ours",
                "starlette",
                floor=1.5,
                aim=3.3,
            ),
            self._row(results, "long-poll cycles ÷ nchan", "ours", "nchan"),
            self._row(
                results,
                "one message a poll ÷ Tornado's demo",
                "ours, tutorial",
                "tornado",
                floor=2.0,
                aim=8.0,
            ),
        ]

    def _row(self, results: Results, what: str, mine: str, theirs: str, **limits: float) -> Row:
        more = {"peer": theirs, "unit": "cycles/s", **limits}
        return self.row(results, what, Measure(mine, CYCLES), Measure(theirs, CYCLES), **more)
