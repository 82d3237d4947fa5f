"""The room page, as a guest gets it who has been there before, with 50 messages."""

from collections.abc import Mapping

from benchmarks.bench import ours
from benchmarks.bench.client import Result
from benchmarks.bench.results import Results
from benchmarks.bench.scenario import Lane, Measure, Scenario, tag
from benchmarks.bench.table import Row

CONNECTIONS = 16
MESSAGES = 50
SAID = "The quick brown fox jumps over the lazy dog, and this is message"
BROWSER = "gzip, deflate, br, zstd"  # what Chromium accepts


class Page(Scenario):
    name = "page"
    about = f"room pages served a second, {MESSAGES} messages on each, plain and compressed"

    def make_lanes(self) -> Mapping[str, Lane]:
        return {"ours": self._ours}

    def _ours(self) -> Result:
        with ours.serve((self.bench.core,)) as server:
            mark, path = tag(), f"/chats/{ours.LOBBY}/"
            for number in range(MESSAGES):
                server.say(f"{SAID} {number}", f"{mark}.{number}")
            words = {
                "transport": "page",
                "path": path,
                "readers": CONNECTIONS,
            }
            _, cookie = server.ask("GET", path)  # the first page brings its forms' token
            cookie = f"Cookie: {cookie.partition(';')[0]}"
            plain = {**words, "header": cookie, "ready": f"{SAID} {MESSAGES - 1}"}
            compressed = {**words, "header": f"{cookie}\r\nAccept-Encoding: {BROWSER}"}
            return {
                "plain": self.bench.load(server, plain),
                "compressed": self.bench.load(server, compressed),
            }

    def rows(self, results: Results) -> list[Row]:
        def row(what: str, how: str, **limits: float) -> Row:
            return self.row(results, what, Measure("ours", (how, "cycles_per_s")), unit="/s", **limits)

        return [
            row(f"room page, guest with cookie, {MESSAGES} messages", "plain", floor=600, aim=2000),
            row("  the same, compressed for a browser", "compressed"),
        ]
