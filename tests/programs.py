"""Programs as the tests know them: whoever sends a token instead of a cookie."""

from typing import Any

import httpx

from tests.clients import Person, Socket
from tests.people import Member
from tests.servers import Server


class Program(Person):
    """Acts with a token, and sends neither cookie nor Origin."""

    def __init__(self, server: Server, token: str) -> None:
        self.server, self.token = server, token
        self.http = httpx.Client(
            base_url=server.url, timeout=70, headers={"Authorization": f"Bearer {token}"}, verify=False
        )

    def socket(self, **arguments: Any) -> Socket:
        return Socket(self, Authorization=f"Bearer {self.token}", **arguments)


def make_token(person: Member, *scopes: str, **fields: Any) -> dict[str, Any]:
    """A new token of `person`, by default to read and write, as the API answers it."""
    wanted = {"name": "a test", "scopes": scopes or ("read", "write"), **fields}
    answer = person.http.post("/api/tokens", json=wanted)
    assert answer.status_code == 201, answer.text
    return answer.json()


def program(person: Member, *scopes: str, **fields: Any) -> Program:
    """A program with a new token of `person`."""
    return Program(person.server, make_token(person, *scopes, **fields)["token"])
