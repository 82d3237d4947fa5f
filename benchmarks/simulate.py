"""What a million readers ask of how many servers, a machine's loss, one room of 200,000: docs/scaling.md.

Reckons with what `bin/bench costs servers --calibrate benchmarks/calibration.json` has measured, and says
how far off it is where it can be measured.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.bench import installing
from benchmarks.bench.machine import CHECKOUT
from benchmarks.simulation.checked import check, errors
from benchmarks.simulation.costs import FILE, read
from benchmarks.simulation.report import report, told, written

PLOT = Path(__file__).parent / "simulation" / "plot.py"
PLOT_NEEDS = Path(__file__).parent / "bench" / "plot-requirements.txt"


def draw(drawn: dict[str, Any], picture: Path) -> None:
    program = installing.python(CHECKOUT / ".bench", "plot", PLOT_NEEDS) / "python"
    subprocess.run([program, PLOT, picture], input=json.dumps(drawn), text=True, check=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="bin/simulate", description=__doc__)
    parser.add_argument("--calibration", type=Path, default=FILE, help="what the bench has measured")
    parser.add_argument(
        "--check", action="store_true", help="only what can be measured, and how far off it is"
    )
    parser.add_argument("--docs", type=Path, help="whose tables are written anew: docs/scaling.md")
    parser.add_argument("--plot", type=Path, help="where curves are drawn, as SVG: docs/scaling.svg")
    options = parser.parse_args()
    calibration = read(options.calibration)
    print(told(calibration), "\n")
    if options.check:
        checked, guesses = check(calibration)
        tables = [checked, errors(guesses)]
    else:
        tables, drawn = report(calibration)
        if options.plot:
            draw(drawn, options.plot)
    for table in tables:
        print(f"## {table.title}\n{table}\n")
    if options.docs:
        options.docs.write_text(written(options.docs.read_text(), calibration, tables))
    return 0


if __name__ == "__main__":
    sys.exit(main())
