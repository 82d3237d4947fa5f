"""What is photographed: a page, who looks at it, and what they do there first."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from playwright.sync_api import Page, expect

from chatapp import languages
from tests.people import Member
from tests.screenshots.harbour import LONG_LINK, NOW, Harbour

Act = Callable[[Page, Harbour], None]


@dataclass(frozen=True)
class Scene:
    """`path` may name rooms, messages and links of the harbour; `who`: one of its people, or nobody who is known.
    `changes`: what other pages show is different afterwards.
    """

    name: str
    title: str
    path: str
    who: str = "ada"
    act: Act = lambda page, harbour: None
    before: Callable[[Harbour], object] = lambda harbour: None
    after: Callable[[Harbour], object] = lambda harbour: None
    changes: bool = False


def said(page: Page, sentence: str) -> str:
    """What the page says for it, in its language."""
    return languages.say(page.locator("html").get_attribute("lang") or languages.SOURCE, sentence)


def live(page: Page, harbour: Harbour) -> None:
    expect(page.locator("#state")).to_have_text(said(page, "Live"))
    expect(page.locator(".people-button .people-count")).not_to_have_text("0")


def people(page: Page, harbour: Harbour) -> None:
    live(page, harbour)
    page.get_by_role("button", name=said(page, "People here")).click()
    expect(page.locator("#people")).to_be_visible()


def unread(page: Page, harbour: Harbour) -> None:
    live(page, harbour)
    page.locator("#messages .new").last.wait_for()
    page.get_by_role("textbox", name=said(page, "Message")).fill("Thursday stands, then.")


def offline(page: Page, harbour: Harbour) -> None:
    live(page, harbour)
    page.context.set_offline(True)
    expect(page.locator("#state")).not_to_have_text(said(page, "Live"))
    page.get_by_role("textbox", name=said(page, "Message")).fill("Thursday stands, then.")
    page.keyboard.press("Enter")
    page.clock.set_fixed_time(NOW + timedelta(minutes=1))
    expect(page.locator("#banner")).to_be_visible()


def removed(page: Page, harbour: Harbour) -> None:
    live(page, harbour)
    part(harbour, "DELETE")
    page.locator(".ended").wait_for()


def part(harbour: Harbour, method: str) -> None:
    """Ada is sent out of the regatta's room, or taken in again."""
    path = f"/api/rooms/{harbour.rooms['removed']}/members/{harbour.people['ada'].id}"
    harbour.people["tomas"].http.request(method, path, json={"role": "member"}).raise_for_status()


def strain(page: Page, harbour: Harbour) -> None:
    live(page, harbour)
    page.locator(".message", has_text=LONG_LINK).last.hover()
    page.get_by_role("textbox", name=said(page, "Message")).fill(
        "A draft that has grown over several lines, because it is the kind of answer that one thinks about "
        "before one sends it, and then thinks about once more.\n\nThe field grows with it, up to a limit."
    )


def menu(page: Page, harbour: Harbour) -> None:
    live(page, harbour)
    row = page.locator("#messages > .message.for-me")
    row.hover()
    row.get_by_role("link", name=said(page, "More about this message")).dispatch_event("click")
    expect(page.locator("#message-menu")).to_be_visible()


def switcher(page: Page, harbour: Harbour) -> None:
    live(page, harbour)
    page.keyboard.press("Control+k")
    page.locator("#switcher input").fill("o")


def keys(page: Page, harbour: Harbour) -> None:
    live(page, harbour)
    page.locator("[data-opens=keys]").dispatch_event("click")
    expect(page.locator("#keys")).to_be_visible()


def completing(page: Page, harbour: Harbour) -> None:
    live(page, harbour)
    page.get_by_role("textbox", name=said(page, "Message")).press_sequentially("@")
    expect(page.locator("#completions")).to_be_visible()


def scrolled(page: Page, harbour: Harbour) -> None:
    live(page, harbour)
    page.locator("#log").evaluate("log => { log.scrollTop = -log.scrollHeight }")
    expect(page.locator("#jump")).to_be_visible()


def guest(page: Page, harbour: Harbour) -> None:
    origin = f"http://localhost:{harbour.server.port}"
    answer = page.request.post("/guests", data={"name": "Noor"}, headers={"Origin": origin})
    assert answer.ok, answer.text()
    page.goto("/guests")
    expect(page).to_have_url("/guests")


