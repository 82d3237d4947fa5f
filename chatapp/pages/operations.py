"""What each HTTP door takes and answers, and what is said on each socket: one line for each, by its endpoint.

Path, method and the sentence that says what it does are the route's own. A route for programs that has no
line here fails a test (tests/test_api_docs.py).
"""

from typing import Any, Final

from msgspec import Struct

from chatapp.message import Author, File, Message
from chatapp.pages.guests import NewGuest
from chatapp.posting import Draft
from chatapp.tokens import MadeToken
from chatapp.transports import answers, hooks, members, moderation, people, reports, rooms, tokens
from chatapp.transports.frames_v1 import SERVER_FRAMES
from chatapp.transports.lines import CLIENT_LINES, SERVER_LINES
from chatapp.transports.requests_v1 import FRAMES


class Query(Struct, frozen=True):
    """A field of the address. `kind`: its type."""

    name: str
    kind: Any
    says: str


class Form(Struct, frozen=True):
    """A body that is a form with this one field."""

    field: str


class Upload(Struct, frozen=True):
    """A body that is a file, or a form with one in this field."""

    field: str


class Operation(Struct, frozen=True):
    """`answers`: by status, a type (JSON; `dict` is any object), a media type, or None for an empty answer.
    `body`: a type, a Form, an Upload, or None. `posts`: a closed room refuses it. `problems`: whether all
    refusals are problems (RFC 9457); else some are a word.
    """

    answers: dict[int, Any]
    body: Any = None
    query: tuple[Query, ...] = ()
    posts: bool = False
    problems: bool = True


class Socket(Struct, frozen=True):
    """`name`: of its channel; `hears`, `tells`: types of what a client says, and the server; those of texts
    have their name as a title. `media`: of each.
    """

    name: str
    hears: tuple[Any, ...]
    tells: tuple[Any, ...]
    media: str


AFTER: Final = Query("after", int, "the cursor: what follows this number; -1: only what is new")
EPOCH: Final = Query("epoch", str, "the epoch of the log that the cursor is of")
HTML: Final = Query("html", int, "1: messages with their HTML, where they have markup")
CALLBACK: Final = Query("callback", str, "wrap the answer for a script of this name (JSONP)")
NOTICE: Final = {200: Message, 204: None}
TEXT: Final = "text/plain"
FILE: Final = Operation({200: "*/*", 206: "*/*", 304: None})

