"""New connections: from the TCP connection over the handshake to the first `joined`, a crowd at once."""

from collections.abc import Mapping

from benchmarks.bench import ours, peers
from benchmarks.bench.client import Result
from benchmarks.bench.results import Results
from benchmarks.bench.scenario import Lane, Measure, Scenario, tag
from benchmarks.bench.table import Row

CROWD = 3000
AT_ONCE = 64


class Connects(Scenario):
    name = "connects"
    about = f"{CROWD:,} WebSockets that come at once: connections a second, to the first `joined`"

    def make_lanes(self) -> Mapping[str, Lane]:
        return {"ours": self._ours, "flask_sock": self._plain}

    def _ours(self) -> Result:
        with ours.serve((self.bench.core,)) as server:
            words = {**ours.by_websocket(server), "readers": CROWD, "opening": AT_ONCE}
            with self.bench.client.hold(server.port, words) as readers:
                return readers.opened

    def _plain(self) -> Result:
        peer = self.bench.peer(peers.FlaskSock)
        with peer.serve(self.bench.core) as server:
            words = {**peer.by_websocket(tag()), "readers": CROWD, "opening": AT_ONCE}
            with self.bench.client.hold(server.port, words) as readers:
                return readers.opened

    def rows(self, results: Results) -> list[Row]:
        path = ("opened_per_s",)
        return [
            self.row(
                results,
                "new connections, handshake to `joined` ÷ flask-sock",
                Measure("ours", path),
                Measure("flask_sock", path),
                peer="flask_sock",
                unit="/s",
                floor=1.3,
                aim=4.0,
            )
        ]
