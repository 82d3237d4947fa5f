"""What cannot be measured here: everybody, a machine's loss, a very large room."""

from itertools import product
from math import ceil
from typing import Any

from benchmarks.simulation import storm
from benchmarks.simulation.chat import at_a_pace
from benchmarks.simulation.costs import Costs
from benchmarks.simulation.table import Table
from benchmarks.simulation.town import Share, Spread, Town, hearing, one_of

TOWNS = ((1_000, 1), (10_000, 1), (50_000, 5), (200_000, 20), (1_000_000, 100))  # readers, servers
DAILY = 1000  # messages of one reader: 10⁹ of a million
FLEETS = (10_000, 100_000, 1_000_000)  # readers
FILLED = 2 / 3  # of a core, at most
PEAKS = (1.0, 2.0, 3.0)
CROWDED = (100, 200, 400)  # servers
TOWN_SECONDS = 10.0
EACH = 10_000  # connections of a server
OF_A_MACHINE = 4  # servers
MACHINES = (2, 3, 5, 25)
STORMS = (
    (storm.CUT, storm.SHARE_FOR_COMERS),
    (storm.CUT, storm.SHARE_FOR_COMERS / 2),
    (storm.GOING, storm.SHARE_FOR_COMERS),
    (storm.VANISHED, storm.SHARE_FOR_COMERS),
)
STORM_SECONDS = 40
LARGE_ROOM, RATES = 200_000, (1.0, 5.0)
SPREADS = (20, 40, 80)  # servers that it is on
LARGE_SECONDS = 120.0


def towns(costs: Costs) -> tuple[Table, list[dict[str, Any]]]:
    heads = ["readers (servers)", *(f"{readers:,} ({servers})" for readers, servers in TOWNS)]
    columns, curves = [], []
    for readers, servers in TOWNS:
        town = Town(readers, readers * DAILY)
        asked = [*town.asks(costs, servers, postgres=servers > 1), *town.tells(costs, servers)]
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
    busier = {peak: Town(readers, readers * DAILY * peak) for peak in PEAKS}
    rows = []
    for spread, servers, peak in product((Spread.EVERYWHERE, Spread.BY_ROOM), CROWDED, PEAKS):
        seen = one_of(busier[peak], costs, servers, TOWN_SECONDS, spread)
        carries = seen.share < 1
        delays = [f"{1000 * seen.delay(share):,.0f}" if carries else "grows" for share in (0.5, 0.99, 0.999)]
        rows.append([spread.value, f"{servers}", f"{peak:g}", f"{seen.share:.0%}", *delays])
    heads = ["notices", "servers", "times the mean", "busy", "p50, ms", "p99", "p99.9"]
    title = "One of the servers with a million readers: from the commit to the last reader there"
    return Table("crowded", title, heads, rows)


def fleets(costs: Costs) -> Table:
    """As many servers as leave a third of their cores in the busiest hours, where notices go by room and
    who is there is counted.
    """
    heads = ["readers", "servers", "machines", "cores of PostgreSQL", "GB", "Gbit/s out", "messages a second"]
    return Table(
        "fleets", "What it takes in the busiest hours", heads, [_fleet(costs, each) for each in FLEETS]
    )


def _fleet(costs: Costs, readers: int) -> list[str]:
    town = Town(readers, readers * DAILY * PEAKS[-1])

    def asked(servers: int) -> list[Share]:
        return list(town.asks(costs, servers, postgres=servers > OF_A_MACHINE, spread=Spread.BY_ROOM))

    servers = ceil(readers / EACH)
    while sum(each.servers for each in asked(servers)) > FILLED * servers:
        servers = ceil(1.1 * servers)
    machines = ceil(servers / OF_A_MACHINE)
    database = ceil(sum(each.database for each in asked(servers)) / FILLED)
    return [
        *(f"{readers:,}", f"{servers}", f"{machines}", f"{database}" if database else "none: SQLite"),
        *(f"{town.gigabytes(costs, servers):.1f}", f"{town.gigabits:.1f}", f"{town.messages:,.0f}"),
    ]


def notices(costs: Costs) -> Table:
    readers, servers = TOWNS[-1]
    town = Town(readers, readers * DAILY)
    rows = []
    for spread in Spread:
        heard = town.notices(servers, spread)
        redis = [f"{heard * each:.0%}" for each in (costs.redis_heard, costs.redis_alone)]
        rows.append([spread.value, f"{heard:,.0f}", f"{hearing(costs, heard):.1%}", " – ".join(redis)])
        rows[-1].append(f"{servers * heard * costs.redis_sent:.1f}")
    heads = ["notices", "that a server hears a second", "of its core", "by Redis", "cores of Redis, at most"]
    return Table("notices", f"To whom notices go, {servers} servers with a million readers", heads, rows)


def storms(costs: Costs) -> tuple[Table, list[dict[str, Any]]]:
    rows, curves = [], []
    for how, share in STORMS:
        for machines in MACHINES:
            clients, servers = OF_A_MACHINE * EACH, OF_A_MACHINE * (machines - 1)
            seen = storm.Storm(costs, clients, servers, share, how)
            rows.append(
                [how.name, f"{share:.0%}", f"{machines}", f"{clients // servers:,}"]
                + [f"{seen.when(part):.1f}" for part in (0.5, 0.99, 1.0)]
                + [f"{seen.attempts / clients:.2f}"]
            )
            if (how, share) == STORMS[0]:
                seconds = [step / 2 for step in range(2 * STORM_SECONDS + 1)]
                curves.append({"machines": machines, "back": storm.returned(seen, seconds)})
    heads = ["a machine", "free of a core", "of", "come to each"]
    heads += ["half are back, s", "99 %", "all", "attempts each"]
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
