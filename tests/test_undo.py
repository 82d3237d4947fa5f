"""What was deleted can be brought back for a while, by those who may, and is then as it was for everybody."""

import json
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

from tests.clients import RESUMING, Person, Reader, eventually
from tests.conftest import server_of_each_store
from tests.people import Member, administrator, is_named, member
from tests.servers import Server


def turn(who: Person, room: int, kind: str, of: int, **fields: Any) -> Any:
    """Delete or restore: what is kept of it."""
    answer = who.http.post(who.messages(room), json={"kind": kind, "of": of, **fields})
    assert answer.status_code == 201, answer.text
    return answer.json()


def refusal(who: Person, room: int, of: int) -> str:
    answer = who.http.post(who.messages(room), json={"kind": "restore", "of": of})
    code: str = answer.json().get("code", "done")
    return code


def kept_texts(server: Server, room: int) -> list[str]:
    """What deleted texts of a room the database still has."""
    return [body for (body,) in server.ask("SELECT body FROM deleted_texts WHERE room_id = ?", room)]


server = server_of_each_store


@pytest.fixture
def owner(server: Server) -> Iterator[Member]:
    with closing(member(server, "owner")) as person:
        yield person


@pytest.fixture
def den(owner: Member) -> int:
    """A room of the owner's, who moderates it."""
    return owner.make_room("den")


def test_a_deletion_that_is_undone_is_the_same_for_every_reader_over_every_transport(
    owner: Member, den: int, grace: Person
) -> None:
    said = grace.say(den, "helo")
    edit = grace.http.post(grace.messages(den), json={"kind": "edit", "of": 1, "body": "hello"}).json()
    there: list[Reader] = [kind(grace, den, after=0) for kind in RESUMING]
    away = [
        (reader.wait_for(2), reader.close())[1] for reader in (kind(grace, den, after=0) for kind in RESUMING)
    ]
    assert turn(owner, den, "delete", 1)["seq"] == 3
    for reader in there:
        assert reader.wait_for(3)[-1]["kind"] == "delete"
    assert "hello" not in json.dumps(grace.read(den, after=0))
    back = turn(owner, den, "restore", 1, client_id="back")
    assert (back["seq"], back["kind"], back["of"], back["body"]) == (4, "restore", 1, "hello")
    later = [kind(grace, den, *cursor) for kind, cursor in zip(RESUMING, away, strict=True)]
    for reader, wanted in [*((one, 4) for one in there), *((one, 2) for one in later)]:
        assert reader.wait_for(wanted)[-1] == {
            key: value for key, value in back.items() if key != "client_id"
        } | {"client_id": "back"}
        reader.close()
    newest, _, deletion, _ = shown = grace.read(den, after=0)["messages"]
    assert newest == {**said, "body": "hello", "edited_at": edit["at"]}
    assert deletion["remove"] is True
    assert shown == grace.read(den, before=100)["messages"]
    again = owner.http.post(owner.messages(den), json={"kind": "restore", "of": 1, "client_id": "back"})
    assert (again.status_code, again.json()) == (200, back)


def test_it_can_be_deleted_edited_and_answered_again_and_each_deletion_has_its_undo(
    owner: Member, den: int, grace: Person
) -> None:
    said = grace.say(den, "secret")["seq"]
    for _ in range(3):
        turn(grace, den, "delete", said)
        assert "secret" not in json.dumps(grace.read(den, after=0))
        assert grace.http.post(f"/chats/{den}/messages/{said}/restore").status_code == 303
    turn(grace, den, "edit", said, body="no secret")
    turn(owner, den, "reaction", said, body="👍")
    turn(owner, den, "text", said, body="indeed")
    assert grace.read(den, after=0)["messages"][0]["body"] == "no secret"
    turn(grace, den, "delete", said)
    assert "secret" not in json.dumps(grace.read(den, after=0))  # nor what brought it back has it any more


def test_what_its_author_deleted_nobody_else_brings_back_and_what_a_moderator_did_whoever_moderates(
    server: Server, owner: Member, den: int, grace: Person, ada: Person
) -> None:
    boss = administrator(server)
    by_author, by_owner, by_shell = (grace.say(den, word)["seq"] for word in ("one", "two", "three"))
    turn(grace, den, "delete", by_author)
    turn(owner, den, "delete", by_owner)
    assert server.console("room", "delete", den, by_shell, "--yes").status == 0
    assert [refusal(who, den, by_author) for who in (ada, owner, boss)] == ["forbidden"] * 3
    assert server.console("room", "restore", den, by_author).status != 0
    for seq in (by_owner, by_shell):
        assert [refusal(who, den, seq) for who in (ada, grace)] == ["forbidden"] * 2
    assert refusal(grace, den, by_author) == "done"
    assert refusal(boss, den, by_owner) == "done"
    done = server.console("room", "restore", den, by_shell)
    assert (done.status, "three" in done.out) == (0, True)
    assert [text["body"] for text in grace.read(den, after=0)["messages"][:3]] == ["one", "two", "three"]
    assert [refusal(owner, den, seq) for seq in (by_owner, by_shell, 99, 0, 2**70)] == ["bad_request"] * 5
    acts = [
        (line["who"], line["what"]) for line in owner.http.get(f"/api/rooms/{den}/audit").json()["entries"]
    ]
    for who, what in (
        (boss.name, f"brought back #{by_owner} of grace"),
        ("system", f"brought back #{by_shell} of grace"),
    ):
        assert (who, what) in acts


