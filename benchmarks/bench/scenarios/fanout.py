"""One message to a thousand readers of a room, by WebSocket and by event stream, few and many in flight."""

from collections.abc import Callable, Mapping

from benchmarks.bench import ours, peers
from benchmarks.bench.client import Result, Words
from benchmarks.bench.results import Results
from benchmarks.bench.scenario import Bench, Lane, Measure, Scenario, tag
from benchmarks.bench.table import Row

READERS = 1000
WINDOWS = (1, 4, 64)
LIMITS = {1: (1.0, 1.8), 4: (2.5, 6.0), 64: (4.0, 8.0)}  # ÷ nchan: floor, aim
STREAM_LIMITS = (0.8, 1.0)  # ÷ our own WebSocket
OTHERS = (
    peers.NodeWs,
    peers.SocketIo,
    peers.Starlette,
    peers.Tornado,
    peers.FlaskSocketIo,
    peers.Channels,
    peers.FlaskSock,
)


class FanOut(Scenario):
    name = "fan-out"
    about = "1,000 WebSockets and 1,000 event streams in one room; 1, 4 and 64 messages in flight"

    def make_lanes(self) -> Mapping[str, Lane]:
        lanes: dict[str, Lane] = {
            "ours": lambda: of_ours(self.bench, ours.by_websocket),
            "nchan": lambda: of_peer(self.bench, peers.Nchan),
            "ours, streams": lambda: of_ours(self.bench, ours.by_stream),
            "bare": lambda: of_peer(self.bench, peers.Bare),
        }
        if self.bench.everybody:
            lanes |= {kind.name: _of(self.bench, kind) for kind in OTHERS}
        return lanes

    def rows(self, results: Results) -> list[Row]:
        rows = []
        for window in WINDOWS:
            floor, aim = LIMITS[window]
            what = f"fan-out to 1,000 WebSockets, {window} in flight ÷ nchan"
            rows.append(self._row(results, what, "ours", "nchan", window, floor=floor, aim=aim))
        for window in WINDOWS:
            floor, aim = STREAM_LIMITS
            what = f"to 1,000 event streams, {window} in flight ÷ our WebSocket"
            rows.append(self._row(results, what, "ours, streams", "ours", window, floor=floor, aim=aim))
        for name in self.lanes:
            if name not in ("ours", "nchan", "ours, streams"):
                rows += [
                    self._row(results, f"{window} in flight ÷ {name}", "ours", name, window)
                    for window in WINDOWS
                ]
        return rows

    def _row(self, results: Results, what: str, mine: str, theirs: str, window: int, **limits: float) -> Row:
        path = (str(window), "deliveries_per_s")
        more = {"peer": theirs, "unit": "deliveries/s", **limits}
        return self.row(results, what, Measure(mine, path), Measure(theirs, path), **more)


def of_ours(bench: Bench, coming: Callable[[ours.Chat], Words]) -> Result:
    """By window, one run after another on the same server; `coming`: how the readers come in."""
    results = {}
    with ours.serve((bench.core,)) as server:
        for window in WINDOWS:
            told = {"readers": READERS, "speakers": 1, "in_flight": window}
            results[str(window)] = bench.load(server, coming(server), ours.speaking(server, tag()), told)
    return results


def of_peer(bench: Bench, kind: type[peers.Peer]) -> Result:
    peer = bench.peer(kind)
    results = {}
    with peer.serve(bench.core) as server:
        for window in WINDOWS:
            mark = tag()
            told = {"readers": READERS, "speakers": 1, "in_flight": window, "patience": peer.patience}
            results[str(window)] = bench.load(server, peer.by_websocket(mark), peer.speaking(mark), told)
    return results


def _of(bench: Bench, kind: type[peers.Peer]) -> Lane:
    return lambda: of_peer(bench, kind)
