"""The matrix: every door × everybody × every kind of room, as tests/matrix.txt has it.

A route or a frame that stands in no table of it fails the test, and so does a row of it that is no door. Each
cell is asked of a real server: what is done there in a room of its own, so that no cell is about what another
has done; what changes nothing, as it is refused or only reads, in rooms that are shared.

What follows by a rule has no row: HEAD is asked with each GET, of each answer that it has to people and to
programs once, and answered alike; OPTIONS, and a method that there is not, are asked at each address, and answered
alike to everybody who may know of it, whatever room it is.
"""

import json
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import gevent
import httpx
import pytest
from sqlalchemy import create_engine, insert
from websockets.exceptions import ConnectionClosed

from chatapp.accounts import hashed
from chatapp.archive.tables import FILES
from chatapp.auth import FOR_EVERYBODY
from chatapp.journal import Journal
from chatapp.journal.databases import engine_options, listen
from chatapp.journal.requests import Impose, MakeRoom, Post
from chatapp.journal.token_requests import MakeToken
from chatapp.message import Author
from chatapp.permissions import SCOPES, RoomKind, RoomRole, Scope
from chatapp.transports.requests_v1 import FRAMES
from tests import zygote
from tests.clients import Person, Socket, eventually
from tests.conftest import STORE, kept_in
from tests.hostile.routes import Route
from tests.mail_server import SETTINGS
from tests.people import Member, administrator, member
from tests.servers import ROOT, Server

TABLES = Path(__file__).with_name("matrix.txt")
NO_NUMBER = 999_999
CROWD = 60  # seconds for an answer while everybody asks at once
NONSENSE = "x" * 22
PICTURE = b"GIF89a\1\0\1\0\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0\1\0\1\0\0\2\2D\1\0;"
# What a cell says of an answer: see the head of matrix.txt.
LETTERS = {
    "sign_in": "s",
    "forbidden": "f",
    "no_such_room": "n",
    "bad_request": "b",
    "not_found": "x",
    4401: "s",
    4403: "f",
    4404: "n",
}
REFUSED = {*LETTERS.values()}
STATUSES = {200: "+", 201: "+", 204: "+", 302: "r", 303: "+", 400: "b", 401: "s", 403: "f", 404: "n"}
# Headers that differ from one answer to the next; those that do in what they say; those that no stream has, whose
# head we write ourselves.
EACH_TIME, ITS_OWN, OF_FLASK = (
    {"date", "connection", "x-request-id"},
    {"content-length", "set-cookie"},
    {"server", "vary"},
)
# A member whom a deed is about, an owner beside the one who asks, and somebody who only wrote there.
SUBJECT, BOSS, WRITER = "u900001", "u900002", "u900003"
LOBBY = 1
PAST = 1  # microseconds since 1970
# What each token allows: scopes, rooms, until when. Whose it is may everything: administers, is in every room.
TOKENS: dict[str, tuple[tuple[Scope, ...], tuple[int, ...] | None, int | None]] = {
    "token_read": (("read",), None, None),
    "token_write": (("write",), None, None),
    "token_manage": (("manage",), None, None),
    "token_elsewhere": (tuple(SCOPES), (LOBBY,), None),
    "token_expired": (tuple(SCOPES), None, PAST),
}


class Cell(NamedTuple):
    """Who asks, about which room (0: none), in which world."""

    world: "World"
    who: Person
    room: int


class Table(NamedTuple):
    """Cells by row and column."""

    columns: list[str]
    rows: dict[str, dict[str, str]]


def tables() -> dict[str, Table]:
    """matrix.txt, by the headings of its tables."""
    read: dict[str, Table] = {}
    table: Table | None = None
    for line in TABLES.read_text().splitlines():
        if line.startswith("== "):
            heading, *columns = line.removeprefix("== ").split()
            table = read[heading] = Table(columns, {})
        elif line and table is not None:
            cells = line.split()[-len(table.columns) :]
            row = " ".join(line.split()[: -len(table.columns)])
            assert row not in table.rows, f"twice: {row}"
            table.rows[row] = dict(zip(table.columns, cells, strict=True))
    return read


def written(heading: str, columns: list[str], rows: dict[str, dict[str, str]]) -> str:
    """A table as matrix.txt has it."""
    width = max(len(row) for row in rows)
    sizes = [max(len(column), 2) for column in columns]
    head = (
        f"== {heading}".ljust(width)
        + "  "
        + "  ".join(c.ljust(n) for c, n in zip(columns, sizes, strict=True))
    )
    lines = [
        row.ljust(width) + "  " + "  ".join(cells[c].ljust(n) for c, n in zip(columns, sizes, strict=True))
        for row, cells in rows.items()
    ]
    return "\n".join(line.rstrip() for line in [head, *lines]) + "\n"


# -- everybody -----------------------------------------------------------------------------------------------