def test_who_may_not_write_any_more_brings_nothing_back(owner: Member, den: int, grace: Person) -> None:
    said = grace.say(den, "hello")["seq"]
    turn(grace, den, "delete", said)
    wanted = {"kind": "timeout", "person": grace.id, "seconds": 60}
    assert owner.http.post(f"/api/rooms/{den}/sanctions", json=wanted).status_code == 201
    eventually(lambda: refusal(grace, den, said) == "forbidden")
    number = owner.http.get(f"/api/rooms/{den}/sanctions").json()["sanctions"][0]["id"]
    assert owner.http.delete(f"/api/rooms/{den}/sanctions/{number}").status_code < 300
    assert refusal(grace, den, said) == "done"


def test_of_two_who_undo_at_once_one_does(owner: Member, den: int, grace: Person) -> None:
    said = grace.say(den, "hello")["seq"]
    turn(owner, den, "delete", said)
    with closing(owner.socket()) as one, closing(owner.socket()) as other:
        for number, socket in enumerate((one, other)):
            socket.send(
                {"type": "send", "room": den, "kind": "restore", "of": said, "client_id": f"c{number}"}
            )
        answers = [
            socket.expect(lambda frame: frame["type"] in ("ack", "error")).get("code", "done")
            for socket in (one, other)
        ]
    assert sorted(answers) == ["bad_request", "done"]
    assert [each["kind"] for each in grace.read(den, after=0)["messages"]] == ["text", "delete", "restore"]


