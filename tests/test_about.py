"""What the page About says of the server is what is in force on it."""

import html
import json
import re
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

from chatapp.version import VERSION
from tests.clients import Person
from tests.mail_server import SETTINGS
from tests.people import administrator
from tests.servers import Server

MAIL = {"mail_url": "smtp://127.0.0.1:9", **SETTINGS}
# By the parts of what is kept of somebody (`flask user export`), what the page says of them.
STATED = {
    "account": "your name, what you say of yourself and how you sign in",
    "passkeys": "how you sign in",
    "addresses_to_confirm": "Your e-mail address as well",
    "sessions": "the browsers in which you are signed in, with the address from which they came",
    "tokens": "the tokens, webhooks, invitations and reports that you have made",
    "hooks": "the tokens, webhooks, invitations and reports that you have made",
    "invitations": "the tokens, webhooks, invitations and reports that you have made",
    "reports": "the tokens, webhooks, invitations and reports that you have made",
    "guest": "Of guests: the name, the browser and the address",
    "rooms": "which rooms you are in",
    "read": "how far you have read them",
    "messages": "what you say and send",
    "called_in": "what you say and send",
    "files": "what you say and send",
    "deleted_texts": "for 2 hours you can bring it back",
    "sanctions": "Everything that moderators and administrators do is noted",
    "imposed": "Everything that moderators and administrators do is noted",
    "audit": "Everything that moderators and administrators do is noted",
}
COOKIES = {"chatapp", "chatapp_language"}  # who one is and which browser this is; which language one reads


def said_on_about(person: Person) -> str:
    """The words of the page, in one line."""
    page = person.http.get("/about", headers={"Accept": "text/html"}).raise_for_status().text
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", "", page)))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """With all that the page has a word about."""
    server = Server(tmp_path_factory.mktemp("about") / "instance", undo_seconds="7200", **MAIL).start()
    yield server
    server.kill()


def test_the_version_is_the_program_s_and_the_protocol_is_what_its_sockets_speak(
    server: Server, ada: Person
) -> None:
    assert f"chatapp {VERSION}, which speaks chatapp.v1." in said_on_about(ada)
    with closing(ada.socket(subprotocols=["chatapp.v9", "chatapp.v1"])) as socket:
        assert socket.ws.subprotocol == "chatapp.v1"


def test_what_is_deleted_is_in_the_database_as_long_as_the_page_says(
    server: Server, new_server: Callable[..., Server]
) -> None:
    for each, stated, stays in (
        (server, "for 2 hours you can bring it back", True),
        (new_server(undo_seconds="0").start(), "What you delete is gone from the database at once", False),
    ):
        with closing(Person(each, "grace")) as grace:
            assert stated in said_on_about(grace)
            said = grace.say(1, "a secret")["seq"]
            grace.http.post(grace.messages(1), json={"kind": "delete", "of": said}).raise_for_status()
        assert ("a secret" in each.dump()) == stays


def test_what_is_kept_of_people_is_what_the_page_says(server: Server) -> None:
    boss = administrator(server)
    kept: dict[str, Any] = json.loads(server.console("user", "export", boss.name).out)
    assert kept.keys() == STATED.keys()
    page = said_on_about(boss)
    assert [words for words in STATED.values() if words not in page] == []


def test_cookies_are_those_of_which_the_page_tells(server: Server) -> None:
    with closing(Person(server, "joan")) as joan:
        joan.http.post("/language", data={"language": "en", "back": "/about"})
        joan.http.get("/chats/")
        assert set(joan.http.cookies) == COOKIES
        assert "who you are, which browser this is and which language you read" in said_on_about(joan)
