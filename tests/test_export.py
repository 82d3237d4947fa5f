"""`flask data export` and `import`: all that one server keeps goes to another one, whole or not at all."""

import json
import os
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import pytest
from sqlalchemy import delete
from sqlalchemy.exc import IntegrityError

from chatapp import schema
from chatapp.archive import exporting, importing
from chatapp.archive.errors import Refused
from chatapp.archive.tables import FILES
from tests.clients import LongPollReader, Person
from tests.conftest import STORE
from tests.keepings import Keepings, digest, silent
from tests.people import administrator, member
from tests.postgres import Postgres
from tests.servers import Server

ALL_TABLES = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'table'",
    "postgresql": "SELECT tablename FROM pg_tables WHERE schemaname = 'public'",
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """What stands in an export."""
    folder = tmp_path_factory.mktemp("whole")
    exporting.export(*Keepings(folder / "full").fill().here, str(folder / "all"), silent)
    return (folder / "all").read_bytes()


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Keepings:
    """An empty one that stays so."""
    return Keepings(tmp_path_factory.mktemp("untouched") / "empty")


@pytest.fixture
def full(tmp_path: Path) -> Keepings:
    return Keepings(tmp_path / "full").fill()


@pytest.fixture
def empty(tmp_path: Path) -> Keepings:
    return Keepings(tmp_path / "empty")


@pytest.fixture
def file(full: Keepings, tmp_path: Path) -> Path:
    """An export of all that `full` keeps."""
    path = tmp_path / "all.jsonl"
    assert exporting.export(*full.here, str(path), silent) == []
    return path


def take_in(empty: Keepings, file: Path) -> list[str]:
    return importing.take_in(*empty.here, str(file), silent)


# -- what comes across -----------------------------------------------------------------------------------------


def test_people_go_on_at_the_new_server_as_if_nothing_had_happened(
    new_server: Callable[..., Server], postgres: Postgres, tmp_path: Path
) -> None:
    old, new = new_server().start(), new_server(database_url=postgres.database())
    file = tmp_path / "all.jsonl"
    ada, grace = Person(old, "ada"), member(old, "grace")
    room = ada.make_room()
    ada.say(room, "to be cleared")
    assert old.console("room", "clear", room, "--yes").status == 0
    sent = grace.http.post(
        f"/api/rooms/{room}/files", params={"name": "plan.txt"}, content=b"the plan" * 99_999
    )
    message = grace.http.post(grace.messages(room), json={"files": [sent.json()["id"]]}).json()
    reader = LongPollReader(ada, room, after=0)
    reader.wait_for(1)
    cursor, epoch = reader.close()
    ada.say(room, "while nobody reads")

    done = old.console("data", "export", file)
    assert (done.status, done.out) == (0, f"Wrote {file}\n"), done.err
    assert "messages" in done.err, "how far it is"
    assert file.stat().st_mode & 0o777 == 0o600
    assert old.console("data", "export", file).err == f"Error: {file} is there already: name another file\n"
    old.stop()

    answer = new.flask("data", "import", str(file))
    assert answer.returncode == 0, answer.stderr
    new.port = old.port  # the same address
    new.start()
    reader = LongPollReader(ada, room, after=cursor, epoch=epoch)
    assert [message["body"] for message in reader.wait_for(1)] == ["while nobody reads"]
    assert ada.say(room, "and on it goes")["seq"] == message["seq"] + 2
    reader.wait_for(2)
    assert reader.resets == 0
    reader.close()
    assert grace.signed_in()
    assert grace.http.get(f"/chats/{room}/files/{sent.json()['id']}/plan.txt").content == b"the plan" * 99_999
    assert administrator(old).http.get("/admin/people").status_code == 200

    refused = new.flask("data", "import", str(file))
    assert refused.returncode == 1
    assert re.fullmatch(r"Error: the database is in use: stop the server, .*\n", refused.stderr)


