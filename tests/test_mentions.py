"""Somebody is called in a text: found once, by the room's rules, counted until it is read, wherever one reads."""

import json
from collections.abc import Callable
from contextlib import ExitStack, closing
from typing import Any

import httpx
import pytest

from chatapp import mentions
from chatapp.listing import UNREAD_COUNTED
from tests.clients import EventStreamReader, Person, eventually
from tests.conftest import server_of_each_store
from tests.figures import figures
from tests.people import Member, administrator, is_named, member
from tests.raw_socket import problem
from tests.servers import Server
from tests.test_storage_faults import locked

server = server_of_each_store


def listed(person: Person, room: int) -> dict[str, Any]:
    answer = person.http.get("/api/rooms")
    assert answer.status_code == 200, answer.text
    return next(each for each in answer.json()["rooms"] if each["id"] == room)


def counts(person: Person, room: int) -> tuple[int, int]:
    found = listed(person, room)
    return found["unread"], found["mentions"]


def ask(who: Person, method: str, path: str, status: int = 0, **json: Any) -> Any:
    answer = who.http.request(method, path, json=json)
    assert answer.status_code == status or (not status and answer.status_code < 300), answer.text
    return answer.json() if answer.content else None


def change(who: Person, room: int, of: int, **fields: Any) -> dict[str, Any]:
    kept: dict[str, Any] = ask(who, "POST", who.messages(room), **fields, of=of)
    return kept


def test_whom_a_text_calls_is_found_by_the_longest_name_and_stays_found(server: Server) -> None:
    with ExitStack() as stack:
        ada, grace = (stack.enter_context(closing(member(server, name))) for name in ("Ada", "Grace"))
        room = ada.make_room()
        sounds_alike = Member(server, f"{grace.name} Hopper")
        assert sounds_alike.sign_up(administrator(server).invite()).status_code == 303
        stack.enter_context(closing(sounds_alike))

        plain = ada.say(room, "mail me at ada@example.org, or not @nobody at all, or `@code`")
        assert "mentions" not in plain
        assert "called" not in plain
        shouted = grace.name.upper()
        said = ada.say(room, f"(@{grace.name}), @{grace.name} Hopper: and @{shouted}!\nalso `@{ada.name}`")
        assert said["mentions"] == [grace.id, sounds_alike.id, grace.id]
        assert said["called"] == [grace.name, sounds_alike.name, shouted]

        # Who is called otherwise now is called all the same, and counted once a text.
        grace.change(grace.id, name=f"{grace.name} M").raise_for_status()
        [*_, again] = grace.read(room, after=0)["messages"]
        assert again["mentions"] == said["mentions"]
        assert counts(grace, room) == (2, 1)
        assert counts(sounds_alike, room) == (2, 1)
        assert counts(ada, room)[1] == 0

        # An edit calls whom it calls; a deletion nobody.
        edited = change(ada, room, said["seq"], kind="edit", body=f"only @{ada.name}, and @{grace.name}")
        assert edited["mentions"] == [ada.id]
        eventually(lambda: grace.read(room, after=said["seq"] - 1)["messages"][0]["mentions"] == [ada.id])
        assert counts(grace, room)[1] == counts(sounds_alike, room)[1] == counts(ada, room)[1] == 0
        change(ada, room, said["seq"], kind="edit", body=f"@{grace.name} M")
        assert counts(grace, room)[1] == 1
        change(ada, room, said["seq"], kind="delete")
        assert counts(grace, room)[1] == 0
        assert all("mentions" not in each for each in ada.read(room, after=0)["messages"])


