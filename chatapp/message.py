"""Message: one numbered entry of a room's log, immutable, encoded once for each kind of reader.

The JSON form is docs/protocol.md, "Words". Fields that most messages lack are left out of it.
"""

import sys
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from chatapp import markdown
from chatapp.permissions import Identity

DAY_SECONDS = 86_400
DAY_MICROSECONDS = DAY_SECONDS * 1_000_000  # as times are kept

ESCAPED = 5  # bytes more for each of a page's SIGNS: \u003c
SIGNS = (b"<", b">", b"&", b"'")
CALL = 36  # bytes more for each call that is marked

AMENDING = frozenset({"edit", "delete", "restore"})  # kinds that bring a text to a newer form
TELLING = ("edit", "restore")  # those among them that say its words again

_encode = msgspec.json.Encoder().encode


def encode(value: object) -> bytes:
    """JSON of one line, whoever splits lines: U+2028 and U+2029 end one for old JavaScript and for Python."""
    data = _encode(value)
    if b"\xe2\x80" in data:
        data = data.replace(b"\xe2\x80\xa8", b"\\u2028").replace(b"\xe2\x80\xa9", b"\\u2029")
    return data


class Author(Struct, frozen=True, omit_defaults=True):
    """Who wrote it, with the name as it was then. `bot`: a program wrote it, under a name of its own."""

    id: str
    name: str
    guest: bool = False
    bot: bool = False

    @classmethod
    def of(cls, identity: Identity) -> "Author":
        return cls(identity.id, identity.name, identity.guest, identity.bot)


class File(Struct, frozen=True, omit_defaults=True):
    """One file of a message. `type`: what its content is, whatever its name says. `width`, `height`: of a
    picture, as it is to be seen, in pixels. `alt`: what is on it, in words.
    """

    id: str
    name: str
    type: str
    size: int
    width: int | None = None
    height: int | None = None
    alt: str = ""


