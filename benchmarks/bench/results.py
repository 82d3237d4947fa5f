"""What was measured, a JSON object a line, written as it comes: a run broken off goes on from there."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

Result = dict[str, Any]


class Key(NamedTuple):
    """Which measurement: `lane` is who was measured how."""

    scenario: str
    lane: str
    repetition: int


class Results:
    """The file at `path`. `conditions`: machine, versions, options. A file of others is put aside: their
    figures are not mixed.
    """

    def __init__(self, path: Path, conditions: dict[str, Any]) -> None:
        self._path = path
        self._found: dict[Key, Result] = {}
        self.put_aside: Path | None = None
        lines = list(_lines(path)) if path.exists() else []
        if lines and lines[0].get("conditions") != conditions:
            self.put_aside = path.with_name(f"{path.stem}-{time.strftime('%Y%m%d-%H%M%S')}{path.suffix}")
            path.rename(self.put_aside)
            lines = []
        if not lines:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps({"conditions": conditions}) + "\n")
        for line in lines[1:]:
            self._found[Key(line["scenario"], line["lane"], line["repetition"])] = line["result"]

    def has(self, key: Key) -> bool:
        """Whether it was measured; what was refused is measured again."""
        return key in self._found and "refused" not in self._found[key]

    def add(self, key: Key, result: Result) -> None:
        self._found[key] = result
        with self._path.open("a") as file:
            file.write(json.dumps({**key._asdict(), "result": result}) + "\n")

    def of(self, scenario: str, lane: str) -> dict[int, Result]:
        """What one lane gave, by repetition, in their order, also what was refused."""
        found = sorted(key for key in self._found if key[:2] == (scenario, lane))
        return {key.repetition: self._found[key] for key in found}


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    """The whole lines; one that was cut when the run was broken off is as if it had not been measured."""
    whole = []
    for line in path.read_text().splitlines(keepends=True):
        try:
            if line.endswith("\n"):
                whole.append(line)
                yield json.loads(line)
        except ValueError:
            whole.pop()
    path.write_text("".join(whole))
