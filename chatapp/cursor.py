"""Where a reader begins: the same rules for every transport (docs/protocol.md, "Cursors")."""

from chatapp.errors import BadRequest
from chatapp.hub import Hub
from chatapp.room import Room

NOW = -1  # only what is new


def parse(text: str | None) -> int | None:
    """A cursor from a query string. Raises BadRequest for what is none."""
    if text is None or text == "":
        return None
    return check(number(text, "after"))


def check(after: int | None) -> int | None:
    """Raises BadRequest for a number that is no cursor."""
    if after is not None and after < NOW:
        raise BadRequest("after is a message’s number, 0 or %(now)s", now=NOW)
    return after


def number(text: str, what: str) -> int:
    """A whole number from a query string. Raises BadRequest."""
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) < 40):
        raise BadRequest("%(what)s is a whole number", what=what)
    return int(text)


def begin(hub: Hub, room: Room, after: int | None, epoch: str | None) -> tuple[int, bool]:
    """The cursor from which to serve, and whether the reader has to discard what it shows first.

    `after`: as checked, None for a reader without a cursor. Switches where the database must be asked: this
    process may be some milliseconds behind the one that the reader comes from, so a cursor counts as ahead,
    an epoch as another one and -1 as "here" only after that.
    """
    if after is None:
        return room.newest, False
    if after == NOW:
        hub.sync(room)
        return room.last, False
    if after == 0:
        return room.first - 1, False
    if after > room.last or (epoch and epoch != room.epoch):
        hub.sync(room)
    if room.first - 1 <= after <= room.last and (not epoch or epoch == room.epoch):
        return after, False
    return room.newest, True
