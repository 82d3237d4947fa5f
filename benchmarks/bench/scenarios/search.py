"""Searching a million messages, as benchmarks/search.py does it; its database is kept in the cache."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from benchmarks.bench.client import Refused, Result
from benchmarks.bench.machine import CHECKOUT
from benchmarks.bench.results import Results
from benchmarks.bench.scenario import Lane, Measure, Scenario
from benchmarks.bench.table import Row


class Search(Scenario):
    name = "search"
    about = "searches in 1,000,000 messages: 95th percentile of the slowest of ten kinds"

    def make_lanes(self) -> Mapping[str, Lane]:
        return {"ours": self._ours}

    def _ours(self) -> Result:
        with tempfile.TemporaryDirectory() as folder:
            found = Path(folder, "found.json")
            command = [sys.executable, str(CHECKOUT / "benchmarks" / "search.py"), "--json", str(found)]
            command += ["--keep", str(self.bench.cache / "search")]
            done = subprocess.run(command, capture_output=True, text=True)
            if not found.exists():
                raise Refused(f"benchmarks/search.py: {done.stderr[-500:]}")
            result: Result = json.loads(found.read_text())
            return result

    def rows(self, results: Results) -> list[Row]:
        limits = {"unit": "ms", "floor": 50.0, "aim": 10.0, "fewer": True}
        what = "search in 1,000,000 messages, p95"
        return [
            self.row(results, what, Measure("ours", ("p95_ms",)), **limits),
            self.row(results, "  of the slowest kind", Measure("ours", ("slowest_p95_ms",)), unit="ms"),
        ]