def test_only_those_can_be_called_who_may_read_the_room(server: Server) -> None:
    with ExitStack() as stack:
        ada, grace, wen = (
            stack.enter_context(closing(member(server, name))) for name in ("Ada", "Grace", "Wen")
        )
        den = ask(ada, "POST", "/api/rooms", name="den", kind="private")["id"]
        ask(ada, "PUT", f"/api/rooms/{den}/members/{grace.id}", role="member")
        said = ada.say(den, f"@{grace.name} @{wen.name}")
        assert said["mentions"] == [grace.id]
        assert counts(grace, den)[1] == 1
        # A mention that was kept in a room that one is out of counts nowhere.
        ask(ada, "DELETE", f"/api/rooms/{den}/members/{grace.id}")
        eventually(lambda: all(each["id"] != den for each in ask(grace, "GET", "/api/rooms")["rooms"]))

        # A guest by their name while they are present, from whichever worker it is said.
        room = ada.make_room()
        guest = stack.enter_context(closing(Person(server, "Guest of the day")))
        assert "mentions" not in ada.say(room, "@guest of the day: are you there?")
        stack.enter_context(closing(guest.socket())).join(room)
        body = "@guest of the day 你好@guest of the day"
        eventually(lambda: ada.say(room, body).get("mentions") == [guest.id], "presence is told")
        assert counts(guest, room)[1] >= 1


def test_mentions_are_unread_until_they_are_read_on_whichever_device_and_again_when_one_wants(
    server: Server,
) -> None:
    with ExitStack() as stack:
        ada, grace = (stack.enter_context(closing(member(server, name))) for name in ("Ada", "Grace"))
        room = ada.make_room()
        phone = stack.enter_context(closing(grace.elsewhere()))
        here, there = (stack.enter_context(closing(each.socket())) for each in (grace, phone))
        here.join(room)
        there.join(room)
        for number in range(3):
            ada.say(room, f"@{grace.name} {number}")
        ada.say(room, "of no concern")
        eventually(lambda: len(there.of("message")) == 4)
        last = there.of("message")[-1]["seq"]
        eventually(lambda: counts(phone, room) == (4, 3))

        here.send({"type": "read", "room": room, "seq": last - 2})
        there.expect(lambda frame: frame["type"] == "read" and frame["seq"] == last - 2)
        eventually(lambda: counts(phone, room) == (2, 1))
        here.send({"type": "read", "room": room, "seq": last})
        there.expect(lambda frame: frame["type"] == "read" and frame["seq"] == last)

        # Set back at once, before the newer position was kept: it does not come behind.
        there.send({"type": "read", "room": room, "seq": last - 4, "unread": True})
        back = here.expect(lambda frame: frame.get("unread") is True)
        assert back == {"type": "read", "room": room, "seq": last - 4, "unread": True}
        eventually(lambda: counts(grace, room) == (4, 3))
        here.close()
        there.close()
        ada.say(room, "later")
        eventually(lambda: counts(grace, room) == (5, 3))
        grace.http.post(f"/api/rooms/{room}/read", json={"seq": last + 1}).raise_for_status()
        assert counts(phone, room) == (0, 0)
        phone.http.post(f"/api/rooms/{room}/read", json={"seq": last, "unread": True}).raise_for_status()
        assert counts(grace, room) == (1, 0)
        assert phone.http.post(f"/chats/{room}/messages/{last - 1}/unread").status_code == 303
        assert counts(grace, room) == (3, 1)
        ask(grace, "POST", f"/api/rooms/{room}/read", 400, seq=1, unread="yes")


def test_what_is_to_be_unread_again_is_never_dropped_in_silence(one_worker: Server) -> None:
    with ExitStack() as stack:
        ada, grace = (stack.enter_context(closing(member(one_worker, name))) for name in ("Ada", "Grace"))
        room = ada.make_room()
        for _ in range(3):
            ada.say(room, "hello")
        here = stack.enter_context(closing(grace.socket()))
        for _ in range(20):  # more than are kept of what clients tell without anybody's doing
            ask(grace, "POST", f"/api/rooms/{room}/read", seq=3)
        ask(grace, "POST", f"/api/rooms/{room}/read", seq=1, unread=True)
        assert counts(grace, room) == (2, 0)

        def refused(send: Callable[[], httpx.Response]) -> httpx.Response | None:
            for _ in range(15):
                here.send({"type": "read", "room": room, "seq": 0, "unread": True})
            answer = send()
            return answer if answer.status_code == 429 else None

        plain = {"Accept": "text/html"}
        assert eventually(
            lambda: refused(lambda: grace.http.post(f"/chats/{room}/messages/2/unread", headers=plain))
        )
        answer = eventually(
            lambda: refused(
                lambda: grace.http.post(f"/api/rooms/{room}/read", json={"seq": 0, "unread": True})
            )
        )
        assert problem(answer) == "too_fast"
        assert int(answer.headers["Retry-After"]) >= 1
        error = here.expect(lambda frame: frame["type"] == "error")
        assert (error["code"], error["re"], error["room"]) == ("too_fast", "read", room)