def second_step(page: Page, harbour: Harbour) -> None:
    tomas = harbour.people["tomas"]
    assert isinstance(tomas, Member)
    page.locator("#username").fill(tomas.name)
    page.locator("#password").fill(tomas.password)
    page.locator("main button[type=submit]").first.click()
    expect(page.locator("#code")).to_be_visible()


def key(page: Page, harbour: Harbour) -> None:
    page.locator("[name=setup]").first.click()
    expect(page.locator(".qr")).to_be_visible()


SCENES = [
    Scene("first-visit", "The first visit", "/chats/", who=""),
    Scene("rooms", "The rooms", "/chats/"),
    Scene("room", "A room, with what is new", "/chats/{talk}/", act=unread),
    Scene(
        "room-people",
        "Who is here: 500 people",
        "/chats/{lobby}/",
        act=people,
        before=Harbour.crowd,
        changes=True,
    ),
    Scene("room-people-alone", "Who is here: one person", "/chats/{empty}/", act=people),
    Scene("room-reading-along", "A room, to somebody unknown", "/chats/{talk}/", who="", act=live),
    Scene("room-empty", "A room in which nothing was said", "/chats/{empty}/", act=live),
    Scene("room-strained", "What does not fit", "/chats/{stress}/", act=strain),
    Scene("room-scrolled-up", "Further up", "/chats/{support}/", act=scrolled),
    Scene("room-offline", "Offline", "/chats/{talk}/", act=offline),
    Scene(
        "room-removed",
        "Sent out of a room",
        "/chats/{removed}/",
        act=removed,
        after=lambda harbour: part(harbour, "PUT"),
        changes=True,
    ),
    Scene("room-message-menu", "What may be done about a message", "/chats/{talk}/", act=menu),
    Scene("room-completion", "Names complete themselves", "/chats/{talk}/", act=completing),
    Scene("room-switcher", "To another room by its name", "/chats/{talk}/", act=switcher),
    Scene("room-keys", "The keys", "/chats/{talk}/", act=keys),
    Scene("message", "A message's page", "/chats/{release}/messages/{code}/"),
    Scene("details", "About a room", "/chats/{release}/details/", who="grace"),
    Scene("report", "Reporting a message", "/chats/{lobby}/report/{reported}", who="jonas"),
    Scene("report-thanks", "Reported", "/chats/{lobby}/report/thanks", who="jonas"),
    Scene("reports", "What waits for a room's moderators", "/chats/{lobby}/reports/"),
    Scene("search", "Search", "/search?q=thursday"),
    Scene("search-empty", "Nothing found", "/search?q=lighthouse"),
    Scene("sign-in", "Signing in", "/sign-in", who=""),
    Scene("sign-in-code", "Signing in: the second step", "/sign-in", who="", act=second_step),
    Scene("sign-up", "Making an account", "/sign-up", who=""),
    Scene("invitation", "Invited", "{invitation}", who=""),
    Scene("invitation-over", "An invitation that is no longer good", "{used}", who=""),
    Scene("reset", "A new password, by a link", "{reset}", who=""),
    Scene("banned", "Banned from the server", "/chats/", who="mallory"),
    Scene("guest", "A guest's own page", "/guests", who="", act=guest),
    Scene("account", "One's account", "/account/"),
    Scene("account-tokens", "One's tokens", "/account/tokens"),
    Scene("account-password", "A new password", "/account/password"),
    Scene("account-second-factor", "A second factor", "/account/second-factor"),
    Scene("account-second-factor-key", "A second factor: the key of it", "/account/second-factor", act=key),
    Scene("account-recovery-codes", "Codes for who has lost it", "/account/recovery-codes", who="tomas"),
    Scene("account-passkeys", "Passkeys", "/account/passkeys"),
    Scene("account-verify", "Asked for the password once more", "/account/verify"),
    Scene("account-leave", "Leaving for good", "/account/leave"),
    Scene("about", "What runs here", "/about"),
    Scene("api-docs", "The interface for programs", "/api/docs"),
    Scene("not-found", "An address that there is not", "/nowhere"),
    *(
        Scene(f"admin-{name or 'overview'}", title, f"/admin/{name}")
        for name, title in {
            "": "Administration",
            "people": "Its people",
            "rooms": "Its rooms",
            "invitations": "Its invitations",
            "bans": "Its bans",
            "tokens": "Its tokens",
            "reports": "Its reports",
            "audit": "Its audit log",
            "settings": "Its settings",
        }.items()
    ),
    Scene("admin-person", "One of its people", "/admin/people/{grace}"),
]
