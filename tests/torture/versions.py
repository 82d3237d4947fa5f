"""The versions between which a cluster's servers change: this one, the first that counts, and the newest that has a tag."""

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import cycle, islice
from pathlib import Path

from tests.servers import ROOT

# The first version that others have to get on with: a tag, and the commit that stands for it where there is no such
# tag. It is the first that knows PostgreSQL.
FIRST_TAG = "v0.1"
FIRST_COMMIT = "6cda015a03fc3f0703670bf36a98ab2cb80276c9"
SHORT = 8  # letters of a commit that are enough for people


class NoVersion(Exception):
    """It is not in this repository."""


def earlier_versions(root: Path = ROOT) -> list[str]:
    """The first one, and the newest tag where that is another; none where git says nothing of `root`, as of a
    checkout that is somebody else's. Raises NoVersion.
    """
    if not _git(root, "rev-parse", "HEAD"):
        return []
    tags = _git(root, "tag", "--list", "v*", "--sort=v:refname")
    first = FIRST_TAG if FIRST_TAG in tags else FIRST_COMMIT[:SHORT]
    found = {_commit(root, name): name for name in reversed([first, *tags[-1:]])}
    return list(reversed(found.values()))


def checkout(revision: str, folder: Path, root: Path = ROOT) -> Path:
    """That version of the program, below `folder`. Raises NoVersion."""
    commit = _commit(root, revision)
    code = folder / revision
    code.mkdir(parents=True)
    archive = subprocess.run(["git", "archive", commit], cwd=root, check=True, capture_output=True).stdout
    subprocess.run(["tar", "-x", "-C", code], input=archive, check=True)
    return code


def itinerary(this: Path, earlier: Sequence[Path], number: int) -> Iterator[Path]:
    """What the server of that `number` becomes, one after the other, without an end: each of the `earlier` ones in
    turn, and `this` after each, so that each is come to and left. The first is what it starts as.
    """
    if not earlier:
        return cycle([this])
    every = [step for version in earlier for step in (this, version)]
    first = number % (len(earlier) + 1)
    return islice(cycle(every), 2 * first - 1 if first else 0, None)


def _commit(root: Path, revision: str) -> str:
    if found := _git(root, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}"):
        return found[0]
    if _git(root, "rev-parse", "--is-shallow-repository") == ["true"]:
        remedy = "git has only the newest commits here, and gets the others with git fetch --unshallow --tags"
    else:
        remedy = "git fetch --tags may bring it"
    raise NoVersion(
        f"servers of a cluster change to {revision} and back, which is not in this repository: {remedy}; "
        "--versions names others, or none"
    )


def _git(root: Path, *arguments: str) -> list[str]:
    with suppress(FileNotFoundError):
        done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True)
        return done.stdout.split() if done.returncode == 0 else []
    return []
