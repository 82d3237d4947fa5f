"""The room page, as a guest gets it who has been there before, with 50 messages."""

from collections.abc import Mapping

from benchmarks.bench import ours
from benchmarks.bench.client import Result, Words
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
            plain = dict(asking(server))
            compressed = {**plain, "header": f"{plain['header']}\r\nAccept-Encoding: {BROWSER}"}
            del compressed["ready"]  # which is not to be read there
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


def asking(server: ours.Chat) -> Words:
    """Says the messages; what the load client is told to ask for their page."""
    mark, path = tag(), f"/chats/{ours.LOBBY}/"
    for number in range(MESSAGES):
        server.say(f"{SAID} {number}", f"{mark}.{number}")
    _, cookie = server.ask("GET", path)  # the first page brings its forms' token
    return {
        "transport": "page",
        "path": path,
        "readers": CONNECTIONS,
        "header": f"Cookie: {cookie.partition(';')[0]}",
        "ready": f"{SAID} {MESSAGES - 1}",
    }
