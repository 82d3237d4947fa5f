"""What a message runs through from `post` to its reader's `send` can be read from top to bottom (docs/design.md)."""

import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import gevent
import pytest
from gevent import socket

from chatapp import posting
from chatapp.config import Config
from chatapp.encodings import WEBSOCKET
from chatapp.hub import Hub
from chatapp.journal.requests import MakeRoom
from chatapp.outlet import Outlet
from chatapp.permissions import Identity
from chatapp.posting import Draft
from chatapp.subscriber import Subscriber
from chatapp.threads import OwnThread
from tests.clients import UNIT
from tests.servers import ROOT
from tests.test_journal import Keeper
from tests.test_room import SilentBus

ADA, GRACE = Identity("u1", "ada", "member", people=0), Identity("u2", "grace", "member", people=0)
PROGRAM = str(ROOT / "chatapp")
Ran = dict[CodeType, set[int]]


def lines_run(action: Callable[[], object]) -> Ran:
    """The program's own functions that `action` runs, in the order of their first calls, and their lines."""
    ran: Ran = {}

    def trace(frame: FrameType, event: str, _: object) -> Any:
        if not frame.f_code.co_filename.startswith(PROGRAM):
            return None
        lines = ran.setdefault(frame.f_code, set())
        if event == "line":
            lines.add(frame.f_lineno)
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        action()
    finally:
        sys.settrace(before)
    return ran


def name_of(code: CodeType) -> str:
    """As the docs have it: a method with its class, a function with its file."""
    return (
        code.co_qualname if "." in code.co_qualname else f"{Path(code.co_filename).stem}.{code.co_qualname}"
    )


def test_the_way_of_a_message_is_what_the_docs_say_and_can_be_read_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper = Keeper(f"sqlite:///{tmp_path / 'chat.db'}")
    hub = Hub(Config(instance_path=str(tmp_path)), keeper.journal, SilentBus())  # type: ignore[arg-type]
    hub.people.number = 0  # nobody has ever changed
    number = hub.journal.ask(MakeRoom("board"))
    ours, theirs = socket.socketpair()
    reader = Subscriber(hub.room(number), GRACE, Outlet(ours, 65_536), WEBSOCKET, *[lambda *_: None] * 3)
    reader.start(0)

    def say(word: str) -> None:
        posting.post(hub, ADA, number, Draft(word, client_id=word))

    with monkeypatch.context() as one_greenlet, ours, theirs:  # and one thread: no other is traced
        one_greenlet.setattr(gevent, "spawn", lambda work: work())
        one_greenlet.setattr(OwnThread, "run", lambda _, job, patience: job())
        say("first")  # finds all that is kept for the next one
        ran = lines_run(lambda: say("second"))
        assert theirs.recv(4096).endswith(b'"client_id":"second"}')
    assert keeper.journal.finish(UNIT)
    docs = Path(ROOT, "docs/design.md").read_text()
    told = next(each for each in docs.split("\n") if each.startswith("**Read at once**"))
    at_most = [int(figure) for figure in re.findall(r"fewer than (\d+)", told)]
    way = re.findall(r"`(\w+\.[\w.]+)`", told.partition("(")[0])
    assert [name_of(code) for code in ran if name_of(code) in way] == way
    lines = {(code.co_filename, line): name_of(code) for code, lines in ran.items() for line in lines}
    inside = [name for name in lines.values() if name.partition(".<locals>")[0] in way]
    print(f"{len(inside)} of {len(lines)} lines")
    assert len(inside) < at_most[0]
    assert len(lines) < at_most[1]
