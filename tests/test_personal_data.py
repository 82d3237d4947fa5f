"""What is kept of somebody: given out on their wish, and taken out of the database."""

import ast
import json
import re
import sqlite3
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

from chatapp import names
from chatapp.journal.sentences import REPORT_SETTLED, name_in, without_name
from tests.clients import Person, eventually
from tests.conftest import server_of_each_store
from tests.people import Member, administrator, is_named, member
from tests.raw_socket import problem
from tests.servers import ROOT, Server

server = server_of_each_store


@pytest.fixture
def mary(server: Server) -> Iterator[Member]:
    with closing(member(server, "mary")) as person:
        yield person


def lived(mary: Member, other: Person, secret: str) -> int:
    """A room in which mary has said, changed and answered things, and of which she is the owner."""
    room = mary.make_room(f"hers {uuid.uuid4().hex[:8]}")
    other.say(room, "hello")
    mary.say(room, f"not yet {secret}")
    for change in (
        {"kind": "edit", "of": 2, "body": secret},
        {"kind": "reaction", "of": 1, "body": "👍"},
    ):
        mary.http.post(mary.messages(room), json=change).raise_for_status()
    return room


def everything(server: Server) -> str:
    """All that the database holds, as text."""
    return server.dump()


def erase(server: Server, who: str, messages: str) -> None:
    done = server.console("user", "erase", who, "--messages", messages, "--yes")
    assert done.status == 0, done.err


def test_what_is_kept_of_somebody_is_printed_without_secrets(
    server: Server, mary: Member, grace: Person
) -> None:
    room = lived(mary, grace, "my secret")
    kept: dict[str, Any] = json.loads(server.console("user", "export", mary.name).out)
    assert kept["account"]["name"] == mary.name
    assert [message["body"] for message in kept["messages"]] == ["my secret", "my secret", "👍"]
    assert [(each["room_id"], each["role"]) for each in kept["rooms"]] == [(room, "owner")]
    assert kept["sessions"][0]["address"] == "127.0.0.1"
    assert not {"password", "key", "tf_totp_secret"} & (kept["account"].keys() | kept["sessions"][0].keys())
    assert not is_named(grace, json.dumps(kept))


def test_what_is_kept_of_somebody_is_written_as_the_protocol_writes_and_rooms_have_their_names(
    server: Server, mary: Member
) -> None:
    boss, joan = administrator(server), member(server, "joan")
    den = done(boss.http.post("/api/rooms", json={"name": "the den", "kind": "private"}))["id"]
    left = done(boss.http.post("/api/rooms", json={"name": "the attic", "kind": "private"}))["id"]
    board = boss.make_room("a board")
    talk = done(mary.http.post("/api/direct", json={"people": [joan.id]}))["id"]
    for room in (den, left):
        assert server.console("room", "take-in", room, mary.id).status == 0
        mary.say(room, "hello")
    assert server.console("room", "remove", left, mary.id).status == 0
    for room, seconds in ((den, "3600"), (board, "0")):
        assert server.console("room", "take-in", room, mary.id).status == 0
        assert server.console("room", "timeout", room, mary.name, "--seconds", seconds).status == 0
    token = {"name": "a program", "scopes": ["read"], "rooms": [board]}
    assert mary.http.post("/api/tokens", json=token).status_code == 201

    kept: dict[str, Any] = json.loads(server.console("user", "export", mary.name).out)
    names = {each["room_id"]: each["room"] for each in kept["rooms"]}
    assert names == {den: "the den", board: "a board", talk: "conversation"}
    assert {each["room"] for each in kept["messages"] if each["room_id"] == left} == {None}
    assert kept["tokens"][0]["rooms"] == [{"room_id": board, "room": "a board"}]
    lasting = {each["room"]: each["until"] for each in kept["sanctions"]}
    assert lasting["a board"] is None
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", lasting["the den"])
    assert kept["account"].keys() == {
        *("person_id", "name", "role", "status", "disabled", "made_at", "email", "second_factor", "language")
    }
    assert joan.name not in json.dumps(kept)


