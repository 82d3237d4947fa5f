"""The start: whoever comes first sets up the instance folder, and what cannot start says why in one line."""

import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from flask import Flask
from flask.sessions import SecureCookieSessionInterface

from tests import zygote
from tests.clients import Person, eventually
from tests.raw_socket import nobody_gets
from tests.servers import BIN, ROOT, Server


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An instance folder as its first use leaves it."""
    server = Server(tmp_path_factory.mktemp("prepared") / "instance")
    subprocess.run(
        [BIN / "flask", "room", "list"], cwd=ROOT, env=server.environ, check=True, capture_output=True
    )
    return server.instance


@pytest.fixture
def copied(prepared: Path, tmp_path: Path) -> Path:
    return shutil.copytree(prepared, tmp_path / "copied")


@pytest.fixture
def taken() -> Iterator[int]:
    """A port on which somebody else listens."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield other.getsockname()[1]


# For root every file can be written to, unless it lays that down: what it may (capset(2)) without overriding the
# permissions of files, 1, or of reading them, 2. Then what it was to start.
LAID_DOWN = """
import ctypes, os, runpy, sys

if os.getuid() == 0:
    libc = ctypes.CDLL(None)
    version_3, may = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    assert libc.capget(version_3, may) == 0
    for effective_or_permitted in (0, 1):
        may[effective_or_permitted] &= ~(1 << 1 | 1 << 2)
    assert libc.capset(version_3, may) == 0
del sys.argv[0]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def attempt(server: Server, command: str, *arguments: str, as_anybody: bool = False) -> tuple[int, str]:
    """Start what cannot start: its exit status and all that it said."""
    if command == "gunicorn":
        bind = [] if "-b" in arguments else ["-b", "127.0.0.1:0"]
        line = ["gunicorn", "-k", "gevent", "wsgi:app", "-w", str(server.workers), *bind, *arguments]
    else:
        line = ["flask", "room", "list"]
    line = [str(BIN / line[0]), *line[1:]]
    forked = zygote.run(ROOT, ["-c", *line, LAID_DOWN] if as_anybody else line, server.environ, together=True)
    return forked.returncode, forked.stdout


def the_one_line(said: str) -> str:
    """What the program itself says; gunicorn's own lines begin with their time."""
    assert "Traceback" not in said
    lines = [line for line in said.splitlines() if line.strip()]
    own = [line for line in lines if not line.startswith("[")]
    assert len(own) == 1, said
    assert lines[-1] == own[0], "nothing stands below it"
    return own[0]


def query(instance: Path, sql: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(instance / "chat.db")) as database:
        return database.execute(sql).fetchall()


# -- an empty instance folder --------------------------------------------------------------------------