class World:
    """A server with everybody on it, and rooms made to order."""

    def __init__(self, server: Server, columns: list[str]) -> None:
        self.server = server
        self.sanctions: dict[int, int] = {}  # one that is in force in each room
        self.invitations: dict[Person, int] = {}  # for each, one that is still good
        self.somebody = SUBJECT
        self._seen: set[tuple[str, str, bool]] = set()
        options = engine_options(server.database_url, busy_seconds=30)
        self._engine = create_engine(server.database_url, **options)
        listen(self._engine)
        self._journal = Journal(self._engine, queue_limit=100_000)
        if "administrator" in columns:
            administrator(server)
        with ThreadPoolExecutor(4) as pool:
            self.people = dict(zip(columns, pool.map(self._person, columns), strict=True))
        if "administrator" in columns:
            self._give_everybody_their_part()

    def close(self) -> None:
        for person in self.people.values():
            person.close()
        self._journal.finish(10)

    def has_not_seen(self, path: str, said: str, who: Person) -> bool:
        """Whether this is the first time that a person, or a program with a token, is answered so there."""
        answer = (path, said, "Authorization" in who.http.headers)
        first = answer not in self._seen
        self._seen.add(answer)
        return first

    def rooms(self, kind: RoomKind, count: int, authors: list[str]) -> list[int]:
        """As many rooms, in each of them a text of the writer, #1, and one of an author, #2; the same two again,
        #3, which who runs the room has deleted, and #4, which its author has.
        """
        parts: dict[str, RoomRole] = {BOSS: "owner", SUBJECT: "member"}
        for name, role in self._parts(kind).items():
            if name in self.people:
                parts[self.people[name].id] = role
        members = tuple((person, f"the person {person}", role) for person, role in parts.items())
        made = self._ask([MakeRoom("a room", kind=kind, members=members) for _ in range(count)])
        self._ask(
            [
                Post(room, Author(author or "nobody", "somebody"), "said")
                for room, second in zip(made, authors, strict=True)
                for author in (WRITER, second) * 2
            ]
        )
        self._ask(
            [
                Post(room, Author(by, "somebody"), kind="delete", of=of, any_author=True, undo_seconds=3600)
                for room, second in zip(made, authors, strict=True)
                for of, by in ((3, BOSS), (4, second or "nobody"))
            ]
        )
        self._ask([request for room in made for request in self._sanctions(room)])
        self._attach(made)
        self.sanctions = dict(self.server.ask("SELECT room_id, min(id) FROM sanctions GROUP BY room_id"))
        return made

    def _attach(self, rooms: list[int]) -> None:
        """A picture to the first text of each."""
        digest = sha256(PICTURE).hexdigest()
        path = self.server.instance / "uploads" / digest[:2] / digest
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(PICTURE)
        of_all = {"seq": 1, "person_id": WRITER, "name": "a.gif", "type": "image/gif", "at": 0}
        of_all |= {"size": len(PICTURE), "width": 1, "height": 1, "sha256": digest}
        with self._engine.begin() as connection:
            rows = [{"id": f"picture{room}", "room_id": room, **of_all} for room in rooms]
            connection.execute(insert(FILES), rows)

    def _parts(self, kind: RoomKind) -> dict[str, RoomRole]:
        if kind == "direct":
            return dict.fromkeys(("member", "timed_out", "administrator_in", *TOKENS), "member")
        return {
            "guest_in": "member",
            "member": "member",
            "timed_out": "member",
            "moderator": "moderator",
            "owner": "owner",
            "administrator_in": "member",
            **dict.fromkeys(TOKENS, "member"),
        }

    def _sanctions(self, room: int) -> Iterator[Post]:
        for kind, name in (("timeout", "timed_out"), ("ban", "banned_here")):
            if name in self.people:
                effect = Impose(kind, name, person=self.people[name].id)  # type: ignore[arg-type]
                yield Post(room, Author("system", "system"), "said so", kind="notice", effects=(effect,))

    def _person(self, column: str) -> Person:
        if column in ("anonymous", "visitor"):
            return Person(self.server)
        if column in ("guest", "guest_in"):
            return Person(self.server, f"{column} of the matrix")
        if column == "bad_token":
            return self._with_token("of bad news", "")
        return administrator(self.server) if column == "administrator" else member(self.server, column)

    def _give_everybody_their_part(self) -> None:
        ada = self.people["administrator"]
        assert isinstance(ada, Member)
        for column in ("administrator_in", *TOKENS):
            ada.change(self.people[column].id, role="administrator").raise_for_status()
        ada.http.post("/api/bans", json={"person": self.people["banned"].id}).raise_for_status()
        eventually(lambda: self.people["banned"].http.get("/api/me").status_code == 403)
        with closing(member(self.server, "somebody")) as somebody:
            self.somebody = somebody.id
        ada.http.post("/api/bans", json={"person": self.somebody}).raise_for_status()
        for _ in self.people:
            ada.invite()
        numbers = [one["id"] for one in ada.http.get("/api/invitations").json()["invitations"]]
        self.people |= {column: self._token(column) for column in TOKENS}
        self.invitations = dict(zip(self.people.values(), numbers, strict=False))

    def _token(self, column: str) -> Person:
        owner, (scopes, rooms, until) = self.people[column], TOKENS[column]
        token = f"chat_{column}".ljust(48, "x")
        author = Author(owner.id, owner.name)
        self._ask([MakeToken(hashed(token), owner.id, column, scopes, rooms, until, by=author)])
        owner.close()
        return self._with_token(token, owner.id)

    def _with_token(self, token: str, owner: str) -> Person:
        """A program that acts with `token`."""
        program = Person(self.server)
        program.id = owner
        program.http.headers["Authorization"] = f"Bearer {token}"
        del program.http.headers["Origin"]
        return program

    def _ask(self, requests: list[Any]) -> list[Any]:
        answers: list[Any] = []
        for request in requests:
            self._journal.submit(request, answers.append)
        with gevent.Timeout(60):
            while len(answers) < len(requests):
                gevent.sleep(0.005)
        assert not [answer for answer in answers if isinstance(answer, Exception)], answers
        return answers


