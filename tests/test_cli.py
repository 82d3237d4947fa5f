"""`flask room …`: the administrator's commands, beside a running server, seen live by its readers."""

import json
import re
import sqlite3
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from chatapp.bus.notices import PeopleChanged, decode
from tests.clients import Person, Reader, Socket, WebSocketReader, eventually
from tests.console import Done
from tests.people import member
from tests.servers import Server

Command = Callable[..., Done]


@pytest.fixture
def room(server: Server) -> Command:
    """`flask room …` beside `server`."""
    return partial(server.console, "room")


only_one_worker = pytest.mark.parametrize("server", ["one_worker"], indirect=True)


@pytest.fixture
def name() -> str:
    """A name that no other room of the server has."""
    return f"Board of {uuid.uuid4().hex[:12]}"


@pytest.fixture
def number(name: str, ada: Person) -> int:
    """A room of the test's own, in which three things were said."""
    number = ada.make_room(name)
    for word in ("one", "two", "three"):
        ada.say(number, word)
    return number


@pytest.fixture(params=["number", "name"])
def which(request: pytest.FixtureRequest, number: int, name: str) -> str:
    return str(number) if request.param == "number" else name


@pytest.fixture
def reader(grace: Person, number: int) -> Iterator[Socket]:
    """Grace reads the room over a socket that was opened before anything happens to it."""
    socket = grace.socket()
    socket.join(number)
    socket.expect(lambda frame: frame["type"] == "message" and frame["seq"] == 3)
    yield socket
    socket.close()


def notice(reader: Socket, key: str) -> Any:
    """The next notice that `reader` gets of the administrator's, and what it says of `key`."""
    frame = reader.expect(lambda frame: frame["type"] == "message" and frame["kind"] == "notice")
    assert frame["author"] == {"id": "system", "name": "system"}
    assert frame["seq"] == 4
    return frame["detail"][key]


def bodies(person: Person, number: int) -> list[str]:
    return [message["body"] for message in person.read(number, after=0)["messages"]]


# -- what each command does, by number and by name, before the eyes of a reader ------------------------


def test_create_makes_a_room_that_list_shows_and_people_can_use(
    room: Command, name: str, ada: Person
) -> None:
    made = room("create", name, "--topic", "All that is new")
    assert made.status == 0
    assert name in made.out
    head, *rows = room("list").out.splitlines()
    assert head.split() == ["room", "newest", "kind", "name", "topic"]
    row = next(row for row in rows if name in row)
    number = int(row.split()[0])
    assert re.fullmatch(rf" *{number} +#0 +public +{name} +All that is new", row)
    listed = {each["id"]: each for each in ada.http.get("/api/rooms").json()["rooms"]}[number]
    assert (listed["name"], listed["topic"]) == (name, "All that is new")
    assert ada.say(number, "first")["seq"] == 1


def test_show_tells_where_a_room_is_who_is_here_and_what_was_said(
    room: Command, which: str, name: str, number: int, reader: Socket
) -> None:
    shown = eventually(lambda: next((done for done in [room("show", which)] if "grace" in done.out), None))
    assert shown.status == 0
    assert name in shown.out
    assert re.search(rf"^{number}\b", shown.out)
    for seq, word in enumerate(("one", "two", "three"), 1):
        assert re.search(rf"#{seq}\b.*ada.*{word}", shown.out)
    assert "three" in room("show", which, "--messages", "1").out
    assert "two" not in room("show", which, "--messages", "1").out
    assert room("show", name.upper()).out == room("show", name).out, "whoever types a name may type it small"


@only_one_worker
def test_list_and_show_say_which_rooms_are_public_private_and_conversations(
    room: Command, name: str, number: int, server: Server
) -> None:
    joan, mary = member(server, "joan"), member(server, "mary")
    talk = joan.http.post("/api/direct", json={"people": [mary.id]}).json()["id"]
    for which, kind in ((number, "public"), (number, "private"), (talk, "direct")):
        if kind == "private":
            assert room("set", which, "--kind", kind).status == 0
        assert re.search(rf"^ *{which}  #\d+ +{kind} ", room("list").out, re.MULTILINE)
        assert f"\nkind    {kind}\n" in room("show", which).out


