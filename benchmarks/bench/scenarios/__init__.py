"""One file for each scenario, in the order of the table."""

from benchmarks.bench.scenario import Scenario
from benchmarks.bench.scenarios.big_log import BigLog
from benchmarks.bench.scenarios.connects import Connects
from benchmarks.bench.scenarios.costs import Costs
from benchmarks.bench.scenarios.engines import Engines
from benchmarks.bench.scenarios.fanout import FanOut
from benchmarks.bench.scenarios.growth import Growth
from benchmarks.bench.scenarios.idle import Idle
from benchmarks.bench.scenarios.kept import Kept
from benchmarks.bench.scenarios.latency import Latency
from benchmarks.bench.scenarios.page import Page
from benchmarks.bench.scenarios.polls import Polls
from benchmarks.bench.scenarios.private import Private
from benchmarks.bench.scenarios.restart import Restart
from benchmarks.bench.scenarios.rooms import Rooms
from benchmarks.bench.scenarios.search import Search
from benchmarks.bench.scenarios.servers import Servers
from benchmarks.bench.scenarios.workers import Workers

ALL: tuple[type[Scenario], ...] = (
    FanOut,
    Polls,
    Kept,
    Latency,
    Idle,
    Connects,
    Restart,
    Page,
    Rooms,
    BigLog,
    Workers,
    Search,
    Private,
    Engines,
    Growth,
    Costs,
    Servers,
)
USUAL = ("fan-out", "polls", "kept")  # what bin/bench measures when it is told nothing