# -- the doors -----------------------------------------------------------------------------------------------


def outcome(answer: httpx.Response) -> str:
    """An answer as a letter; whatever has none, as it is."""
    if answer.headers.get("content-type") == "application/problem+json" and answer.content:
        code = answer.json()["code"]
        return LETTERS.get(code, code)
    if (
        answer.status_code == 200
        and answer.request.method == "POST"
        and "text/html" in answer.headers["content-type"]
    ):
        return "o"
    return STATUSES.get(answer.status_code, str(answer.status_code))


def is_stream(answer: httpx.Response) -> bool:
    return answer.headers.get("content-type", "").startswith("text/event-stream")


def unlike(shown: httpx.Response, head: httpx.Response) -> str:
    """What HEAD says otherwise than GET; nothing where it is as it should be."""
    told = []
    if head.content or head.status_code != shown.status_code:
        told.append(f"{head.status_code} with {len(head.content)} bytes")
    told += [
        name
        for name in {*shown.headers, *head.headers} - EACH_TIME
        if _field(shown, name) != _field(head, name)
    ]
    return f", HEAD otherwise: {', '.join(told)}" if told else ""


def _field(answer: httpx.Response, name: str) -> object:
    """A header, or only whether there is one, of what differs each time."""
    if is_stream(answer) and name in OF_FLASK:
        return None
    return name in answer.headers if name in ITS_OWN else answer.headers.get(name)


def over_http(method: str, path: str, **request: Any) -> Callable[[Cell], str]:
    """`path` and the fields of `request`, with {room}, {me} and so on in them."""

    def ask(cell: Cell) -> str:
        values = {
            "room": cell.room,
            "me": cell.who.id or "nobody",
            "sanction": cell.world.sanctions.get(cell.room, NO_NUMBER),
            "invitation": cell.world.invitations.get(cell.who, NO_NUMBER),
            "somebody": cell.world.somebody,
        }
        sent = {part: _filled(fields, values) for part, fields in request.items()}
        browser = cell.who.http
        cookies = httpx.Cookies(browser.cookies)
        try:
            with browser.stream(method, path.format(**values), timeout=CROWD, **sent) as answer:
                if is_stream(answer):
                    said = "+"  # it does not end
                else:
                    answer.read()
                    said = outcome(answer)
            if method == "GET" and cell.world.has_not_seen(path, said, cell.who):
                browser.cookies = cookies
                said += unlike(answer, browser.head(path.format(**values), timeout=CROWD))
            return said
        finally:
            browser.cookies = cookies  # whatever was set here is of no concern to the next cell

    return ask


def _filled(fields: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value.format(**values) if isinstance(value, str) else value for name, value in fields.items()
    }


def socket_of(cell: Cell, path: str = "/ws", **arguments: Any) -> Socket:
    headers = {
        name: cell.who.http.headers[name] for name in ("Authorization",) if name in cell.who.http.headers
    }
    return cell.who.socket(path=path, **arguments, **headers)


def over_the_socket(*frames: dict[str, Any], answer: str = "pong") -> Callable[[Cell], str]:
    """What answers the last of `frames`: one of the type `answer`, or its error, or the socket's end."""

    def ask(cell: Cell) -> str:
        kind = frames[-1]["type"]
        with closing(socket_of(cell)) as socket:
            for frame in [*frames, *([{"type": "ping"}] if answer == "pong" else [])]:
                try:
                    socket.send({**frame, **({} if frame["type"] == "ping" else {"room": cell.room})})
                except ConnectionClosed:
                    break

            def answered() -> str:
                for got in list(socket.frames):
                    if got["type"] == "error" and got["re"] == kind:
                        return LETTERS.get(got["code"], got["code"])
                    if got["type"] == answer:
                        return "+"
                return LETTERS.get(socket.closed[0], str(socket.closed[0])) if socket.closed else ""

            said: str = eventually(answered, seconds=CROWD)
            return said

    return ask


def on_the_plain_socket(cell: Cell) -> str:
    """Whether it greets."""
    with closing(plain_socket_of(cell)) as socket:
        return LETTERS.get(socket.closed[0], str(socket.closed[0])) if socket.closed else "+"


def a_line_on_the_plain_socket(cell: Cell) -> str:
    """Whether a line that is said there comes back, among those of others, or a refusal."""
    line = f"hi {uuid.uuid4().hex}"
    with closing(plain_socket_of(cell)) as socket:
        if socket.closed:
            return LETTERS.get(socket.closed[0], str(socket.closed[0]))
        socket.send(line)

        def answered() -> str:
            for said in socket.frames[1:]:
                if said.startswith("! ") or said.endswith(line):
                    return "f" if said.startswith("! ") else "+"
            return ""

        answer: str = eventually(answered, seconds=CROWD)
        return answer


def plain_socket_of(cell: Cell) -> Socket:
    """Once it has greeted or was closed."""
    socket = socket_of(cell, f"/chats/{cell.room}/ws", subprotocols=None)
    eventually(lambda: socket.frames or socket.closed, seconds=CROWD)
    return socket


