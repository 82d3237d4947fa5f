"""Each promise is broken on purpose in a copy of the server, and a short torture finds it: that one, by its rule."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.servers import ROOT

SERVED = ("chatapp", "templates", "static", "wsgi.py", "gunicorn.conf.py")
LIMIT = 280  # seconds for a run that ends by itself far sooner
RUNS = (
    3  # each of other choices: where chance decides whether a fault shows, one run in fifty may not meet it
)

# Short runs in which a fault shows soon: no more trouble than it needs, often; and so many messages that it shows
# on a busy machine as well. The settings make readers read
# from the journal, where they would have to be far behind for that otherwise.
PLANS: Mapping[str, str] = {
    "calm": "--seconds 1 --least 700 --workers 1 --trouble --stay 2 --patience 20 --set backlog=1",
    "calm, three workers": "--seconds 1 --least 700 --workers 3 --trouble --stay 0.5 --patience 20 --set backlog=1",
    "many messages": "--seconds 1 --least 3000 --workers 1 --trouble --stay 2 --patience 60 --set backlog=1",
    "cuts": "--seconds 5 --workers 3 --trouble cut --pace 0.2 --stay 4 --patience 30",
    "kills": "--seconds 15 --workers 1 --trouble kill_worker --pace 0.2 --patience 60",
    "a broken disk": "--seconds 5 --workers 1 --trouble break_disk --pace 0.1 --patience 30",
    "a database that crashes": "--database postgresql --seconds 8 --workers 1 --trouble crash_database --pace 0.2 --patience 60",
    "clears": "--seconds 1 --least 200 --workers 1 --trouble clear --pace 0.1 --stay 300 --patience 20",
    "members": "--seconds 5 --workers 3 --trouble send_out leave ban --pace 0.2 --stay 300 --patience 30",
    "members leave": "--seconds 5 --workers 3 --trouble leave --pace 0.2 --stay 300 --patience 30",
    "removals": "--seconds 1 --least 200 --workers 1 --trouble remove --pace 0.1 --stay 300 --patience 20",
}


@dataclass(frozen=True)
class Change:
    """In `file`, which has `old` exactly once, it becomes `new`."""

    file: str
    old: str
    new: str


@dataclass(frozen=True)
class Planted:
    """`rules`: it is found by one of them; chance decides by which."""

    name: str
    plan: str
    changes: tuple[Change, ...]
    rules: tuple[str, ...]


EARLY = Change(
    "chatapp/journal/__init__.py",
    "            answers, commits = self._connections.write(writing.perform, [request for request, _ in group])\n",
    """\
            loop = gevent.get_hub().loop

            def perform(connection: Connection, requests: Sequence[Request]) -> Any:
                answers, commits = writing.perform(connection, requests)
                loop.run_callback_threadsafe(TELL)
                return answers, commits

            answers, commits = self._connections.write(perform, [request for request, _ in group])
""",
)


def early(tell: str) -> Change:
    """`tell`, a call's arguments, is called before the commit."""
    return Change(EARLY.file, EARLY.old, EARLY.new.replace("TELL", tell))


# What changes more than messages is not told between processes.
UNTOLD = Change(
    "chatapp/hub.py",
    "            self.bus.publish(notice)\n        for",
    "            if not (isinstance(notice, Committed) and notice.changed):\n"
    "                self.bus.publish(notice)\n        for",
)
NO_INDEX = Change("chatapp/migrations/versions/0001_rooms_and_messages.py", "        unique=True,\n", "")

ONLY_IN_MEMORY = (
    NO_INDEX,
    Change(
        "chatapp/journal/writing.py",
        "        for row in known:\n",
        "        for row in ():\n",
    ),
    Change(
        "chatapp/journal/writing.py",
        "        self._known: dict[tuple[int, str, str], Message] = {}\n",
        "        self._known = KNOWN\n",
    ),
    Change(
        "chatapp/journal/writing.py",
        "class _Transaction:\n",
        "KNOWN: dict[tuple[int, str, str], Message] = {}\n\n\nclass _Transaction:\n",
    ),
)