def test_show_tells_what_people_changed(room: Command, number: int, ada: Person) -> None:
    for change in (
        {"kind": "edit", "of": 1, "body": "one\nand a half"},
        {"kind": "reaction", "of": 1, "body": "👍"},
        {"kind": "reaction", "of": 1, "body": "👍", "remove": True},
        {"body": "indeed", "of": 3},
        {"kind": "edit", "of": 2, "body": "two and a half"},
        {"kind": "delete", "of": 2},
    ):
        assert ada.http.post(ada.messages(number), json=change).status_code == 201
    room("topic", number, "cats")
    shown = room("show", number).out.splitlines()
    assert [
        re.sub(r"  \d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ  ", " ", line) for line in shown if line[0] == "#"
    ] == [
        "#1 ada: one ⏎ and a half (edited)",
        "#2 ada: (deleted)",
        "#3 ada: three",
        "#4 ada edited #1: one ⏎ and a half",
        "#5 ada reacted 👍 to #1",
        "#6 ada took 👍 back from #1",
        "#7 ada, on #3: indeed",
        "#8 ada edited #2",
        "#9 ada deleted #2",
        "#10 system set the topic: cats",
    ]


def test_post_says_something_as_system(room: Command, which: str, reader: Socket) -> None:
    done = room("post", which, "the house closes at ten")
    assert done.status == 0
    assert "#4" in done.out
    frame = reader.expect(lambda frame: frame["type"] == "message" and frame["seq"] == 4)
    assert (frame["body"], frame["author"]) == ("the house closes at ten", {"id": "system", "name": "system"})


def test_rename_gives_another_name(
    room: Command, which: str, number: int, reader: Socket, ada: Person
) -> None:
    other = f"Renamed {uuid.uuid4().hex[:8]}"
    assert room("rename", which, other).status == 0
    assert notice(reader, "name") == other
    eventually(lambda: other in ada.http.get(f"/chats/{number}/").text, "the page has the new name")
    assert room("show", other).out.startswith(f"{number} ")


def test_topic_gives_another_topic_and_nothing_removes_it(
    room: Command, which: str, number: int, reader: Socket
) -> None:
    assert room("topic", which, "cats").status == 0
    assert notice(reader, "topic") == "cats"
    assert "cats" in room("show", which).out
    assert room("topic", which, "").status == 0
    assert room("show", number, "--json").json["topic"] == ""


def test_close_makes_a_room_read_only_until_open(
    room: Command, which: str, number: int, name: str, reader: Socket, ada: Person
) -> None:
    assert room("close", which).status == 0
    assert notice(reader, "closed") is True
    refused = ada.http.post(ada.messages(number), json={"body": "too late"})
    assert (refused.status_code, refused.json()["code"]) == (410, "room_closed")
    assert "closed" in next(line for line in room("list").out.splitlines() if name in line)
    assert room("post", which, "the administrator may").status == 0
    assert room("open", which).status == 0
    assert ada.say(number, "in time")["seq"] == 7
    reader.expect(lambda frame: frame.get("seq") == 7)


ALREADY = {
    "rename": ["rename", "ROOM", "NAME"],
    "topic": ["topic", "ROOM", ""],
    "open": ["open", "ROOM"],
    "close": ["close", "ROOM"],
}


@only_one_worker
@pytest.mark.parametrize("what", ALREADY)
def test_what_is_so_already_is_said_to_the_administrator_and_to_nobody_else(
    what: str, room: Command, number: int, name: str
) -> None:
    if what == "close":
        room("close", number)
    before = room("show", number, "--json").json
    done = room(*[{"ROOM": str(number), "NAME": f" {name}"}.get(word, word) for word in ALREADY[what]])
    assert done.status == 0
    assert done.out.startswith("Already ")
    assert room("show", number, "--json").json == before


def test_clear_removes_the_messages_and_resets_the_readers(
    room: Command, which: str, number: int, reader: Socket, ada: Person
) -> None:
    epoch = ada.read(number)["epoch"]
    assert room("clear", which, "--yes").status == 0
    reset = reader.expect(lambda frame: frame["type"] == "reset")
    assert reset["epoch"] != epoch
    eventually(lambda: bodies(ada, number) == [], "nothing is left for anybody")
    assert ada.say(number, "anew")["seq"] == 4
    reader.expect(lambda frame: frame.get("seq") == 4)


def test_new_epoch_has_every_reader_start_over_with_the_same_messages(
    room: Command, which: str, number: int, reader: Socket, ada: Person
) -> None:
    before = ada.read(number, after=0)
    assert room("new-epoch", which).out == "A new epoch: 1 room\n"
    reset = reader.expect(lambda frame: frame["type"] == "reset")
    after = ada.read(number, after=0)
    assert reset["epoch"] == after["epoch"] != before["epoch"]
    assert after["messages"] == before["messages"]
    assert ada.say(number, "and on it goes")["seq"] == 4
    assert "system had everybody read the room anew" in room("audit", number).out


