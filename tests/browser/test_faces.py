"""Whose face stands at a conversation."""

from contextlib import closing

from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenBrowser
from tests.people import administrator, member
from tests.servers import Server

# All that is drawn of a face, but for where it stands.
DRAWN = """face => [face.textContent, ...["backgroundColor", "color", "width", "height"].map((it) => getComputedStyle(face)[it]),
    getComputedStyle(face, "::before").maskImage]"""


def drawn(page: Page, room: int) -> list[str]:
    found: list[str] = page.locator(f"[data-room='{room}'] .face").first.evaluate(DRAWN)
    return found


def test_a_conversation_of_three_has_a_face_of_its_own_in_every_list_also_when_it_begins_meanwhile(
    browser_of: OpenBrowser, server: Server
) -> None:
    ada = administrator(server)
    with closing(member(server, "grace")) as grace, closing(member(server, "joan")) as joan:
        page = browser_of(ada)
        page.goto("/chats/1/")
        expect(page.locator("#state")).to_have_text("Live")
        pair = ada.http.post("/api/direct", json={"people": [grace.id]}).json()["id"]
        three = ada.http.post("/api/direct", json={"people": [grace.id, joan.id]}).json()["id"]
        grace.say(three, "the three of us")
        expect(page.locator(f"#direct [data-room='{three}'] .count")).to_contain_text("1")
        expect(page.locator(f"#direct [data-room='{pair}'] .face")).to_have_text("G")
        live = drawn(page, three)
        assert live[0] == ""
        assert "people.svg" in live[-1]
        page.reload()
        assert drawn(page, three) == live
        expect(page.locator("#state")).to_have_text("Live")
        grace.say(three, "still us")
        expect(page.locator(f"#direct [data-room='{three}'] .count")).to_contain_text("2")
        assert drawn(page, three) == live
        page.goto("/chats/")
        assert drawn(page, three) == live