ROOM, CHAT = "/api/rooms/{room}", "/chats/{room}"
SENT: dict[str, dict[str, Any]] = {
    "a text": {"body": "hi"},
    "a reply": {"body": "hi", "of": 1},
    "an edit of one's own": {"kind": "edit", "of": 2, "body": "hi"},
    "an edit of another's": {"kind": "edit", "of": 1, "body": "hi"},
    "a deletion of one's own": {"kind": "delete", "of": 2},
    "a deletion of another's": {"kind": "delete", "of": 1},
    "bringing back one's own": {"kind": "restore", "of": 4},
    "bringing back another's": {"kind": "restore", "of": 3},
    "a reaction": {"kind": "reaction", "of": 1, "body": "👍"},
}
ROOM_DOORS: dict[str, Callable[[Cell], str]] = {
    "GET /api/rooms/N/messages": over_http("GET", f"{ROOM}/messages"),
    "GET /api/rooms/N/messages (a poll)": over_http("GET", f"{ROOM}/messages?after=0&wait=5"),
    "GET /api/rooms/N/messages (history)": over_http("GET", f"{ROOM}/messages?before=2"),
    **{
        f"POST /api/rooms/N/messages ({what})": over_http("POST", f"{ROOM}/messages", json=sent)
        for what, sent in SENT.items()
    },
    "GET /api/rooms/N/stream": over_http("GET", f"{ROOM}/stream"),
    "GET /api/rooms/N/presence": over_http("GET", f"{ROOM}/presence"),
    "POST /api/rooms/N/files": over_http("POST", f"{ROOM}/files", files={"file": ("a.txt", b"words")}),
    "GET /chats/N/files/<file>/<name>": over_http("GET", f"{CHAT}/files/picture{{room}}/a.gif"),
    "GET /chats/N/thumbs/<file>": over_http("GET", f"{CHAT}/thumbs/picture{{room}}"),
    "POST /api/rooms/N/typing": over_http("POST", f"{ROOM}/typing"),
    "POST /api/rooms/N/read": over_http("POST", f"{ROOM}/read", json={"seq": 1}),
    "PATCH /api/rooms/N": over_http("PATCH", ROOM, json={"topic": "ships"}),
    "PATCH /api/rooms/N (nothing)": over_http("PATCH", ROOM, json={}),
    "DELETE /api/rooms/N": over_http("DELETE", ROOM),
    "POST /api/rooms/N/clear": over_http("POST", f"{ROOM}/clear"),
    "GET /api/rooms/N/members": over_http("GET", f"{ROOM}/members"),
    "PUT /api/rooms/N/members/<person> (a new member)": over_http(
        "PUT", f"{ROOM}/members/{WRITER}", json={"role": "member"}
    ),
    "PUT /api/rooms/N/members/<person> (a member, as a moderator)": over_http(
        "PUT", f"{ROOM}/members/{SUBJECT}", json={"role": "moderator"}
    ),
    "PUT /api/rooms/N/members/<person> (oneself, as an owner)": over_http(
        "PUT", f"{ROOM}/members/{{me}}", json={"role": "owner"}
    ),
    "DELETE /api/rooms/N/members/<person>": over_http("DELETE", f"{ROOM}/members/{SUBJECT}"),
    "DELETE /api/rooms/N/members/<person> (an owner)": over_http("DELETE", f"{ROOM}/members/{BOSS}"),
    "POST /api/rooms/N/join": over_http("POST", f"{ROOM}/join"),
    "POST /api/rooms/N/leave": over_http("POST", f"{ROOM}/leave"),
    "POST /api/rooms/N/mute": over_http("POST", f"{ROOM}/mute", json={"muted": True}),
    "POST /api/rooms/N/notify": over_http("POST", f"{ROOM}/notify", json={"level": "all"}),
    "GET /api/rooms/N/sanctions": over_http("GET", f"{ROOM}/sanctions"),
    "POST /api/rooms/N/sanctions (a time-out)": over_http(
        "POST", f"{ROOM}/sanctions", json={"kind": "timeout", "person": SUBJECT}
    ),
    "POST /api/rooms/N/sanctions (a ban)": over_http(
        "POST", f"{ROOM}/sanctions", json={"kind": "ban", "person": SUBJECT}
    ),
    "POST /api/rooms/N/sanctions (a ban of an owner)": over_http(
        "POST", f"{ROOM}/sanctions", json={"kind": "ban", "person": BOSS}
    ),
    "DELETE /api/rooms/N/sanctions/<int:sanction>": over_http("DELETE", f"{ROOM}/sanctions/{{sanction}}"),
    "POST /api/rooms/N/kick": over_http("POST", f"{ROOM}/kick", json={"name": f"the person {SUBJECT}"}),
    "GET /api/rooms/N/audit": over_http("GET", f"{ROOM}/audit"),
    "GET /api/rooms/N/hooks": over_http("GET", f"{ROOM}/hooks"),
    "POST /api/rooms/N/hooks": over_http("POST", f"{ROOM}/hooks", json={"name": "a hook"}),
    "DELETE /api/rooms/N/hooks/<int:hook>": over_http("DELETE", f"{ROOM}/hooks/{NO_NUMBER}"),
    "GET /chats/N/": over_http("GET", f"{CHAT}/"),
    "GET /chats/long_poll/N/": over_http("GET", "/chats/long_poll/{room}/"),
    "POST /chats/N/": over_http("POST", f"{CHAT}/", data={"body": "hi"}),
    "GET /chats/N/http": over_http("GET", f"{CHAT}/http?lastupdate=0"),
    "GET /chats/N/http (as a script)": over_http("GET", f"{CHAT}/http?lastupdate=0&callback=cb"),
    "POST /chats/N/http": over_http("POST", f"{CHAT}/http", data={"new_message": "hi"}),
    "GET /chats/N/ws": on_the_plain_socket,
    "GET /chats/N/ws (a line)": a_line_on_the_plain_socket,
    "POST /api/rooms/N/messages/<int:seq>/report": over_http("POST", f"{ROOM}/messages/1/report", json={}),
    "GET /api/rooms/N/reports": over_http("GET", f"{ROOM}/reports"),
    "POST /api/rooms/N/reports/<int:number>": over_http(
        "POST", f"{ROOM}/reports/{NO_NUMBER}", json={"outcome": "dismissed"}
    ),
    "GET /chats/N/report/<int:seq>": over_http("GET", f"{CHAT}/report/1"),
    "POST /chats/N/report/<int:seq>": over_http("POST", f"{CHAT}/report/1", data={"why": "spam"}),
    "GET /chats/N/report/thanks": over_http("GET", f"{CHAT}/report/thanks"),
    "GET /chats/N/reports/": over_http("GET", f"{CHAT}/reports/"),
    "POST /chats/N/reports/<int:number>": over_http(
        "POST", f"{CHAT}/reports/{NO_NUMBER}", data={"outcome": "dismissed"}
    ),
    "GET /chats/N/details/": over_http("GET", f"{CHAT}/details/"),
    "GET /chats/N/about/": over_http("GET", f"{CHAT}/about/"),
    "GET /chats/N/messages/<int:seq>/": over_http("GET", f"{CHAT}/messages/1/"),
    "POST /chats/N/messages/<int:seq>/reaction": over_http(
        "POST", f"{CHAT}/messages/1/reaction", data={"body": "👍"}
    ),
    "POST /chats/N/messages/<int:seq>/reply": over_http(
        "POST", f"{CHAT}/messages/1/reply", data={"body": "hi"}
    ),
    "POST /chats/N/messages/<int:seq>/edit": over_http(
        "POST", f"{CHAT}/messages/2/edit", data={"body": "hi"}
    ),
    "POST /chats/N/messages/<int:seq>/edit (another's)": over_http(
        "POST", f"{CHAT}/messages/1/edit", data={"body": "hi"}
    ),
    "POST /chats/N/messages/<int:seq>/unread": over_http("POST", f"{CHAT}/messages/1/unread"),
    "POST /chats/N/messages/<int:seq>/delete (another's)": over_http("POST", f"{CHAT}/messages/1/delete"),
    "POST /chats/N/messages/<int:seq>/restore (another's)": over_http("POST", f"{CHAT}/messages/3/restore"),
    "POST /chats/N/settings": over_http(
        "POST",
        f"{CHAT}/settings",
        data={"name": "ships", "kind": "public", "posting": "everyone", "guests": "yes"},
    ),
    "POST /chats/N/join": over_http("POST", f"{CHAT}/join"),
    "POST /chats/N/leave": over_http("POST", f"{CHAT}/leave"),
    "POST /chats/N/mute": over_http("POST", f"{CHAT}/mute", data={"muted": "yes"}),
    "POST /chats/N/members": over_http("POST", f"{CHAT}/members", data={"person": WRITER, "role": "member"}),
    "POST /chats/N/remove": over_http("POST", f"{CHAT}/remove", data={"person": SUBJECT}),
    "POST /chats/N/sanctions": over_http(
        "POST", f"{CHAT}/sanctions", data={"kind": "timeout", "person": SUBJECT}
    ),
    "POST /chats/N/sanctions (a sending out)": over_http(
        "POST", f"{CHAT}/sanctions", data={"kind": "kick", "person": SUBJECT}
    ),
    "POST /chats/N/hooks": over_http("POST", f"{CHAT}/hooks", data={"name": "a hook"}),
    "POST /chats/N/hooks/<int:hook>/revoke": over_http("POST", f"{CHAT}/hooks/{NO_NUMBER}/revoke"),
    "POST /chats/N/clear": over_http("POST", f"{CHAT}/clear", data={"sure": "yes"}),
    "POST /chats/N/delete": over_http("POST", f"{CHAT}/delete", data={"sure": "yes"}),
    "POST /chats/N/sanctions/<int:sanction>/lift": over_http("POST", f"{CHAT}/sanctions/{{sanction}}/lift"),
    "POST /chats/N/conversation": over_http("POST", f"{CHAT}/conversation", data={"person": NONSENSE}),
    "frame join": over_the_socket({"type": "join"}, answer="joined"),
    "frame leave": over_the_socket({"type": "leave"}, answer="left"),
    **{
        f"frame send ({what})": over_the_socket({"type": "send", **sent}, answer="ack")
        for what, sent in SENT.items()
    },
    "frame typing": over_the_socket({"type": "typing"}),
    "frame typing (joined)": over_the_socket({"type": "join"}, {"type": "typing"}),
    "frame read": over_the_socket({"type": "read", "seq": 1}),
}