@only_one_worker
def test_new_epoch_is_of_one_room_or_of_all(room: Command, number: int, ada: Person) -> None:
    before = {each["id"]: each["epoch"] for each in room("list", "--json").json}
    assert room("new-epoch").status == room("new-epoch", number, "--all").status == 2
    assert room("new-epoch", "--all").status == 0
    after = {each["id"]: each["epoch"] for each in room("list", "--json").json}
    assert after.keys() == before.keys()
    assert [each for each in after if after[each] == before[each]] == []


def test_kick_sends_somebody_out_who_may_come_back(
    room: Command, which: str, number: int, reader: Socket, grace: Person
) -> None:
    eventually(lambda: "grace" in room("show", number).out, "grace is here")
    assert room("kick", which, "grace").status == 0
    assert eventually(lambda: reader.closed)[0] == 4403
    again = grace.socket()
    assert again.join(number)["type"] == "joined"
    again.close()


def test_delete_with_a_number_deletes_one_message(
    room: Command, which: str, number: int, reader: Socket, ada: Person
) -> None:
    assert room("delete", which, "2", "--yes").status == 0
    frame = reader.expect(lambda frame: frame["type"] == "message" and frame["kind"] == "delete")
    assert (frame["of"], frame["seq"]) == (2, 4)
    eventually(lambda: bodies(ada, number)[:3] == ["one", "", "three"], "its body is gone for everybody")


def test_delete_without_one_deletes_the_room(
    room: Command, which: str, number: int, name: str, reader: Socket, ada: Person
) -> None:
    assert room("delete", which, "--yes").status == 0
    assert reader.expect(lambda frame: frame["type"] == "error")["code"] == "no_such_room"
    reader.expect(lambda frame: frame["type"] == "left" and frame["room"] == number)
    eventually(lambda: ada.http.get(ada.messages(number)).status_code == 404, "it is gone for everybody")
    assert name not in room("list").out
    assert room("show", number).status != 0


def test_a_command_is_seen_by_readers_of_every_worker(
    room: Command, number: int, server: Server, ada: Person
) -> None:
    readers: list[Reader] = [WebSocketReader(ada, number, after=3) for _ in range(12)]
    room("post", number, "to all of you")
    room("rename", number, f"Hall of {uuid.uuid4().hex[:8]}")
    room("clear", number, "--yes")
    room("post", number, "anew")
    for reader in readers:
        eventually(
            lambda reader=reader: reader.resets == 1 and reader.bodies == ["anew"],
            "the clearing and what followed",
        )
        reader.close()
        assert reader.seqs == [6]


def test_somebody_is_taken_in_and_removed_by_name_and_the_command_says_what_it_did(
    room: Command, name: str, number: int, server: Server
) -> None:
    joan = member(server, "joan")

    def part() -> str | None:
        return next((each["role"] for each in room("members", number, "--json").json), None)

    for arguments, said, then in (
        ((), "is a member now of", "member"),
        ((), "has a part already in", "member"),
        (("--role", "owner"), "is an owner now of", "owner"),
        (("--role", "owner"), "is an owner already of", "owner"),
        ((), "has a part already in", "owner"),
    ):
        done = room("take-in", number, joan.name, *arguments)
        assert done.out.startswith(f"{joan.name} {said} <Room {number} "), done
        assert part() == then
    assert room("remove", number, joan.name).out.startswith(f"Removed {joan.name} from <Room {number} ")
    assert part() is None


@pytest.mark.parametrize("verb", ["timeout", "ban"])
def test_how_long_something_lasts_is_given_in_minutes_in_seconds_or_both(
    verb: str, room: Command, number: int
) -> None:
    lasting = {("--seconds", "60"): 60, ("--minutes", "2"): 120, ("--minutes", "1", "--seconds", "30"): 90}
    for arguments, length in lasting.items():
        before = datetime.now(UTC)
        assert room(verb, number, "ada", *arguments).status == 0
        until = datetime.fromisoformat(room("sanctions", number, "--json").json[0]["until"])
        assert before <= until - timedelta(seconds=length) <= datetime.now(UTC)


# -- for scripts ---------------------------------------------------------------------------------------


