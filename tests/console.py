"""`flask …` beside a server, in one process that is kept: to start `flask` takes two seconds."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests import zygote

# Carries out one command line after another, as `flask` would.
PROGRAM = """
import json, os, sys, traceback
from importlib import import_module

app = import_module("tests.impatient" if "TEST_CONSTANTS" in os.environ else "wsgi").app

runner = app.test_cli_runner()
for line in sys.stdin:
    arguments, answer, environ = json.loads(line)
    with app.app_context():
        done = runner.invoke(args=arguments, input=answer, env=environ)
    fault = done.exc_info if done.exception and not isinstance(done.exception, SystemExit) else ()
    said = done.stderr + "".join(traceback.format_exception(*fault) if fault else ())
    print(json.dumps([done.exit_code, done.stdout, said]), flush=True)
"""


@dataclass(frozen=True)
class Done:
    """What a command did: its exit status and what it wrote."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        assert (self.status, self.err) == (0, "")
        return json.loads(self.out)


class Console:
    """Runs the program's own commands; what `flask` brings along, `flask shell` for one, it does not know."""

    def __init__(self, root: Path, environ: dict[str, str]) -> None:
        asked, asking = os.pipe()
        self._asking = os.fdopen(asking, "w")
        self._process = zygote.start(root, ["-c", PROGRAM], environ, stdin=asked, stderr=2)
        os.close(asked)

    def __call__(
        self, *arguments: object, answer: str = "", environ: Mapping[str, str] | None = None
    ) -> Done:
        """`environ`: what the environment has beside that of the server, for what is looked up again."""
        assert self._process.stdout is not None
        asked = [[*map(str, arguments)], answer, dict(environ or {})]
        print(json.dumps(asked), file=self._asking, flush=True)
        return Done(*json.loads(self._process.stdout.readline()))

    def close(self) -> None:
        self._asking.close()
        self._process.wait(20)
