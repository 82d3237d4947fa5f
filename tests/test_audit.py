"""`bin/audit`: a known vulnerability fails, and only that does."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.servers import BIN, ROOT

SOUND = {"name": "flask", "version": "3.1.3", "vulns": []}
FAULTY = {
    "name": "jinja2",
    "version": "2.0",
    "vulns": [{"id": "PYSEC-2026-1", "fix_versions": ["3.1.7"], "aliases": [], "description": ""}],
}
UNKNOWN = {"name": "chatapp", "skip_reason": "Dependency not found"}

Audit = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def audit(tmp_path: Path) -> Audit:
    """Runs bin/audit with a pip-audit that finds `packages`, or finds nothing out and says `said`."""

    def run(packages: list[Any] | None, said: str = "") -> subprocess.CompletedProcess[str]:
        answer = "" if packages is None else json.dumps({"dependencies": packages})
        stand_in = tmp_path / "pip-audit"
        stand_in.write_text(
            "#!/bin/bash\n"
            f"echo '{said}' >&2\n"
            'while [ "$1" != -o ]; do shift; done\n'
            + (f"echo '{answer}' >\"$2\"\n" if answer else "")
            + "exit 1\n"
        )
        stand_in.chmod(0o755)
        environ = {**os.environ, "PATH": f"{tmp_path}:{BIN}:{os.environ['PATH']}"}
        return subprocess.run([ROOT / "bin" / "audit"], env=environ, capture_output=True, text=True)

    return run


def test_packages_without_a_known_fault_pass_in_silence(audit: Audit) -> None:
    done = audit([SOUND])
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_known_fault_fails_and_is_named_with_the_version_that_mends_it(audit: Audit) -> None:
    done = audit([SOUND, FAULTY, UNKNOWN])
    assert done.returncode == 1
    assert "jinja2 2.0: PYSEC-2026-1, mended in 3.1.7" in done.stderr


def test_where_nobody_answers_it_warns_and_passes(audit: Audit) -> None:
    done = audit(None, "the service cannot be reached")
    assert done.returncode == 0
    assert "warning" in done.stderr
    assert "the service cannot be reached" in done.stderr


def test_what_the_service_does_not_know_is_warned_of_rather_than_taken_for_sound(audit: Audit) -> None:
    done = audit([SOUND, UNKNOWN])
    assert done.returncode == 0
    assert "1 of 2 packages could not be looked up" in done.stderr
    assert "chatapp" in done.stderr
