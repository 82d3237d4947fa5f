"""Our server beside what people would pick instead: one command, one table.

Servers run on the first core, the load client on the second; contestants are measured in turns. What was
measured is written down as it comes, and a run that was broken off goes on where it was. benchmarks/README.md
has the method.

Exit status: 0, all floors are met; 1, one is missed; 2, a measurement was refused, or it cannot be run.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.bench import calibration, flames, installing, machine, quick, scenarios, table
from benchmarks.bench.client import Client, Refused, build
from benchmarks.bench.machine import CHECKOUT, Unfit
from benchmarks.bench.results import Key, Results
from benchmarks.bench.scenario import Bench, Scenario
from benchmarks.bench.scenarios.growth import Growth

PLOT = Path(__file__).with_name("plot.py")
CACHE = Path(os.environ.get("BENCH_CACHE") or CHECKOUT / ".bench")


def measure(chosen: list[Scenario], results: Results, repetitions: int | None) -> None:
    """What is not measured yet, in turns: A B C, B C A …, so that what drifts hits everybody."""
    for scenario in chosen:
        for repetition in range(repetitions or scenario.repetitions):
            names = list(scenario.lanes)
            first = repetition % len(names)
            for name in names[first:] + names[:first]:
                key = Key(scenario.name, name, repetition)
                if not results.has(key):
                    measure_one(scenario, key, results)


def measure_one(scenario: Scenario, key: Key, results: Results) -> None:
    begun = time.monotonic()
    try:
        results.add(key, scenario.lanes[key.lane]())
        said = "done"
    except Refused as refusal:
        results.add(key, {"refused": f"{key.lane}: {refusal}"})
        said = f"REFUSED: {refusal}"
    took = time.monotonic() - begun
    print(
        f"{key.scenario} {key.repetition + 1}: {key.lane}: {said} ({took:.0f} s)", file=sys.stderr, flush=True
    )


def quickly(bench: Bench, load: float, keep: bool) -> int:
    scenario = quick.Quick(bench)
    with tempfile.TemporaryDirectory() as folder:
        results = Results(Path(folder, "quick.jsonl"), {})
        measure([scenario], results, None)
        if keep:
            quick.store(scenario.rows(results))
        return report([scenario], results, machine.describe(), load)


def report(chosen: list[Scenario], results: Results, about: dict[str, str], load: float) -> int:
    rows = [row for scenario in chosen for row in scenario.rows(results)]
    print(table.render(rows))
    print()
    for scenario in chosen:
        said = table.shares(results.of(scenario.name, lane) for lane in scenario.lanes)
        if said:
            print(f"{scenario.name}: {said}")
    fsync, slow = machine.fsync_ms()
    print(f"{time.strftime('%Y-%m-%d')}, {about['machine']}; {about['versions']}; commit {about['commit']}")
    print(f"One bare fsync takes {fsync:.2f} ms (99th percentile {slow:.2f}). Median (lowest – highest).")
    if load > machine.QUIET_LOAD:
        print(
            f"NOT QUIET: the load average was {load:.1f} at the beginning; absolute figures are worth little."
        )
    verdicts = {row.verdict for row in rows}
    return 2 if "REFUSED" in verdicts else 1 if "MISSED" in verdicts else 0


def main() -> int:
    options = read_options()
    core, client_core = machine.cores()
    machine.raise_limits()
    load = os.getloadavg()[0]
    client = Client(build(CACHE), client_core)
    if options.quick:
        return quickly(Bench(CACHE, core, client), load, options.store)
    if options.flames:
        flames.make(Bench(CACHE, core, client, timed=False), options.flames)
        return 0
    everybody = options.scenarios == ["all"] or options.everybody
    bench = Bench(CACHE, core, client, options.seconds, options.warmup, everybody)
    names = [each.name for each in scenarios.ALL] if options.scenarios == ["all"] else options.scenarios
    chosen = [each(bench) for each in scenarios.ALL if each.name in (names or scenarios.USUAL)]
    about = machine.describe()
    settings = {"seconds": options.seconds, "warmup": options.warmup}
    file = options.results or CACHE / "results" / f"{'-'.join(options.scenarios) or 'usual'}.jsonl"
    results = Results(file, {**about, **settings})
    if results.put_aside:
        print(f"other conditions than last time: {results.put_aside} has those figures", file=sys.stderr)
    measure(chosen, results, options.repetitions)
    if options.calibrate:
        calibration.write(
            options.calibrate, results, {**about, "date": time.strftime("%Y-%m-%d"), "load": load}
        )
    if options.plot:
        draw([each for each in chosen if isinstance(each, Growth)], results, options.plot)
    return report(chosen, results, about, load)


def draw(chosen: list[Growth], results: Results, picture: Path) -> None:
    program = installing.python(CACHE, "plot", PLOT.with_name("plot-requirements.txt")) / "python"
    for scenario in chosen:
        curves = json.dumps(scenario.curves(results))
        subprocess.run([str(program), str(PLOT), str(picture)], input=curves, text=True, check=True)


def read_options() -> argparse.Namespace:
    told = "\n".join(f"  {each.name:<12}{each.about}" for each in scenarios.ALL)
    usual = ", ".join(scenarios.USUAL)
    parser = argparse.ArgumentParser(
        prog="bin/bench",
        description=__doc__,
        epilog=f"scenarios ({usual} where none is named; all: every one, with every peer):\n{told}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("scenarios", nargs="*", metavar="NAME", help="what is measured")
    parser.add_argument(
        "--quick",
        action="store_true",
        help="a minute: ourselves beside a bare loop, against the stored ratios",
    )
    parser.add_argument("--store", action="store_true", help="with --quick: store the ratios that it finds")
    parser.add_argument(
        "--everybody", action="store_true", help="with every peer, not only those of the floors"
    )
    parser.add_argument("--repetitions", type=int, help="of each lane (5)")
    parser.add_argument("--seconds", type=float, default=3.0, help="length of one measurement (3)")
    parser.add_argument("--warmup", type=float, default=1.0, help="seconds before it (1)")
    parser.add_argument(
        "--results", type=Path, help="the file of what was measured (.bench/results/NAME.jsonl)"
    )
    parser.add_argument("--plot", type=Path, help="where growth draws its curves, as SVG")
    parser.add_argument(
        "--calibrate",
        type=Path,
        metavar="FILE",
        help="where costs and servers write what bin/simulate reads: benchmarks/calibration.json",
    )
    parser.add_argument(
        "--flames",
        type=Path,
        metavar="FOLDER",
        help="instead: where the worker's time goes, a flame graph each into FOLDER (3 minutes)",
    )
    options = parser.parse_args()
    known = {each.name for each in scenarios.ALL}
    unknown = [name for name in options.scenarios if name not in known]
    if unknown and options.scenarios != ["all"]:
        parser.error(f"there is no scenario {unknown[0]}; there are {', '.join(sorted(known))}, or all")
    if (options.store and not options.quick) or (options.quick and options.scenarios):
        parser.error("--quick names no scenarios, and --store goes with it")
    if options.flames and (options.quick or options.scenarios):
        parser.error("--flames goes alone")
    if options.calibrate and not {"costs", "servers"} <= set(options.scenarios):
        parser.error("--calibrate goes with costs and servers")
    if options.repetitions is not None and options.repetitions < 1:
        parser.error("--repetitions is at least 1")
    return options


def _break_off(*_: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    # Whatever ends us, what we have started is ended first. (A shell's job in the background ignores SIGINT.)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _break_off)
    try:
        sys.exit(main())
    except Unfit as error:
        print(f"bench: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("bench: broken off; called again, it goes on from here", file=sys.stderr)
        sys.exit(130)
