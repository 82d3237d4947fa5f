"""As a service of a Debian machine: each command of docs/running.md as it stands there, and what systemd adds."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from tests.box import Box, where_possible
from tests.clients import UNIT, Person, eventually
from tests.documented import RUNNING, commands
from tests.raw_socket import nobody_gets
from tests.servers import ROOT
from tests.service import UNIT_FILE, Service

EXPOSURE = 20  # tenths, as systemd-analyze has it: 10 is without any protection
PROGRAM = ("chatapp", "templates", "static", "deploy", "LICENSE", "command.py", "gunicorn.conf.py", "wsgi.py")
MORE_SCHEMA = """
from alembic import op
revision, down_revision, branch_labels, depends_on = "9999", "{newest}", None, None
def upgrade(): op.execute("CREATE TABLE of_the_next_version (id INTEGER)")
"""

pytestmark = where_possible


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Box]:
    machine = Box(tmp_path)
    yield machine
    machine.close()


@pytest.fixture
def service(machine: Box, tmp_path: Path) -> Iterator[Service]:
    service = Service(machine, tmp_path / "log")
    yield service
    service.close()


def follow(lines: list[str], machine: Box, service: Service, folder: Path = ROOT) -> None:
    """Carry out commands of the docs."""
    for line in lines:
        if line.startswith("systemctl "):
            service.systemctl(line)
            continue
        if line.startswith("cd "):
            there, _, line = line.removeprefix("cd ").partition(" && ")
            folder = folder / there
        if line != "git pull":  # what that brings is there already
            machine.run(line, folder)


def test_what_could_not_be_installed_never_takes_the_place_of_what_runs() -> None:
    """The next start, of a machine too, would find no program."""
    for heading in ("Installing it", "Upgrade"):
        lines = commands(heading)
        (installing,) = [line for line in lines if "pip install" in line]
        (pointing,) = [line for line in lines if "ln -sfn" in line]
        assert installing == pointing
        assert "pip install . && ln -sfn" in installing


def test_who_mistypes_the_name_of_the_copy_loses_nothing() -> None:
    """What was said last is in the write-ahead log, and that alone goes with the database that it belongs to."""
    ways = re.findall(r"[^\n']*mv \S+\.before-\d+ [^\n']*", RUNNING)
    assert len(ways) == 2
    for way in ways:
        assert re.search(r"mv (\S*chat\.db)\.before-\d+ \1 && rm -f \1-\*$", way)


def test_systemd_has_nothing_to_say_against_the_unit_and_rates_it_as_safe(machine: Box) -> None:
    machine.run(
        "mkdir -p /opt/chatapp/bin; touch /opt/chatapp/bin/chatapp; chmod 755 /opt/chatapp/bin/chatapp", ROOT
    )
    assert machine.run(f"systemd-analyze verify --man=no {UNIT_FILE} 2>&1", ROOT) == ""
    command = ["systemd-analyze", "security", "--offline=true", f"--threshold={EXPOSURE}", str(UNIT_FILE)]
    subprocess.run(command, check=True, capture_output=True)


def test_no_setting_is_in_the_unit_where_the_administrators_commands_would_not_find_it() -> None:
    assert "Environment" not in UNIT_FILE.read_text()
    assert any("CHATAPP_TRUSTED_PROXIES" in line for line in commands("Installing it"))


@pytest.mark.long
def test_who_follows_the_docs_has_a_service_upgrades_it_while_it_runs_and_goes_back(
    machine: Box, service: Service, tmp_path: Path
) -> None:
    follow(commands("Installing it"), machine, service)
    ada = Person(service, "ada")  # type: ignore[arg-type]
    ada.say(1, "before")
    administrator = " && ".join(commands("Its administrator"))
    assert " #1 " in machine.run(administrator, ROOT)
    assert "with 2 workers" in machine.run(administrator.replace("room list", "doctor") + " || true", ROOT)
    backups = " && ".join(commands("Its backups")).replace("/backups", "/var/lib/backups")
    assert "1 messages" in machine.run(backups, ROOT)
    follow(commands("Upgrade"), machine, service, of_the_next_version(tmp_path / "next", schema=False))
    eventually(lambda: version(service) == "9.9.9")
    follow(commands("Back"), machine, service)
    eventually(lambda: version(service) not in ("", "9.9.9"))
    ada.say(1, "after")
    assert bodies(ada) == ["before", "after"]
    service.stop()


@pytest.mark.long
def test_who_follows_the_docs_comes_back_from_a_new_schema_without_what_was_said_since(
    machine: Box, service: Service, tmp_path: Path
) -> None:
    follow(commands("Installing it"), machine, service)
    ada = Person(service, "ada")  # type: ignore[arg-type]
    ada.say(1, "before")
    epoch = ada.read(1)["epoch"]
    follow(commands("Upgrade"), machine, service, of_the_next_version(tmp_path / "next", schema=True))
    eventually(lambda: version(service) == "9.9.9")
    ada.say(1, "since")
    lines = [re.sub(r"before-\d+", "before-9999", line) for line in commands("Back, from a new schema")]
    follow(lines, machine, service)
    eventually(lambda: version(service) not in ("", "9.9.9"), seconds=3 * UNIT)
    assert bodies(ada) == ["before"]
    assert ada.read(1)["epoch"] != epoch
    service.stop()


def bodies(person: Person) -> list[str]:
    """What is said in the Lobby."""
    return [message["body"] for message in person.read(1, after=0)["messages"]]


def version(service: Service) -> str:
    """Which one answers; none while nobody does."""
    with suppress(httpx.TransportError):
        return re.findall(r"\d+\.\d+\.\d+", nobody_gets(f"{service.url}/about").text)[0]
    return ""


def of_the_next_version(folder: Path, schema: bool) -> Path:
    """A checkout of another version, with a new `schema` or without one."""
    for name in PROGRAM:
        kind = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        folder.mkdir(exist_ok=True)
        kind(ROOT / name, folder / name)
    for name in ("pyproject.toml", "requirements.txt"):
        shutil.copy(ROOT / name, folder)
    (folder / "chatapp" / "version.py").write_text('VERSION = "9.9.9"\n')
    if schema:
        versions = folder / "chatapp" / "migrations" / "versions"
        newest = max(path.name.split("_")[0] for path in versions.glob("[0-9]*.py"))
        (versions / "9999_next.py").write_text(MORE_SCHEMA.format(newest=newest))
    return folder
