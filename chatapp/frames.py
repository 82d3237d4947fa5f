"""The JSON of every frame of chatapp.v1 that is no message: docs/protocol.md, "WebSocket"."""

from typing import Any

import msgspec

from chatapp import languages
from chatapp.errors import ChatError
from chatapp.message import Author

_encode = msgspec.json.Encoder().encode

PONG = b'{"type":"pong"}'


def joined(room: int, cursor: int, epoch: str, name: str) -> bytes:
    return _encode({"type": "joined", "room": room, "cursor": cursor, "epoch": epoch, "name": name})


def reset(room: int, cursor: int, epoch: str, name: str) -> bytes:
    return _encode({"type": "reset", "room": room, "cursor": cursor, "epoch": epoch, "name": name})


def left(room: int) -> bytes:
    return _encode({"type": "left", "room": room})


def ack(room: int, client_id: str | None, seq: int, at: str) -> bytes:
    return _encode({"type": "ack", "room": room, "client_id": client_id, "seq": seq, "at": at})


def typing(room: int, who: Author) -> bytes:
    return _encode({"type": "typing", "room": room, "who": who})


def read(room: int, seq: int, back: bool = False) -> bytes:
    frame = {"type": "read", "room": room, "seq": seq}
    return _encode({**frame, "unread": True} if back else frame)


def person(id: str, name: str, status: str | None = None) -> bytes:
    """Somebody has a new name or, where there is a `status`, says something else of themselves."""
    frame = {"type": "person", "id": id, "name": name}
    return _encode(frame if status is None else {**frame, "status": status})


def here(id: str, here: bool) -> bytes:
    """Somebody with whom the reader has a conversation came to this server, or left it."""
    return _encode({"type": "here", "id": id, "here": here})


def rooms(room: int = 0, seq: int = 0) -> bytes:
    """The reader's list of rooms has changed: by that message, where there is a `seq`."""
    frame = {"type": "rooms"}
    return _encode({**frame, "room": room, "seq": seq} if seq else frame)


def error(
    refusal: ChatError,
    re: str | None,
    room: Any = None,
    client_id: Any = None,
    language: str = languages.SOURCE,
) -> bytes:
    """`re`: the type of the frame that was refused; `room` and `client_id` as they stood in it. `language`:
    of what it says to people.
    """
    said = languages.refusal(language, refusal)
    frame: dict[str, Any] = {"type": "error", "code": refusal.code, "message": said, "re": re}
    if room is not None:
        frame["room"] = room
    if client_id is not None:
        frame["client_id"] = client_id
    if refusal.retry_after is not None:
        frame["retry_after"] = refusal.retry_after
    return _encode(frame)