def test_what_scripts_read_is_json(room: Command, name: str, number: int, reader: Socket) -> None:
    fields = {"id": number, "name": name, "topic": "", "closed": False, "last_seq": 3}
    assert (
        fields.items() <= next(each for each in room("list", "--json").json if each["id"] == number).items()
    )
    shown = eventually(lambda: next((s for s in [room("show", number, "--json").json] if s["people"]), None))
    assert fields.items() <= shown.items()
    assert [person["name"] for person in shown["people"]] == ["grace"]
    assert [message["body"] for message in shown["messages"]] == ["one", "two", "three"]
    posted = room("post", number, "four", "--json").json
    assert (posted["seq"], posted["body"], posted["room"]) == (4, "four", number)
    other = f"Other {name}"
    assert room("rename", number, other, "--json").json["name"] == other
    assert room("topic", number, "cats", "--json").json["topic"] == "cats"
    assert room("close", number, "--json").json["closed"] is True
    assert room("open", number, "--json").json["closed"] is False
    assert room("kick", number, "grace", "--json").json["removed"] == [shown["people"][0]["id"]]
    assert room("clear", number, "--yes", "--json").json["epoch"] != shown["epoch"]
    made = room("create", f"New {name}", "--json").json
    assert (made["name"], made["last_seq"]) == (f"New {name}", 0)


