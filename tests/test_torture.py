"""Ten seconds of the torture with everything let loose, on another seed each time: with one worker or three, with
the fast paths or without, on SQLite or on PostgreSQL. Among what takes long: half a minute on several machines.

`bin/torture --seed N --workers N --seconds 10`, as it is printed, repeats a run; tests/README.md says what a seed repeats.
"""

import subprocess
import sys

import pytest

from tests.servers import ROOT
from tests.torture.nets import ANY, LOOPBACK
from tests.torture.run import random_seed

LIMIT = 280  # seconds for a run that ends by itself far sooner


@pytest.mark.timeout(LIMIT + 20)
def test_no_promise_is_broken_whatever_breaks() -> None:
    seed = random_seed()
    workers = 3 if seed % 2 else 1
    plan = ["--seconds", "10", "--workers", str(workers), "--seed", str(seed)]
    plan += ["--no-fast-paths"] if seed // 2 % 2 else []
    plan += ["--database", "postgresql"] if seed // 4 % 2 else []
    torture(plan)


@pytest.mark.long
@pytest.mark.timeout(2 * LIMIT + 20)
@pytest.mark.parametrize("bus", ["redis", "postgresql"])
@pytest.mark.parametrize("net", [ANY, LOOPBACK])
def test_nor_on_several_machines_that_are_parted_killed_and_upgraded(net: str, bus: str) -> None:
    plan = ["--cluster", "--net", net, "--bus", bus, "--seconds", "30", "--seed", str(random_seed())]
    torture(plan, 2 * LIMIT)


def torture(plan: list[str], limit: int = LIMIT) -> None:
    print("bin/torture", *plan)
    run = subprocess.run(
        [sys.executable, "-m", "tests.torture", *plan],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=limit,
        check=False,
    )
    print(run.stdout)
    assert run.returncode == 0, f"bin/torture {' '.join(plan)}\n{run.stdout}{run.stderr}"
