"""No regular expression of the server's takes long for any text: each is tried on what makes slow ones slow."""

import ast
import importlib
import json
import re
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.servers import ROOT

CPU_SECONDS = 60  # of the machine, not of the clock; each takes well under one
SOURCES = sorted(path for path in (ROOT / "chatapp").rglob("*.py"))
CALL = re.compile(r"\bre\.(?:compile|search|match|fullmatch|sub|split|findall|finditer)\(")
# Modules whose expressions are their own, under names that begin with a line.
LAID_ON = {"acts.py", "sentences.py"}
# What looks for an expression within a text, at each place of it; not what does it with another module's, or with words.
WITHIN = re.compile(r'(?<!languages\.PLACE)\.(?:search|subn?|split|findall|finditer)\((?!")')
# What the expressions are made of, and what none of them expects.
PIECES = ["a", "A", "1", ".", ".a", "a.", "1e", "e", "+", "-", "$", "_", " ", "\n", "\x00", "/", ":", "[", "]", "%",
          "sqlite:///", "http://a", "\u202e", "😀", "é"]  # fmt: skip
ENDS = ["", "!", "\x00", "é", "\n"]
MANY = 20_000  # repetitions: a quadratic one has 400 million steps to go

TRY = """
import json, re, sys
pattern, flags, ways, pieces, ends, many = json.load(sys.stdin)
compiled = re.compile(pattern, flags)
for piece in pieces:
    for end in ends:
        for text in (piece * many + end, (piece * 40 + end) * (many // 40)):
            for way in ways:
                getattr(compiled, way)(text)
"""


def expressions() -> list[tuple[str | re.Pattern[str], bool]]:
    """Every regular expression in `chatapp`, what `re`'s functions are called with there, and whether it may be looked
    for within a text. That takes longest by far, and is nothing that happens to what a module keeps to itself and
    only lays on texts from their beginning.

    Of a module that puts some together: what it keeps of them, alone or in lists.
    """
    found: list[tuple[str | re.Pattern[str], bool]] = []
    for path in SOURCES:
        within = path.name not in LAID_ON or bool(WITHIN.search(path.read_text()))
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and _of_re(node.func):
                first = node.args[0]
                made = [str(first.value)] if isinstance(first, ast.Constant) else _put_together(path)
                found += [(each, within) for each in made]
    return found


def _put_together(path: Path) -> list[re.Pattern[str]]:
    module = importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
    values = list(vars(module).values())
    listed = [each for value in values if isinstance(value, list) for each in value]
    kept = _patterns(listed) or _patterns(values)
    assert kept, f"{path}: an expression that is put together"
    return kept


def _patterns(values: list[Any]) -> list[re.Pattern[str]]:
    return [each for each in values if isinstance(each, re.Pattern)]


def _of_re(function: Any) -> bool:
    return getattr(function.value, "id", "") == "re" and function.attr != "escape"


def cost(pattern: str | re.Pattern[str], within: bool = True) -> subprocess.CompletedProcess[str]:
    compiled = re.compile(pattern)
    ways = ["fullmatch", "match", *(["search"] if within else [])]

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))

    return subprocess.run(
        [sys.executable, "-c", TRY],
        input=json.dumps([compiled.pattern, compiled.flags & ~re.UNICODE, ways, PIECES, ENDS, MANY]),
        capture_output=True,
        text=True,
        preexec_fn=limit,
    )


def test_all_of_them_are_tried() -> None:
    calls = sum(len(CALL.findall(path.read_text())) for path in SOURCES)
    assert len(expressions()) >= calls > 3


@pytest.mark.parametrize(("pattern", "within"), expressions())
def test_none_takes_long(pattern: str | re.Pattern[str], within: bool) -> None:
    done = cost(pattern, within)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("pattern", [r"(a+)+$", r"(a|a)*$"])
def test_one_that_does_is_found(pattern: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{__name__}.CPU_SECONDS", 1)
    assert cost(pattern).returncode != 0