@pytest.mark.sqlite
@pytest.mark.parametrize("command", ["gunicorn", "flask room", "flask shell"])
def test_an_empty_instance_folder_is_set_up_by_whichever_comes_first(
    command: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    if command == "gunicorn":
        instance = request.getfixturevalue("one_worker").instance
    elif command == "flask room":
        instance = request.getfixturevalue("prepared")
    else:
        instance = tmp_path  # there, but empty
        answer = Server(instance).flask("shell", input="print(rooms())\n")
        assert answer.returncode == 0, answer.stderr
        assert "Lobby" in answer.stdout
    assert query(instance, "SELECT id FROM rooms WHERE name = 'Lobby'") == [(1,)]
    key = instance / "secret_key"
    assert key.stat().st_mode & 0o777 == 0o600
    assert len(key.read_text().strip()) >= 32


def test_nobody_else_may_look_into_an_instance_folder_that_was_made(prepared: Path) -> None:
    assert prepared.stat().st_mode & 0o077 == 0


@pytest.mark.sqlite
def test_nobody_else_may_look_into_the_files_of_an_instance_folder_that_was_open_to_all(
    new_server: Callable[..., Server],
) -> None:
    server = new_server()
    server.instance.mkdir(mode=0o755)
    server.start()
    Person(server, "ada").say(1, "between us")
    modes = {path.name: path.stat().st_mode & 0o777 for path in server.instance.iterdir()}
    assert {"chat.db", "chat.db-wal", "bus.db", "bus.db-wal", "secret_key"} <= modes.keys()
    assert set(modes.values()) == {0o600}


def test_a_second_start_keeps_everything(new_server: Callable[..., Server]) -> None:
    server = new_server().start()
    key = (server.instance / "secret_key").read_bytes()
    ada = Person(server, "ada")
    said = ada.say(1, "between the starts")
    before = ada.read(1, after=0)
    server.restart()
    assert ada.read(1, after=0) == before
    assert [message["body"] for message in before["messages"]] == ["between the starts"]
    assert ada.say(1, "after")["author"] == said["author"], "the cookie is still good"
    assert (server.instance / "secret_key").read_bytes() == key
    assert server.ask("SELECT id, name FROM rooms") == [(1, "Lobby")]


def test_four_workers_and_two_commands_that_start_at_once_on_an_empty_folder_do_not_collide(
    new_server: Callable[..., Server],
) -> None:
    server = new_server(workers=4)
    answers: list[subprocess.CompletedProcess[str]] = []
    commands = [
        threading.Thread(target=lambda: answers.append(server.flask("room", "list"))) for _ in range(2)
    ]
    for command in commands:
        command.start()
    server.start()
    for command in commands:
        command.join()
    assert [answer.returncode for answer in answers] == [0, 0], answers
    assert all(answer.stdout.split().count("Lobby") == 1 for answer in answers)
    assert len(server.worker_pids) == 4
    assert server.ask("SELECT id, name FROM rooms") == [(1, "Lobby")]
    reader = Flask("reader of cookies")
    reader.secret_key = (server.instance / "secret_key").read_text().strip()
    serializer = SecureCookieSessionInterface().get_signing_serializer(reader)
    assert serializer is not None
    for number in range(12):  # new connections reach all workers
        person = Person(server, f"guest {number}")
        assert serializer.loads(person.http.cookies["chatapp"]), "signed with the one key in the folder"
        person.close()


# -- what cannot start ---------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_a_taken_port_is_one_line_that_names_the_option(host: str, taken: int, copied: Path) -> None:
    status, said = attempt(Server(copied), "gunicorn", "-b", f"{host}:{taken}")
    assert status != 0
    line = the_one_line(said)
    assert str(taken) in line
    assert "-b" in line


def test_an_argument_that_says_nothing_is_one_line_that_names_the_option(copied: Path) -> None:
    command = [str(BIN / "gunicorn"), "-k", "gevent", "wsgi:app", "8001"]  # as bin/serve 8001 has it
    done = subprocess.run(
        command, cwd=ROOT, env=Server(copied).environ, capture_output=True, text=True, timeout=60
    )
    assert done.returncode != 0
    line = the_one_line(done.stdout + done.stderr)
    assert "8001" in line
    assert "-b" in line


@pytest.mark.parametrize("how", ["half made", "its Python is gone", "a file"])
def test_a_venv_that_cannot_be_used_is_one_line_that_says_what_to_do(how: str, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    shutil.copy(ROOT / "bin" / "install", tmp_path / "bin")
    shutil.copy(ROOT / "requirements.txt", tmp_path)
    venv = tmp_path / ".venv"
    if how == "a file":
        venv.touch()
    else:
        (venv / "bin").mkdir(parents=True)
        shutil.copy(ROOT / "requirements.txt", venv / "installed-requirements.txt")
    if how == "its Python is gone":
        (venv / "bin" / "python").symlink_to(tmp_path / "nowhere")
        (venv / "bin" / "gunicorn").write_text(f"#!{venv}/bin/python\n")
        (venv / "bin" / "gunicorn").chmod(0o755)
    command = [str(tmp_path / "bin" / "install"), "requirements.txt"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert the_one_line(done.stdout + done.stderr).endswith("remove it, and start again")


def test_an_address_of_another_machine_is_one_line_that_names_the_option(copied: Path) -> None:
    status, said = attempt(Server(copied), "gunicorn", "-b", "203.0.113.1:8000")
    assert status != 0
    assert "-b" in the_one_line(said)


@pytest.mark.parametrize(
    ("command", "place"),
    [("gunicorn", "under a file"), ("flask room", "under a file"), ("flask room", "in /proc")],
)
def test_an_instance_folder_that_cannot_be_written_to_is_one_line(
    command: str, place: str, tmp_path: Path
) -> None:
    # root may write wherever the permissions say that nobody may, but not here
    (tmp_path / "file").touch()
    instance = tmp_path / "file" / "instance" if place == "under a file" else Path("/proc/chatapp")
    status, said = attempt(Server(instance), command)
    assert status != 0
    line = the_one_line(said)
    assert str(instance) in line
    assert "CHATAPP_INSTANCE_PATH" in line


@pytest.mark.parametrize("command", ["gunicorn", "flask room"])
def test_an_instance_folder_that_is_a_file_is_one_line_that_says_so(command: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    status, said = attempt(Server(tmp_path / "file"), command)
    assert status != 0
    assert "is a file, not a folder" in the_one_line(said)


@pytest.mark.parametrize("name", ["chat.db", "bus.db", "setup.lock", "secret_key"])
def test_a_file_of_the_instance_that_this_user_may_not_write_is_named(name: str, copied: Path) -> None:
    (copied / name).chmod(0o000 if name == "secret_key" else 0o400)
    status, said = attempt(Server(copied), "flask room", as_anybody=True)
    assert status != 0
    assert str(copied / name) in the_one_line(said)


@pytest.mark.parametrize("name", ["search.db.lock", "uploads/", "uploads/lock", "uploads/ab/"])
def test_what_only_searches_and_files_write_is_looked_at_on_start_as_well(name: str, copied: Path) -> None:
    path = copied / name
    path.parent.mkdir(exist_ok=True)
    path.mkdir() if name.endswith("/") else path.touch()
    path.chmod(0o500 if name.endswith("/") else 0o400)
    status, said = attempt(Server(copied), "flask room", as_anybody=True)
    assert status != 0
    assert f"{path} cannot be written to" in the_one_line(said)


def test_three_workers_that_cannot_start_say_it_once(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    status, said = attempt(Server(tmp_path / "file" / "instance", workers=3), "gunicorn")
    assert status != 0
    the_one_line(said)


@pytest.mark.parametrize("command", ["gunicorn", "flask room"])
def test_a_database_of_a_newer_schema_is_one_line_and_stays_as_it_is(command: str, copied: Path) -> None:
    with closing(sqlite3.connect(copied / "chat.db")) as database, database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    before = dump(copied)
    status, said = attempt(Server(copied), command)
    assert status != 0
    line = the_one_line(said)
    assert "newer" in line
    assert str(copied / "chat.db") in line
    assert dump(copied) == before


@pytest.mark.parametrize("what", ["another program's", "no database"])
def test_a_database_that_is_not_ours_is_one_line_and_stays_as_it_is(what: str, copied: Path) -> None:
    path = copied / "chat.db"
    path.unlink()
    if what == "no database":
        path.write_text("Dear diary,\n" * 500)
    else:
        with closing(sqlite3.connect(path)) as database, database:
            database.execute("CREATE TABLE recipes (name TEXT)")
    before = path.read_bytes() if what == "no database" else dump(copied)
    status, said = attempt(Server(copied), "flask room")
    assert status != 0
    assert str(path) in the_one_line(said)
    assert (path.read_bytes() if what == "no database" else dump(copied)) == before


@pytest.mark.parametrize("name", ["bus.db", "secret_key"])
def test_another_file_of_the_instance_that_is_damaged_is_one_line_or_is_made_anew(
    name: str, copied: Path
) -> None:
    (copied / name).write_text("not what it was")
    status, said = attempt(Server(copied), "flask room")
    if status:
        line = the_one_line(said)
        assert str(copied / name) in line
        assert "remove it" in line
    else:
        assert "Lobby" in said.split()


def dump(instance: Path) -> list[str]:
    with closing(sqlite3.connect(instance / "chat.db")) as database:
        return list(database.iterdump())


# -- what the log says ---------------------------------------------------------------------------------


@pytest.fixture
def started(copied: Path) -> Iterator[Callable[..., Server]]:
    """Starts servers on an instance folder that is there already."""
    made: list[Server] = []

    def start(*arguments: str, **settings: str) -> Server:
        made.append(Server(copied, **settings))
        return made[-1].start(*arguments)

    yield start
    for server in made:
        server.kill()


def log_so_far(server: Server) -> list[str]:
    """All that `server` logged until it answered a request that comes now."""
    before = len(server.log)
    assert nobody_gets(f"{server.url}/healthz").status_code == 200
    os.kill(server.pid, signal.SIGUSR1)  # the master says that it heard this, and reopens its log files
    eventually(lambda: any("Handling signal: usr1" in line for line in server.log[before:]))
    return list(server.log)


@pytest.mark.parametrize("code", ["none", "in the environment", "in config.py"])
def test_a_server_that_others_can_reach_warns_unless_guests_are_asked_for_a_code(
    code: str, copied: Path, started: Callable[..., Server]
) -> None:
    if code == "in config.py":
        (copied / "config.py").write_text('CHATAPP_GUEST_CODE = "sesame"\n')
    server = started("-b", "0.0.0.0:0", **({"guest_code": "sesame"} if code == "in the environment" else {}))
    warnings = [line for line in log_so_far(server) if "CHATAPP_GUEST_CODE" in line]
    if code == "none":
        assert len(warnings) == 1
        assert "[WARNING]" in warnings[0]
        assert "0.0.0.0" in warnings[0]
    else:
        assert warnings == []


def test_a_server_that_only_this_machine_can_reach_does_not_warn(one_worker: Server) -> None:
    assert not [line for line in log_so_far(one_worker) if "WARNING" in line and "Bound" in line]


def test_the_log_says_where_to_point_the_browser(one_worker: Server) -> None:
    at = f"http://localhost:{one_worker.port}/"  # by a name, as passkeys need it
    lines = [line for line in log_so_far(one_worker) if at in line and "browser" in line]
    assert len(lines) == 1


def test_the_log_has_a_line_for_each_start_and_stop_none_for_a_request_and_no_message(
    copied: Path, started: Callable[..., Server]
) -> None:
    server = started(busy_seconds="1")
    secret = "a word that is nobody's business"
    ada = Person(server, "ada")
    ada.say(1, secret)
    ada.read(1, after=0)
    for path in ("/", "/chats/", "/chats/1/", "/healthz", "/nowhere", "/api/rooms/99/messages"):
        ada.http.get(path)
    ada.http.post(ada.messages(1), content=json.dumps({"body": secret * 1000}))
    ada.http.post(ada.messages(1), content=f'{{"body": "{secret}')
    socket = ada.socket()
    socket.join(1)
    socket.send({"type": "send", "room": 1, "body": secret, "client_id": "one"})
    socket.expect(lambda frame: frame["type"] == "ack")
    socket.send({"type": "send", "room": 99, "body": secret, "client_id": "two"})
    socket.expect(lambda frame: frame["type"] == "error")
    socket.close()
    quiet = log_so_far(server)
    with closing(sqlite3.connect(copied / "chat.db", isolation_level=None)) as lock:
        lock.execute("BEGIN IMMEDIATE")
        refused = ada.http.post(ada.messages(1), json={"body": secret, "client_id": "three"})
    assert refused.json()["code"] == "not_kept"
    eventually(
        lambda: any("not kept" in line for line in server.log), "the log says that something was not kept"
    )
    assert server.stop() == 0
    eventually(lambda: "Shutting down" in server.log[-1], "the last line is in")
    ada.close()

    assert not [line for line in server.log if "nobody's business" in line]
    up = max(number for number, line in enumerate(quiet) if "browser" in line or "Ready" in line)
    # The watch may have found that to make pages ready for the first time takes long, while much else runs.
    others = [line for line in quiet[up + 1 :] if "usr1" not in line and "the hub was blocked" not in line]
    assert others == [], "nothing is logged of requests"
    for event in (
        "Starting gunicorn",
        "Listening at",
        "Ready",
        "Handling signal: term",
        "Shutting down: Master",
    ):
        assert sum(event in line for line in server.log) == 1, event
    assert sum("ERROR" in line for line in server.log) == 1, "one line for the one error"
    assert all(line.startswith("[") for line in server.log), "no traceback:\n" + "".join(server.log)


def test_the_health_of_a_started_server_can_be_asked_for(server: Server) -> None:
    assert nobody_gets(f"{server.url}/healthz").status_code == 200
    assert nobody_gets(f"{server.url}/readyz").status_code == 200
