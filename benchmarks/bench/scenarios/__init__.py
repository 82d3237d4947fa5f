"""One file for each scenario, in the order of the table."""

from benchmarks.bench.scenario import Scenario
from benchmarks.bench.scenarios.fanout import FanOut
from benchmarks.bench.scenarios.kept import Kept
from benchmarks.bench.scenarios.polls import Polls

ALL: tuple[type[Scenario], ...] = (FanOut, Polls, Kept)
USUAL = ("fan-out", "polls", "kept")  # what bin/bench measures when it is told nothing