def test_the_real_command_prints_nothing_but_json(one_worker: Server) -> None:
    done = one_worker.flask("room", "list", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert {"id": 1, "name": "Lobby"}.items() <= json.loads(done.stdout)[0].items()


def test_a_command_ends_when_the_workers_have_been_told(one_worker: Server) -> None:
    word = uuid.uuid4().hex
    assert one_worker.flask("room", "post", "Lobby", word).returncode == 0
    with closing(sqlite3.connect(one_worker.instance / "bus.db")) as bus:
        told = "SELECT count(*) FROM notices WHERE instr(payload, CAST(? AS BLOB)) > 0"
        assert bus.execute(told, (word,)).fetchone() == (1,)


def test_a_ban_in_a_terminal_and_its_end_are_told_before_the_command_ends(one_worker: Server) -> None:
    grace = member(one_worker, "grace")

    def told(*command: str) -> bool:
        assert one_worker.flask("user", *command).returncode == 0
        ((number,),) = one_worker.ask("SELECT people FROM server")
        with closing(sqlite3.connect(one_worker.instance / "bus.db")) as bus:
            notices = [decode(payload) for (payload,) in bus.execute("SELECT payload FROM notices")]
        return PeopleChanged(number) in notices

    assert told("ban", grace.id, "--yes")
    ((ban,),) = one_worker.ask("SELECT id FROM sanctions WHERE person_id = ?", grace.id)
    assert told("lift", str(ban))


# -- what destroys asks --------------------------------------------------------------------------------

DESTROYING = {"clear": [], "delete a message": ["2"], "delete the room": []}


@only_one_worker
@pytest.mark.parametrize("command", DESTROYING)
@pytest.mark.parametrize("answer", ["n\n", "\n", ""])
def test_what_destroys_asks_first_and_leaves_everything_when_the_answer_is_not_yes(
    command: str, answer: str, room: Command, name: str, number: int, ada: Person
) -> None:
    before = ada.read(number, after=0)
    done = room(command.split()[0], number, *DESTROYING[command], answer=answer)
    assert done.status != 0
    assert name in done.out + done.err, "the question says what would be gone"
    assert ada.read(number, after=0) == before


@only_one_worker
def test_a_message_to_delete_is_shown_and_one_that_is_not_there_is_not_asked_about(
    room: Command, number: int
) -> None:
    assert "ada: two" in room("delete", number, "2", answer="n\n").out
    for _ in range(2):  # there, and there no more
        done = room("delete", number, "2", answer="y\n")
    assert (done.status, done.out) == (1, "")
    assert "#2" in done.err


@pytest.mark.parametrize("command", DESTROYING)
def test_what_destroys_is_done_when_the_answer_is_yes(
    command: str, room: Command, number: int, ada: Person
) -> None:
    before = eventually(lambda: next((b for b in [ada.read(number, after=0)] if b["cursor"] == 3), None))
    assert room(command.split()[0], number, *DESTROYING[command], answer="y\n").status == 0
    eventually(lambda: ada.http.get(ada.messages(number), params={"after": 0}).json() != before, "it is done")


# -- what cannot be done -------------------------------------------------------------------------------

REFUSED = {
    "an unknown number": ["post", "999999", "text"],
    "room 0": ["post", "0", "text"],
    "a number beyond all": ["show", str(2**63)],
    "an unknown name": ["show", "Nowhere at all"],
    "no name": ["show", ""],
    "a room to clear that is not there": ["clear", "999999", "--yes"],
    "a room to delete that is not there": ["delete", "999999", "--yes"],
    "an empty name": ["rename", "ROOM", ""],
    "a name of blanks": ["rename", "ROOM", "   "],
    "a name of two lines": ["rename", "ROOM", "two\nlines"],
    "a name that turns the text around": ["rename", "ROOM", "\u202eevil"],
    "a name too long": ["rename", "ROOM", "x" * 81],
    "a new room without a name": ["create", ""],
    "a topic too long": ["topic", "ROOM", "x" * 251],
    "an empty text": ["post", "ROOM", ""],
    "a text of blanks": ["post", "ROOM", " \n "],
    "a text too long": ["post", "ROOM", "x" * 4001],
    "a text with control characters": ["post", "ROOM", "bell\a"],
    "somebody who is not here": ["kick", "ROOM", "mallory"],
    "a message that is not there": ["delete", "ROOM", "99", "--yes"],
    "a number beyond all messages": ["delete", "ROOM", str(2**70), "--yes"],
}


@only_one_worker
@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_done_is_one_clear_line_and_leaves_the_room_as_it_was(
    what: str, room: Command, number: int
) -> None:
    before = room("list").out
    done = room(*[str(number) if word == "ROOM" else word for word in REFUSED[what]])
    assert done.status == 1
    assert done.out == ""
    assert len(done.err.splitlines()) == 1, done.err
    assert len(done.err) > len("Error: ?")
    assert room("list").out == before


def test_an_unknown_room_is_answered_with_those_that_there_are(one_worker: Server) -> None:
    done = one_worker.flask("room", "show", "Lobbby")
    assert (done.returncode, done.stdout) == (1, "")
    [line] = done.stderr.splitlines()
    assert "Lobbby" in line
    assert "1 'Lobby'" in line


def test_a_name_of_several_rooms_is_answered_with_their_numbers(
    room: Command, name: str, number: int
) -> None:
    other = json.loads(room("create", name, "--json").out)["id"]
    done = room("post", name, "which?")
    assert done.status == 1
    [line] = done.err.splitlines()
    assert str(number) in line
    assert str(other) in line
    assert room("post", number, "this one").status == 0
    assert [room("show", each, "--json").json["last_seq"] for each in (number, other)] == [4, 0]


@only_one_worker
def test_a_name_that_another_room_has_is_warned_of(room: Command, number: int, name: str) -> None:
    made = room("create", name.upper())
    assert (made.status, name.upper() in made.out) == (0, True)
    [warning] = made.err.splitlines()
    assert f"{name!r} ({number})" in warning
    renamed = room("rename", number, f"{name} once")
    assert (renamed.status, renamed.err) == (0, "")
    renamed = room("rename", number, name)
    assert renamed.status == 0
    assert repr(name.upper()) in renamed.err
    assert room("rename", number, name).err == renamed.err, "said again, also where nothing was changed"


@only_one_worker
def test_a_name_of_digits_is_a_name_where_no_room_has_that_number(room: Command, name: str) -> None:
    year = f"30{uuid.uuid4().int % 10**9:09d}"
    number = room("create", year, "--json").json["id"]
    for digits in (year, "9" * 30):
        room("rename", number, digits)
        assert room("show", digits, "--json").json["id"] == number
    room("rename", number, "1")
    assert room("show", "1", "--json").json["name"] == "Lobby", "a number comes first"
    room("rename", number, name)


@only_one_worker
@pytest.mark.parametrize(
    "command",
    [[], ["post"], ["post", "1"], ["paint", "1"], ["delete", "1", "two"], ["show", "1", "--messages", "-1"]],
)
def test_a_command_that_is_not_understood_says_how_it_is_used(command: list[str], room: Command) -> None:
    done = room(*command)
    assert done.status == 2
    assert "Usage:" in done.out + done.err


COMMANDS = ["list", "create", "show", "post", "rename", "topic", "close", "open", "clear", "kick", "delete"]


@only_one_worker
def test_the_help_names_every_command(room: Command) -> None:
    said = room("--help").out
    assert [command for command in COMMANDS if not re.search(rf"^  {command}  +\w", said, re.MULTILINE)] == []