NEWCOMER, ANSWERED = {"name": "somebody new"}, {"credential": NONSENSE}
SERVER_DOORS: dict[str, Callable[[Cell], str]] = {
    **{
        f"GET {path}": over_http("GET", path) for path in ("/", "/chats/", "/guests", "/sign-up", "/account/")
    },
    **{f"GET {path}": over_http("GET", path) for path in ("/about", "/healthz", "/readyz", "/metrics")},
    "GET /static/<path:filename>": over_http("GET", "/static/css/base.css"),
    "GET /languages/<language>.<version>.js": over_http("GET", "/languages/de.000000000000.js"),
    "POST /language": over_http("POST", "/language", data={"language": "de", "back": "/about"}),
    "GET /ws": over_the_socket({"type": "ping"}),
    "frame ping": over_the_socket({"type": "ping"}),
    "POST /chats/": over_http("POST", "/chats/", data={"name": "a room"}),
    "POST /chats/direct": over_http("POST", "/chats/direct", data={"people": NONSENSE}),
    "GET /api/search": over_http("GET", "/api/search?q=anything"),
    "GET /search": over_http("GET", "/search?q=anything"),
    "GET /api/rooms": over_http("GET", "/api/rooms"),
    "POST /api/rooms (public)": over_http("POST", "/api/rooms", json={"name": "a room"}),
    "POST /api/rooms (private)": over_http("POST", "/api/rooms", json={"name": "a room", "kind": "private"}),
    "GET /api/me": over_http("GET", "/api/me"),
    "GET /api/people": over_http("GET", "/api/people"),
    "PATCH /api/people/<person> (one's own status)": over_http(
        "PATCH", "/api/people/{me}", json={"status": "in"}
    ),
    "PATCH /api/people/<person> (one's own role)": over_http(
        "PATCH", "/api/people/{me}", json={"role": "administrator"}
    ),
    "PATCH /api/people/<person> (another's name)": over_http(
        "PATCH", "/api/people/{somebody}", json={"name": "another name"}
    ),
    "PATCH /api/people/<person> (another's account)": over_http(
        "PATCH", "/api/people/{somebody}", json={"disabled": True}
    ),
    "POST /api/people/<person>/sign-out (oneself elsewhere)": over_http("POST", "/api/people/{me}/sign-out"),
    "POST /api/people/<person>/sign-out (another)": over_http("POST", "/api/people/{somebody}/sign-out"),
    "GET /api/invitations": over_http("GET", "/api/invitations"),
    "POST /api/invitations": over_http("POST", "/api/invitations", json={}),
    "DELETE /api/invitations/<int:number>": over_http("DELETE", "/api/invitations/{invitation}"),
    "POST /api/direct": over_http("POST", "/api/direct", json={"people": [NONSENSE]}),
    "GET /api/bans": over_http("GET", "/api/bans"),
    "DELETE /api/bans/<int:number>": over_http("DELETE", f"/api/bans/{NO_NUMBER}"),
    "POST /api/bans": over_http("POST", "/api/bans", json={"person": "{somebody}"}),
    "GET /first/": over_http("GET", "/first/"),
    **{
        f"{method} {path}/<code>": over_http(method, f"{path}/{NONSENSE}")
        for path in ("/first", "/invitations", "/reset")
        for method in ("GET", "POST")
    },
    "POST /sign-up": over_http("POST", "/sign-up", data={"name": "somebody new", "password": NONSENSE}),
    "POST /sign-up/passkey": over_http("POST", "/sign-up/passkey", json=NEWCOMER),
    "POST /first/<code>/passkey": over_http("POST", f"/first/{NONSENSE}/passkey", json=NEWCOMER),
    "POST /invitations/<code>/passkey": over_http("POST", f"/invitations/{NONSENSE}/passkey", json=NEWCOMER),
    "POST /sign-up/passkey/<state>": over_http("POST", f"/sign-up/passkey/{NONSENSE}", json=ANSWERED),
    "POST /first/<code>/passkey/<state>": over_http(
        "POST", f"/first/{NONSENSE}/passkey/{NONSENSE}", json=ANSWERED
    ),
    "POST /invitations/<code>/passkey/<state>": over_http(
        "POST", f"/invitations/{NONSENSE}/passkey/{NONSENSE}", json=ANSWERED
    ),
    "POST /account/name": over_http("POST", "/account/name", data={"name": "new name of {me}"}),
    "POST /account/status": over_http("POST", "/account/status", data={"status": "away"}),
    "POST /account/sessions/end": over_http("POST", "/account/sessions/end", data={"key": NONSENSE}),
    "POST /account/sessions/end-others": over_http("POST", "/account/sessions/end-others"),
    **{f"{method} /email/<code>": over_http(method, f"/email/{NONSENSE}") for method in ("GET", "POST")},
    "GET /account/email": over_http("GET", "/account/email"),
    "POST /account/email": over_http("POST", "/account/email", data={"email": "{me}@mill.example"}),
    "POST /account/email/remove": over_http("POST", "/account/email/remove"),
    "GET /account/leave": over_http("GET", "/account/leave"),
    "POST /account/leave": over_http("POST", "/account/leave", data={"messages": "keep"}),
    "GET /sign-in/forgotten": over_http("GET", "/sign-in/forgotten"),
    "POST /sign-in/forgotten": over_http("POST", "/sign-in/forgotten", data={"who": NONSENSE}),
    **{
        f"{method} {path}": over_http(method, path)
        for path in (
            "/account/passkeys",
            "/account/passkeys/delete",
            "/account/password",
            "/account/recovery-codes",
            "/account/second-factor",
            "/account/verify",
            "/account/verify/passkey",
            "/sign-in",
            "/sign-in/choose",
            "/sign-in/code",
            "/sign-in/passkey",
            "/sign-in/recovery",
            "/sign-in/rescue",
        )
        for method in ("GET", "POST")
    },
    **{
        f"POST {path}/<token>": over_http("POST", f"{path}/{NONSENSE}")
        for path in (
            "/account/passkeys",
            "/account/second-factor",
            "/account/verify/passkey",
            "/sign-in/passkey",
        )
    },
    "GET /api/reports": over_http("GET", "/api/reports"),
    "GET /api/audit": over_http("GET", "/api/audit"),
    **{
        f"GET /admin/{section}": over_http("GET", f"/admin/{section}")
        for section in (
            "",
            "people",
            "rooms",
            "invitations",
            "bans",
            "tokens",
            "reports",
            "audit",
            "settings",
        )
    },
    "GET /admin/people/<person>": over_http("GET", "/admin/people/{somebody}"),
    "POST /admin/people/<person>": over_http("POST", "/admin/people/{somebody}", data={"do": "nothing"}),
    "POST /admin/rooms/N/enter": over_http("POST", f"/admin/rooms/{NO_NUMBER}/enter", data={"why": "so"}),
    "POST /admin/invitations": over_http("POST", "/admin/invitations", data={"uses": "none"}),
    "POST /admin/bans": over_http("POST", "/admin/bans", data={"person": NONSENSE}),
    "POST /admin/tokens": over_http("POST", "/admin/tokens", data={"name": "a token"}),
    "POST /admin/reports/<int:number>": over_http("POST", "/admin/reports/1", data={"room": "none"}),
    "GET /api/tokens": over_http("GET", "/api/tokens"),
    "POST /api/tokens": over_http("POST", "/api/tokens", json={"name": "a token", "scopes": ["read"]}),
    "DELETE /api/tokens/<int:number>": over_http("DELETE", f"/api/tokens/{NO_NUMBER}"),
    "GET /account/tokens": over_http("GET", "/account/tokens"),
    "POST /account/tokens": over_http("POST", "/account/tokens", data={"name": "a token", "read": "yes"}),
    "POST /account/tokens/revoke": over_http("POST", "/account/tokens/revoke", data={"token": NO_NUMBER}),
    "POST /hooks/<int:hook>/<secret>": over_http(
        "POST", f"/hooks/{NO_NUMBER}/{NONSENSE}", json={"text": "hi"}
    ),
    **{
        f"GET /api/{path}": over_http("GET", f"/api/{path}")
        for path in ("docs", "openapi.json", "asyncapi.json")
    },
    "POST /guests": over_http("POST", "/guests", json={"name": "somebody else"}),
    "POST /guests/leave": over_http("POST", "/guests/leave"),
    "POST /sign-out": over_http("POST", "/sign-out"),  # the last: it is one's session that ends
}


