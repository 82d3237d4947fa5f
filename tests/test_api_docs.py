"""The API's description: it knows every door and every frame, and says of each what is so."""

import inspect
import json
import re
from contextlib import closing
from typing import Any

import msgspec
import pytest

from chatapp import frames
from chatapp.errors import TooFast
from chatapp.message import Author, Message
from chatapp.pages.operations import OPERATIONS
from chatapp.transports.frames_v1 import SERVER_FRAMES, ServerFrame
from chatapp.transports.requests_v1 import FRAMES
from tests.clients import Person, eventually
from tests.hostile.routes import routes
from tests.servers import Server

FOR_PROGRAMS = re.compile(
    r"/(api|hooks)/.*|/(guests|guests/leave|healthz|readyz|metrics)|/chats/.*/(http|files/.*|thumbs/.*)"
)
ADA = Author("u1", "ada")


@pytest.fixture(scope="module")
def api(one_worker: Server) -> dict[str, Any]:
    return Person(one_worker).http.get("/api/openapi.json").json()


@pytest.fixture(scope="module")
def socket_api(one_worker: Server) -> dict[str, Any]:
    return Person(one_worker).http.get("/api/asyncapi.json").json()


def test_every_route_for_programs_is_described_and_nothing_else(
    one_worker: Server, api: dict[str, Any]
) -> None:
    listed = re.findall(r"^(\S+) +([A-Z, ]+?) +(/\S*)", one_worker.flask("routes").stdout, re.MULTILINE)
    routes = {
        (endpoint, method.lower(), re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", path))
        for endpoint, methods, path in listed
        if FOR_PROGRAMS.fullmatch(path)
        for method in methods.split(", ")
    }
    described = {
        (operation["operationId"], method, path)
        for path, methods in api["paths"].items()
        for method, operation in methods.items()
    }
    assert len(described) > 40
    assert described == routes
    assert {endpoint for endpoint, _, _ in described} == OPERATIONS.keys()


def test_every_operation_says_what_it_does_and_what_it_answers(api: dict[str, Any]) -> None:
    for path, methods in api["paths"].items():
        for operation in methods.values():
            assert operation["summary"], path
            assert any(status < "400" for status in operation["responses"]), path
            assert set(re.findall(r"{(\w+)}", path)) == {
                each["name"] for each in operation["parameters"] if each["in"] == "path"
            }


def test_every_reference_leads_to_a_schema(api: dict[str, Any], socket_api: dict[str, Any]) -> None:
    for description in (api, socket_api):
        for name in re.findall(r'"#/components/schemas/(\w+)"', json.dumps(description)):
            assert name in description["components"]["schemas"]


def test_every_frame_that_a_client_may_send_is_described(socket_api: dict[str, Any]) -> None:
    told = socket_api["operations"]["hear_socket"]["messages"]
    schemas = [socket_api["components"]["schemas"][each["$ref"].rpartition("/")[2]] for each in told]
    assert [schema["properties"]["type"]["enum"] for schema in schemas] == [[kind] for kind in FRAMES]
    assert all("type" in schema["required"] for schema in schemas)
    assert len(socket_api["operations"]["tell_socket"]["messages"]) == len(SERVER_FRAMES)


def test_every_socket_is_described_and_nothing_else(one_worker: Server, socket_api: dict[str, Any]) -> None:
    sockets = {
        re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", each.rule) for each in routes(one_worker) if each.websocket
    }
    channels = socket_api["channels"]
    assert {channel["address"] for channel in channels.values()} == sockets
    used = {operation["channel"]["$ref"] for operation in socket_api["operations"].values()}
    assert used == {f"#/channels/{name}" for name in channels}
    for channel in channels.values():
        assert channel["description"]
        assert set(re.findall(r"{(\w+)}", channel["address"])) == channel["parameters"].keys()
        assert [name for name, each in channel["messages"].items() if not each["summary"]] == []
    for operation in socket_api["operations"].values():
        for each in operation["messages"]:
            channel, name = re.fullmatch(r"#/channels/(\w+)/messages/(\w+)", each["$ref"]).groups()
            assert name in channels[channel]["messages"]


def test_every_line_of_the_plain_socket_is_as_it_is_described(
    one_worker: Server, socket_api: dict[str, Any]
) -> None:
    lines = socket_api["channels"]["lines"]["messages"]
    assert {each["contentType"] for each in lines.values()} == {"text/plain"}
    with closing(Person(one_worker, "ada of the lines")) as ada:
        room = ada.make_room()
        with closing(ada.socket(path=f"/chats/{room}/ws", subprotocols=None)) as line:
            line.send("hello")
            line.send(" ")
            eventually(lambda: len(line.frames) == 3)
            greeting, *told = line.frames
    refusal = lines["Refusal"]["payload"]["pattern"]
    assert lines["Greeting"]["payload"]["enum"] == [greeting]
    assert lines["Said"]["payload"]["type"] == "string"
    assert [each for each in told if not re.search(refusal, each)] == ["hello"]


FRAMES_SENT = {
    "joined": (1, 2, "k3v9", "Lobby"),
    "reset": (1, 2, "k3v9", "Lobby"),
    "left": (1,),
    "ack": (1, None, 2, "2026-11-24T09:00:00.123456Z"),
    "typing": (1, ADA),
    "read": (1, 2),
    "person": ("u1", "ada"),
    "here": ("u1", True),
    "rooms": (),
    "error": (TooFast(retry_after=2), "send", 1, "c1"),
}


def test_every_frame_that_a_server_sends_is_as_it_is_described() -> None:
    made = {name for name, member in inspect.getmembers(frames, inspect.isfunction) if name[0] != "_"}
    assert made & set(frames.__dict__) - {"encode"} >= FRAMES_SENT.keys()
    own = {name for name in made if getattr(frames, name).__module__ == frames.__name__}
    assert own == FRAMES_SENT.keys()
    sent = [getattr(frames, name)(*arguments) for name, arguments in FRAMES_SENT.items()]
    sent += [frames.person("u1", "ada", "at sea"), frames.read(1, 2, back=True), frames.rooms(7, 12)]
    sent += [value for value in vars(frames).values() if isinstance(value, bytes)]  # those always the same
    sent += [Message(1, 2, "text", ADA, "2026-11-24T09:00:00.123456Z", "hello").json]
    sent += [
        Message(1, 2, "text", ADA, "2026-11-24T09:00:00.123456Z", "@a", mentions=["u1"], called=["a"]).json
    ]
    sent += [
        msgspec.json.encode({"type": "presence", "room": 1, "count": 1, **more})
        for more in (
            {"here": [ADA]},
            {"here": [{"id": "u1", "name": "ada", "status": "at sea"}]},
            {"joined": [ADA], "left": []},
            {},
        )
    ]
    kinds = set()
    for data in sent:
        frame = msgspec.json.decode(data, type=ServerFrame)
        assert json.loads(msgspec.json.encode(frame)) == json.loads(data)  # no field more than described
        kinds.add(type(frame))
    assert kinds == set(SERVER_FRAMES)


def test_the_description_is_a_page_to_read_without_a_script(
    one_worker: Server, api: dict[str, Any], socket_api: dict[str, Any]
) -> None:
    answer = Person(one_worker).http.get("/api/docs")
    assert answer.status_code == 200
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert "<script" not in answer.text
    for path, methods in api["paths"].items():
        for method in methods:
            assert f"{method.upper()} {path}</code>" in answer.text
    for name in [*api["components"]["schemas"], *socket_api["components"]["schemas"]]:
        assert f">{name}</h" in answer.text
    ids = re.findall(r' id="([^"]+)"', answer.text)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]+)"', answer.text)) <= set(ids)
