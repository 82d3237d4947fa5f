"""The versions of the libraries, against those with which this program is tested."""

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from chatapp.config import HOME
from chatapp.doctor.finding import Findings, warning

REQUIREMENTS = HOME / "requirements.txt"


def examine(requirements: Path = REQUIREMENTS) -> Findings:
    """One finding for all of them; none where there is no such file, as in a package that was installed."""
    wanted = dict(_pinned(requirements)) if requirements.exists() else {}
    others = []
    for name, pinned in wanted.items():
        found = _installed(name)
        if found != pinned:
            others.append(f"{name} {found or 'is missing'} ({pinned})")
    if others:
        yield warning(
            "library-versions",
            f"other libraries than those of requirements.txt: {', '.join(others)}",
            "this program was tested with the versions in parentheses",
            f"pip install -r {requirements}, then restart the server",
        )


def _pinned(requirements: Path) -> list[tuple[str, str]]:
    lines = [line.partition("#")[0].strip() for line in requirements.read_text().splitlines()]
    pairs = [line.partition("==") for line in lines if "==" in line]
    return [(name.partition("[")[0], pinned) for name, _, pinned in pairs]


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
