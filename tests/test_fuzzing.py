"""The API asked with whatever its description allows, and with what it forbids: never a 500, never an answer that
is not described. A fixed number of examples, the same ones every time.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi import checks

from tests.clients import eventually
from tests.people import administrator, member
from tests.programs import Program, make_token
from tests.servers import Server

FAST = "100000 per 1 second"
EXAMPLES = 6  # of each operation, in each mode
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
    tried = 0
    for found in schema.get_all_operations():
        operation = found.ok()
        if operation.definition.raw["operationId"] not in WAITING:
            tried += 1
            _fuzz(operation, mode, server, token, room)
    assert tried > 40
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
