"""The versions of the libraries, against those with which this program is tested."""

from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from chatapp.config import HOME
from chatapp.doctor.finding import Findings, warning

REQUIREMENTS = HOME / "requirements.txt"


def examine(requirements: Path = REQUIREMENTS) -> Findings:
    """One finding for all of them. An installed package has no such file, but knows what was in it."""
    if requirements.exists():
        lines, again = requirements.read_text().splitlines(), f"pip install -r {requirements}"
    else:
        lines, again = _of_the_package(), "pip install this version again, into the same environment"
    others = []
    for name, pinned in _pinned(lines):
        found = _installed(name)
        if found != pinned:
            others.append(f"{name} {found or 'is missing'} ({pinned})")
    if others:
        yield warning(
            "library-versions",
            f"other libraries than those of requirements.txt: {', '.join(others)}",
            "this program was tested with the versions in parentheses",
            f"{again}, then restart the server",
        )


def _of_the_package() -> list[str]:
    try:
        return requires("chatapp") or []
    except PackageNotFoundError:
        return []


def _pinned(lines: list[str]) -> list[tuple[str, str]]:
    lines = [line.partition("#")[0].strip() for line in lines]
    pairs = [line.partition("==") for line in lines if "==" in line]
    return [(name.partition("[")[0], pinned) for name, _, pinned in pairs]


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
