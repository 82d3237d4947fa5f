"""What was measured, and what one core can by division alone."""

from collections.abc import Sequence

from benchmarks.bench.table import number
from benchmarks.simulation import storm
from benchmarks.simulation.costs import Calibration, Costs
from benchmarks.simulation.table import Table
from benchmarks.simulation.town import LOOKS_PER_SECOND, RENEW_SECONDS, TELLINGS_PER_SECOND


def _spread(values: Sequence[float], unit: str) -> str:
    if len(values) == 1:
        return f"{number(values[0])} {unit} (one repetition)"
    middle, least, most = map(number, values)
    return f"{middle} ({least} – {most}) {unit}"


def one_each(calibration: Calibration) -> Table:
    """As it was measured."""
    rows = [[each["what"], _spread(each["values"], each["unit"])] for each in calibration.found.values()]
    return Table("costs", "What one of each costs", ["", "CPU, or memory"], rows)


def limits(costs: Costs) -> Table:
    """What one core can, by division alone."""

    def micro(seconds: float) -> str:
        return f"{number(1e6 * seconds)} µs"

    def a_second(what: str, cost: float) -> list[str]:
        return [what, f"1 s ÷ {micro(cost)}", f"{1 / cost:,.0f} a second"]

    told, ten = costs.telling * TELLINGS_PER_SECOND, 10_000
    looked = LOOKS_PER_SECOND * ten
    return Table(
        "limits",
        "What one core can",
        ["", "", "that is"],
        [
            a_second("deliveries, messages one by one", costs.delivery(1)),
            a_second("the same, 64 together", costs.delivery(64) / 64),
            a_second("messages kept, 64 in flight", costs.message(64) / 64),
            a_second("the same on PostgreSQL", costs.postgres_message(64) / 64),
            a_second("the same, a core of PostgreSQL itself", costs.database_message(64) / 64),
            a_second("the same, one by one", costs.database_message(1)),
            a_second("long polls answered", costs.poll),
            a_second("room pages", costs.page),
            a_second("connections", costs.connect),
            [
                "connections within the 8 s that a page waits, where half of the core is free",
                f"{storm.OPEN_LIMIT:g} s × {storm.SHARE_FOR_COMERS:g} ÷ {micro(costs.connect)}",
                f"{storm.OPEN_LIMIT * storm.SHARE_FOR_COMERS / costs.connect:,.0f}",
            ],
            a_second("notices heard", costs.heard),
            a_second("notices that Redis sends on, each to one server", costs.redis_sent),
            [
                "looks at the revisions of 10,000 rooms, PostgreSQL",
                f"{looked:,.0f} × {micro(costs.postgres_look)}",
                f"{looked * costs.postgres_look:.1%} of the server’s core",
            ],
            [
                "the same, of PostgreSQL itself",
                f"{looked:,.0f} × {micro(costs.database_look)}",
                f"{looked * costs.database_look:.1%} of a core, for each server",
            ],
            [
                "heartbeats of 10,000 connections",
                f"10,000 × {micro(costs.waiting)} + {micro(costs.alone)}",
                f"{ten * costs.waiting + costs.alone:.1%} of a core",
            ],
            [
                "people of whom it is told twice a second who is there, for a tenth of the core",
                f"0.1 s ÷ 2 ÷ {micro(costs.telling)}",
                f"{0.1 / told:,.0f}",
            ],
            [
                "leases of a million people, each renewed every 20 s",
                f"50,000 × {micro(costs.lease)}",
                f"{1e6 / RENEW_SECONDS * costs.lease:.1%} of a core, of all servers together",
            ],
            [
                "memory of 10,000 connections and their server",
                f"10,000 × {costs.memory / 1000:.1f} KB + {costs.server / 1e6:,.0f} MB",
                f"{(ten * costs.memory + costs.server) / 1e6:,.0f} MB",
            ],
        ],
    )