def test_every_table_and_file_and_the_keys_come_across_as_they_were_and_back_again(
    full: Keepings, empty: Keepings, file: Path, store: str, tmp_path: Path
) -> None:
    assert min(map(len, full.rows.values())) == 3
    other, again = Keepings(tmp_path / "other", store), tmp_path / "again.jsonl"
    assert take_in(other, file) == []
    assert other.rows == full.rows
    assert other.files == full.files
    assert exporting.export(*other.here, str(again), silent) == []
    assert take_in(empty, again) == []
    assert empty.rows == full.rows
    assert empty.next_room() == other.next_room() == full.next_room() == 10
    with closing(sqlite3.connect(empty.database)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert database.execute("PRAGMA journal_mode").fetchall() == [("wal",)]


def test_all_tables_that_a_database_has_are_exported(one_worker: Server, file: Path) -> None:
    found = {name for (name,) in one_worker.ask(ALL_TABLES[STORE])}
    heads = [json.loads(line) for line in file.read_text().splitlines() if line.startswith('{"is":"table"')]
    exported = {head["name"] for head in heads}
    assert found - exported - {"sqlite_sequence", "sqlite_stat1"} == {"alembic_version"}


def test_a_file_that_was_lost_before_is_said_and_keeps_nobody_from_moving(
    full: Keepings, empty: Keepings, tmp_path: Path
) -> None:
    Path(full.uploads.content(digest(1))).unlink()
    Path(full.uploads.content(digest(2))).write_bytes(b"damaged")
    lost = sorted([digest(1), digest(2)])
    assert exporting.export(*full.here, str(tmp_path / "all"), silent) == lost
    assert take_in(empty, tmp_path / "all") == lost
    assert empty.rows == full.rows
    assert [name for name in empty.files if "uploads" in name] == [f"uploads/{digest(3)[:2]}/{digest(3)}"]


def test_what_is_collected_while_an_export_is_written_is_not_missing_from_it(
    full: Keepings, empty: Keepings, tmp_path: Path
) -> None:
    """Contents first, then the rows."""

    def progress(name: str, parts: int):
        if name != "files" and digest(1) in {row[9] for row in full.rows["files"]}:
            with full.engine.begin() as connection:
                connection.execute(delete(FILES).where(FILES.c.sha256 == digest(1)))
            Path(full.uploads.content(digest(1))).unlink()
        return silent(name, parts)

    assert exporting.export(*full.here, str(tmp_path / "all"), progress) == []
    assert take_in(empty, tmp_path / "all") == []


# -- what is refused, with nothing left behind -----------------------------------------------------------------


def cut(text: bytes) -> bytes:
    return text[: len(text) // 2]


def cut_in_the_last_line(text: bytes) -> bytes:
    return text[:-9]


def without_a_line(text: bytes) -> bytes:
    lines = text.splitlines(keepends=True)
    return b"".join([*lines[:40], *lines[41:]])


def without_the_end(text: bytes) -> bytes:
    return b"".join(text.splitlines(keepends=True)[:-1])


def with_other_words(text: bytes) -> bytes:
    return text.replace(b"messages.body 1", b"messages.body 7")


def with_more(text: bytes) -> bytes:
    return text + b"[]\n"


def of_a_newer_program(text: bytes) -> bytes:
    return text.replace(b'"format":1', b'"format":2,"more":[]', 1)


def of_another_schema(number: str) -> Callable[[bytes], bytes]:
    return lambda text: text.replace(
        f'"schema":"{schema.newest()}"'.encode(), f'"schema":"{number}"'.encode(), 1
    )


def made_up(lines: str) -> Callable[[bytes], bytes]:
    """An export with a right checksum that this program would never have written."""

    def make(text: bytes) -> bytes:
        made = text.splitlines(keepends=True)[0] + lines.encode()
        end = {"is": "end", "lines": made.count(b"\n"), "sha256": sha256(made).hexdigest()}
        return made + json.dumps(end, separators=(",", ":")).encode() + b"\n"

    return make


REFUSED = [
    (cut, "is cut off"),
    (cut_in_the_last_line, "is cut off"),
    (without_the_end, "is cut off"),
    (without_a_line, "was changed, or damaged"),
    (with_other_words, "was changed, or damaged"),
    (with_more, "was changed: it goes on behind its end"),
    (of_a_newer_program, "was written by a newer program (format 2, known up to 1)"),
    (of_another_schema("9999"), "was written by a newer program (schema 9999"),
    (of_another_schema("0001"), "was written by an older program (schema 0001"),
    (lambda _: b"", "is no export"),
    (lambda _: b'{"hello": "world"}\n', "is no export"),
    (lambda _: os.urandom(9999), "is no export"),
    (made_up("no JSON\n"), "is none that this program has written: line 2"),
    (made_up("[1]\n"), "is none that this program has written: it lacks a heading"),
    (
        made_up('{"is":"table","name":"cats","columns":[],"rows":0,"given":0}\n'),
        "the table cats is not known",
    ),
]


@pytest.mark.parametrize(("change", "said"), REFUSED, ids=[said for _, said in REFUSED])
def test_an_export_that_is_not_whole_or_not_for_this_program_is_refused_and_leaves_nothing_behind(
    change: Callable[[bytes], bytes], said: str, whole: bytes, untouched: Keepings, tmp_path: Path
) -> None:
    rows, files = untouched.rows, untouched.files
    file = tmp_path / "all.jsonl"
    file.write_bytes(change(whole))
    with pytest.raises(Refused, match=re.escape(said)):
        take_in(untouched, file)
    assert (untouched.rows, untouched.files) == (rows, files)


def test_nothing_is_taken_in_where_there_is_something_already(full: Keepings, file: Path) -> None:
    rows, files = full.rows, full.files
    with pytest.raises(Refused, match=r"there is something in the database already \(audit\).*INSTANCE_PATH"):
        take_in(full, file)
    assert (full.rows, full.files) == (rows, files)


def test_an_import_that_fails_at_its_end_leaves_nothing_behind_but_what_was_there(
    full: Keepings, empty: Keepings, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    there = Path(empty.uploads.content(digest(2)))
    there.parent.mkdir(parents=True)
    there.write_bytes(Path(full.uploads.content(digest(2))).read_bytes())
    rows, files = empty.rows, empty.files
    with monkeypatch.context() as patched:
        patched.setattr(importing, "named", fail)  # the last that is asked before the commit
        with pytest.raises(OSError, match="No space"):
            take_in(empty, file)
    assert (empty.rows, empty.files) == (rows, files)
    assert take_in(empty, file) == []
    assert empty.rows == full.rows


def test_a_row_that_the_database_does_not_take_is_refused_by_it_and_nothing_of_the_others_stays(
    whole: bytes, store: str, tmp_path: Path
) -> None:
    *lines, _ = whole.splitlines(keepends=True)
    row = next(line for line in reversed(lines) if line.startswith(b"["))
    twice = b"".join([line * (1 + (line == row)) for line in lines[1:]])
    file = tmp_path / "all.jsonl"
    file.write_bytes(made_up(twice.decode())(whole))
    other = Keepings(tmp_path / "other", store)
    rows, files = other.rows, other.files
    with pytest.raises(IntegrityError):
        take_in(other, file)
    assert (other.rows, other.files) == (rows, files)


def test_an_export_that_fails_leaves_no_file(full: Keepings, tmp_path: Path) -> None:
    def progress(name: str, parts: int):
        raise OSError(28, "No space left on device")

    (tmp_path / "out").mkdir()
    with pytest.raises(OSError, match="No space"):
        exporting.export(*full.here, str(tmp_path / "out" / "all"), progress)
    assert list((tmp_path / "out").iterdir()) == []


def test_nothing_is_taken_in_by_postgresql_while_something_is_connected_or_kept_there(
    postgres: Postgres, file: Path, tmp_path: Path
) -> None:
    with postgres.empty() as url:
        empty = Keepings(tmp_path / "other", url)
        with closing(postgres.connect(url)), pytest.raises(Refused, match="is in use"):
            take_in(empty, file)
        assert take_in(empty, file) == []
        with pytest.raises(Refused, match="another database in CHATAPP_DATABASE_URL"):
            take_in(empty, file)


def test_nothing_is_taken_in_while_something_has_the_database_open(empty: Keepings, file: Path) -> None:
    with closing(sqlite3.connect(empty.database)) as other:
        other.execute("SELECT 1 FROM rooms").fetchall()
        with pytest.raises(Refused, match="is in use"):
            take_in(empty, file)
    assert take_in(empty, file) == []
