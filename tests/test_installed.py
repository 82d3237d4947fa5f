"""The program as a package: `pip install` brings all that it needs, and the command `chatapp`."""

import os
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path
from zipfile import ZipFile

import pytest

from chatapp.version import VERSION
from tests.clients import Person
from tests.raw_socket import nobody_gets
from tests.servers import ROOT, Server

PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
BESIDE = (
    "command.py",
    "gunicorn.conf.py",
    "static",
    "templates",
    "wsgi.py",
)  # `chatapp_home`, when installed


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package, made of this checkout by the tools that are installed here."""
    folder = tmp_path_factory.mktemp("wheel")
    made = [
        *PIP,
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--wheel-dir",
        str(folder),
        str(ROOT),
    ]
    subprocess.run(made, check=True)
    return next(folder.glob("chatapp-*.whl"))


@pytest.fixture(scope="module")
def beside_the_tests(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the commands of an environment that has the package, and the tests' own libraries."""
    venv = tmp_path_factory.mktemp("beside") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    libraries = next(venv.glob("lib/python*/site-packages")) / "libraries.pth"
    libraries.write_text(sysconfig.get_path("purelib") + "\n")
    install = [*PIP, "--python", str(venv / "bin" / "python"), "install", "--quiet", "--no-deps", str(wheel)]
    subprocess.run(install, check=True)
    return venv / "bin"


@pytest.fixture(scope="module")
def from_nothing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same as docs/running.md has it, with libraries and tools of its own, each fetched and unpacked."""
    venv = tmp_path_factory.mktemp("nothing") / "venv"
    subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    subprocess.run([venv / "bin" / "pip", "install", "--quiet", ROOT], check=True)
    return venv / "bin"


@pytest.fixture
def commands(request: pytest.FixtureRequest) -> Path:
    return request.getfixturevalue(request.param)


@pytest.fixture
def installed(tmp_path: Path) -> Iterator[Callable[[Path], Server]]:
    """Starts `chatapp serve` in an empty folder."""
    made: list[Server] = []

    def start(commands: Path) -> Server:
        made.append(Server(tmp_path / "instance"))
        made[-1].root, made[-1].under = tmp_path, []
        made[-1].program = [str(commands / "chatapp"), "serve"]
        return made[-1].start()

    yield start
    for server in made:
        server.kill()


def chatapp(commands: Path, folder: Path, *arguments: str) -> str:
    """What `chatapp …` says, by itself in `folder`."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("CHATAPP_")}
    command = [str(commands / "chatapp"), *arguments]
    return subprocess.run(command, cwd=folder, env=environ, check=True, capture_output=True, text=True).stdout


def _files(*names: str) -> set[str]:
    """The files of the checkout with these names, and those below folders with them."""
    found = [path for name in names for path in (ROOT / name, *(ROOT / name).rglob("*"))]
    return {
        str(path.relative_to(ROOT)) for path in found if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_package_has_every_file_of_the_program_and_nothing_else(wheel: Path) -> None:
    with ZipFile(wheel) as packed:
        names = {name for name in packed.namelist() if ".dist-info/" not in name}
        requires = packed.read(
            next(name for name in packed.namelist() if name.endswith("/METADATA"))
        ).decode()
    assert names == _files("chatapp") | {f"chatapp_home/{name}" for name in _files(*BESIDE)}
    pinned = (ROOT / "requirements.txt").read_text().split()
    assert requires.count("Requires-Dist: ") == len(pinned)


@pytest.mark.parametrize(
    "commands",
    ["beside_the_tests", pytest.param("from_nothing", marks=pytest.mark.long)],
    indirect=True,
)
def test_who_installs_the_package_serves_pages_and_messages_and_administers_them_by_one_command(
    commands: Path, installed: Callable[[Path], Server]
) -> None:
    server = installed(commands)
    ada = Person(server, "ada")
    ada.say(1, "installed")
    assert "installed" in ada.http.get("/chats/1/").text
    assert 'lang="ar"' in nobody_gets(f"{server.url}/chats/", headers={"Accept-Language": "ar"}).text
    assert nobody_gets(f"{server.url}/static/css/base.css").status_code == 200
    # The server's instance folder is the one in the current folder, where nothing else is said.
    assert " #1 " in chatapp(commands, server.root, "room", "list")
    assert server.stop() == 0


def test_the_master_of_an_installed_server_finds_all_that_it_prepares(beside_the_tests: Path) -> None:
    program = """
import runpy, sysconfig, types
hooks = runpy.run_path(sysconfig.get_path("purelib") + "/chatapp_home/gunicorn.conf.py")
server = types.SimpleNamespace()
hooks["on_reload"](server)
print(*{name for kind, name, _ in server.chatapp_prepared if kind == "template"})
"""
    python = [str(beside_the_tests / "python"), "-c", program]
    prepared = subprocess.run(python, check=True, capture_output=True, text=True).stdout.split()
    assert {f"templates/{name}" for name in prepared} == {
        name for name in _files("templates") if name.endswith(".html")
    }


def test_what_the_command_can_do_is_listed_by_it(beside_the_tests: Path, tmp_path: Path) -> None:
    verbs = {
        line.split()[0]
        for line in chatapp(beside_the_tests, tmp_path, "--help").splitlines()
        if line[:3] > "  "
    }
    assert {"data", "doctor", "keys", "room", "serve", "shell", "user"} <= verbs


def test_the_command_says_its_version_and_makes_nothing(beside_the_tests: Path, tmp_path: Path) -> None:
    assert chatapp(beside_the_tests, tmp_path, "--version") == f"chatapp {VERSION}\n"
    assert not (tmp_path / "instance").exists()


def test_the_options_of_the_command_serve_are_those_of_gunicorn(
    beside_the_tests: Path, tmp_path: Path
) -> None:
    assert "--workers" in chatapp(beside_the_tests, tmp_path, "serve", "--help")


def test_the_doctor_looks_at_the_folder_that_the_server_would_make_and_makes_nothing(
    beside_the_tests: Path, tmp_path: Path
) -> None:
    said = chatapp(beside_the_tests, tmp_path, "doctor")
    assert f"{tmp_path / 'instance'}, which the first start makes" in said
    assert "Nothing is wrong." in said
    assert not (tmp_path / "instance").exists()
