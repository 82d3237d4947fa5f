"""`flask shell`: the rooms at an administrator's fingertips, seen live by readers of every worker."""

import ast
import re
import subprocess
import uuid
from collections.abc import Callable, Iterator

import pytest

from tests.clients import Person, WebSocketReader, eventually
from tests.servers import BIN, ROOT, Server

VERBS = ["post", "history", "people", "rename", "topic", "close", "open", "clear", "delete", "kick"]


class Shell:
    """A `flask shell` beside `server` into which Python is piped."""

    def __init__(self, server: Server) -> None:
        self._process = subprocess.Popen(
            [str(BIN / "flask"), "shell"],
            cwd=ROOT,
            env={**server.environ, "PAGER": "cat", "TERM": "dumb"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.banner = self("None")

    def __call__(self, line: str) -> str:
        """What the shell prints on `line`."""
        end = uuid.uuid4().hex
        self._write(f"{line}\nprint({end!r})\n")
        said: list[str] = []
        while end not in (answer := self._readline()):
            said.append(answer)
        text = "".join([*said, answer.partition(end)[0]])
        return text.replace(">>> ", "").strip()

    def value(self, expression: str) -> object:
        """The value of `expression`, which must be written as Python writes plain values."""
        return ast.literal_eval(self(f"print(ascii({expression}))"))

    def close(self) -> None:
        self._process.communicate(timeout=20)
        assert self._process.returncode == 0

    def _write(self, text: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(text)
        self._process.stdin.flush()

    def _readline(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the shell has ended"
        return line


@pytest.fixture(scope="module")
def shells() -> Iterator[Callable[[Server], Shell]]:
    made: dict[int, Shell] = {}

    def shell(server: Server) -> Shell:
        if server.pid not in made:
            made[server.pid] = Shell(server)
        return made[server.pid]

    yield shell
    for each in made.values():
        each.close()


@pytest.fixture
def shell(server: Server, shells: Callable[[Server], Shell]) -> Shell:
    return shells(server)


@pytest.fixture
def name() -> str:
    return f"Board of {uuid.uuid4().hex[:12]}"


@pytest.fixture
def number(shell: Shell, name: str, ada: Person) -> int:
    """A room of the test's own, `b` in the shell, in which three things were said."""
    number = ada.make_room(name)
    for word in ("one", "two", "three"):
        ada.say(number, word)
    assert shell(f"b = room({number})") == ""
    return number


class Audience:
    """Sockets of grace, so many that every worker has some; they have read the first three messages."""

    def __init__(self, grace: Person, number: int) -> None:
        self.sockets = [grace.socket() for _ in range(12 if grace.server.workers > 1 else 2)]
        for socket in self.sockets:
            socket.join(number, after=3)

    def sees(self, **fields: object) -> None:
        """Every socket gets a frame with these fields."""
        for socket in self.sockets:
            socket.expect(lambda frame: fields.items() <= frame.items())

    def close(self) -> None:
        for socket in self.sockets:
            socket.close()


@pytest.fixture
def audience(grace: Person, number: int) -> Iterator[Audience]:
    audience = Audience(grace, number)
    yield audience
    audience.close()


one_worker_only = pytest.mark.parametrize("server", ["one_worker"], indirect=True)


# -- finding rooms -------------------------------------------------------------------------------------


@one_worker_only
def test_the_shell_names_the_instance_that_it_works_on(shell: Shell, server: Server) -> None:
    assert str(server.instance) in shell.banner


@one_worker_only
def test_the_shell_names_its_verbs_before_anything_is_asked(shell: Shell) -> None:
    assert [
        name
        for name in ("rooms()", "room(1)", "create_room", "delete_room", "help(")
        if name not in shell.banner
    ] == []


def test_rooms_are_found_by_number_and_by_name(shell: Shell, number: int, name: str) -> None:
    shown = f"<Room {number} {name!r} at #3>"
    for found in (f"room({number})", f"room({name!r})", f"room({name.upper()!r})", f"room(' {name} ')"):
        assert shell(found) == shown
    assert shown in shell("rooms()")
    assert shell.value("[r.id for r in rooms()]") == sorted(shell.value("[r.id for r in rooms()]"))  # type: ignore[type-var]
    assert shell('room("Lobby").id') == "1"


@one_worker_only
@pytest.mark.parametrize("which", ["999999", "0", "-1", "'Nowhere at all'", "''"])
def test_an_unknown_room_is_answered_with_those_that_there_are(which: str, shell: Shell) -> None:
    said = shell(f"room({which})")
    assert said.startswith("NoSuchRoom: ")
    assert len(said.splitlines()) == 1
    assert "1 'Lobby'" in said


@one_worker_only
def test_a_name_of_several_rooms_is_answered_with_their_numbers(shell: Shell, name: str, number: int) -> None:
    assert f"{name!r} ({number})" in shell(f"other = create_room({name!r})"), "warned of"
    other = shell.value("other.id")
    said = shell(f"room({name!r})").splitlines()[-1]
    assert str(number) in said
    assert str(other) in said


# -- what the verbs do, before the eyes of readers on every worker -------------------------------------


def test_post_says_something_as_system(shell: Shell, audience: Audience) -> None:
    shown = shell('b.post("the house closes at ten")')
    assert "the house closes at ten" in shown
    assert "4" in shown
    audience.sees(
        type="message", seq=4, body="the house closes at ten", author={"id": "system", "name": "system"}
    )


def test_history_shows_the_newest_messages_oldest_first(shell: Shell, number: int, ada: Person) -> None:
    assert shell.value("[m.body for m in b.history()]") == ["one", "two", "three"]
    assert shell.value("[m.seq for m in b.history(2)]") == [2, 3]
    ada.say(number, "four")
    assert shell.value("[m.body for m in b.history(1)]") == ["four"], "read anew each time"
    assert shell("b") == re.sub("#3", "#4", shell("b")), "and so is what is shown of the room"
    shown = shell("b.history(1)[0]")
    for part in ("4", "ada", "four"):
        assert part in shown


@one_worker_only
def test_history_is_shown_as_a_line_for_each_message_with_what_became_of_it(
    shell: Shell, number: int
) -> None:
    assert shell("b.delete(2)") == f"<Message {number}#4 system deleted #2>"
    first, second, _, fourth = shell("b.history(20)").splitlines()
    assert re.fullmatch(r"#1  \d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ  ada: one", first)
    assert second.endswith("ada: (deleted)")
    assert fourth.endswith("system deleted #2")


def test_people_are_those_who_are_here_over_all_workers(
    shell: Shell, number: int, audience: Audience, ada: Person
) -> None:
    socket = ada.socket()
    socket.join(number)
    eventually(
        lambda: shell.value("[who.name for who in b.people()]") == ["ada", "grace"], "both are here, once"
    )
    assert "ada" in shell("b.people()")
    socket.close()
    eventually(lambda: shell.value("[who.name for who in b.people()]") == ["grace"], "ada has left")


def test_rename_and_topic_change_the_room_and_say_so_in_it(
    shell: Shell, name: str, number: int, audience: Audience, ada: Person
) -> None:
    other = f"Hall of {uuid.uuid4().hex[:12]}"
    assert shell(f"b.rename({other!r})") == f"<Room {number} {other!r} at #4>"
    audience.sees(kind="notice", seq=4, detail={"name": other})
    assert shell('b.topic = "cats"') == ""
    audience.sees(kind="notice", seq=5, detail={"topic": "cats"})
    assert shell.value("(b.name, b.topic)") == (other, "cats")
    assert "NoSuchRoom" in shell(f"room({name!r})")
    listed = eventually(
        lambda: next((r for r in ada.http.get("/api/rooms").json()["rooms"] if r["name"] == other), None)
    )
    assert (listed["id"], listed["topic"]) == (number, "cats")


def test_a_closed_room_is_read_only_until_it_is_opened(
    shell: Shell, number: int, audience: Audience, ada: Person
) -> None:
    assert "closed" in shell("b.close()")
    audience.sees(kind="notice", detail={"closed": True})
    assert ada.http.post(ada.messages(number), json={"body": "too late"}).status_code == 410
    assert shell.value("b.closed") is True
    shell('b.post("the administrator may")')
    audience.sees(seq=5, body="the administrator may")
    assert "closed" not in shell("b.open()")
    assert ada.say(number, "in time")["seq"] == 7
    audience.sees(seq=7, body="in time")


def test_clear_resets_every_reader_and_numbers_go_on(
    shell: Shell, number: int, audience: Audience, ada: Person
) -> None:
    epoch = ada.read(number)["epoch"]
    shell("b.clear()")
    audience.sees(type="reset", room=number, cursor=3)
    assert shell.value("b.history()") == []
    assert ada.say(number, "anew")["seq"] == 4
    audience.sees(seq=4, body="anew")
    eventually(lambda: ada.read(number)["epoch"] != epoch, "another log")


@pytest.mark.parametrize("message", ["2", "b.history()[1]"], ids=["by number", "by message"])
def test_delete_takes_a_message_or_its_number(message: str, shell: Shell, audience: Audience) -> None:
    shell(f"b.delete({message})")
    audience.sees(kind="delete", of=2, seq=4)
    assert shell.value("[m.body for m in b.history()][:3]") == ["one", "", "three"]


def test_kick_sends_somebody_out_of_every_worker_and_they_may_come_back(
    shell: Shell, number: int, audience: Audience, grace: Person
) -> None:
    eventually(lambda: shell.value("[who.name for who in b.people()]") == ["grace"], "grace is here")
    assert shell.value('b.kick("grace")') == [grace.id]
    for socket in audience.sockets:
        assert eventually(lambda socket=socket: socket.closed)[0] == 4403
    again = grace.socket()
    assert again.join(number)["type"] == "joined"
    again.close()


def test_create_room_makes_a_room_that_people_can_use(shell: Shell, name: str, ada: Person) -> None:
    assert re.fullmatch(rf"<Room \d+ {name!r} at #0>", shell(f"made = create_room({name!r}); made"))
    number = shell.value("made.id")
    assert isinstance(number, int)
    assert ada.say(number, "first")["seq"] == 1
    assert shell.value("[m.body for m in made.history()]") == ["first"]


@pytest.mark.parametrize("which", ["b", "b.id", "b.name"])
def test_delete_room_takes_a_room_its_number_or_its_name(
    which: str, shell: Shell, number: int, audience: Audience
) -> None:
    assert shell(f"delete_room({which})") == ""
    audience.sees(type="error", code="no_such_room", room=number)
    audience.sees(type="left", room=number)
    assert shell("b") == f"<Room {number}, deleted>"
    said = shell('b.post("into the void")').splitlines()[-1]
    assert "NoSuchRoom" in said
    assert number not in shell.value("[r.id for r in rooms()]")  # type: ignore[operator]


# -- what cannot be done, and being a good neighbour ---------------------------------------------------


@one_worker_only
@pytest.mark.parametrize(
    "line",
    [
        'b.post("")',
        'b.post("bell\\a")',
        "b.post(5)",
        'b.rename("")',
        "b.rename(None)",
        'b.rename("two\\nlines")',
        'b.topic = "x" * 251',
        'b.kick("mallory")',
        "b.delete(99)",
        "b.delete(2**70)",
        'create_room("")',
    ],
)
def test_what_cannot_be_done_is_one_clear_line_and_leaves_the_room_as_it_was(
    line: str, shell: Shell, number: int
) -> None:
    before = shell.value("[m.seq for m in b.history()]"), shell("rooms()")
    said = shell(line)
    assert said.startswith(("BadRequest: ", "TooLong: "))
    assert len(said.splitlines()) == 1
    assert (shell.value("[m.seq for m in b.history()]"), shell("rooms()")) == before


@one_worker_only
def test_a_mistake_in_python_still_has_its_traceback(shell: Shell) -> None:
    assert shell("1 / 0").splitlines()[0].startswith("Traceback")


def test_a_shell_that_waits_at_its_prompt_holds_nobody_up(shell: Shell, number: int, ada: Person) -> None:
    reader = WebSocketReader(ada, number, after=3)
    shell("b.history(); b.people(); rooms()")
    for count in range(20):
        ada.say(number, f"word {count}")
    reader.wait_for(20)
    reader.close()
    assert shell.value("b.history(1)[0].body") == "word 19"


@one_worker_only
@pytest.mark.parametrize("topic", ["room", "room(1)", "rooms", "create_room", "delete_room"])
def test_help_reads_well(topic: str, shell: Shell) -> None:
    said = shell(f"help({topic})")
    assert "Traceback" not in said
    assert len(said.splitlines()) > 2, "more than the signature"
    assert "__" not in said
    if topic in ("room", "room(1)"):
        assert [verb for verb in VERBS if len(re.findall(rf"\.{verb}\b", said)) != 1] == [], "each once"


@one_worker_only
def test_a_script_may_be_piped_into_the_shell(server: Server, ada: Person, name: str) -> None:
    script = (
        f"here = create_room({name!r})\n"
        'for word in ("one", "two"):\n'
        "    here.post(word)\n"
        "\n"
        "print(here.history())\n"
    )
    answer = server.flask("shell", input=script)
    assert answer.returncode == 0
    assert "Traceback" not in answer.stderr
    listed = next(room for room in ada.http.get("/api/rooms").json()["rooms"] if room["name"] == name)
    assert [message["body"] for message in ada.read(listed["id"])["messages"]] == ["one", "two"]
