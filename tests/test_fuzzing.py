"""The API asked with whatever its description allows, and with what it forbids: never a 500, never an answer that
is not described, never a socket that ends. A fixed number of examples, the same ones every time.
"""

import json
import re
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import msgspec
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi import checks

from chatapp.transports.frames_v1 import ServerFrame
from tests.clients import eventually
from tests.people import administrator, member
from tests.programs import Program, make_token
from tests.servers import Server

FAST = "100000 per 1 second"
EXAMPLES = 3  # of each operation, in each mode
WAITING = {"event_stream.stream", "tutorial.poll"}  # they wait for news: tried elsewhere
CHECKS = (
    schemathesis.checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
)
FEW = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    rates = {"rate_messages": FAST, "rate_connections": FAST, "rate_guests": FAST, "rate_sign_ins": FAST}
    rates["rate_searches"] = FAST
    server = Server(tmp_path_factory.mktemp("fuzzed") / "instance", **rates).start()
    yield server
    server.kill()


@pytest.mark.parametrize(
    "mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=lambda mode: mode.value
)
def test_whatever_is_asked_is_answered_as_described(mode: GenerationMode, server: Server) -> None:
    ada = administrator(server)
    member(server, "grace")
    room = ada.make_room()
    ada.say(room, "hello")
    token = make_token(ada, "read", "write", "manage")["token"]
    program = Program(server, token)
    schema = schemathesis.openapi.from_dict(program.http.get("/api/openapi.json").json())
    tried, failures = 0, []
    for found in schema.get_all_operations():
        operation = found.ok()
        told = operation.definition.raw
        # Of what has only texts in its path nothing can be wrong.
        texts = all(
            each["in"] == "path" and each["schema"]["type"] == "string" for each in told["parameters"]
        )
        never_wrong = texts and "requestBody" not in told
        if told["operationId"] in WAITING or (never_wrong and mode is GenerationMode.NEGATIVE):
            continue
        tried += 1
        try:
            _fuzz(operation, mode, server, token, room)
        except Exception as error:
            failures.append(error)
    if failures:
        raise ExceptionGroup("operations that are not as described", failures)
    assert tried > 25
    assert not [line for line in server.log if "Traceback" in line]


def _fuzz(operation: Any, mode: GenerationMode, server: Server, token: str, room: int) -> None:
    strategy = operation.as_strategy(generation_mode=mode)

    @FEW
    @given(case=strategy, there=st.booleans())
    def ask(case: Any, there: bool) -> None:
        if there and "room_id" in case.path_parameters and operation.method != "delete":
            case.path_parameters["room_id"] = room  # else nearly all would be about rooms that there are not
        (case.query or {}).pop("wait", None)
        answer = case.call(
            base_url=server.url,
            headers={"Authorization": f"Bearer {token}"},
            timeout=20,
            allow_redirects=False,
        )
        case.validate_response(answer, checks=CHECKS)

    ask()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def of(schema: dict[str, Any], room: int) -> st.SearchStrategy[Any]:
    """Values that a schema of the socket's description allows, numbers mostly about things that there are."""
    if "anyOf" in schema:
        return st.one_of([of(each, room) for each in schema["anyOf"]])
    match schema.get("type"):
        case "object":
            required = set(schema.get("required", []))
            fields = {name: of(each, room) for name, each in schema["properties"].items()}
            return st.fixed_dictionaries(
                {name: each for name, each in fields.items() if name in required},
                optional={name: each for name, each in fields.items() if name not in required},
            )
        case "integer":
            return st.sampled_from([room, room, room, 0, -1, 1, 2**63, 2**64]) | st.integers()
        case "boolean":
            return st.booleans()
        case "string":
            return st.sampled_from(["text", "edit", "delete", "reaction", "k3v9"]) | st.text(max_size=80)
        case _:
            return st.text(max_size=80) | JSON


@st.composite
def broken(draw: st.DrawFn, frames: st.SearchStrategy[dict[str, Any]]) -> Any:
    """A frame of which one field is something else, or nothing."""
    frame = dict(draw(frames))
    name = draw(st.sampled_from(sorted(frame)))
    if draw(st.booleans()):
        return {**frame, name: draw(JSON)}
    del frame[name]
    return frame


def test_whatever_frame_is_sent_the_socket_stays_and_answers_as_described(server: Server) -> None:
    ada = administrator(server)
    room = ada.make_room()
    program = Program(server, make_token(ada, "read", "write")["token"])
    description = program.http.get("/api/asyncapi.json").json()
    schemas = description["components"]["schemas"]
    told = description["operations"]["hear_socket"]["messages"]
    right = st.one_of([of(schemas[each["$ref"].rpartition("/")[2]], room) for each in told])

    with closing(program.socket()) as socket:

        @settings(FEW, max_examples=300)
        @given(frame=right | broken(right) | JSON)
        def send(frame: Any) -> None:
            socket.send(json.dumps(frame))

        send()
        socket.send({"type": "send", "room": room, "client_id": "the last one", "body": "hello"})
        socket.expect(lambda frame: frame["type"] == "ack" and frame["client_id"] == "the last one")
        assert socket.closed is None
        assert len(socket.of("error")) > 50
        for frame in socket.frames:
            kind = msgspec.convert(frame, type=ServerFrame)
            assert msgspec.to_builtins(kind) == frame
    assert not [line for line in server.log if "Traceback" in line]


def test_whatever_line_is_said_on_the_plain_socket_it_comes_back_or_is_refused(server: Server) -> None:
    ada = administrator(server)
    room = ada.make_room()
    program = Program(server, make_token(ada, "read", "write")["token"])
    lines = program.http.get("/api/asyncapi.json").json()["channels"]["lines"]["messages"]
    refusal = lines["Refusal"]["payload"]["pattern"]
    said: list[str] = []

    with closing(program.socket(path=f"/chats/{room}/ws", subprotocols=None)) as socket:

        @settings(FEW, max_examples=100)
        @given(line=of(lines["Said"]["payload"], room))
        def say(line: str) -> None:
            socket.send(line)
            said.append(line)

        say()
        socket.send("the last one")
        eventually(lambda: "the last one" in socket.frames)
        assert socket.closed is None
        greeting, *told = map(str, socket.frames)  # of what reads as JSON the client has made that
        assert [greeting] == lines["Greeting"]["payload"]["enum"]
        refused = [line for line in told if re.search(refusal, line)]
        assert 0 < len(refused) < len(said)
        assert len(told) == len(said) + 1
    assert not [line for line in server.log if "Traceback" in line]