FAULTS = [
    Planted(
        "shown before the commit",
        "calm",
        (early("_call, self.on_commit, commits"),),
        ("seen before it was kept",),
    ),
    Planted(
        "shown before a commit that fails",
        "a broken disk",
        (early("_call, self.on_commit, commits"),),
        ("seen but not kept", "two messages with one number", "seen before it was kept"),
    ),
    Planted(
        "acknowledged before the commit",
        "a broken disk",
        (
            early(
                "lambda: [_call(done, answer) for (_, done), answer in zip(group, answers, strict=True) if hasattr(answer, 'new')]"
            ),
            Change(
                "chatapp/journal/__init__.py",
                "                _call(done, answer)\n\n",
                "                if not hasattr(answer, 'new'):\n                    _call(done, answer)\n\n",
            ),
        ),
        ("acknowledged but not there", "two numbers for one client_id"),
    ),
    Planted(
        "acknowledged while PostgreSQL has it in its memory only",
        "a database that crashes",
        (
            Change(
                "chatapp/journal/postgres_connections.py",
                "set_config('synchronous_commit', 'on', false) \"\n",
                "set_config('synchronous_commit', 'off', false) \"\n",
            ),
            Change(
                "chatapp/journal/postgres_connections.py",
                "\"WHERE current_setting('synchronous_commit') = 'off'\"",
                '"WHERE true"',
            ),
        ),
        ("acknowledged but not there", "seen but not kept", "two messages with one number"),
    ),
    Planted(
        "one push in a thousand skipped",
        "many messages",
        (
            Change(
                "chatapp/audience.py",
                "            sent = send(data)\n",
                "            sent = send(data) if next(PUSHES) % 1000 else size\n",
            ),
            Change(
                "chatapp/audience.py",
                "import logging\n",
                "import itertools\nimport logging\n\nPUSHES = itertools.count(1)\n",
            ),
        ),
        ("lost",),
    ),
    Planted(
        "the unsent rest of a partial write forgotten",
        "calm",
        (Change("chatapp/outlet.py", "            self._unsent += rest\n", ""),),
        ("no frame",),
    ),
    Planted(
        "the Event of an arrival taken after the look",
        "calm",
        (
            Change(
                "chatapp/transports/polling.py",
                "    arrival = room.arrival  # before the look: what arrives after the look rings this one\n"
                "    messages = room.after(start, limit)\n",
                "    messages = room.after(start, limit) or hub.journal.messages_after(room.id, start, limit, room.last)\n"
                "    gevent.sleep(0.1)  # a database that takes its time\n"
                "    arrival = room.arrival\n",
            ),
            Change(
                "chatapp/transports/polling.py",
                "from msgspec import Struct\n",
                "import gevent\nfrom msgspec import Struct\n",
            ),
        ),
        ("a wake-up was lost",),
    ),
    Planted(
        "a client_id known only to the process that kept it",
        "cuts",
        ONLY_IN_MEMORY,
        ("kept twice", "two numbers for one client_id"),
    ),
    Planted(
        "a client_id not looked up after a restart",
        "kills",
        ONLY_IN_MEMORY,
        ("kept twice", "two numbers for one client_id"),
    ),
    Planted(
        # On the porch nobody speaks until the last word was heard: no later message tells of the lost one.
        "a notice lost with its process, and no sweep",
        "calm, three workers",
        (
            Change(
                "chatapp/hub.py",
                "        for notice in notices:\n            self.bus.publish(notice)\n",
                "        if any(notice.room == PORCH for notice in notices) and random.random() < 0.2:\n"
                "            os.kill(os.getpid(), signal.SIGKILL)\n"
                "        for notice in notices:\n            self.bus.publish(notice)\n",
            ),
            Change(
                "chatapp/hub.py",
                "import logging\n",
                "import logging\nimport os\nimport random\nimport signal\n\nPORCH = 5\n",
            ),
            Change("chatapp/hub.py", "        gevent.spawn(self.rooms.sweep)\n", ""),
            Change(
                "chatapp/hub.py",
                "self._heard_elsewhere, self._missed)",
                "self._heard_elsewhere, lambda: None)",
            ),
        ),
        ("never delivered", "a wake-up was lost"),
    ),
    Planted(
        "a clearing whose notice is lost, and a sweep that compares the last numbers only",
        "clears",
        (
            Change(
                "chatapp/hub.py",
                "            self.bus.publish(notice)\n        for",
                "            if not notice.changed:\n                self.bus.publish(notice)\n        for",
            ),
            Change(
                "chatapp/journal/sqlite_bulk.py",
                "SELECT id, revision FROM rooms WHERE",
                "SELECT id, last_seq FROM rooms WHERE",
            ),
            Change("chatapp/live_rooms.py", "room.revision + 1) > room.revision:", "room.last) > room.last:"),
            Change("chatapp/live_rooms.py", " or notice.revision > room.revision + 1", ""),
        ),
        ("no reset",),
    ),
    Planted(
        "a removal that closes nobody's reading",
        "removals",
        (Change("chatapp/room.py", "                self._expel(message.removed, message.seq)\n", ""),),
        ("read after the removal",),
    ),
    Planted(
        "a withdrawn right whose notice is lost, and a sweep that only shows what it finds",
        "removals",
        (
            Change(
                "chatapp/hub.py",
                "            self.bus.publish(notice)\n        for",
                "            if not any(message.removed for message in notice.messages):\n"
                "                self.bus.publish(notice)\n        for",
            ),
            Change(
                "chatapp/live_rooms.py",
                "        room.deliver(found.messages)\n        room.refresh(state)\n",
                "        expel, room._expel = room._expel, lambda person, seq: None\n"
                "        room.deliver(found.messages)\n        room.refresh(state)\n        room._expel = expel\n",
            ),
        ),
        ("read after the removal",),
    ),
    Planted(
        "a member who leaves and is not dismissed",
        "members leave",
        (
            Change(
                "chatapp/room.py",
                "                reader.dismiss(withdrawn(reader.identity, rights, removed))\n",
                "                pass\n",
            ),
        ),
        ("read while out of the room",),
    ),
    Planted(
        "rights read only when a room is loaded",
        "members leave",
        (Change("chatapp/live_rooms.py", "        room.restrict(found.rights, state.removals)\n", ""),),
        ("read while out of the room",),
    ),
    Planted(
        "rights taken over behind what was said under them, and their notice lost",
        "members leave",
        (
            UNTOLD,
            Change(
                "chatapp/live_rooms.py",
                "        room.restrict(found.rights, state.removals)\n        room.deliver(found.messages)\n",
                "        room.deliver(found.messages)\n        room.restrict(found.rights, state.removals)\n",
            ),
        ),
        ("read while out of the room",),
    ),
    Planted(
        "what was permitted when it was sent not decided again when it is kept",
        "members",
        (
            Change(
                "chatapp/journal/writing.py",
                "        if identity.id == SYSTEM.id:\n            return None\n        # Of",
                "        return None\n        # Of",
            ),
        ),
        ("kept after the removal",),
    ),
    Planted(
        "a late reader served past the room's end",
        "calm, three workers",
        (
            Change(
                "chatapp/stretches.py",
                "messages_after(room, cursor, missing, until)",
                "messages_after(room, cursor, missing, 2**62)",
            ),
        ),
        ("doubled",),
    ),
    Planted(
        "a pump that forgets whom it has served a stretch",
        "cuts",
        (
            Change(
                "chatapp/outlet.py",
                "            if not done:\n                self.serve(reader)\n",
                "",
            ),
        ),
        ("not delivered in time",),
    ),
    Planted(
        "a cursor taken for ahead because this worker is behind",
        "calm, three workers",
        (
            Change(
                "chatapp/cursor.py",
                "    if after > room.last or (epoch and epoch != room.epoch):\n        hub.sync(room)\n",
                "",
            ),
        ),
        ("reset without cause",),
    ),
    Planted(
        "fsync left out",
        "calm",
        (
            Change(
                "chatapp/journal/sqlite_connections.py",
                '"PRAGMA synchronous=FULL"',
                '"PRAGMA synchronous=OFF"',
            ),
        ),
        ("acknowledged before it was synced",),
    ),
    Planted(
        "a switch between caught up and live",
        "calm",
        (
            Change(
                "chatapp/subscriber.py",
                "        self.room.live.add(self)\n",
                "        gevent.sleep(0.01)\n        self.room.live.add(self)\n",
            ),
            Change(
                "chatapp/subscriber.py",
                "from chatapp.encodings import Encoding\n",
                "import gevent\n\nfrom chatapp.encodings import Encoding\n",
            ),
        ),
        ("lost",),
    ),
    Planted(
        # It is not turned back when a commit fails.
        "numbers from a counter of the process",
        "a broken disk",
        (
            Change(
                "chatapp/journal/writing.py",
                "        room.last_seq += 1\n",
                "        room.last_seq = COUNTERS[room.id] = COUNTERS.get(room.id, room.last_seq) + 1\n",
            ),
            Change(
                "chatapp/journal/writing.py",
                "class _Transaction:\n",
                "COUNTERS: dict[int, int] = {}\n\n\nclass _Transaction:\n",
            ),
        ),
        ("gap in the log", "a writer's messages out of order", "lost"),
    ),
]


