"""The schema: models and migrations agree, what is migrated is copied first, the file stays sound."""

import os
import re
import shutil
import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy

from chatapp import models, names, schema
from tests.clients import UNIT, Person, eventually
from tests.conftest import STORES
from tests.postgres import Postgres
from tests.servers import ROOT, Server
from tests.test_workers import Follower

UPGRADE_THAT_WORKS = 'op.add_column("rooms", sa.Column("mood", sa.Text()))'
UPGRADE_OF_MESSAGES = f'{UPGRADE_THAT_WORKS}; op.add_column("messages", sa.Column("mood", sa.Text()))'
UPGRADE_THAT_FAILS = f'{UPGRADE_THAT_WORKS}; op.execute("INSERT INTO nowhere VALUES (1)")'
MIGRATION = """
import sqlalchemy as sa
from alembic import op

revision, down_revision = "{revision}", "{newest}"

def upgrade(): {upgrade}
"""
NEWEST = schema.newest()
NEXT = f"{int(NEWEST) + 1:04}"


@pytest.fixture(scope="module")
def lived_in(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An instance folder with a message, left behind by a server that was killed: its WAL is not merged."""
    server = Server(tmp_path_factory.mktemp("lived in") / "instance").start()
    ada = Person(server, "ada")
    ada.say(1, "from before the upgrade")
    ada.close()
    server.kill()
    return server.instance


@pytest.fixture
def old(lived_in: Path, tmp_path: Path) -> Server:
    """A server, not started, with the program as it is."""
    return Server(shutil.copytree(lived_in, tmp_path / "instance"))


@pytest.fixture
def newer_program(tmp_path: Path) -> Callable[[str], Path]:
    """Makes a copy of the program with one more migration."""

    def make(upgrade: str) -> Path:
        program = tmp_path / "newer"
        leave = shutil.ignore_patterns("__pycache__")
        for folder in ("chatapp", "templates", "static"):
            shutil.copytree(ROOT / folder, program / folder, ignore=leave, dirs_exist_ok=True)
        shutil.copy(ROOT / "wsgi.py", program)
        migration = program / "chatapp" / "migrations" / "versions" / f"{NEXT}_mood.py"
        migration.write_text(MIGRATION.format(upgrade=upgrade, revision=NEXT, newest=NEWEST))
        return program

    return make


def ask(path: Path, sql: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as database:
        return database.execute(sql).fetchall()


def bodies(path: Path) -> list[tuple[object, ...]]:
    return ask(path, "SELECT body FROM messages")


def version(path: Path) -> list[tuple[object, ...]]:
    return ask(path, "SELECT version_num FROM alembic_version")


# -- models and migrations -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "said"),
    [("check", "No new upgrade operations"), ("current", f"{NEWEST} (head)"), ("upgrade", "")],
)
def test_the_database_commands_work_and_find_nothing_to_do(command: str, said: str, old: Server) -> None:
    answer = old.flask("db", command)
    assert answer.returncode == 0, answer.stderr
    assert "Traceback" not in answer.stderr
    assert said in answer.stdout + answer.stderr
    assert bodies(old.instance / "chat.db") == [("from before the upgrade",)]


def test_models_and_migrations_make_the_same_tables(lived_in: Path, tmp_path: Path) -> None:
    engine = sqlalchemy.create_engine(f"sqlite:///{tmp_path / 'models.db'}")
    models.db.metadata.create_all(engine)
    engine.dispose()
    assert tables(lived_in / "chat.db") == tables(tmp_path / "models.db")


def tables(path: Path) -> dict[str, object]:
    """What Alembic compares, and what it does not: keys, partial indexes, AUTOINCREMENT, WITHOUT ROWID."""
    found: dict[str, object] = {}
    for name, sql in ask(path, "SELECT name, sql FROM sqlite_master WHERE type = 'table'"):
        if str(name).startswith("sqlite_") or name == "alembic_version":
            continue
        columns = ask(
            path, f'SELECT name, type, "notnull", pk FROM pragma_table_info({name!r}) ORDER BY name'
        )
        keys = ask(path, f'SELECT "from", "table", "to" FROM pragma_foreign_key_list({name!r})')
        indexes = ask(
            path, f"SELECT sql FROM sqlite_master WHERE type = 'index' AND sql <> '' AND tbl_name = {name!r}"
        )
        said = {" ".join(re.sub(r'["(),]', " ", str(index)).split()) for (index,) in indexes}
        options = "AUTOINCREMENT" in str(sql), "WITHOUT ROWID" in str(sql)
        found[str(name)] = columns, sorted(keys), said, options
    return found


# -- an upgrade ----------------------------------------------------------------------------------------


def test_a_database_of_version_0_1_is_brought_up_with_its_messages_in_public_rooms(old: Server) -> None:
    assert old.flask("db", "downgrade", "0001").returncode == 0
    assert version(old.instance / "chat.db") == [("0001",)]
    with closing(Person(old.start(), "grace")) as grace:
        [message] = grace.read(1, after=0)["messages"]
        assert message["body"] == "from before the upgrade"
        [room] = grace.http.get("/api/rooms").json()["rooms"]
        assert (room["kind"], room["posting"], room["guests"]) == ("public", "everyone", True)
        assert grace.say(1, "and after it")["seq"] == 2
    old.kill()
    assert version(old.instance / "chat.db") == [(NEWEST,)]


def test_what_one_deed_imposed_has_one_time_after_the_upgrade(old: Server) -> None:
    assert old.flask("db", "downgrade", "0006").returncode == 0
    rows = [
        # at, person, device, network, name
        (1_000_000, "g1", None, None, "mallory"),
        (1_000_002, None, "a browser", None, "mallory"),
        (1_000_300, "g2", None, None, "mallory"),
        (1_000_301, None, "another", None, "mallory"),
        (1_000_303, None, None, "192.0.2.0/24", "mallory"),
        (1_000_304, None, "a third", None, "eve"),
        (9_000_000, None, "a fourth", None, "mallory"),
    ]
    with closing(sqlite3.connect(old.instance / "chat.db")) as database, database:
        database.executemany(
            "INSERT INTO sanctions (at, person_id, device, network, name, kind, until, reason, by_id, by_name)"
            " VALUES (?, ?, ?, ?, ?, 'ban', 0, '', 'u1', 'ada')",
            rows,
        )
    assert old.flask("db", "upgrade").returncode == 0
    times = [row[0] for row in ask(old.instance / "chat.db", "SELECT at FROM sanctions ORDER BY id")]
    assert times == [1_000_000, 1_000_000, 1_000_300, 1_000_300, 1_000_300, 1_000_304, 9_000_000]


def test_the_names_of_hooks_are_compared_after_the_upgrade_as_before(old: Server) -> None:
    assert old.flask("db", "downgrade", "0006").returncode == 0
    with closing(sqlite3.connect(old.instance / "chat.db")) as database, database:
        database.execute(
            "INSERT INTO hooks (room_id, key, name, by_id, by_name, made_at)"
            " VALUES (1, 'k', 'Builds', 'u1', 'ada', 1)"
        )
    with closing(Person(old.start(), "grace")) as grace:
        answer = grace.http.post("/guests", json={"name": "Вui1ds"})
        assert answer.status_code == 400, answer.text
    old.kill()
    assert ask(old.instance / "chat.db", "SELECT name_key FROM hooks") == [(names.key("builds"),)]


def test_before_a_migration_the_database_is_copied_and_the_copy_can_be_gone_back_to(
    old: Server, newer_program: Callable[[str], Path]
) -> None:
    database = old.instance / "chat.db"
    newer = Server(old.instance, workers=3)
    newer.start("--chdir", str(newer_program(UPGRADE_THAT_WORKS)))  # three workers at once, one migration
    eventually(lambda: [line for line in newer.log if f"has schema {NEXT} now, and had {NEWEST}" in line])
    newer.kill()
    assert version(database) == [(NEXT,)]
    assert bodies(database) == [("from before the upgrade",)]
    [copy] = [
        path for path in old.instance.glob("chat.db.*") if path.name not in ("chat.db-wal", "chat.db-shm")
    ]
    assert version(copy) == [(NEWEST,)]
    assert ask(copy, "PRAGMA integrity_check") == [("ok",)]
    assert bodies(copy) == [("from before the upgrade",)]

    refused = old.flask("room", "list")
    assert refused.returncode != 0, "the old program leaves the new database alone"
    assert "newer" in refused.stderr
    for path in old.instance.glob("chat.db-*"):
        path.unlink()
    copy.rename(database)
    answer = old.flask("room", "show", "Lobby")
    assert answer.returncode == 0, answer.stderr
    assert "from before the upgrade" in answer.stdout


@pytest.mark.parametrize("store", STORES)
def test_a_server_goes_on_beside_a_newer_one_that_has_brought_the_database_up_and_so_do_its_new_workers(
    store: str,
    postgres: Postgres,
    new_server: Callable[..., Server],
    newer_program: Callable[[str], Path],
) -> None:
    settings = {"database_url": postgres.database()} if store == "postgresql" else {}
    older, newer = new_server(workers=2, **settings).start(), new_server(**settings)
    newer.instance = older.instance
    ada = Person(older, "ada")
    board = ada.make_room()
    follower = Follower(ada, board)
    newer.start("--chdir", str(newer_program(UPGRADE_OF_MESSAGES)))
    grace = Person(newer, "grace")
    assert older.ask("SELECT version_num FROM alembic_version") == [(NEXT,)]

    def all_is_well() -> None:
        for who, other in ((ada, grace), (grace, ada)):
            assert who.http.get(f"/chats/{board}/").status_code == 200
            before = other.read(board, after=-1)["cursor"]
            seq = who.say(board, "hello")["seq"]
            polled = other.read(board, after=before, wait=UNIT)["messages"]
            assert [message["seq"] for message in polled] == [before + 1] == [seq]
        eventually(lambda: follower.seqs == list(range(1, seq + 1)), "who is connected has all")

    all_is_well()
    for deed in ("one worker dies", "all die", "reload"):
        gone, ready = set(older.worker_pids), "".join(older.log).count("Ready")
        if deed == "reload":
            os.kill(older.pid, signal.SIGHUP)
        else:
            gone = set(older.worker_pids[:1]) if deed == "one worker dies" else gone
            for pid in gone:
                os.kill(pid, signal.SIGKILL)
        eventually(
            lambda gone=gone: len(now := set(older.worker_pids)) == 2 and not now & gone, deed, 6 * UNIT
        )
        eventually(
            lambda gone=gone, ready=ready: "".join(older.log).count("Ready") == ready + len(gone),
            f"{deed}: those who follow serve",
            6 * UNIT,
        )
        all_is_well()
    follower.close()
    older.stop()
    with pytest.raises(RuntimeError, match="written by a newer version"):
        older.start()
    for person in (ada, grace):
        person.close()


def test_a_migration_that_fails_half_way_leaves_the_database_as_it_was(
    old: Server, newer_program: Callable[[str], Path]
) -> None:
    database = old.instance / "chat.db"
    before = list_of(database)
    failed = old.flask("--app", str(newer_program(UPGRADE_THAT_FAILS) / "wsgi.py"), "room", "list")
    assert failed.returncode != 0
    assert "nowhere" in failed.stderr
    assert "Traceback" not in failed.stderr
    assert list_of(database) == before
    answer = old.flask("room", "show", "Lobby")
    assert "from before the upgrade" in answer.stdout, answer.stderr


def list_of(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as database:
        return list(database.iterdump())


# -- the file ------------------------------------------------------------------------------------------


@pytest.mark.sqlite
def test_after_a_story_the_file_is_sound_and_as_durable_as_promised(
    server: Server, ada: Person, board: int
) -> None:
    said = [ada.say(board, f"word {number}") for number in range(5)]
    for change in (
        {"kind": "edit", "of": 2, "body": "better"},
        {"kind": "delete", "of": 3},
        {"kind": "reaction", "of": 1, "body": "👍"},
    ):
        assert ada.http.post(ada.messages(board), json=change).status_code == 201
    ada.http.post(f"/api/rooms/{board}/read", json={"seq": said[-1]["seq"]})
    assert server.flask("room", "clear", str(board), "--yes").returncode == 0
    ada.say(board, "anew")
    path = server.instance / "chat.db"
    assert ask(path, "PRAGMA journal_mode") == [("wal",)]
    assert ask(path, "PRAGMA integrity_check") == [("ok",)]
    assert ask(path, "PRAGMA foreign_key_check") == []
    assert (
        ask(path, "SELECT room_id FROM messages GROUP BY room_id HAVING count(*) <> max(seq) - min(seq) + 1")
        == []
    )
    newest = "(SELECT max(seq) FROM messages WHERE room_id = id)"
    assert ask(path, f"SELECT id FROM rooms WHERE last_seq >= first_seq AND last_seq <> {newest}") == []
