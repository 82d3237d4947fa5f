"""What an engine makes of deploy/Containerfile and deploy/compose.yaml, as far as that goes without one.

Each stage is a box, which has the tests' Python where the image has its own. Whatever an engine would read and this
does not is refused, so that nothing stands there that is not tried.
"""

import json
import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.addresses import OneWay
from tests.box import ENVIRON, Box, without_rights
from tests.clients import UNIT
from tests.servers import ROOT

CONTAINERFILE, COMPOSE = ROOT / "deploy" / "Containerfile", ROOT / "deploy" / "compose.yaml"
BASE = "docker.io/library/python:3."  # has Python, and pip in it


class Stage:
    """What the instructions from one FROM to the next make."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._exchange, self.box = folder, Box(folder)
        self.environ, self.folder, self.user = dict(ENVIRON), "/", ""
        self.volume, self.entry, self.command, self.health = "", [""], [""], [""]
        self.ports: set[str] = set()

    def carry_out(self, instruction: str, rest: str, others: Mapping[str, "Stage"]) -> None:
        match instruction:
            case "RUN":
                self.box.run(rest, Path(self.folder), self.environ)
            case "COPY":
                self._copy(rest.split(), others)
            case "WORKDIR":
                self.folder = rest
                self.box.run(f"mkdir -p {rest}", Path("/"))
            case "ENV":
                name, _, value = rest.partition("=")
                self.environ[name] = value.replace("$PATH", self.environ["PATH"])
            case "USER":
                self.user = rest
            case "VOLUME":
                self.volume = rest
            case "EXPOSE":
                self.ports.add(rest)
            case "HEALTHCHECK":
                self.health = json.loads(rest.removeprefix("CMD "))
            case "ENTRYPOINT":
                self.entry = self.command = json.loads(rest)
            case "CMD":
                self.command = self.command + json.loads(rest)
            case _:
                raise AssertionError(f"nobody carries out {instruction} {rest}")

    def _copy(self, names: list[str], others: Mapping[str, "Stage"]) -> None:
        *sources, target = names
        if sources[0].startswith("--from="):
            other, (source,) = others[sources[0].removeprefix("--from=")], sources[1:]
            carried = self._exchange / "carried"
            other.box.run(f"cp -a {source} {carried}", Path("/"))
            self.box.run(f"cp -a {carried} {target}", Path("/"))
            return
        for source in sources:
            assert (ROOT / source).is_dir() == (target != "./"), (
                "of a folder it is what is in it that is copied"
            )
            self.box.run(f"cp -r {ROOT / source} {target}", Path(self.folder))


class Container(OneWay):
    """The last stage, running as the service `chat` of the compose file says: at a port of its own."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.image, self._stages = _built(folder)
        compose = yaml.safe_load(COMPOSE.read_text())
        self._command = self._confined(_service(compose, self.image), self.image.command)
        self._health = self._confined(_service(compose, self.image), self.image.health)
        self._compose = compose
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, env=self._environ)

    def kept(self) -> set[str]:
        """What is in its volume."""
        return set(self.image.box.run("find . -type f", Path(self.image.volume)).split())

    def healthy(self) -> bool:
        """What its health check finds."""
        return subprocess.run(self._health, env=self._environ, capture_output=True).returncode == 0

    def chatapp(self, *words: str) -> str:
        """What `docker compose run chat …` says, in another container with the same volume."""
        command = self._confined(_service(self._compose, self.image), [*self.image.entry, *words])
        return subprocess.run(command, env=self._environ, check=True, capture_output=True, text=True).stdout

    def stop(self) -> int:
        assert self._process is not None
        self._process.terminate()
        return self._process.wait(3 * UNIT)

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        for stage in self._stages:
            stage.box.close()

    def _confined(self, settings: Mapping[str, str], command: list[str]) -> list[str]:
        assert self.image.ports == {"8000"}
        self._environ = {**self.image.environ, **settings}
        here = [part.replace("8000", str(self.port)) for part in command]
        user, _, group = self.image.user.partition(":")
        there = ["env", "-C", self.image.folder, *here]
        confined = without_rights(user, group, "--clear-groups", there)
        return self.image.box.read_only(confined, self.image.volume)


def _built(folder: Path) -> tuple[Stage, list[Stage]]:
    """The image, and all that it took."""
    stages: dict[str, Stage] = {}
    for line in CONTAINERFILE.read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        instruction, _, rest = line.partition(" ")
        if instruction == "FROM":
            base, _, name = rest.partition(" AS ")
            assert base.startswith(BASE)
            stages[name] = Stage(folder / f"stage{len(stages)}")
        else:
            list(stages.values())[-1].carry_out(instruction, rest, stages)
    made = list(stages.values())
    return made[-1], made


def _service(compose: dict[str, Any], image: Stage) -> dict[str, str]:
    """The environment of `chat`. AssertionError where it is run otherwise than here."""
    chat = dict(compose["services"]["chat"])
    build = chat.pop("build")
    assert (COMPOSE.parent / build["context"]).resolve() == ROOT
    assert ROOT / build["dockerfile"] == CONTAINERFILE
    assert chat.pop("volumes") == [f"chat:{image.volume}"]
    environ = {name: _given(value) for name, value in chat.pop("environment").items()}
    assert chat == {
        "read_only": True,
        "tmpfs": ["/tmp"],
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "stop_grace_period": "15s",
        "restart": "unless-stopped",
    }
    return environ


def _given(value: str) -> str:
    """`${NAME:-}`: what stands in this process's environment; nothing where that has none, as the engine has it."""
    found = re.fullmatch(r"\$\{(\w+):-\}", value)
    return os.environ.get(found[1], "") if found else value
