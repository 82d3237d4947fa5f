"""What can be measured, predicted: how far off the simulation is."""

from collections.abc import Iterable, Iterator
from statistics import median
from typing import NamedTuple

from benchmarks.bench.table import number
from benchmarks.simulation.chat import in_flight
from benchmarks.simulation.costs import Calibration, Costs, Measured
from benchmarks.simulation.table import Table

IN_FLIGHT, MESSAGES = 4, 2000  # of the check: as the bench has them


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


def worst(guesses: Iterable[Guess]) -> Iterator[tuple[str, float, float]]:
    """Of each figure the median and the largest error, whichever way."""
    errors = [each.errors() for each in guesses]
    for figure in errors[0]:
        sizes = [abs(each[figure]) for each in errors]
        yield figure, median(sizes), max(sizes)


def errors(guesses: Iterable[Guess]) -> Table:
    rows = [
        [f"`{figure}`", f"{middle:.0%}".replace("%", " %"), f"**{most:.0%}**".replace("%", " %")]
        for figure, middle, most in worst(guesses)
    ]
    return Table("errors", "How far off that is", ["", "in the median", "at most"], rows)
