"""PostgreSQL's own copies, by the commands that the docs have for them: what was kept comes back, and readers start
over who have seen more.
"""

import os
import re
import shlex
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.clients import LongPollReader, Person, eventually
from tests.documented import BACKUP, commands
from tests.people import member
from tests.postgres import Postgres, programs
from tests.servers import Server
from tests.test_backup import talking
from tests.test_schema import NEWEST, NEXT, UPGRADE_OF_MESSAGES
from tests.test_schema import newer_program as newer_program  # a fixture

Follow = Callable[[list[str], Server], None]
AS_POSTGRES = "runuser -u postgres -- "  # here it is whoever may do everything
EMPTIED = commands("Back from an upgrade")[:2]
(ASIDE,) = re.findall(r"RENAME TO (\w+)", EMPTIED[0])


@pytest.fixture
def follow(postgres: Postgres) -> Iterator[Follow]:
    """Carries out commands of the docs beside a server's instance folder; the database `chat` is there, and empty."""
    address = postgres.url("chat").replace("+psycopg", "")
    environ = {"PATH": f"{programs()}:{os.environ['PATH']}", "PGHOST": postgres.host, "PGUSER": "chat"}
    environ = {**os.environ, **environ, "DATABASE": address}

    def carry_out(lines: list[str], server: Server) -> None:
        for line in lines:
            if line.startswith("flask "):
                done = server.flask(*shlex.split(line)[1:])
            else:
                done = subprocess.run(
                    ["bash", "-c", line.removeprefix(AS_POSTGRES)],
                    cwd=server.instance.parent,
                    env=environ,
                    capture_output=True,
                    text=True,
                )
            assert done.returncode == 0, f"{line}: {done.stderr}"

    (making,) = [line.removeprefix(AS_POSTGRES) for line in EMPTIED if "createdb" in line]
    subprocess.run(shlex.split(making), check=True, env=environ)
    yield carry_out
    for name in ("chat", ASIDE):
        subprocess.run(["dropdb", "--force", "--if-exists", name], check=True, env=environ)


@pytest.fixture
def chat(new_server: Callable[..., Server], postgres: Postgres, tmp_path: Path) -> Callable[[str], Server]:
    """Makes a server, not started, with the database `chat`, and an instance folder in a folder of that name."""

    def make(name: str) -> Server:
        server = new_server(workers=2, database_url=postgres.url("chat"))
        (tmp_path / name).mkdir()
        server.instance = tmp_path / name / "instance"
        return server

    return make


def test_who_follows_the_docs_has_a_copy_of_all_that_another_machine_goes_on_with(
    follow: Follow, chat: Callable[[str], Server]
) -> None:
    server, other = chat("here"), chat("there")
    ada, grace = Person(server.start(), "ada"), member(server, "grace")
    room = ada.make_room()
    path = f"/api/rooms/{room}/files"
    sent = grace.http.post(path, params={"name": "plan.txt"}, content=b"the plan").json()
    grace.http.post(grace.messages(room), json={"body": "see", "files": [sent["id"]]})
    with talking(ada, room):  # while people write
        follow(commands("To copy all", BACKUP), server)
    cursor, epoch = seen(ada, room, "what the copy has not")
    server.stop()
    follow(EMPTIED, server)

    (server.instance.parent / "copy").rename(other.instance.parent / "copy")
    follow(commands("To restore it", BACKUP), other)
    other.port = server.port
    other.start()
    assert "see" in starts_over(ada, room, cursor, epoch, without="what the copy has not")
    assert grace.signed_in()
    assert grace.http.get(f"/chats/{room}/files/{sent['id']}/plan.txt").content == b"the plan"


def test_who_follows_the_docs_comes_back_from_a_new_schema_without_what_was_said_since(
    follow: Follow, chat: Callable[[str], Server], newer_program: Callable[[str], Path], postgres: Postgres
) -> None:
    server = chat("here").start()
    ada = Person(server, "ada")
    room = ada.make_room()
    ada.say(room, "before")
    follow(commands("Before an upgrade"), server)
    server.stop()
    server.start("--chdir", str(newer_program(UPGRADE_OF_MESSAGES)))
    eventually(lambda: any(f"has schema {NEXT} now, and had {NEWEST}" in line for line in server.log))
    cursor, epoch = seen(ada, room, "since")
    server.stop()
    follow(commands("Back from an upgrade"), server)
    server.start()
    assert starts_over(ada, room, cursor, epoch, without="since") == ["before"]
    with postgres.connect(ASIDE) as aside:
        said = aside.execute("SELECT body FROM messages WHERE room_id = %s ORDER BY seq", [room]).fetchall()
    assert said == [("before",), ("since",)], "it is not lost, should it be wanted"


def seen(person: Person, room: int, body: str) -> tuple[int, str]:
    """Where a reader is who has also read `body`, which is said now, and in which epoch."""
    reader = LongPollReader(person, room, after=0)
    person.say(room, body)
    reader.wait_for(person.read(room, after=-1)["cursor"])
    return reader.close()


def starts_over(person: Person, room: int, cursor: int, epoch: str, without: str) -> list[str]:
    """What a reader has who was there: all that is kept, from its beginning."""
    reader = LongPollReader(person, room, after=cursor, epoch=epoch)
    said = reader.wait_for(person.read(room, after=-1)["cursor"])
    assert reader.resets == 1
    assert without not in reader.bodies
    assert person.say(room, "anew")["seq"] == said[-1]["seq"] + 1
    bodies = [message["body"] for message in said]
    reader.close()
    return bodies
