"""People with an account, as the tests know them: `administrator(server)` and whom she invites."""

import re
import uuid
from typing import Any

import httpx
from flask.json.tag import TaggedJSONSerializer
from itsdangerous import URLSafeTimedSerializer

from tests.clients import Person
from tests.servers import Server

# The ids of members are short ("u7"): bounded, so that no hash and no token has one by chance.
BEFORE, AFTER = r"(?<![\w+$.-])", r"(?![\w+=$.-])"

PASSWORD = "eleven brown wagons turn"
FIRST = re.compile(r"No administrator yet: open (\S+) to make")


class Member(Person):
    """Somebody with an account, signed in in a browser of their own."""

    def __init__(self, server: Server, name: str, password: str = PASSWORD) -> None:
        super().__init__(server)
        self.name, self.password = name, password

    def sign_up(self, path: str, **form: str) -> httpx.Response:
        """Make the account at `path`."""
        answer = self.http.post(path, data={"name": self.name, "password": self.password, **form})
        if answer.status_code == 303:
            self.id = self.me()["id"]
        return answer

    def sign_in(self, password: str | None = None) -> httpx.Response:
        return self.http.post("/sign-in", data={"username": self.name, "password": password or self.password})

    def elsewhere(self) -> "Member":
        """The same person in another browser, signed in there."""
        other = Member(self.server, self.name, self.password)
        answer = other.sign_in()
        assert answer.status_code == 302, answer.text
        other.id = other.me()["id"]
        return other

    def me(self) -> dict[str, Any]:
        answer = self.http.get("/api/me")
        assert answer.status_code == 200, answer.text
        return answer.json()

    def change(self, person: str, **fields: Any) -> httpx.Response:
        return self.http.patch(f"/api/people/{person}", json=fields)

    def invite(self, **fields: Any) -> str:
        """The path of an invitation's page."""
        answer = self.http.post("/api/invitations", json=fields)
        assert answer.status_code == 201, answer.text
        link: str = answer.json()["link"]
        path = httpx.URL(link).path
        assert path.startswith("/invitations/"), link
        return path

    def signed_in_long_ago(self) -> None:
        """Have this browser's cookie say that it is two hours since they said who they are."""
        signer = URLSafeTimedSerializer(
            (self.server.instance / "secret_key").read_text().split()[0],
            salt="cookie-session",
            serializer=TaggedJSONSerializer(),
            signer_kwargs={"key_derivation": "hmac", "digest_method": "sha1"},
        )
        cookie = signer.loads(self.http.cookies["chatapp"])
        cookie["fs_paa"] -= 2 * 3600
        self.http.cookies.clear()
        self.http.cookies.set("chatapp", signer.dumps(cookie), domain="127.0.0.1", path="/")
        assert self.signed_in()

    def signed_in(self) -> bool:
        return self.http.get("/api/me").status_code == 200


def is_named(person: Person, text: str) -> bool:
    """Whether a text (rows, JSON, a page) has somebody's id anywhere."""
    assert person.id
    return re.search(BEFORE + re.escape(person.id) + AFTER, text) is not None


def first_path(server: Server) -> str:
    """Where the log says that the administrator's account is made."""
    *_, url = [found[1] for line in server.log if (found := FIRST.search(line))]
    begins = re.compile(rf"http://[^/]+:{server.port}(?=/)")
    assert begins.match(url)
    return begins.sub("", url)


def administrator(server: Server) -> Member:
    """The server's, made when she is first asked for."""
    if server.administrator is None:
        ada = Member(server, "Ada of the office")
        answer = ada.sign_up(first_path(server))
        assert answer.status_code == 303, answer.text
        server.administrator = ada
    return server.administrator


def member(server: Server, name: str) -> Member:
    """Somebody who was invited, whose name begins with `name`."""
    person = Member(server, f"{name} {uuid.uuid4().hex[:8]}")
    answer = person.sign_up(administrator(server).invite())
    assert answer.status_code == 303, answer.text
    return person