@pytest.mark.sqlite
def test_what_was_told_as_read_does_not_come_behind_what_is_to_be_unread_again(one_worker: Server) -> None:
    with ExitStack() as stack:
        ada, grace = (stack.enter_context(closing(member(one_worker, name))) for name in ("Ada", "Grace"))
        room = ada.make_room()
        for _ in range(3):
            ada.say(room, "hello")
        here, there = (stack.enter_context(closing(grace.socket())) for _ in range(2))
        here.join(room)
        there.join(room)
        here.send({"type": "read", "room": room, "seq": 1})
        eventually(lambda: counts(grace, room) == (2, 0), "kept at once")
        here.send({"type": "read", "room": room, "seq": 3})
        there.expect(lambda frame: frame["type"] == "read" and frame["seq"] == 3)  # and not kept yet
        followed = figures(one_worker)["connections"]
        with locked(one_worker.instance / "chat.db"):
            writer = stack.enter_context(closing(ada.socket()))
            sent = 0

            def message_waits() -> bool:
                """Behind a group that the journal cannot keep: each try says one more."""
                nonlocal sent
                sent += 1
                writer.send({"type": "send", "room": room, "body": "later", "client_id": f"later {sent}"})
                return figures(one_worker)["journal_queue"] >= 1

            eventually(message_waits)
            waiting = figures(one_worker)["journal_queue"]
            there.send({"type": "read", "room": room, "seq": 1, "unread": True})
            eventually(lambda: figures(one_worker)["journal_queue"] > waiting, "it waits behind the messages")
            here.close()  # what it told and is not kept yet is kept now, if ever
            eventually(lambda: figures(one_worker)["connections"] == followed, "one more, one less")
        writer.expect(lambda frame: frame["type"] == "ack" and frame["client_id"] == f"later {sent}")
        ada.say(room, "and last")  # kept behind all that was asked before
        assert counts(grace, room) == (2 + sent + 1, 0)


def test_who_is_called_or_written_to_is_told_wherever_they_are(server: Server) -> None:
    with ExitStack() as stack:
        ada, grace = (stack.enter_context(closing(member(server, name))) for name in ("Ada", "Grace"))
        board, attic = ada.make_room(), ada.make_room()
        socket = stack.enter_context(closing(grace.socket()))
        socket.join(board)
        direct = ask(ada, "POST", "/api/direct", people=[grace.id])["id"]
        eventually(lambda: socket.of("rooms"), "that it was begun is told before what is said")
        told = len(socket.of("rooms"))
        ada.say(board, f"@{grace.name}: whoever follows the room knows it already")
        ada.say(attic, "to nobody")
        called = ada.say(attic, f"@{grace.name}")
        eventually(lambda: len(socket.of("rooms")) == told + 1)
        ada.say(direct, "between us")
        eventually(lambda: len(socket.of("rooms")) == told + 2)
        assert socket.of("rooms")[told:] == [
            {"type": "rooms", "room": attic, "seq": called["seq"]},
            {"type": "rooms", "room": direct, "seq": 1},
        ]
        assert listed(grace, direct)["notify"] == "all"
        assert counts(grace, direct) == (1, 0)