class Message(Struct, frozen=True, dict=True, tag_field="type", tag="message"):
    """`seq`: number in its room, from 1. `at`: UTC with microseconds. `of`: the seq that it is about.

    `remove`: of a reaction, that it is taken back; of a delete, that it was, by a later restore. `mentions`:
    ids of whom its body calls, and for each of them in `called` the words behind the `@`.
    """

    room: int
    seq: int
    kind: str
    author: Author
    at: str
    body: str
    of: int | None = None
    client_id: str | None = None
    remove: bool | UnsetType = UNSET
    detail: dict[str, Any] | UnsetType = UNSET
    edited_at: str | UnsetType = UNSET
    deleted_at: str | UnsetType = UNSET
    mentions: list[str] | UnsetType = UNSET
    called: list[str] | UnsetType = UNSET
    files: list[File] | UnsetType = UNSET
    html: str | UnsetType = UNSET  # only for who asked for it: see `marked`

    def __repr__(self) -> str:
        return f"<Message {self.room}#{self.seq} {self.told}>"

    @property
    def told(self) -> str:
        """Who said or did what, in one line, for an administrator to read."""
        body = " ⏎ ".join(self.body.splitlines())
        match self.kind:
            case "text" if self.deleted_at is not UNSET:
                said = ": (deleted)"
            case "text":
                answer = f", on #{self.of}" if self.of else ""
                said = f"{answer}: {body}" + (" (edited)" if self.edited_at is not UNSET else "")
            case "edit":  # blank when the text was deleted since
                said = f" edited #{self.of}" + (f": {body}" if body else "")
            case "delete":
                said = f" deleted #{self.of}" + (" (taken back)" if self.remove is True else "")
            case "restore":
                said = f" brought #{self.of} back" + (f": {body}" if body else "")
            case "reaction":
                said = (
                    f" took {body} back from #{self.of}"
                    if self.remove is True
                    else f" reacted {body} to #{self.of}"
                )
            case _:  # a notice's body is a sentence without its subject
                said = f" {body}"
        return self.author.name + said

    @property
    def marked(self) -> "Message":
        """This message for who asked for its HTML: itself, where it has no markup."""
        return self._marked or self

    @cached_property
    def _marked(self) -> "Message | None":
        html = markdown.html(self.body) if self.may_be_marked else ""
        return msgspec.structs.replace(self, html=html) if html else None

    @property
    def may_be_marked(self) -> bool:
        """Whether it may have HTML, as far as can be told at once."""
        return self.kind in ("text", *TELLING) and markdown.may_have_markup(self.body)

    @cached_property
    def json(self) -> bytes:
        return encode(self)

    @cached_property
    def size_in_page(self) -> int:
        """Bytes of its JSON as it stands in a page, with whom it calls."""
        calls = self.json.count(b"@") if self.mentions else 0
        return len(self.json) + ESCAPED * sum(map(self.json.count, SIGNS)) + CALL * calls

    @cached_property
    def frame(self) -> bytes:
        """The message as a WebSocket text frame of chatapp.v1."""
        return text_frame(self.json)

    @cached_property
    def plain_frame(self) -> bytes:
        """The bare body as a WebSocket text frame; nothing for what is not a text."""
        return text_frame(self.body.encode()) if self.readable else b""

    def record(self, epoch: str) -> bytes:
        """The message as a Server-Sent Event; its id is the cursor that comes back as Last-Event-ID."""
        cached = self.__dict__.get("_record")
        if cached is None:
            cached = self.__dict__["_record"] = sse_record("message", self.json, f"{self.seq}.{epoch}")
        return cached

    @cached_property
    def weight(self) -> int:
        """Bytes of memory that it takes at most: itself, its words, whom they call, and all that once more in
        each encoding.

        The same again, and its HTML, where it may have some.
        """
        words = sys.getsizeof(self.body)
        for file in self.files or ():
            words += 500 + sys.getsizeof(file.name) + sys.getsizeof(file.alt)
        unmarked = 1000 * (1 + len(self.people_called)) + 6 * words
        html = markdown.longest_html(sys.getsizeof(self.body)) if self.may_be_marked else 0
        return 2 * unmarked + 5 * html if html else unmarked

    @property
    def readable(self) -> bool:
        """Whether it is a text that still has a body: all that the plain doors pass on."""
        return self.kind == "text" and self.deleted_at is UNSET

    @property
    def people_called(self) -> list[str]:
        """Ids of whom it calls."""
        return [] if isinstance(self.mentions, UnsetType) else self.mentions

    @property
    def calls(self) -> dict[str, str]:
        """By the words behind an `@`, the id of whom they call."""
        return (
            {}
            if isinstance(self.called, UnsetType)
            else dict(zip(self.called, self.people_called, strict=True))
        )

    @property
    def removed(self) -> str | None:
        """The id of the person whom this notice removes from the room."""
        return self.detail.get("removed") if isinstance(self.detail, dict) else None

    @cached_property
    def microseconds(self) -> int:
        """`at` as microseconds since 1970."""
        return parse_time(self.at)

    def amended_by(self, change: "Message") -> "Message":
        """This message in its newest form, after `change` (of one of AMENDING)."""
        replace = msgspec.structs.replace
        called: dict[str, Any] = {"mentions": change.mentions, "called": change.called}
        if change.of == self.seq:
            match change.kind:
                case "edit":
                    return replace(self, body=change.body, edited_at=change.at, **called)
                case "delete":
                    return replace(self, body="", deleted_at=change.at, files=UNSET, **called)
                case "restore":
                    return replace(self, body=change.body, deleted_at=UNSET, files=change.files, **called)
        if change.of == self.of:
            if change.kind == "delete" and self.kind in TELLING:
                return replace(self, body="", files=UNSET, **called)
            if change.kind == "restore" and self.kind == "delete":
                return replace(self, remove=True)
        return self


def text_frame(payload: bytes) -> bytes:
    """`payload` as one unmasked WebSocket text frame (RFC 6455 section 5.2)."""
    size = len(payload)
    if size < 126:
        return bytes((0x81, size)) + payload
    if size < 65_536:
        return b"\x81\x7e" + size.to_bytes(2, "big") + payload
    return b"\x81\x7f" + size.to_bytes(8, "big") + payload


def sse_record(event: str, data: bytes, cursor: str = "") -> bytes:
    """One Server-Sent Event (HTML standard, 9.2.6). `data` has no newline: JSON escapes it."""
    ident = b"id: " + cursor.encode() + b"\n" if cursor else b""
    return ident + b"event: " + event.encode() + b"\ndata: " + data + b"\n\n"


def format_time(microseconds: int) -> str:
    """Microseconds since 1970 as `2026-11-23T09:00:00.123456Z`."""
    seconds, rest = divmod(microseconds, 1_000_000)
    return f"{_second(seconds)}.{rest:06d}Z"


@lru_cache(1024)
def _second(seconds: int) -> str:
    """Of many messages kept in one second it is the same."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}"


def parse_time(text: str) -> int:
    """The inverse of `format_time`."""
    return _since_1970(text[:19]) * 1_000_000 + int(text[20:26])


@lru_cache(1024)
def _since_1970(second: str) -> int:
    return int(datetime.fromisoformat(second).replace(tzinfo=UTC).timestamp())