@pytest.mark.parametrize("messages", ["keep", "remove"])
def test_who_is_erased_is_nowhere_any_more_and_what_they_said_stays_without_a_name_or_goes(
    messages: str, server: Server, mary: Member, grace: Person
) -> None:
    secret = uuid.uuid4().hex
    room = lived(mary, grace, secret)
    with closing(mary.socket()) as hers, closing(grace.socket()) as his:
        for socket in (hers, his):
            socket.join(room)
        erase(server, mary.name, messages)
        assert eventually(lambda: hers.closed)[0] == 4401
        his.expect(lambda frame: frame["type"] == "reset")
    assert not mary.signed_in()
    shown = grace.read(room, after=0)["messages"]
    assert [message["seq"] for message in shown] == [1, 2, 3, 4]
    assert {message["author"]["name"] for message in shown} == {grace.name, "removed person"}
    said = [message["body"] for message in shown if message["kind"] == "text"]
    assert said == ["hello", secret if messages == "keep" else ""]
    left = everything(server)
    assert mary.name not in left
    assert (secret in left) == (messages == "keep")
    assert grace.say(room, "who was that?")["seq"] == 5


def test_a_name_of_who_was_erased_is_free_and_their_id_is_not(server: Server, mary: Member) -> None:
    erase(server, mary.name, "keep")
    again = Member(server, mary.name)
    assert again.sign_up(administrator(server).invite()).status_code == 303
    assert again.id != mary.id
    again.close()


def test_the_last_administrator_is_not_erased_nor_who_there_is_not(server: Server) -> None:
    for who in (administrator(server).name, "nobody at all"):
        done = server.console("user", "erase", who, "--yes")
        assert done.status == 1
        assert "Traceback" not in done.err


def test_a_guest_is_erased_by_their_id(server: Server, grace: Person, ada: Person) -> None:
    room = grace.make_room()
    grace.say(room, "my secret")
    erase(server, grace.id, "remove")
    assert [message["body"] for message in ada.read(room, after=0)["messages"]] == [""]


# -- nothing is left -----------------------------------------------------------------------------------

ADDRESS = "203.0.113.77"


def ask(server: Server, question: str, *values: object) -> list[tuple[Any, ...]]:
    return server.ask(question, *values)


def in_the_files(server: Server) -> bytes:
    """The files of the database and of the search index, and their logs, byte for byte, after the database's
    log was moved into its file.
    """
    path = server.instance / "chat.db"

    def moved() -> bool:
        with closing(sqlite3.connect(path)) as database:
            return database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0

    eventually(moved)
    files = [server.instance / f"{name}.db{end}" for name in ("chat", "search") for end in ("", "-wal")]
    return b"".join(file.read_bytes() for file in files if file.exists())


def guest_from(server: Server, name: str, address: str) -> Person:
    guest = Person(server)
    guest.http.headers["X-Forwarded-For"] = address
    answer = guest.http.post("/guests", json={"name": name})
    assert answer.status_code == 201, answer.text
    guest.id, guest.name = answer.json()["id"], name
    return guest


def done(answer: Any) -> Any:
    assert answer.status_code < 400, answer.text
    return answer.json() if answer.content else None


def banned_and_let_in(boss: Member, room: int, person: str) -> None:
    """Of a room and of the server, with browser and network; each row of it is taken back."""
    ban = {"person": person, "why": "they know why", "network": f"{ADDRESS}/32"}
    for kind in ("timeout", "ban"):
        done(boss.http.post(f"/api/rooms/{room}/sanctions", json={**ban, "kind": kind}))
        for sanction in done(boss.http.get(f"/api/rooms/{room}/sanctions"))["sanctions"]:
            done(boss.http.delete(f"/api/rooms/{room}/sanctions/{sanction['id']}"))
    done(boss.http.post("/api/bans", json=ban))
    for each in done(boss.http.get("/api/bans"))["bans"]:
        done(boss.http.delete(f"/api/bans/{each['id']}"))


