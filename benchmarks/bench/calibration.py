"""What `costs` and `servers` found, as benchmarks/simulate.py reads it: a small file that is checked in."""

import json
from collections.abc import Iterable
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.bench.results import Result, Results
from benchmarks.bench.scenarios import costs, servers


def write(file: Path, results: Results, conditions: dict[str, Any]) -> None:
    """Of each figure the median, the lowest and the highest, or its only one. Raises ValueError where one was
    not measured.
    """
    found: dict[str, Any] = {
        "conditions": conditions,
        "costs": {
            name: {"what": what, "unit": unit}
            | {"values": _spread(name, results.of(costs.Costs.name, costs.LANE_OF[name]).values())}
            for name, (what, unit) in costs.FIGURES.items()
        },
        "counts": {"crowd": costs.READERS + costs.CROWD, "notices at a look": costs.AT_A_LOOK},
        "servers": [
            {"servers": count, "readers": readers}
            | {
                figure: _spread(figure, results.of(servers.Servers.name, lane).values())
                for figure in servers.FIGURES
            }
            for count in servers.COUNTS
            for readers in servers.READERS
            if (lane := servers.lane(count, readers))
        ],
    }
    file.write_text(_lines(found))


def _spread(figure: str, found: Iterable[Result]) -> list[float]:
    values = [each[figure] for each in found if "refused" not in each]
    if not values:
        raise ValueError(f"{figure} was not measured")
    told = values if len(values) == 1 else [median(values), min(values), max(values)]
    return [float(f"{value:.4g}") for value in told]


def _lines(found: dict[str, Any]) -> str:
    """A line for each figure, so that a change is read as such."""

    def said(value: object) -> str:
        return json.dumps(value, ensure_ascii=False)

    figures = [f"    {said(name)}: {said(each)}" for name, each in found["costs"].items()]
    parts = [f'  "{name}": {said(found[name])}' for name in ("conditions", "counts")]
    parts.append('  "costs": {\n' + ",\n".join(figures) + "\n  }")
    parts.append('  "servers": [\n' + ",\n".join(f"    {said(each)}" for each in found["servers"]) + "\n  ]")
    return "{\n" + ",\n".join(parts) + "\n}\n"
