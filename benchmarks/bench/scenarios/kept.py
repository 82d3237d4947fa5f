"""Messages on the disk before they are acknowledged: one socket with many in flight, many with few."""

from collections.abc import Mapping

from benchmarks.bench import ours, peers
from benchmarks.bench.client import Result
from benchmarks.bench.results import Results
from benchmarks.bench.scenario import Lane, Measure, Scenario, tag
from benchmarks.bench.table import Row

SENDERS = ((1, 64), (64, 4))  # sockets, messages in flight on each
OTHERS = (peers.Starlette, peers.Tornado, peers.FlaskSocketIo, peers.Channels)
FIGURE = "messages_per_s"


class Kept(Scenario):
    name = "kept"
    about = "messages kept and acknowledged a second: one socket with 64 in flight, 64 sockets with 4"

    def make_lanes(self) -> Mapping[str, Lane]:
        lanes: dict[str, Lane] = {"ours": self._ours, "flask_sock": lambda: self._peer(peers.FlaskSock)}
        if self.bench.everybody:
            lanes |= {kind.name: self._of(kind) for kind in OTHERS}
        return lanes

    def _ours(self) -> Result:
        with ours.serve((self.bench.core,)) as server:
            return {
                str(sockets): self.bench.load(
                    server, ours.speaking(server, tag()), speakers=sockets, in_flight=window
                )
                for sockets, window in SENDERS
            }

    def _of(self, kind: type[peers.Peer]) -> Lane:
        return lambda: self._peer(kind)

    def _peer(self, kind: type[peers.Peer]) -> Result:
        peer = self.bench.peer(kind)
        with peer.serve(self.bench.core) as server:
            return {
                str(sockets): self.bench.load(server, peer.keeping(), speakers=sockets, in_flight=window)
                for sockets, window in SENDERS
            }

    def rows(self, results: Results) -> list[Row]:
        rows = []
        for sockets, window in SENDERS:
            path = (str(sockets), FIGURE)
            who = f"{sockets} socket{'s' * (sockets > 1)}, {window} in flight{' each' * (sockets > 1)}"
            rows.append(
                self.row(
                    results,
                    f"messages kept, {who}",
                    Measure("ours", path),
                    unit="messages/s",
                    floor=12_000,
                    aim=40_000,
                )
            )
            for name in self.lanes:
                if name != "ours":
                    limits = {"floor": 4.0, "aim": 12.0} if name == "flask_sock" else {}
                    rows.append(
                        self.row(
                            results,
                            f"{who} ÷ one commit a message ({name})",
                            Measure("ours", path),
                            Measure(name, path),
                            peer=name,
                            unit="messages/s",
                            **limits,
                        )
                    )
        return rows