def test_no_name_id_browser_or_address_of_who_was_erased_is_left_in_the_databases_files(
    new_server: Callable[..., Server],
) -> None:
    server = new_server(trusted_proxies="1").start()
    boss, joan = administrator(server), member(server, "joan")
    lobby = boss.make_room("lobby")
    guest = guest_from(server, "Zwentibold", ADDRESS)
    [(device,)] = ask(server, "SELECT device FROM guests WHERE person_id = ?", guest.id)
    guest.say(lobby, "good day")
    banned_and_let_in(boss, lobby, guest.id)

    mary = Member(server, "Kunigunde")
    mary.http = guest.http  # the same browser
    eventually(lambda: mary.http.get("/api/rooms").status_code == 200)
    assert mary.sign_up(boss.invite()).status_code == 303
    assert mary.id == guest.id
    done(mary.change(mary.id, name="Wunibald"))
    done(boss.change(mary.id, role="administrator"))
    mary.invite(note="for a friend")
    stranger = Person(server, "stranger")
    done(mary.http.post("/api/bans", json={"person": stranger.id}))
    done(mary.http.post("/api/tokens", json={"name": "for my clock", "scopes": ["read"]}))
    own = mary.make_room("a room")
    done(mary.http.post(f"/api/rooms/{own}/hooks", json={"name": "Builds"}))
    done(joan.http.post(f"/api/rooms/{own}/join"))
    done(mary.http.put(f"/api/rooms/{own}/members/{joan.id}", json={"role": "owner"}))
    direct = done(mary.http.post("/api/direct", json={"people": [joan.id]}))["id"]
    mary.say(direct, "between us")
    for author, reporter in ((mary, joan), (joan, mary)):
        seq = author.say(own, "to be reported")["seq"]
        done(reporter.http.post(f"/api/rooms/{own}/messages/{seq}/report", json={"why": "because"}))
    [report] = done(joan.http.get(f"/api/rooms/{own}/reports"))["reports"]
    done(joan.http.post(f"/api/rooms/{own}/reports/{report['id']}", json={"outcome": "deleted"}))
    done(mary.http.post(f"/api/rooms/{lobby}/join"))
    done(boss.http.put(f"/api/rooms/{lobby}/members/{mary.id}", json={"role": "moderator"}))
    done(boss.http.delete(f"/api/rooms/{lobby}/members/{mary.id}"))
    done(boss.change(mary.id, role="member"))
    done(boss.change(mary.id, disabled=True))
    done(boss.change(mary.id, disabled=False))

    words = ["Zwentibold", "Kunigunde", "Wunibald", mary.id, device, ADDRESS]
    before = in_the_files(server)
    assert [word for word in words if word.encode() not in before] == [], "they were there"
    words += [names.key(name) for name in words[:3]]
    erase(server, mary.id, "keep")
    left = everything(server)
    lines = [line for line in left.splitlines() if any(word in line for word in words)]
    assert lines == []
    eventually(lambda: [word for word in words if word.encode() in in_the_files(server)] == [])
    assert done(joan.http.get("/api/rooms"))["rooms"]
    [(name, party)] = ask(server, "SELECT name, party FROM rooms WHERE id = ?", direct)
    assert name == ", ".join(sorted([joan.name, "removed person"]))
    assert joan.id in party.split(" ")
    told = [entry["what"] for entry in done(boss.http.get("/api/audit", params={"limit": 100}))["entries"]]
    for what in (
        "banned removed person from the server, and all guests from a network",
        "timed removed person out",
        "let removed person write again",
        "let removed person in again",
        "let removed person into the server again",
        "is called removed person now",
        "made removed person administrator",
        "made an account: removed person (member)",
        "removed removed person",
        "disabled removed person",
        "erased an account",
    ):
        assert what in told
    [said] = [each for each in joan.read(direct)["messages"] if each["kind"] == "text"]
    assert said["author"]["name"] == "removed person"


