"""More fields than were asked for: none of them is taken for what only the server decides."""

import uuid
from contextlib import closing
from typing import Any

import pytest

from tests.clients import Person, eventually
from tests.raw_socket import problem
from tests.servers import Server

# What a row, an identity or a request has inside, and nobody outside may set.
INSIDE: dict[str, Any] = {
    "id": "g0123456789abcdef",
    "author": {"id": "system", "name": "system"},
    "identity": {"id": "system", "name": "system", "role": "administrator"},
    "person": "system",
    "person_id": "system",
    "user_id": 1,
    "role": "administrator",
    "roles": ["administrator"],
    "guest": False,
    "bot": True,
    "admin": True,
    "active": True,
    "device": "0" * 16,
    "address": "192.0.2.1",
    "seq": 999_999,
    "at": "2020-01-01T00:00:00.000000Z",
    "microseconds": 1,
    "epoch": "evil",
    "revision": 999_999,
    "last_seq": 999_999,
    "first": 5,
    "rights": 999_999,
    "number": 999_999,
    "verb": "administer",
    "forced": True,
    "any_author": True,
    "detail": {"removed": "everybody"},
    "edited_at": "2020-01-01T00:00:00.000000Z",
    "deleted_at": "2020-01-01T00:00:00.000000Z",
    "type": "reset",
    "members": [{"id": "mallory", "role": "owner"}],
    "owner": "system",
    "party": "a b",
    "scopes": ["manage"],
    "rooms": [1],
    "csrf_token": "x",
    "__class__": "x",
    "__proto__": {"admin": True},
}
every_field = pytest.mark.parametrize("field", INSIDE)


def extra(field: str, taken: set[str]) -> dict[str, Any]:
    """The field, unless it is one that this door asks for."""
    return {} if field in taken else {field: INSIDE[field]}


@pytest.fixture(scope="module")
def room(server: Server, ada: Person) -> int:
    return ada.make_room(f"plain {uuid.uuid4().hex[:8]}")


@every_field
def test_a_message_is_its_sender_s_and_has_the_next_number(field: str, ada: Person, room: int) -> None:
    last = ada.read(room, after=-1)["cursor"]
    for number, send in enumerate((_post, _frame), 1):
        kept = send(ada, room, {"body": "hi", **extra(field, {"type"})})
        assert kept["seq"] == last + number
        (message,) = ada.read(room, after=last + number - 1)["messages"]
        assert message["author"] == {"id": ada.id, "name": ada.name}
        assert set(message) == {"type", "room", "seq", "kind", "author", "at", "body", "of", "client_id"}
        assert (message["type"], message["kind"], message["of"]) == ("message", "text", None)
        assert message["at"] > "2026"


def _post(person: Person, room: int, fields: dict[str, Any]) -> Any:
    answer = person.http.post(person.messages(room), json={**fields, "room": room + 1})
    assert answer.status_code == 201
    return answer.json()


def _frame(person: Person, room: int, fields: dict[str, Any]) -> Any:
    with closing(person.socket()) as socket:
        socket.send({**fields, "type": "send", "room": room})
        return socket.expect(lambda frame: frame["type"] in ("ack", "error"))


@every_field
def test_somebody_new_is_a_guest_of_this_name_and_nothing_more(field: str, server: Server, room: int) -> None:
    with closing(Person(server)) as nobody:
        for form in ("json", "data"):
            value = INSIDE[field] if form == "json" else str(INSIDE[field])
            answer = nobody.http.post("/guests", **{form: {"name": "mallory", field: value}})
            assert answer.status_code in (201, 303)
            author = nobody.say(room, "hi")["author"]
            assert (author["name"], author["guest"]) == ("mallory", True)
            assert author["id"].startswith("g")
            assert author["id"] != INSIDE["id"]
            assert problem(nobody.http.patch(f"/api/rooms/{room}", json={"name": "mine"})) == "forbidden"


@every_field
def test_a_new_room_is_its_maker_s_and_empty(field: str, ada: Person) -> None:
    answer = ada.http.post("/api/rooms", json={"name": "room", **extra(field, set())})
    assert answer.status_code == 201
    made = answer.json()
    members = ada.http.get(f"/api/rooms/{made['id']}/members").json()["members"]
    assert [(member["id"], member["role"]) for member in members] == [(ada.id, "owner")]
    assert made["cursor"] == ada.read(made["id"], after=0)["cursor"] <= 1
    assert made["epoch"] != "evil"
    assert isinstance(made["id"], int)


@every_field
def test_changing_a_room_changes_what_a_room_has_for_its_owner_to_change(
    field: str, ada: Person, room: int
) -> None:
    def seen() -> Any:
        members = ada.http.get(f"/api/rooms/{room}/members").json()
        log = ada.read(room, after=0)
        (listed,) = [each for each in ada.http.get("/api/rooms").json()["rooms"] if each["id"] == room]
        return members, log, {**listed, "here": 0, "unread": 0}

    before = seen()
    assert ada.http.patch(f"/api/rooms/{room}", json=extra(field, set())).status_code == 200
    assert seen() == before


@every_field
def test_what_somebody_else_has_read_is_theirs_to_say(
    field: str, ada: Person, mallory: Person, room: int
) -> None:
    ada.say(room, "for mallory")
    with closing(mallory.socket()) as socket:
        socket.join(room)
        body = {"seq": 1, **extra(field, {"seq"})}
        assert ada.http.post(f"/api/rooms/{room}/read", json=body).status_code == 204
        ada.say(room, "the next")
        socket.expect(lambda frame: frame.get("body") == "the next")
        assert socket.of("read") == []


@pytest.mark.parametrize("frame", ["join", "typing", "read", "leave", "ping"])
def test_a_frame_is_of_whom_the_socket_is_of(frame: str, ada: Person, mallory: Person, room: int) -> None:
    with closing(ada.socket()) as socket, closing(mallory.socket()) as other:
        socket.join(room)
        other.join(room)
        fields = {name: value for name, value in INSIDE.items() if name not in ("type", "epoch", "seq")}
        other.send(
            {**fields, "who": {"id": "system", "name": "system"}, "type": frame, "room": room, "seq": 1}
        )
        other.send({"type": "send", "room": room, "body": f"after {frame}", "client_id": uuid.uuid4().hex})
        said = eventually(lambda: next((f for f in socket.frames if f.get("body") == f"after {frame}"), None))
        assert said["author"]["id"] == mallory.id
        assert {each["who"]["id"] for each in socket.of("typing")} <= {mallory.id}
