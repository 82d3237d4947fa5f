"""The tables of `bin/simulate`, which are those of docs/scaling.md, and what is drawn of them."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from statistics import median
from typing import Any, NamedTuple

from benchmarks.bench.table import number
from benchmarks.simulation import storm
from benchmarks.simulation.chat import at_a_pace, in_flight
from benchmarks.simulation.costs import Calibration, Costs, Measured
from benchmarks.simulation.town import (
    LOOKS_PER_SECOND,
    RENEW_SECONDS,
    TELLINGS_PER_SECOND,
    Spread,
    Town,
    hearing,
    one_of,
)

IN_FLIGHT, MESSAGES = 4, 2000  # of the check: as the bench has them
TOWNS = ((1_000, 1), (10_000, 1), (50_000, 5), (200_000, 20), (1_000_000, 100))  # readers, servers
DAILY = 1000  # messages of one reader: 10⁹ of a million
PEAKS = (1.0, 2.0, 3.0)
CROWDED = (100, 200, 400)  # servers
TOWN_SECONDS = 10.0
EACH = 10_000  # connections of a server
OF_A_MACHINE = 4  # servers
MACHINES = (2, 3, 5, 10, 25)
SHARE_FOR_COMERS = 0.5  # of a core: the rest serves who is there
STORM_SECONDS = 120
LARGE_ROOM, RATES = 200_000, (1.0, 5.0)
SPREADS = (20, 40, 80)  # servers that it is on
LARGE_SECONDS = 120.0


class Table(NamedTuple):
    """`name`: of its place in docs/scaling.md."""

    name: str
    title: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]

    def __str__(self) -> str:
        lines = [self.heads, *self.rows]
        widths = [max(len(line[column]) for line in lines) for column in range(len(self.heads))]
        cells = ["| " + " | ".join(map(str.ljust, line, widths)) + " |" for line in lines]
        cells.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
        return "\n".join(cells)


def told(calibration: Calibration) -> str:
    """When and where all of it was measured."""
    about = calibration.about
    where = f"{about['machine']}; {about['versions']}; commit {about['commit']}"
    return f"Measured on {about['date']}: {where}; load average at the beginning {about['load']:.1f}."


def written(docs: str, calibration: Calibration, tables: Iterable[Table]) -> str:
    """`docs` with each table in its place, between two lines that say whose it is."""
    for name, text in [("about", told(calibration)), *((table.name, str(table)) for table in tables)]:
        begin, end = f"<!-- bin/simulate: {name} -->\n", f"<!-- {name} -->"
        before, _, rest = docs.partition(begin)
        _, found, after = rest.partition(end)
        if not found:
            raise ValueError(f"there is no place for {name}")
        docs = f"{before}{begin}{text}\n{end}{after}"
    return docs


def _spread(values: Sequence[float]) -> str:
    middle, least, most = map(number, values)
    return f"{middle} ({least} – {most})"


def one_each(calibration: Calibration) -> Table:
    """As it was measured."""
    rows = [
        [each["what"], f"{_spread(each['values'])} {each['unit']}"] for each in calibration.found.values()
    ]
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
                f"{storm.OPEN_LIMIT:g} s × {SHARE_FOR_COMERS:g} ÷ {micro(costs.connect)}",
                f"{storm.OPEN_LIMIT * SHARE_FOR_COMERS / costs.connect:,.0f}",
            ],
            a_second("notices heard", costs.heard),
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


# -- what can be measured


class Guess(NamedTuple):
    """What is predicted of what was measured, in its units."""

    measured: Measured
    delivery: float
    connect: float
    memory: float

    def errors(self) -> dict[str, float]:
        """By figure, as a share of what was measured."""
        return {
            figure: getattr(self, figure) / getattr(self.measured, figure)[0] - 1
            for figure in ("delivery", "connect", "memory")
        }


def guess(costs: Costs, measured: Measured) -> Guess:
    """As the bench measures it: all servers on one core, the readers in turn on each."""
    count, readers = measured.servers, measured.readers
    each = [readers // count + (place < readers % count) for place in range(count)]
    chat = in_flight(costs, each, [0] * count, IN_FLIGHT, MESSAGES)
    delivered = sum(server.delivered for server in chat.servers)
    memory = (readers * costs.memory + count * costs.server) / 1e6
    return Guess(measured, 1e6 * chat.cpu() / delivered, 1e6 * costs.connect, memory)


def check(calibration: Calibration) -> tuple[Table, list[Guess]]:
    guesses = [guess(calibration.costs, each) for each in calibration.measured]
    rows = [
        [f"{each.measured.servers}", f"{each.measured.readers:,}"]
        + [
            f"{number(getattr(each, figure))} / {number(getattr(each.measured, figure)[0])} ({error:+.0%})"
            for figure, error in each.errors().items()
        ]
        for each in guesses
    ]
    heads = ["servers", "readers", "delivery, µs", "connection, µs", "memory, MB"]
    return Table("check", "Predicted / measured", heads, rows), guesses


# -- what cannot


def towns(costs: Costs) -> tuple[Table, list[dict[str, Any]]]:
    heads = ["readers (servers)", *(f"{readers:,} ({servers})" for readers, servers in TOWNS)]
    columns, curves = [], []
    for readers, servers in TOWNS:
        town = Town(readers, readers * DAILY)
        asked = list(town.asks(costs, servers, postgres=servers > 1))
        curves.append({"readers": readers, "cores": {each.what: each.servers for each in asked}})
        total = sum(each.servers for each in asked)
        columns.append(
            [
                f"{town.messages:,.0f}",
                f"{town.deliveries:,.0f}",
                *(f"{each.servers / servers:.1%}" for each in asked),
                f"{total / servers:.0%}",
                f"{sum(each.database for each in asked):.2f}",
                f"{town.gigabytes(costs, servers):.1f}",
                f"{town.gigabits:.2f}",
            ]
        )
    names = [
        "messages a second",
        "deliveries a second",
        *(f"{each.what}, of a server's core" for each in asked),
        "all of a server's core",
        "cores of PostgreSQL",
        "GB of memory",
        "Gbit/s",
    ]
    rows = [[name, *cells] for name, *cells in zip(names, *columns, strict=True)]
    return Table(
        "towns", "What everybody asks of how many servers, in the mean of a day", heads, rows
    ), curves


def crowded(costs: Costs) -> Table:
    """A server that has more to do than time is behind by ever more: there is no delay to be told."""
    readers, _ = TOWNS[-1]
    town = Town(readers, readers * DAILY)
    rows = []
    for by_room, servers, peak in product((False, True), CROWDED, PEAKS):
        seen = one_of(town, costs, servers, TOWN_SECONDS, peak, by_room=by_room)
        carries = seen.share < 1
        delays = [f"{1000 * seen.delay(share):,.0f}" if carries else "grows" for share in (0.5, 0.99, 0.999)]
        spread = Spread.BY_ROOM if by_room else Spread.EVERYWHERE
        rows.append([spread.value, f"{servers}", f"{peak:g}", f"{seen.share:.0%}", *delays])
    heads = ["notices", "servers", "times the mean", "busy", "p50, ms", "p99", "p99.9"]
    title = "One of the servers with a million readers: from the commit to the last reader there"
    return Table("crowded", title, heads, rows)


def notices(costs: Costs) -> Table:
    readers, servers = TOWNS[-1]
    town = Town(readers, readers * DAILY)
    rows = []
    for spread in Spread:
        heard = town.notices(servers, spread)
        rows.append([spread.value, f"{heard:,.0f}", f"{hearing(costs, heard):.1%}"])
    heads = ["notices", "that a server hears a second", "of its core"]
    return Table("notices", f"To whom notices go, {servers} servers with a million readers", heads, rows)


def storms(costs: Costs) -> tuple[Table, list[dict[str, Any]]]:
    rows, curves = [], []
    for how in (storm.CUT, storm.GOING, storm.VANISHED):
        for machines in MACHINES:
            clients, servers = OF_A_MACHINE * EACH, OF_A_MACHINE * (machines - 1)
            seen = storm.Storm(costs, clients, servers, SHARE_FOR_COMERS, how)
            rows.append(
                [how.name, f"{machines}", f"{clients // servers:,}"]
                + [f"{seen.when(share):.1f}" for share in (0.5, 0.99, 1.0)]
                + [f"{seen.attempts / clients:.2f}"]
            )
            if how is storm.CUT:
                seconds = [step / 4 for step in range(4 * STORM_SECONDS + 1)]
                curves.append({"machines": machines, "back": storm.returned(seen, seconds)})
    heads = ["a machine", "of", "come to each", "half are back, s", "99 %", "all", "attempts each"]
    title = f"The loss of a machine with {OF_A_MACHINE} servers of {EACH:,}"
    return Table("storms", title, heads, rows), curves


def large_room(costs: Costs) -> Table:
    rows = []
    for rate in RATES:
        for servers in SPREADS:
            chat, said = at_a_pace(costs, [LARGE_ROOM // servers] * servers, rate, LARGE_SECONDS)
            delays = sorted(1000 * (each.shown - each.said) for each in said if each.shown)
            rows.append(
                [f"{rate:g}", f"{servers}", f"{max(each.busy for each in chat.servers) / LARGE_SECONDS:.0%}"]
                + [f"{delays[max(0, int(share * len(delays)) - 1)]:,.0f}" for share in (0.5, 0.99)]
                + [f"{costs.telling * LARGE_ROOM * 2:.0%}"]
            )
    heads = ["messages/s", "servers", "busy", "p50 to the last reader, ms", "p99", "and to tell who is there"]
    return Table("large room", f"One room of {LARGE_ROOM:,}", heads, rows)


def errors(guesses: Iterable[Guess]) -> Table:
    rows = [
        [f"`{figure}`", f"{middle:.0%}".replace("%", " %"), f"**{most:.0%}**".replace("%", " %")]
        for figure, middle, most in worst(guesses)
    ]
    return Table("errors", "How far off that is", ["", "in the median", "at most"], rows)


def report(calibration: Calibration) -> tuple[list[Table], dict[str, Any]]:
    """The tables, and what there is to be drawn."""
    costs = calibration.costs
    checked, guesses = check(calibration)
    asked, cores = towns(costs)
    lost, back = storms(costs)
    drawn = {
        "check": [
            {"servers": each.measured.servers, "readers": each.measured.readers, "guess": each.delivery}
            | {"measured": each.measured.delivery}
            for each in guesses
        ],
        "cores": cores,
        "back": back,
    }
    return [
        one_each(calibration),
        limits(costs),
        checked,
        errors(guesses),
        asked,
        notices(costs),
        crowded(costs),
        lost,
        large_room(costs),
    ], drawn


def worst(guesses: Iterable[Guess]) -> Iterator[tuple[str, float, float]]:
    """Of each figure the median and the largest error, whichever way."""
    errors = [each.errors() for each in guesses]
    for figure in errors[0]:
        sizes = [abs(each[figure]) for each in errors]
        yield figure, median(sizes), max(sizes)
