"""The room's page and the line that goes on from it: what comes while the page is made is in one of them."""

import html
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chatapp import create_app, globals, listing
from chatapp.hub import Hub
from chatapp.journal.requests import Clear, MakeRoom, Post, Request
from chatapp.message import Author

ADA = Author("u1", "ada")


@pytest.fixture
def page_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """What the script of a new room's page is told, where `meanwhile` is asked of the journal after the page's
    messages were read, and `before` before; with the room's epoch as it was before.
    """
    monkeypatch.setenv("CHATAPP_INSTANCE_PATH", str(tmp_path))
    app = create_app()
    hub: Hub = app.extensions[globals.EXTENSION]
    monkeypatch.setattr(hub, "start", lambda: None)  # nothing goes on behind the test

    def made(before: list[Request], meanwhile: list[Request]) -> tuple[dict[str, Any], str]:
        for request in before:
            hub.journal.ask(request)
        epoch = hub.room(1).epoch
        beside = listing.beside

        def asked(*arguments: Any) -> Any:
            for request in meanwhile:
                hub.journal.ask(request)
            return beside(*arguments)

        monkeypatch.setattr(listing, "beside", asked)
        text = app.test_client().get("/chats/1/").text
        found = re.search(r'<script[^>]* id="page"[^>]*>(.*?)</script>', text, re.DOTALL)
        assert found, text
        return json.loads(html.unescape(found[1])), epoch

    hub.journal.ask(MakeRoom("board"))
    return made


def test_what_is_said_first_in_a_room_while_its_page_is_made_follows_its_cursor(
    page_while: Callable[..., Any],
) -> None:
    page, epoch = page_while([], [Post(1, ADA, "the first")])
    assert page["messages"] == []
    assert page["room"]["cursor"] == 0
    assert page["room"]["epoch"] == epoch


def test_a_page_whose_room_was_cleared_while_it_was_made_starts_over(page_while: Callable[..., Any]) -> None:
    page, epoch = page_while([Post(1, ADA, "the first")], [Clear(1)])
    assert [message["body"] for message in page["messages"]] == ["the first"]
    assert page["room"]["epoch"] == epoch  # which is over: so the line begins with a reset
