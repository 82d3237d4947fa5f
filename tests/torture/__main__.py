"""`bin/torture`: one run, and one table of what it did and found. Exit status 0: no promise was broken."""

from gevent import monkey

monkey.patch_all()

import argparse  # noqa: E402
import sys  # noqa: E402
from collections import Counter  # noqa: E402
from pathlib import Path  # noqa: E402

from tests.far_machine import NoMachines  # noqa: E402
from tests.servers import ROOT  # noqa: E402
from tests.torture.nets import ANY, KINDS  # noqa: E402
from tests.torture.run import DEEDS, NO_FAST_PATHS, TROUBLE, Plan, Result, random_seed, run  # noqa: E402
from tests.torture.versions import NoVersion, earlier_versions  # noqa: E402

SHOWN = 20  # violations of one rule that are told in full


def main() -> int:
    try:
        return carry_out(read_plan())
    except (NoMachines, NoVersion) as none:
        sys.exit(str(none))


def carry_out(plan: Plan) -> int:
    phases = " and ".join(str(count) for count in plan.workers)
    print(f"seed {plan.seed}, {plan.seconds:g} s with {phases} workers, {', '.join(plan.trouble) or 'calm'}")
    sys.stdout.flush()
    result = run(plan)
    report(result)
    return 1 if result.violations else 0


def report(result: Result) -> None:
    """The table."""
    figures = {**result.history.figures, **result.history.faults}
    wide = max(len(name) for name in figures)
    for name, value in figures.items():
        print(f"  {name:<{wide}}  {value:>12,}")
    rules = Counter(violation.rule for violation in result.violations)
    print(f"  {'VIOLATIONS' if rules else 'violations':<{wide}}  {sum(rules.values()):>12,}")
    for rule, count in rules.most_common():
        print(f"{rule}: {count}")
        for violation in [each for each in result.violations if each.rule == rule][:SHOWN]:
            print(f"  {violation.what}")


def versions(given: list[str] | None) -> tuple[str, ...]:
    """Between which servers change, beside the one that is here; what is not `given` is looked up, and told."""
    if given is not None:
        return tuple(given)
    found = earlier_versions()
    print(f"versions: this one, {', '.join(found) or 'and no other: there is no git that knows any'}")
    return tuple(found)


def read_plan() -> Plan:
    parser = argparse.ArgumentParser(prog="bin/torture", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="how long there is trouble (60)")
    parser.add_argument(
        "--least", type=int, default=0, help="messages that are said after that, however long it takes (0)"
    )
    parser.add_argument("--seed", type=int, help="repeat the choices of a run; by default one that is told")
    parser.add_argument("--workers", type=int, nargs="+", help="a phase for each number of workers (1 3)")
    parser.add_argument(
        "--trouble",
        nargs="*",
        choices=[*TROUBLE, *sorted(DEEDS)],
        default=list(TROUBLE),
        metavar="WHAT",
        help=f"what is let loose: {', '.join(TROUBLE)} (all of them), or single deeds: {', '.join(sorted(DEEDS))}",
    )
    parser.add_argument(
        "--pace", type=float, default=1, help="0.5: with half the pauses between two deeds (1)"
    )
    parser.add_argument(
        "--stay", type=float, default=15, help="seconds that a reader stays with one transport, at most (15)"
    )
    parser.add_argument(
        "--patience", type=float, default=60, help="seconds until what has not come by then is lost (60)"
    )
    parser.add_argument(
        "--database",
        choices=["sqlite", "postgresql"],
        default="sqlite",
        help="where messages are kept (sqlite)",
    )
    parser.add_argument(
        "--cluster",
        action="store_true",
        help="three servers, nginx, a bus and PostgreSQL with a standby, each on a machine of its own; --workers (2) of each",
    )
    parser.add_argument(
        "--versions",
        nargs="*",
        default=None,
        metavar="REVISION",
        help="of a cluster, servers change to and fro between this version and these: by default the first one "
        "(v0.1, or the commit that versions.py names) and the newest tag",
    )
    parser.add_argument(
        "--net",
        choices=KINDS,
        default=ANY,
        help="what is between the machines of a cluster: network namespaces, or loopback addresses with a proxy on "
        "each way; by default the latter where there can be none of the former",
    )
    parser.add_argument(
        "--bus", choices=["redis", "postgresql"], default="redis", help="the bus of a cluster (redis)"
    )
    parser.add_argument("--code", type=Path, default=ROOT, help="the checkout to serve (this one)")
    parser.add_argument(
        "--set", nargs="*", default=[], metavar="NAME=VALUE", help="settings of the server, as backlog=1"
    )
    parser.add_argument(
        "--no-fast-paths", action="store_true", help="every fast path that has a switch is off"
    )
    given = parser.parse_args()
    workers = given.workers or ([2] if given.cluster else [1, 3])
    if given.seconds <= 0 or min(workers) < 1:
        parser.error("--seconds is more than 0, --workers at least 1")
    return Plan(
        seed=random_seed() if given.seed is None else given.seed,
        seconds=given.seconds,
        least=given.least,
        workers=tuple(workers),
        trouble=tuple(given.trouble),
        pace=given.pace,
        stay=given.stay,
        patience=given.patience,
        code=given.code.resolve(),
        database=given.database,
        cluster=given.cluster,
        bus=given.bus,
        net=given.net,
        versions=versions(given.versions) if given.cluster else (),
        settings={
            **(NO_FAST_PATHS if given.no_fast_paths else {}),
            **dict(pair.split("=", 1) for pair in given.set),
        },
    )


if __name__ == "__main__":
    sys.exit(main())