@cache
def registered(server: Server) -> list[Route]:
    """Every route that the application has, one for each method, HEAD and OPTIONS too."""
    program = (
        "import json; from wsgi import app; print(json.dumps([(rule.endpoint, method, rule.rule) for rule in "
        "app.url_map.iter_rules() for method in sorted(rule.methods)]))"
    )
    ran = zygote.run(ROOT, ["-c", program], server.environ)
    assert ran.returncode == 0, ran.stderr
    return [Route(*row) for row in json.loads(ran.stdout.splitlines()[-1])]


def door(route: Route) -> str:
    """The row that is of `route`, up to what is sent."""
    return route.name.replace("<room_id:room_id>", "N")


def asked(
    world: World,
    doors: dict[str, Callable[[Cell], str]],
    kind: RoomKind | None = None,
    nowhere: int = 0,
    columns: Sequence[str] = (),
    expected: dict[str, dict[str, str]] | None = None,
) -> dict[str, dict[str, str]]:
    """The whole table, asked at once by everybody, or `columns` of them; without a `kind` about the room `nowhere`.

    What somebody is refused, as `expected`, they ask in one room: it stays as it was made.
    """
    columns = columns or list(world.people)
    found: dict[str, dict[str, str]] = {door: {} for door in doors}

    def ask(some: list[str], place: Callable[[str, str], int]) -> None:
        def one(column: str) -> None:
            for door in some:
                cell = Cell(world, world.people[column], place(door, column))
                try:
                    found[door][column] = doors[door](cell)
                except Exception as error:
                    found[door][column] = f"{type(error).__name__}: {error}"[:80]

        with ThreadPoolExecutor(len(columns)) as pool:
            list(pool.map(one, columns))

    if kind is None:
        ask(list(doors), lambda *_: nowhere)
        return found
    reading = [door for door in doors if door.startswith("GET ")]
    (shared,) = world.rooms(kind, 1, [SUBJECT])
    ask(reading, lambda *_: shared)  # while there are few rooms: many pages list them all
    writing = [door for door in doors if door not in reading]
    rows = expected or {}
    done = [(row, one) for row in writing for one in columns if rows.get(row, {}).get(one) not in REFUSED]
    places = [*done, *(("", column) for column in columns)]
    rooms = world.rooms(kind, len(places), [world.people[column].id for _, column in places])
    own = dict(zip(places, rooms, strict=True))
    ask(writing, lambda door, column: own.get((door, column), own["", column]))
    return found


