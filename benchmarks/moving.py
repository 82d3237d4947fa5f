"""A million messages move from SQLite to PostgreSQL: how long that takes, and whether a reader notices.

The messages are those of search.py. A guest reads the largest room to its end and goes; something more is
said, the server is stopped, all is exported and imported, and a new server starts. There the guest comes back
with the old cursor and cookie, and has to get what was said meanwhile, without a reset.

Exit status: 0, the aim is met; 1, it is not; 2, it cannot be run, or the reader was not served as promised.
"""

import argparse
import json
import os
import resource
import sqlite3
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import rig
import search

sys.path.insert(0, str(rig.CHECKOUT))
from benchmarks.bench import postgres
from benchmarks.bench.client import Refused
from tests.torture.wire import WebSocket

AIM_SECONDS = 180  # for export and import together
MEANWHILE = 5  # messages that are said while the reader is away
PATIENCE = 60  # seconds for each frame


class Guest:
    """Who reads a room with one cookie, wherever the server is."""

    def __init__(self, server: rig.Running, room: int) -> None:
        self._cookie, self._room = rig.guest(server, "bench"), room
        self._socket: WebSocket | None = None
        self._frames: list[dict[str, Any]] = []

    def join(self, server: rig.Running, **cursor: Any) -> dict[str, Any]:
        """The answer."""
        self._frames = []
        self._socket = WebSocket(("127.0.0.1", server.port), "/ws", self._cookie)
        self.send({"type": "join", "room": self._room, "presence": False, **cursor})
        return self.frame("joined", "reset")

    def send(self, frame: dict[str, Any]) -> None:
        assert self._socket is not None
        self._socket.send(json.dumps(frame))

    def say(self, body: str) -> int:
        self.send({"type": "send", "room": self._room, "body": body})
        seq: int = self.frame("ack")["seq"]
        return seq

    def frame(self, *kinds: str) -> dict[str, Any]:
        """The next one of these kinds."""
        assert self._socket is not None
        while True:
            while self._frames:
                frame = self._frames.pop(0)
                if frame["type"] in kinds:
                    return frame
            texts = self._socket.texts(PATIENCE)
            if not texts:
                raise rig.RigError(f"nothing more came, {' or '.join(kinds)} was to come")
            self._frames += map(json.loads, texts)

    def go(self) -> None:
        assert self._socket is not None
        self._socket.close()


class Took(NamedTuple):
    """Seconds by the clock, and of the processor, PostgreSQL's left out."""

    clock: float
    cpu: float


def timed(settings: dict[str, str], *arguments: str) -> Took:
    """What the command took."""
    begun, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    rig.flask(settings, *arguments)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Took(time.monotonic() - begun, cpu)


def read_to_the_end(guest: Guest, server: rig.Running) -> dict[str, Any]:
    """The cursor that it has then."""
    joined = guest.join(server, after=-1)
    begin = joined["cursor"] - 10
    joined = guest.join(server, after=begin, epoch=joined["epoch"])
    for seq in range(begin + 1, joined["cursor"] + 1):
        if guest.frame("message")["seq"] != seq:
            raise rig.RigError(f"message {seq} did not come")
    return {"after": joined["cursor"], "epoch": joined["epoch"]}


def come_back(guest: Guest, server: rig.Running, cursor: dict[str, Any], said: list[int]) -> None:
    answer = guest.join(server, **cursor)
    if answer["type"] != "joined" or answer["epoch"] != cursor["epoch"]:
        raise rig.RigError(f"the reader was answered {answer}")
    if (found := [guest.frame("message")["seq"] for _ in said]) != said:
        raise rig.RigError(f"{said} was said meanwhile, and {found} came")
    if guest.say("it goes on") != said[-1] + 1:
        raise rig.RigError("the next message has not the next number")


def move(folder: Path, url: str, options: argparse.Namespace) -> tuple[Took, Took, float]:
    """Export, import, and seconds from the old server's end until the reader has all on the new one."""
    core, _ = rig.prepare()
    corpus = search.Corpus(options.seed, options.rooms)
    old = {"CHATAPP_INSTANCE_PATH": f"{folder / 'old'}"}
    new = {"CHATAPP_INSTANCE_PATH": f"{folder / 'new'}", "CHATAPP_DATABASE_URL": url}
    file = folder / "chat.jsonl"
    with rig.chatapp(core, **old):
        pass  # it makes the database
    search.fill(folder / "old" / "chat.db", corpus, options.messages)
    with rig.chatapp(core, **old) as server:
        guest = Guest(server, corpus.rooms[0])
        cursor = read_to_the_end(guest, server)
        guest.go()
        guest.join(server, after=-1)
        said = [guest.say(f"meanwhile {number}") for number in range(MEANWHILE)]
        guest.go()
    begun = time.monotonic()
    exported = timed(old, "data", "export", str(file))
    print(f"{file.stat().st_size / 1e6:.0f} MB exported in {exported.clock:.1f} s", file=sys.stderr)
    imported = timed(new, "data", "import", str(file))
    with rig.chatapp(core, **new) as server:
        come_back(guest, server, cursor, said)
        guest.go()
    away = time.monotonic() - begun
    with psycopg.connect(url.replace("+psycopg", "")) as database:
        ((count,),) = database.execute("SELECT count(*) FROM messages").fetchall()
    if count != options.messages + MEANWHILE + 1:
        raise rig.RigError(f"there are {count:,} messages")
    return exported, imported, away


def main() -> int:
    options = read_options()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="chat-moving-") as folder, postgres.serve() as server:
        exported, imported, away = move(Path(folder), server.url, options)
    met = exported.clock + imported.clock < AIM_SECONDS
    print(f"{options.messages:,} messages:")
    for what, took in (("exported", exported), ("imported", imported)):
        print(f"{what} in {took.clock:.1f} s, with {took.cpu:.1f} s of the processor's time")
    print(f"the reader had all {away:.1f} s after the old server's end, without a reset")
    print(f"aim: export and import in less than {AIM_SECONDS} s: {'met' if met else 'NOT met'}")
    print(f"load average (processes that want to run) before {load:.1f}, after {os.getloadavg()[0]:.1f}")
    print(f"{rig.versions()}, SQLite {sqlite3.sqlite_version}")
    return 0 if met else 1


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--messages", type=int, default=1_000_000, help="how many there are (1,000,000)")
    parser.add_argument("--rooms", type=int, default=1000, help="in how many rooms (1,000)")
    parser.add_argument("--seed", type=int, default=7, help="of the messages (7)")
    options = parser.parse_args()
    if options.rooms < 5 or options.messages < 100 * options.rooms:
        parser.error("--rooms is at least 5, --messages a hundred times as many")
    return options


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (rig.RigError, Refused) as error:
        print(f"moving: {error}", file=sys.stderr)
        sys.exit(2)