pytestmark = pytest.mark.timeout(RUNS * LIMIT)


@pytest.mark.planted
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_planted_fault_is_found(fault: Planted, tmp_path: Path) -> None:
    code = copy_of_the_server(tmp_path)
    for change in fault.changes:
        plant(code, change)
    told = ""
    for _ in range(RUNS):
        run = torture(code, fault.plan)
        told += run.stdout + run.stderr
        if run.returncode:
            break
    assert run.returncode == 1, told
    assert any(f"\n{rule}: " in run.stdout for rule in fault.rules), told


def test_each_fault_can_be_planted(tmp_path: Path) -> None:
    for number, fault in enumerate(FAULTS):
        folder = tmp_path / str(number)
        folder.mkdir()
        code = copy_of_the_server(folder)
        for change in fault.changes:
            plant(code, change)
            compile((code / change.file).read_text(), change.file, "exec")


@pytest.mark.planted
@pytest.mark.parametrize("plan", PLANS)
def test_without_a_planted_fault_nothing_is_found(plan: str, tmp_path: Path) -> None:
    run = torture(copy_of_the_server(tmp_path), plan)
    assert run.returncode == 0, run.stdout + run.stderr


def copy_of_the_server(folder: Path) -> Path:
    """What is served, in a folder of its own."""
    code = folder / "code"
    code.mkdir()
    for name in SERVED:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, code / name)
    return code


def plant(code: Path, change: Change) -> None:
    """Make `change` in the copy `code`; fails where the server is not written like that any more."""
    file = code / change.file
    text = file.read_text()
    count = text.count(change.old)
    assert count == 1, (
        f"{change.file} has this {count} times, so the fault has to be planted anew:\n{change.old}"
    )
    file.write_text(text.replace(change.old, change.new))


def torture(code: Path, plan: str) -> "subprocess.CompletedProcess[str]":
    """One run of the torture program on the server in `code`."""
    command = [sys.executable, "-m", "tests.torture", "--code", str(code), *PLANS[plan].split()]
    return subprocess.run(
        command, cwd=ROOT, env=os.environ, capture_output=True, text=True, timeout=LIMIT, check=False
    )