def test_of_many_unread_mentions_a_hundred_are_counted(server: Server) -> None:
    with ExitStack() as stack:
        ada, grace = (stack.enter_context(closing(member(server, name))) for name in ("Ada", "Grace"))
        room = ada.make_room()
        ada.say(room, f"@{grace.name}")
        server.ask(
            "WITH RECURSIVE n(seq) AS (SELECT 3 UNION ALL SELECT seq + 1 FROM n WHERE seq < 10002) "
            "INSERT INTO mentions SELECT ?, CAST(? AS INTEGER), seq FROM n",
            grace.id,
            room,
        )
        assert counts(grace, room) == (1, UNREAD_COUNTED)


def test_what_browsers_tell_of_a_room_is_its_members_to_choose(server: Server) -> None:
    with ExitStack() as stack:
        ada, grace = (stack.enter_context(closing(member(server, name))) for name in ("Ada", "Grace"))
        guest = stack.enter_context(closing(Person(server, "guest of honour")))
        room = ada.make_room()
        assert listed(ada, room)["notify"] == "mentions"
        ask(ada, "POST", f"/api/rooms/{room}/notify", level="none")
        assert listed(ada, room)["notify"] == "none"
        assert listed(grace, room)["notify"] == listed(guest, room)["notify"] == "mentions"
        refused = ask(grace, "POST", f"/api/rooms/{room}/notify", 400, level="all")
        assert refused["detail"] == "Join the room first"
        ask(ada, "POST", f"/api/rooms/{room}/notify", 400, level="loud")


def test_who_has_a_conversation_with_somebody_sees_them_come_and_go(server: Server) -> None:
    with ExitStack() as stack:
        ada, grace = (stack.enter_context(closing(member(server, name))) for name in ("Ada", "Grace"))
        board, attic = ada.make_room(), grace.make_room()
        direct = ask(ada, "POST", "/api/direct", people=[grace.id])["id"]
        assert listed(ada, direct)["party"] == [{"id": grace.id, "name": grace.name, "here": False}]
        socket = stack.enter_context(closing(ada.socket()))
        socket.join(board)
        socket.join(direct, presence=False)
        stream = EventStreamReader(ada, direct)
        with closing(grace.socket()) as elsewhere:
            elsewhere.join(attic)
            socket.expect(lambda frame: frame == {"type": "here", "id": grace.id, "here": True})
            assert listed(ada, direct)["party"][0]["here"] is True
        socket.expect(lambda frame: frame == {"type": "here", "id": grace.id, "here": False})
        stream.close()


def test_who_is_erased_is_called_nowhere_any_more(server: Server) -> None:
    with ExitStack() as stack:
        ada, grace = (stack.enter_context(closing(member(server, name))) for name in ("Ada", "Grace"))
        room = ada.make_room()
        said = ada.say(room, f"@{grace.name} and @{ada.name}")
        grace.say(room, f"@{ada.name}")
        exported = json.loads(server.console("user", "export", grace.name).out)
        assert [each["seq"] for each in exported["called_in"]] == [said["seq"]]
        done = server.console("user", "erase", grace.name, "--messages", "remove", "--yes")
        assert done.status == 0, done.err
        found = eventually(
            lambda: [
                each
                for each in ada.read(room, after=0)["messages"]
                if each["seq"] == said["seq"] and each["mentions"] == [ada.id]
            ]
        )
        assert found[0]["called"] == [ada.name]
        assert not is_named(grace, str(ada.read(room, after=0)))


def test_within_markup_the_servers_pages_mark_whom_a_text_calls_and_nothing_in_code() -> None:
    html = '<p dir="auto"><strong>@ada</strong> &amp; @Grace L &lt;b&gt; <code>@ada</code> <a href="https://x.example/?a=1&amp;b=2">@ada</a></p>'
    marked = mentions.in_html(html, ["u1", "u2"], ["ada", "Grace L"], "u2")
    assert marked == (
        '<p dir="auto"><strong><bdi class="mention">@ada</bdi></strong> &amp; <bdi class="mention own">@Grace L</bdi>'
        ' &lt;b&gt; <code>@ada</code> <a href="https://x.example/?a=1&amp;b=2"><bdi class="mention">@ada</bdi></a></p>'
    )
    assert mentions.in_html(html, [], [], "u1") == html
