"""The administrator's verbs, as they are used in `flask shell` and by the commands of `flask`.

Everything here reads the database and writes through the journal, so it works beside a running server, whose
workers hear of it within milliseconds, as well as without one.
"""

import sys
from types import TracebackType
from typing import Any

from chatapp.errors import ChatError
from chatapp.shell.accounts import create_person, invite, people, person
from chatapp.shell.handles import create_room, delete_room, room, rooms

NAMES = 'rooms()  room(1)  room("Lobby")  create_room(name)  delete_room(room)  help(room(1))'
OF_PEOPLE = 'people()  person("ada")  create_person(name)  invite()  help(person("ada"))'


def begin() -> dict[str, Any]:
    """What `flask shell` knows from the start. Says so, and has refusals said in one line."""
    print(f"Rooms: {NAMES}\nPeople: {OF_PEOPLE}", file=sys.stderr)  # where Python's own banner goes
    sys.excepthook = _say  # which the prompt asks, if it is not Python's own
    of_rooms = {"rooms": rooms, "room": room, "create_room": create_room, "delete_room": delete_room}
    of_people = {"people": people, "person": person, "create_person": create_person, "invite": invite}
    return {**of_rooms, **of_people}


def _say(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """A refusal is an answer, not a fault: it needs no traceback."""
    if isinstance(error, ChatError):
        print(f"{kind.__name__}: {error}", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)