OPERATIONS: Final[dict[str, Operation]] = {
    "api_docs.openapi": Operation({200: dict}),
    "api_docs.asyncapi": Operation({200: dict}),
    "api_docs.page": Operation({200: "text/html"}),
    "event_stream.stream": Operation({200: "text/event-stream"}, query=(AFTER, EPOCH, HTML)),
    "files.send": Operation(
        {201: File},
        Upload("file"),
        query=(Query("name", str, "what a file is called that is the body"),),
        posts=True,
    ),
    "files.show": FILE,
    "files.show_thumbnail": FILE,
    "guests.become_guest": Operation({201: Author, 303: "text/html"}, NewGuest),
    "guests.leave": Operation({303: "text/html"}),
    "guests.show": Operation({200: "text/html", 302: "text/html"}),
    "health.alive": Operation({200: TEXT}),
    "health.ready": Operation({200: TEXT}),
    "hooks.index": Operation({200: answers.Hooks}),
    "hooks.make": Operation({201: answers.Hook}, hooks.NewHook, posts=True),
    "hooks.receive": Operation({200: TEXT}, hooks.Payload, posts=True, problems=False),
    "hooks.revoke": Operation({200: Message}, posts=True),
    "members.begin_conversation": Operation({200: answers.Room}, members.Party),
    "members.index": Operation({200: answers.Members}),
    "members.join": Operation(NOTICE),
    "members.leave": Operation(NOTICE),
    "members.mute": Operation({204: None}, members.Muting),
    "members.notify": Operation({204: None}, members.Notifying),
    "members.put": Operation(NOTICE, members.Part),
    "members.remove": Operation({200: Message}, query=(Query("why", str, "the reason, for the audit log"),)),
    "messages.read": Operation(
        {200: answers.Batch},
        query=(
            AFTER,
            EPOCH,
            Query("before", int, "the page of history that ends before this number"),
            Query("limit", int, "at most so many messages, 1 to 200"),
            Query("wait", float, "seconds to wait for news, at most 55"),
            HTML,
        ),
    ),
    "messages.write": Operation({200: Message, 201: Message}, Draft, query=(HTML,), posts=True),
    "metrics.metrics": Operation({200: TEXT}),
    "moderation.audit": Operation({200: answers.Audit}),
    "moderation.impose": Operation({201: Message}, moderation.NewSanction),
    "moderation.index": Operation({200: answers.Sanctions}),
    "moderation.kick": Operation({200: answers.Removed}, moderation.Kick),
    "moderation.lift": Operation({200: Message}),
    "people.ban": Operation({204: None}, people.NewBan),
    "people.bans": Operation({200: answers.Bans}),
    "people.change": Operation({200: answers.Person}, people.Change),
    "people.index": Operation({200: answers.People}, query=(Query("q", str, "how the name begins"),)),
    "people.invitations": Operation({200: answers.Invitations}),
    "people.invite": Operation({201: answers.Invitation}, people.NewInvitation),
    "people.lift": Operation({204: None}),
    "people.me": Operation({200: answers.Me}),
    "people.sign_out": Operation({200: answers.Ended}),
    "people.take_back": Operation({204: None}),
    "reports_api.audit": Operation(
        {200: answers.Audit},
        query=(
            Query("about", str, "words that stand in what was done, by whom or to whom"),
            Query("room", int, "only what was done in this room"),
            Query("before", int, "entries with a lower number"),
            Query("limit", int, "at most so many entries"),
        ),
    ),
    "reports_api.everywhere": Operation({200: answers.Reports}),
    "reports_api.of_room": Operation({200: answers.Reports}),
    "reports_api.report": Operation({204: None}, reports.NewReport),
    "reports_api.settle": Operation({204: None}, reports.Settlement),
    "rooms_api.change": Operation({200: answers.Room, 204: None}, rooms.Settings),
    "rooms_api.clear": Operation({204: None}),
    "rooms_api.drop": Operation({204: None}),
    "rooms_api.index": Operation({200: answers.Rooms}),
    "rooms_api.make": Operation({201: answers.Room}, rooms.NewRoom),
    "rooms_api.presence": Operation({200: answers.Presence}),
    "rooms_api.read": Operation({204: None}, rooms.ReadUpTo),
    "rooms_api.typing": Operation({204: None}),
    "search_api.find": Operation(
        {200: answers.Found},
        query=(
            Query("q", str, "what to look for (docs/search.md)"),
            Query("before", int, "the cursor of the page before"),
            Query("limit", int, "at most so many messages, 1 to 50"),
        ),
    ),
    "tokens.index": Operation(
        {200: answers.Tokens}, query=(Query("everybodys", int, "1: all, for administrators"),)
    ),
    "tokens.make": Operation({201: MadeToken}, tokens.NewToken),
    "tokens.revoke": Operation({204: None}),
    "tutorial.poll": Operation(
        {200: answers.Tutorial, 204: None},
        query=(Query("lastupdate", float, "the time of the last message that you have"), CALLBACK),
    ),
    "tutorial.write": Operation({200: None}, Form("new_message"), posts=True),
}

SOCKETS: Final[dict[str, Socket]] = {
    "websocket.chat": Socket("socket", tuple(FRAMES.values()), SERVER_FRAMES, "application/json"),
    "plain_socket.plain_socket": Socket("lines", CLIENT_LINES, SERVER_LINES, TEXT),
}