def test_the_text_is_kept_no_longer_than_it_can_be_brought_back(new_server: Callable[..., Server]) -> None:
    server = new_server(undo_seconds="2").start()
    with closing(Person(server, "ada")) as ada:
        board = ada.make_room()
        said = ada.say(board, "secret")["seq"]
        turn(ada, board, "delete", said)
        assert kept_texts(server, board) == ["secret"]
        ((until,),) = server.ask("SELECT until FROM deleted_texts WHERE room_id = ?", board)
        eventually(lambda: time.time_ns() // 1000 >= until)
        assert refusal(ada, board, said) == "bad_request"
        assert server.console("room", "prune").status == 0
        assert kept_texts(server, board) == []


def test_without_seconds_for_it_there_is_no_undo_and_the_text_is_gone_at_once(
    new_server: Callable[..., Server],
) -> None:
    server = new_server(undo_seconds="0").start()
    with closing(Person(server, "ada")) as ada:
        board = ada.make_room()
        said = ada.say(board, "secret")["seq"]
        turn(ada, board, "delete", said)
        assert kept_texts(server, board) == []
        assert refusal(ada, board, said) == "bad_request"
        page = ada.http.get(f"/chats/{board}/", headers={"Accept": "text/html"}).text
        assert f"messages/{said}/restore" not in page


LAST_WORDS: dict[str, Callable[[Server, Member, int], object]] = {
    "the room is cleared": lambda server, owner, room: server.console("room", "clear", room, "--yes"),
    "the room is deleted": lambda server, owner, room: server.console("room", "delete", room, "--yes"),
    "retention takes it": lambda server, owner, room: (
        owner.say(room, "one more"),
        server.console("room", "set", room, "--keep-messages", "1"),
        server.console("room", "prune"),
    ),
    "its author is erased": lambda server, owner, room: server.console(
        "user", "erase", owner.name, "--messages", "keep", "--yes"
    ),
}


@pytest.mark.parametrize("ending", LAST_WORDS)
def test_what_was_deleted_goes_with_its_place(ending: str, server: Server) -> None:
    secret = uuid.uuid4().hex
    with closing(member(server, "mary")) as mary:
        room = mary.make_room(f"den {uuid.uuid4().hex[:8]}")
        said = mary.say(room, secret)["seq"]
        turn(mary, room, "delete", said)
        turn(mary, room, "restore", said)
        turn(mary, room, "delete", said)
        assert kept_texts(server, room) == [secret]
        exported = json.loads(server.console("user", "export", mary.name).out)["deleted_texts"]
        assert [(each["seq"], each["body"]) for each in exported] == [(said, secret)]
        LAST_WORDS[ending](server, mary, room)
        assert kept_texts(server, room) == []
        if ending.startswith("retention"):
            assert refusal(mary, room, said) == "bad_request"
    assert secret not in server.dump()


def test_what_somebody_said_who_is_erased_with_all_messages_is_in_nothing_that_brought_it_back(
    server: Server, owner: Member, den: int
) -> None:
    secret = uuid.uuid4().hex
    with closing(member(server, "mary")) as mary:
        said = mary.say(den, secret)["seq"]
        turn(owner, den, "delete", said)
        turn(owner, den, "restore", said)
        done = server.console("user", "erase", mary.name, "--messages", "remove", "--yes")
        assert done.status == 0, done.err
    assert secret not in json.dumps(owner.read(den, after=0))
    assert secret not in server.dump()


def test_whom_it_called_is_called_again_under_whatever_name_and_it_counts_again(
    server: Server, owner: Member, den: int
) -> None:
    with closing(member(server, "mary")) as mary, closing(member(server, "joan")) as joan:

        def mentions() -> int:
            rooms = mary.http.get("/api/rooms").json()["rooms"]
            found: int = next(room for room in rooms if room["id"] == den)["mentions"]
            return found

        said = joan.say(den, f"ask @{mary.name}")
        assert said["mentions"] == [mary.id]
        eventually(lambda: mentions() == 1)
        turn(owner, den, "delete", said["seq"])
        eventually(lambda: mentions() == 0)
        assert mary.change(mary.id, name=f"Marie {uuid.uuid4().hex[:8]}").status_code == 200
        assert turn(owner, den, "restore", said["seq"])["mentions"] == [mary.id]
        eventually(lambda: mentions() == 1)
        assert joan.read(den, after=0)["messages"][0]["mentions"] == [mary.id]


def test_the_undo_of_a_settled_report_is_one_like_any_other(
    owner: Member, den: int, grace: Person, ada: Person
) -> None:
    said = grace.say(den, "spam")["seq"]
    ada.http.post(f"{ada.messages(den)}/{said}/report", json={}).raise_for_status()
    number = owner.http.get(f"/api/rooms/{den}/reports").json()["reports"][0]["id"]
    settled = owner.http.post(f"/api/rooms/{den}/reports/{number}", json={"outcome": "deleted"})
    assert settled.status_code == 204, settled.text
    assert refusal(owner, den, said) == "done"
    assert grace.read(den, after=0)["messages"][0]["body"] == "spam"


def test_what_was_deleted_in_a_terminal_comes_back_there_alone_and_a_moderators_deed_holds_for_its_author(
    server: Server, owner: Member, den: int
) -> None:
    boss = administrator(server)
    in_terminal, by_boss = (owner.say(den, word)["seq"] for word in ("one", "two"))
    assert server.console("room", "delete", den, in_terminal, "--yes").status == 0
    turn(boss, den, "delete", by_boss)
    assert [refusal(who, den, in_terminal) for who in (owner, boss)] == ["forbidden"] * 2
    assert refusal(owner, den, by_boss) == "forbidden"
    assert server.console("room", "restore", den, in_terminal).status == 0
    assert refusal(boss, den, by_boss) == "done"


def test_who_is_erased_is_not_called_again_by_what_comes_back(
    server: Server, owner: Member, den: int
) -> None:
    with closing(member(server, "mary")) as mary:
        said = owner.say(den, f"ask @{mary.name}")["seq"]
        turn(owner, den, "delete", said)
        done = server.console("user", "erase", mary.name, "--messages", "keep", "--yes")
        assert done.status == 0, done.err
    assert "mentions" not in turn(owner, den, "restore", said)
    assert [line for line in server.dump().splitlines() if is_named(mary, line)] == []


def test_who_brings_something_back_does_not_keep_the_words_of_others_among_theirs(
    server: Server, owner: Member, den: int, grace: Person
) -> None:
    secret = uuid.uuid4().hex
    said = grace.say(den, secret)["seq"]
    turn(owner, den, "delete", said)
    turn(owner, den, "restore", said)
    kept = server.console("user", "export", owner.name).out
    assert '"restore"' in kept
    assert secret not in kept


def again(who: Person, room: int, of: int) -> str:
    answer = who.http.post(who.messages(room), json={"kind": "delete", "of": of})
    code: str = answer.json().get("code", "done")
    return code


def test_a_moderator_has_the_last_word_on_what_its_author_deleted_and_could_bring_back(
    server: Server, owner: Member, den: int, grace: Person, ada: Person
) -> None:
    boss = administrator(server)
    said = grace.say(den, "spam")["seq"]
    turn(grace, den, "delete", said)
    assert [again(who, den, said) for who in (grace, ada)] == ["bad_request"] * 2
    deletion = turn(owner, den, "delete", said, client_id="final")
    assert (deletion["seq"], deletion["kind"], deletion["of"]) == (3, "delete", said)
    repeated = owner.http.post(owner.messages(den), json={"kind": "delete", "of": said, "client_id": "final"})
    assert (repeated.status_code, repeated.json()) == (200, deletion)
    for page in (grace.read(den, after=0), grace.read(den, before=100)):
        assert (page["messages"][0]["body"], page["messages"][0]["deleted_at"]) == ("", deletion["at"])
    assert [refusal(who, den, said) for who in (grace, ada)] == ["forbidden"] * 2
    assert [again(who, den, said) for who in (owner, boss, grace)] == ["bad_request"] * 3  # it is final
    assert refusal(boss, den, said) == "done"
    text, *deletions, _ = grace.read(den, after=0)["messages"]
    assert (text["body"], [each["remove"] for each in deletions]) == ("spam", [True, True])
    entries = owner.http.get(f"/api/rooms/{den}/audit").json()["entries"]
    assert (owner.name, f"deleted #{said} of grace") in [(line["who"], line["what"]) for line in entries]


def test_who_moderates_does_not_keep_their_own_words_for_themselves_and_the_terminal_has_the_very_last(
    server: Server, owner: Member, den: int, grace: Person
) -> None:
    own, said = owner.say(den, "one")["seq"], grace.say(den, "two")["seq"]
    turn(owner, den, "delete", own)
    assert again(owner, den, own) == "bad_request"
    turn(grace, den, "delete", said)
    turn(owner, den, "delete", said)
    done = server.console("room", "delete", den, said, "--yes")
    assert done.status == 0, done.err
    assert [refusal(who, den, said) for who in (owner, grace)] == ["forbidden"] * 2
    assert again(owner, den, said) == "bad_request"
    assert server.console("room", "restore", den, said).status == 0


def test_a_moderators_deletion_of_what_was_deleted_has_its_whole_time(
    owner: Member, den: int, grace: Person, server: Server
) -> None:
    def until() -> int:
        ((found,),) = server.ask("SELECT until FROM deleted_texts WHERE room_id = ?", den)
        return int(found)

    said = grace.say(den, "spam")["seq"]
    turn(grace, den, "delete", said)
    by_author = until()
    turn(owner, den, "delete", said)
    assert until() > by_author


def test_a_reported_text_that_its_author_deleted_is_deleted_for_good_by_its_report(
    owner: Member, den: int, grace: Person, ada: Person
) -> None:
    said = grace.say(den, "spam")["seq"]
    ada.http.post(f"{ada.messages(den)}/{said}/report", json={}).raise_for_status()
    turn(grace, den, "delete", said)
    number = owner.http.get(f"/api/rooms/{den}/reports").json()["reports"][0]["id"]
    settled = owner.http.post(f"/api/rooms/{den}/reports/{number}", json={"outcome": "deleted"})
    assert settled.status_code == 204, settled.text
    assert owner.http.get(f"/api/rooms/{den}/reports").json()["reports"] == []
    assert refusal(grace, den, said) == "forbidden"
    assert refusal(owner, den, said) == "done"


def test_of_an_author_who_restores_and_a_moderator_who_deletes_at_once_the_later_one_stands(
    owner: Member, den: int, grace: Person
) -> None:
    said = grace.say(den, "spam")["seq"]
    turn(grace, den, "delete", said)
    with closing(grace.socket()) as author, closing(owner.socket()) as moderator:
        wanted = {"type": "send", "room": den, "of": said}
        author.send({**wanted, "kind": "restore", "client_id": "back"})
        moderator.send({**wanted, "kind": "delete", "client_id": "gone"})
        restored, deleted = (
            socket.expect(lambda frame: frame["type"] in ("ack", "error")) for socket in (author, moderator)
        )
    assert deleted["type"] == "ack"  # whichever came first
    assert restored["type"] == "ack" or restored["code"] == "forbidden"
    assert grace.read(den, after=0)["messages"][0]["body"] == ""
    assert refusal(grace, den, said) == "forbidden"


def test_without_seconds_for_it_by_now_a_moderators_deletion_removes_what_was_kept(
    new_server: Callable[..., Server],
) -> None:
    server = new_server().start()
    with closing(member(server, "owner")) as owner, closing(Person(server, "grace")) as grace:
        den = owner.make_room("den")
        said = grace.say(den, "spam")["seq"]
        turn(grace, den, "delete", said)
        assert kept_texts(server, den) == ["spam"]
        server.kill()
        server.settings["CHATAPP_UNDO_SECONDS"] = "0"
        server.start()
        turn(owner, den, "delete", said)
        assert kept_texts(server, den) == []
        assert refusal(grace, den, said) == "bad_request"
