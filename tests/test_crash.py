"""A writer is killed at any instant, over and over: what it was told is kept, and the database is sound."""

import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.crash_writer import body, is_edit
from tests.servers import ROOT

KILLS = 50  # in each of four histories
TOLD = 60  # at most so many things has a writer been told when its end is near
THEN = 0.01  # seconds: at most so long after it comes


class History:
    """All that the writers of one database were told."""

    def __init__(self) -> None:
        self.kept: dict[tuple[int, int], tuple[int, int]] = {}  # by sender and number: room and seq
        self.dropping: set[int] = set()
        self.made: set[int] = set()
        self.dropped: set[int] = set()
        self.cleared: dict[int, int] = {}

    @property
    def next(self) -> dict[int, int]:
        """Where each sender goes on: with the last text that it knows to be kept, once more."""
        texts: dict[int, int] = {}
        for sender, number in self.kept:
            if not is_edit(number):
                texts[sender] = max(number, texts.get(sender, 0))
        return texts

    def take(self, line: str) -> None:
        told, *words = line.split()
        numbers = [int(word) for word in words]
        match told:
            case "kept":
                room, seq, sender, number = numbers
                assert self.kept.setdefault((sender, number), (room, seq)) == (room, seq), line
            case "made":
                self.made.add(numbers[0])
            case "cleared":
                self.cleared[numbers[0]] = numbers[1]
            case "drops":
                self.dropping.add(numbers[0])
            case "dropped":
                self.dropped.add(numbers[0])
            case _:
                raise AssertionError(line or "the program has ended")

    def check(self, database: sqlite3.Connection) -> None:
        """Whether `database` has what was told, and is sound."""
        ask = database.execute
        assert ask("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert ask("PRAGMA foreign_key_check").fetchall() == [], "nothing is left of what is gone"
        rooms = ask(
            "SELECT id, first_seq, last_seq, last_at, count(seq), min(seq), max(seq), max(at), count(DISTINCT at) "
            "FROM rooms LEFT JOIN messages ON room_id = id GROUP BY id"
        ).fetchall()
        for room, first, last, last_at, count, least, most, latest, times in rooms:
            assert count == times == last - first + 1, f"room {room} has no gap, and no two share a time"
            assert not count or (first, last, last_at) == (least, most, latest)
            assert first > self.cleared.get(room, 0)
        turned = "SELECT * FROM messages a JOIN messages b USING (room_id) WHERE b.seq = a.seq + 1 AND b.at <= a.at"
        assert ask(turned).fetchall() == []
        there = {room for room, *_ in rooms}
        assert self.made - self.dropping <= there
        assert not self.dropped & there

        messages = {
            (room, seq): (client_id, said)
            for room, seq, client_id, said in ask("SELECT room_id, seq, client_id, body FROM messages")
        }
        for (sender, number), place in self.kept.items():
            client_id, said = messages[place]
            assert client_id == f"{sender} {number}"
            bodies = {body(sender, number)}
            if is_edit(number + 1):
                bodies.add(body(sender, number + 1))
            if (sender, number + 1) in self.kept and is_edit(number + 1):
                bodies = {body(sender, number + 1)}
            assert said in bodies
        unamended = (
            "SELECT * FROM messages edits JOIN messages texts ON texts.room_id = edits.room_id AND "
            "texts.seq = edits.of WHERE edits.kind = 'edit' AND texts.body <> edits.body"
        )
        assert ask(unamended).fetchall() == [], "an edit and what it does to the text are kept together"


class Writers:
    """Writers of one database, one after the other."""

    def __init__(self, path: Path, history: History) -> None:
        self._history = history
        self._program = subprocess.Popen(
            [sys.executable, "-m", "tests.crash_writer", path],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run_and_kill(self, told: int, seconds: float) -> None:
        """Let one write and kill it `seconds` after it was told the last of `told` things; 0: after its start."""
        self._tell(json.dumps(self._history.next))
        writer = self._read_until("writer")
        for _ in range(told):
            self._history.take(self._line())
        time.sleep(seconds)
        os.kill(writer, signal.SIGKILL)
        self._tell("killed")
        assert self._read_until("ended") == -signal.SIGKILL

    def close(self) -> None:
        self._program.communicate(timeout=20)

    def _tell(self, line: str) -> None:
        assert self._program.stdin is not None
        self._program.stdin.write(line + "\n")
        self._program.stdin.flush()

    def _line(self) -> str:
        assert self._program.stdout is not None
        return self._program.stdout.readline()

    def _read_until(self, word: str) -> int:
        """The number in the line that starts with `word`; those before it are what was told."""
        while not (line := self._line()).startswith(word):
            self._history.take(line)
        return int(line.split()[1])


@pytest.fixture
def history() -> History:
    return History()


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "chat.db"


@pytest.fixture
def writers(database: Path, history: History) -> Iterator[Writers]:
    writers = Writers(database, history)
    yield writers
    writers.close()


@pytest.mark.parametrize("part", [0, *(pytest.param(part, marks=pytest.mark.long) for part in (1, 2, 3))])
def test_what_a_writer_was_told_is_kept_whenever_it_is_killed(
    part: int, writers: Writers, database: Path, history: History
) -> None:
    seed = os.environ.get("CRASH_SEED") or str(random.randrange(10**9))
    print(f"CRASH_SEED={seed} repeats the instants, as far as a busy machine lets it")
    chance = random.Random(f"{seed} {part}")
    for _ in range(KILLS):
        writers.run_and_kill(chance.randrange(TOLD), chance.uniform(0, THEN))
        # What is looked at is a copy: the next writer has to get along with what this one left.
        copy = database.with_name("copy.db")
        for end in ("", "-wal"):
            shutil.copy(f"{database}{end}", f"{copy}{end}")
        with closing(sqlite3.connect(copy)) as left:
            history.check(left)
    assert len(history.kept) > 10 * KILLS
    assert history.cleared
    assert history.dropped