def test_whose_name_stands_in_other_names_and_words_is_erased_and_they_stay(
    new_server: Callable[..., Server],
) -> None:
    server = new_server().start()
    boss = administrator(server)
    people = {name: Member(server, name) for name in ("ed", "Wedding, ed junior", "Fredegund")}
    for person in people.values():
        assert person.sign_up(boss.invite()).status_code == 303
    ed, wedding, fred = people.values()
    others = done(wedding.http.post("/api/direct", json={"people": [fred.id]}))["id"]
    theirs = done(ed.http.post("/api/direct", json={"people": [wedding.id, fred.id]}))["id"]
    room = boss.make_room("board")
    done(boss.http.patch(f"/api/rooms/{room}", json={"name": ed.id}))  # it happens to be called as their id
    for person in (ed, wedding):
        ban = {"kind": "ban", "person": person.id, "seconds": 600}
        done(boss.http.post(f"/api/rooms/{room}/sanctions", json=ban))
    erase(server, "ed", "keep")
    rooms = dict(ask(server, "SELECT id, name FROM rooms"))
    assert rooms[others] == "Fredegund, Wedding, ed junior"
    assert rooms[theirs] == "Fredegund, Wedding, ed junior, removed person"
    assert rooms[room] == ed.id
    notices = [each for each in boss.read(room, after=0)["messages"] if each["kind"] == "notice"]
    assert [each["body"] for each in notices] == [
        f"named this room {ed.id}",
        "banned removed person for 10 minutes",
        "banned Wedding, ed junior for 10 minutes",
    ]
    assert notices[0]["detail"] == {"name": ed.id}
    told = {entry["what"] for entry in done(boss.http.get("/api/audit"))["entries"]}
    assert {"banned removed person for 10 minutes", "banned Wedding, ed junior for 10 minutes"} <= told


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ("banned ed", "banned X"),
        ("banned ed for 5 minutes", "banned X for 5 minutes"),
        ("banned ed from the server", "banned X from the server"),
        ("banned ed from the server for 2 days", "banned X from the server for 2 days"),
        (
            "banned ed from the server, and all guests from 10.0.0.0/8",
            "banned X from the server, and all guests from a network",
        ),
        ("made an owner a member", "made X a member"),
        ("made a moderator administrator", "made X administrator"),
        ("made an account: now (member) (administrator)", "made an account: X (administrator)"),
        ("made token 3 for for: for: read, manage", "made token 3 for X: read, manage"),
        ("is called is called now now", "is called X now"),
        ("timed out out for 1 day", "timed X out for 1 day"),
        ("let in only read for 1 day", "let X only read for 1 day"),
        ("let 陳 write again", "let X write again"),
        ("took in in", "took X in"),
        ("took the second factor of in in away", "took the second factor of X away"),
        ("deleted #7 of of", "deleted #7 of X"),
        ("settled the report of #7 of a: deleted: dismissed", "settled the report of #7 of X: dismissed"),
        ("set the topic: banned ed", "set the topic: banned ed"),
        ("made a link for a new password", "made a link for a new password"),
        ("became a member", "became a member"),
    ],
)
def test_in_a_sentence_about_somebody_what_stands_in_the_names_place_is_the_name(
    said: str, left: str
) -> None:
    assert without_name(said, "X") == left


# What stands in those sentences beside the name.
SAMPLES = {
    "REPORT_SETTLED": REPORT_SETTLED,
    "_a(role)": "a member",
    "role": "member",
    "request.role": "member",
    "', '.join(request.scopes)": "read, write",
    "request.outcome": "timed out",
    "'in' if found.kind == 'ban' else 'write'": "write",
}


def sentences_with_a_name(source: str) -> Iterator[str]:
    """What acts say of somebody, in the functions of a module; "Wunibald" is in the place of the name."""
    for function in ast.walk(ast.parse(source)):
        if not isinstance(function, ast.FunctionDef):
            continue
        said: list[ast.AST] = []
        for node in ast.walk(function):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("Act", "_change"):
                said += node.args[:1] if ast.unparse(node.func) == "Act" else node.args[3:4]
            if isinstance(node, ast.Assign) and [ast.unparse(each) for each in node.targets] == ["said"]:
                said.append(node.value)
        for text in (part for each in said for part in ast.walk(each) if isinstance(part, ast.JoinedStr)):
            words = [
                str(part.value) if isinstance(part, ast.Constant) else shown(ast.unparse(part.value))  # type: ignore[attr-defined]
                for part in text.values
            ]
            if "Wunibald" in words and "the hook" not in words[0]:
                yield "".join(words)


