"""All tables of `bin/simulate`, which are those of docs/scaling.md, and what is drawn of them."""

from collections.abc import Iterable
from typing import Any

from benchmarks.simulation.checked import check, errors
from benchmarks.simulation.costs import Calibration
from benchmarks.simulation.forecast import crowded, fleets, large_room, notices, storms, towns
from benchmarks.simulation.limits import limits, one_each
from benchmarks.simulation.table import Table


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
        fleets(costs),
        lost,
        large_room(costs),
    ], drawn