# -- the tests -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def worlds(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], World]]:
    """The world of a table; made when first asked for."""
    made: dict[str, World] = {}

    def world(heading: str) -> World:
        closed = heading.endswith("without-guests")
        # One for each kind of room, of which a table makes hundreds; the doors of the server end with signing
        # everybody out.
        name = "closed" if closed else heading
        if name not in made:
            # Doors that are there where a mail server is set: it takes no mail.
            mail = {"mail_url": "smtp://127.0.0.1:9", **SETTINGS}
            settings = {"guests": "false"} if closed else mail if name == "server" else {}
            settings |= kept_in(STORE, request)
            server = Server(tmp_path_factory.mktemp(name) / "instance", **settings).start()
            made[name] = World(server, tables()[heading].columns)
        return made[name]

    yield world
    for one in made.values():
        one.close()
        one.server.kill()


@pytest.mark.parametrize("heading", tables())
def test_everybody_gets_the_answer_that_the_matrix_says(heading: str, worlds: Callable[[str], World]) -> None:
    table, world = tables()[heading], worlds(heading)
    kind = heading.split("-")[0]
    if kind == "server":
        found = asked(world, SERVER_DOORS)
    else:
        found = asked(world, ROOM_DOORS, kind, expected=table.rows)  # type: ignore[arg-type]
    wrong = {
        (row, column): f"{cell}, not {table.rows.get(row, {}).get(column, 'in the table')}"
        for row, cells in found.items()
        for column, cell in cells.items()
        if table.rows.get(row, {}).get(column) != cell
    }
    assert not wrong, f"as it was found:\n{written(heading, table.columns, found)}"