def shown(value: str) -> str:
    return "Wunibald" if re.search(r"\bname\b", value) else SAMPLES.get(value, "7")


def test_every_sentence_of_the_program_that_names_somebody_is_known() -> None:
    sources = (path.read_text("utf-8") for path in sorted((ROOT / "chatapp").rglob("*.py")))
    said = {sentence for source in sources for sentence in sentences_with_a_name(source)}
    assert {"took Wunibald in", "signed Wunibald out", "took the second factor of Wunibald away"} <= said
    assert {sentence for sentence in said if name_in(sentence) != "Wunibald"} == set()


# -- and it stays so -----------------------------------------------------------------------------------


def test_the_cookie_of_an_erased_guest_lets_nobody_in(new_server: Callable[..., Server]) -> None:
    server = new_server(workers=2).start()
    guest, ada = Person(server, "mallory"), Person(server, "ada")
    room = ada.make_room()
    with closing(guest.socket()) as socket:
        socket.join(room)
        for seq in (ada.say(room, "one")["seq"], ada.say(room, "two")["seq"]):
            socket.send({"type": "read", "room": room, "seq": seq})
        eventually(lambda: ask(server, "SELECT seq FROM reads WHERE person_id = ?", guest.id))
        erase(server, guest.id, "keep")
        assert eventually(lambda: socket.closed)[0] == 4401
    assert problem(guest.http.post(guest.messages(room), json={"body": "here again"})) == "sign_in"
    server.restart()
    guest.http.base_url = server.url
    for _ in range(6):  # whichever worker answers
        assert problem(guest.http.post(guest.messages(room), json={"body": "here again"})) == "sign_in"
    again = guest.http.post("/guests", json={"name": "mallory"})
    assert again.status_code == 201, again.text
    assert again.json()["id"] != guest.id
    assert not is_named(guest, everything(server))  # nor did the socket keep how far they had read


def test_a_banned_guest_is_banned_also_when_they_were_erased(server: Server, grace: Person) -> None:
    boss, name = administrator(server), f"mallory {uuid.uuid4().hex}"
    guest = Person(server, name)
    done(boss.http.post("/api/bans", json={"person": guest.id, "why": "spam"}))
    eventually(lambda: guest.http.get("/api/rooms").status_code == 403)
    erase(server, guest.id, "keep")
    left = everything(server)
    assert name not in left
    assert not is_named(guest, left)
    eventually(lambda: guest.http.get("/api/rooms").status_code != 403)  # somebody without a name
    for attempt in (name, "somebody else"):
        assert problem(guest.http.post("/guests", json={"name": attempt})) == "forbidden"
    [ban] = [each for each in done(boss.http.get("/api/bans"))["bans"] if each["name"] == "removed person"]
    assert (ban["person"], ban["reason"]) == (None, "")
    done(boss.http.delete(f"/api/bans/{ban['id']}"))
    eventually(lambda: guest.http.post("/guests", json={"name": "somebody else"}).status_code == 201)


def test_what_somebody_made_and_imposed_is_given_out_too_without_on_whom(
    server: Server, grace: Person
) -> None:
    boss = administrator(server)
    boss.invite(note=(note := uuid.uuid4().hex))
    network = "198.51.100.0/24"
    done(
        boss.http.post(
            "/api/bans", json={"person": grace.id, "why": (why := uuid.uuid4().hex), "network": network}
        )
    )
    kept: dict[str, Any] = json.loads(server.console("user", "export", boss.name).out)
    assert note in [each["note"] for each in kept["invitations"]]
    assert [each["reason"] for each in kept["imposed"]].count(why) == 3
    assert not is_named(grace, json.dumps(kept["imposed"]))
    assert not {"key"} & kept["invitations"][0].keys()
    theirs: dict[str, Any] = json.loads(server.console("user", "export", grace.id).out)
    assert [(each["person_id"], each["network"]) for each in theirs["sanctions"]] == [
        (grace.id, None),
        (None, None),
        (None, network),
    ]
    for each in done(boss.http.get("/api/bans"))["bans"]:
        if each["reason"] == why:
            done(boss.http.delete(f"/api/bans/{each['id']}"))
