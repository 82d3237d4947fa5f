"""What the docs have people type: the tests carry it out as it stands there."""

import re

from tests.servers import ROOT

RUNNING = (ROOT / "docs" / "running.md").read_text()
BACKUP = (ROOT / "docs" / "backup.md").read_text()


def commands(heading: str, page: str = RUNNING) -> list[str]:
    """The first commands below what stands bold there."""
    return re.findall(rf"\*\*{re.escape(heading)}\*\*.*?```\n(.*?)```", page, re.DOTALL)[0].splitlines()