def test_to_who_is_not_in_it_a_private_room_is_at_every_door_like_one_that_never_was(
    worlds: Callable[[str], World],
) -> None:
    columns = [
        "bad_token",
        "visitor",
        "guest",
        "banned",
        "stranger",
        "banned_here",
        "administrator",
        "token_elsewhere",
        "token_expired",
    ]
    never = asked(worlds("private"), ROOM_DOORS, nowhere=NO_NUMBER, columns=columns)
    for kind in ("private", "direct"):
        for row, cells in tables()[kind].rows.items():
            for column in columns:
                if column == "administrator" and "/reports" in row:
                    continue  # who reports a message hands it over to them
                assert cells[column] == never[row][column], (kind, row, column)


def addresses(server: Server) -> dict[str, list[Route]]:
    """The routes of each rule, one for each method that it takes."""
    found: dict[str, list[Route]] = {}
    for route in registered(server):
        found.setdefault(route.rule, []).append(route)
    return found


METHODS = ["DELETE", "PUT", "PATCH", "POST", "GET"]
NOT_THERE = {"/sign-in/rescue"}  # for anybody: see chatapp/security
ADMINISTRATORS = {"administrator", "administrator_in"}
NOT_VALID = {"bad_token", "token_expired"}
# The others differ from these only by their part in a room that they may know of.
ASK_OF_EACH = {
    "anonymous",
    "bad_token",
    "visitor",
    "guest",
    "banned",
    "stranger",
    "member",
    "banned_here",
    "owner",
    "administrator",
    "token_read",
    "token_expired",
}


@pytest.mark.parametrize("heading", ["private", "private-without-guests"])
def test_what_an_address_takes_is_told_alike_to_everybody_who_may_know_of_it_and_of_every_room(
    heading: str, worlds: Callable[[str], World]
) -> None:
    world = worlds(heading)
    (there,) = world.rooms("private", 1, [SUBJECT])
    everywhere = addresses(world.server)

    def ask(column: str) -> Iterator[tuple[str, str, object]]:
        for rule, routes in everywhere.items():
            taken = {route.method for route in routes}
            other = next(method for method in METHODS if method not in taken)
            sockets = ["HEAD"] if routes[0].websocket else []  # all else is asked with GET
            for method in ("OPTIONS", other, *sockets):
                answers = [
                    plainly(world.people[column].http.request(method, routes[0].path(room), timeout=CROWD))
                    for room in ([there, NO_NUMBER] if "room_id" in rule else [there])
                ]
                right = answers[0][:2] == told(column, method, routes)
                if not right or any(each != answers[0] for each in answers):
                    yield column, f"{method} {rule}", answers

    with ThreadPoolExecutor(len(ASK_OF_EACH)) as pool:
        wrong = pool.map(lambda column: list(ask(column)), ASK_OF_EACH & world.people.keys())
        assert [one for found in wrong for one in found] == []


def plainly(answer: httpx.Response) -> tuple[str, str, dict[str, str], str]:
    """An answer as a letter, what it says that the address takes, and all else of it that is not of its time."""
    headers = {name: value for name, value in answer.headers.items() if name not in EACH_TIME}
    return outcome(answer), answer.headers.get("Allow", ""), headers, answer.text


def told(column: str, method: str, routes: list[Route]) -> tuple[str, str]:
    """The letter, and what is allowed, that somebody is told by the rule; `routes`: of one address."""
    one, taken = routes[0], sorted({route.method for route in routes})
    if column in NOT_VALID and not (method == "OPTIONS" and one.endpoint in FOR_EVERYBODY):
        return "s", ""
    if one.rule.startswith("/admin/") and column not in ADMINISTRATORS:
        return "x", ""
    if method == "OPTIONS" and one.rule in NOT_THERE:
        return "x", ""
    if method in taken and one.websocket:
        return "b", ""  # no handshake
    return ("+" if method == "OPTIONS" else "method_not_allowed"), ", ".join(taken)


def test_every_door_that_the_application_has_stands_in_the_matrix_and_nothing_else(
    one_worker: Server,
) -> None:
    doors = {row.partition(" (")[0] for row in ROOM_DOORS | SERVER_DOORS}
    by_rule = {f"HEAD {row[4:]}" for row in doors if row.startswith("GET ")}
    by_rule |= {f"OPTIONS {door(route).partition(' ')[2]}" for route in registered(one_worker)}
    assert doors | by_rule == {*map(door, registered(one_worker)), *(f"frame {kind}" for kind in FRAMES)}
    for heading, table in tables().items():
        doors = SERVER_DOORS if heading.startswith("server") else ROOM_DOORS
        assert set(table.rows) == set(doors), heading
