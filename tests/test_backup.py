"""`flask data backup`, `restore` and `verify`: what was kept comes back, and readers start over where they must."""

import json
import re
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import delete, insert

from chatapp.archive import backup, restoring
from chatapp.archive.errors import Refused
from chatapp.archive.tables import FILES, TABLES
from tests.clients import LongPollReader, Person
from tests.keepings import ROWS, Keepings, digest, silent, value
from tests.people import member
from tests.postgres import Postgres
from tests.servers import Server


@pytest.fixture
def full(tmp_path: Path) -> Keepings:
    return Keepings(tmp_path / "full").fill()


@pytest.fixture
def folder(full: Keepings, tmp_path: Path) -> Path:
    """A backup of all that `full` keeps."""
    path = tmp_path / "backups" / "monday"
    assert backup.back_up(*full.here, str(path), silent) == []
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, to be copied."""
    path = tmp_path_factory.mktemp("made")
    backup.back_up(*Keepings(path / "full").fill().here, str(path / "backup"), silent)
    return path / "backup"


def restore(keepings: Keepings, folder: Path, anyway: bool = False) -> list[str]:
    return restoring.restore(keepings.config, keepings.engine, folder, anyway, silent)


def without_epochs(keepings: Keepings) -> dict[str, list[tuple[object, ...]]]:
    rows = keepings.rows
    return {**rows, "rooms": [row[:3] + row[4:] for row in rows["rooms"]]}


# -- a server that is backed up --------------------------------------------------------------------------------


@pytest.mark.sqlite
def test_after_a_restore_all_is_as_it_was_and_who_has_seen_more_starts_over(
    new_server: Callable[..., Server], tmp_path: Path
) -> None:
    server, folder = new_server(), tmp_path / "monday"
    server.start()
    ada, grace = Person(server, "ada"), member(server, "grace")
    room = ada.make_room()
    sent = grace.http.post(
        f"/api/rooms/{room}/files", params={"name": "plan.txt"}, content=b"the plan"
    ).json()
    grace.http.post(grace.messages(room), json={"body": "see", "files": [sent["id"]]})
    with talking(ada, room):  # while people write
        done = server.console("data", "backup", folder)
    assert (done.status, done.out) == (0, f"Backed up into {folder}\n"), done.err
    verified = server.console("data", "verify", folder)
    assert verified.status == 0, verified.err
    assert "It is whole" in verified.out
    reader = LongPollReader(ada, room, after=0)
    ada.say(room, "what the backup has not")
    reader.wait_for(ada.read(room)["cursor"])
    cursor, epoch = reader.close()

    refused = server.flask("data", "restore", str(folder))  # before it asks
    assert (refused.returncode, refused.stdout) == (1, "")
    assert re.fullmatch(r"Error: .*chat\.db is in use: stop the server, .*\n", refused.stderr)
    server.stop()
    answer = server.flask("data", "restore", str(folder), input="y\n")
    assert answer.returncode == 0, answer.stderr
    [aside] = server.instance.glob("chat.db.before-restore-*")
    assert f"What was there is now {aside}" in answer.stdout
    with closing(sqlite3.connect(aside)) as database:
        assert database.execute("SELECT body FROM messages ORDER BY at DESC").fetchone() == (
            "what the backup has not",
        )

    server.start()
    reader = LongPollReader(ada, room, after=cursor, epoch=epoch)
    said = reader.wait_for(1)
    assert reader.resets == 1
    assert "what the backup has not" not in reader.bodies
    assert ada.say(room, "anew")["seq"] == said[-1]["seq"] + 1
    reader.close()
    assert grace.signed_in()
    assert grace.http.get(f"/chats/{room}/files/{sent['id']}/plan.txt").content == b"the plan"


@contextmanager
def talking(person: Person, room: int) -> Iterator[None]:
    """Somebody writes all the time."""
    stop = threading.Event()

    def talk() -> None:
        while not stop.is_set():
            person.say(room, "word")

    talker = threading.Thread(target=talk)
    talker.start()
    try:
        yield
    finally:
        stop.set()
        talker.join()


# -- what a backup has, and what is put back -------------------------------------------------------------------


def test_a_backup_brings_back_every_row_file_and_key_and_keeps_what_was_there(
    full: Keepings, folder: Path
) -> None:
    rows, files, epochs = without_epochs(full), full.files, [row[3] for row in full.rows["rooms"]]
    for table in reversed(TABLES):
        with full.engine.begin() as connection:
            connection.execute(delete(table))
    shutil.rmtree(full.folder / "uploads")
    (full.folder / "secret_key").write_text("another key " * 9)
    kept = restore(full, folder)
    assert without_epochs(full) == rows
    assert {name: data for name, data in full.files.items() if "before-restore" not in name} == files
    assert not {row[3] for row in full.rows["rooms"]} & set(epochs), "each log has another epoch"
    names = {Path(path).name.partition(".before-restore")[0] for path in kept}
    assert names == {"chat.db", "secret_key", "factor_key"}
    aside = next(path for path in kept if "secret_key" in path)
    assert Path(aside).read_text() == "another key " * 9
    assert full.next_room() == 10


def test_a_backup_is_for_its_owner_only(folder: Path) -> None:
    modes = {path.stat().st_mode & 0o077 for path in [folder, *folder.rglob("*")]}
    assert modes == {0}
    assert sorted(path.name for path in folder.parent.iterdir()) == ["monday"]


def test_postgresql_is_not_backed_up_so(postgres: Postgres, tmp_path: Path) -> None:
    with postgres.empty() as url:
        keepings = Keepings(tmp_path / "other", url)
        with pytest.raises(Refused, match="for PostgreSQL see"):
            backup.back_up(*keepings.here, str(tmp_path / "monday"), silent)
        with pytest.raises(Refused, match="for PostgreSQL see"):
            restore(keepings, tmp_path)


def test_a_folder_that_is_there_is_never_written_into(full: Keepings, folder: Path) -> None:
    with pytest.raises(Refused, match="is there already"):
        backup.back_up(*full.here, str(folder), silent)
    assert restoring.verify(folder, silent)[1] == []


def test_what_is_collected_or_comes_while_a_backup_is_made_is_whole_in_it(
    full: Keepings, tmp_path: Path
) -> None:
    """Contents first, then the database, then the contents that came in between."""
    new, came = ROWS + 1, False

    def progress(name: str, parts: int):
        nonlocal came
        if name == "files" and not came:  # the first look
            came = True
            row = {c.name: value(c, 1) for c in FILES.columns} | {"id": "new", "sha256": digest(new)}
            with full.engine.begin() as connection:
                connection.execute(insert(FILES), row)
            full.put_content(new)
        if name == "database":  # which is being copied as it is
            with full.engine.begin() as connection:
                connection.execute(delete(FILES).where(FILES.c.sha256 == digest(1)))
            Path(full.uploads.content(digest(1))).unlink()
        return silent(name, parts)

    assert backup.back_up(*full.here, str(tmp_path / "monday"), progress) == []
    found, wrong = restoring.verify(tmp_path / "monday", silent)
    assert (found.rows["files"], wrong) == (ROWS + 1, [])


# -- what is wrong with a backup is found ----------------------------------------------------------------------


def execute(folder: Path, sql: str) -> None:
    with closing(sqlite3.connect(folder / "chat.db")) as database, database:
        database.execute(sql)


def path_of(folder: Path, n: int) -> Path:
    return folder / "uploads" / digest(n)[:2] / digest(n)


def lose_a_message(folder: Path) -> None:
    execute(folder, "DELETE FROM messages WHERE room_id = 2")


def lose_a_room(folder: Path) -> None:
    execute(folder, "DELETE FROM rooms WHERE id = 3")


def change_words(folder: Path) -> None:
    execute(folder, "UPDATE messages SET body = 'other words'")


def lose_a_file(folder: Path) -> None:
    path_of(folder, 2).unlink()


def damage_a_file(folder: Path) -> None:
    data = path_of(folder, 2).read_bytes()
    path_of(folder, 2).write_bytes(data[:-1] + b"?")


def change_a_key(folder: Path) -> None:
    (folder / "factor_key").write_text("another key " * 9)


def lose_a_key(folder: Path) -> None:
    (folder / "secret_key").unlink()


def damage_the_database(folder: Path) -> None:
    with open(folder / "chat.db", "r+b") as file:
        file.seek(4096 * 3)
        file.write(b"\xff" * 4096)


WRONG = [
    (lose_a_message, "room 2 lacks 1 of its messages"),
    (lose_a_room, "rooms has 2 rows, not 3"),
    (lose_a_room, "belongs to one of rooms that is not there"),
    (change_words, "chat.db is not as it was copied"),
    (lose_a_file, f"a file is not there as it was: {digest(2)}"),
    (damage_a_file, f"a file is not there as it was: {digest(2)}"),
    (change_a_key, "factor_key is not as it was copied"),
    (lose_a_key, "secret_key is not as it was copied"),
]


@pytest.mark.parametrize(("damage", "said"), WRONG, ids=[said for _, said in WRONG])
def test_what_is_wrong_with_a_backup_is_found(
    damage: Callable[[Path], None], said: str, made: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(made, tmp_path / "copy")
    damage(folder)
    _, wrong = restoring.verify(folder, silent)
    assert any(said in each for each in wrong), wrong


def no_database(folder: Path) -> None:
    (folder / "chat.db").write_bytes(b"no database at all" * 999)


def never_finished(folder: Path) -> None:
    (folder / "backup.json").unlink()


def newer(folder: Path) -> None:
    found = json.loads((folder / "backup.json").read_text())
    (folder / "backup.json").write_text(json.dumps({**found, "schema": "9999"}))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (no_database, "cannot be read: file is not a database"),
        (damage_the_database, "cannot be read: database disk image is malformed"),
        (never_finished, "is no backup, or was never finished"),
        (newer, "was made by a newer program (0.1.0, schema 9999"),
        (lose_a_file, f"is not whole (a file is not there as it was: {digest(2)})"),
        (lose_a_key, "is not whole (secret_key is not as it was copied)"),
    ],
    ids=["no database", "damaged", "never finished", "newer", "a file is lost", "a key is lost"],
)
def test_what_is_not_whole_is_not_put_in_place_of_what_is_there(
    damage: Callable[[Path], None], said: str, full: Keepings, made: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(made, tmp_path / "copy")
    damage(folder)
    rows, files = full.rows, full.files
    with pytest.raises(Refused, match=re.escape(said)):
        restore(full, folder)
    assert (full.rows, full.files) == (rows, files)
    assert not list(full.folder.glob("*restor*"))


def test_what_is_not_whole_is_put_in_place_by_whoever_insists(full: Keepings, folder: Path) -> None:
    lose_a_file(folder)
    rows = without_epochs(full)
    restore(full, folder, anyway=True)
    assert without_epochs(full) == rows


def test_where_what_is_there_cannot_be_moved_all_stays_as_it_was(
    full: Keepings, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, files = full.rows, full.files
    rename = restoring.os.rename

    def renamed(source: str, target: str) -> None:
        if source.endswith("factor_key") and "before" in target:
            raise OSError(16, "Device or resource busy")
        rename(source, target)

    monkeypatch.setattr(restoring.os, "rename", renamed)
    with pytest.raises(OSError, match="busy"):
        restore(full, folder)
    assert (full.rows, full.files) == (rows, files)
