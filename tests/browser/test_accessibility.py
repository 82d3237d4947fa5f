"""Every page is for everybody: axe finds nothing wrong with it, it fits a window of 320 px, the focus stays."""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page, expect

from tests.browser.chat_page import ChatPage
from tests.browser.conftest import OpenBrowser
from tests.browser.test_files import picture, sound
from tests.clients import Person, eventually
from tests.factors import Authenticator, Passkey, half_way
from tests.hostile.routes import routes
from tests.mail_server import MailServer, said_in
from tests.people import Member, administrator, first_path, member
from tests.programs import Program, make_token
from tests.servers import Server

ADDRESS = "ada@mill.example"
BELL = "a bell: \x07"  # is refused
WIDE, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 780}
ZOOMED = {"width": 320, "height": 256}  # 1280 × 1024, four times as large
STANDARD = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
ALL: dict[str, Any] = {
    "runOnly": {"type": "tag", "values": STANDARD},
    "rules": {"target-size": {"enabled": True}},
}
COLOURS = {"runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}}
# What no theme changes is looked at once for each width.
Theme = tuple[dict[str, int], str, str, dict[str, Any]]
THEMES: tuple[Theme, ...] = (
    (WIDE, "light", "no-preference", ALL),
    (WIDE, "dark", "no-preference", COLOURS),
    (WIDE, "dark", "more", COLOURS),
    (PHONE, "dark", "no-preference", ALL),
    (PHONE, "light", "more", COLOURS),
)
WIDTHS = tuple(theme for theme in THEMES if theme[-1] is ALL)
FIND = """async ([part, options]) => {
    const found = await axe.run(part, { ...options, resultTypes: ["violations"], preload: false });
    return found.violations.flatMap(({ id, nodes }) => nodes.map(({ target, failureSummary: why }) =>
        `${id}: ${target} ${why.split("\\n").slice(1).map((line) => line.trim()).join("; ")}`));
}"""
# What reaches beyond the window's sides, unless one can scroll to it or it is meant for ears alone.
BEYOND = """() => {
    const lies = (element, kind) => element && (kind(getComputedStyle(element)) || lies(element.parentElement, kind));
    const scrolls = ({ overflowX }) => /auto|scroll/.test(overflowX);
    const isSaidOnly = ({ clipPath }) => clipPath === "inset(50%)";
    const found = [...document.body.querySelectorAll("*")].filter((element) => {
        const { left, right, width } = element.getBoundingClientRect();
        if (width <= 1 || (right <= innerWidth + 1 && left >= -1)) return false;
        const box = element.parentElement.closest("pre, table, .table-box, .admin-nav ul");
        return element.checkVisibility({ opacityProperty: true }) && !lies(element, isSaidOnly) && !lies(box, scrolls);
    });
    const words = found.map((element) => `reaches beyond the window: ${element.outerHTML.slice(0, 100)}`);
    const wide = document.documentElement.scrollWidth > innerWidth || document.querySelector("#log")?.scrollWidth > innerWidth;
    return wide ? [...words, "scrolls sideways"] : words;
}"""
# One macro makes them all: four sections after each heading, and rows of a table, tell as much as two hundred.
FEW = """() => {
    let kept = 0;
    for (const part of document.querySelectorAll("main > *, tbody tr")) {
        kept = part.matches("section, tr") ? kept + 1 : 0;
        if (kept > 4) part.remove();
    }
}"""
KINDS = (
    ".quote",
    ".spoiler",
    "pre code",
    ".mention.own",
    "img",
    "audio",
    ".undo",
    ".reaction.own",
    ".edited",
    ".unfold",
)
WRONG = """() => {
    const page = document.querySelector("main");
    const add = (kind, style, more) => {
        const element = Object.assign(document.createElement(kind), more);
        element.style.cssText = style;
        page.append(element);
    };
    add("img", "", { src: "/static/css/mark.svg" });
    add("p", "color: rgb(128 128 128); background: rgb(110 110 110)", { textContent: "faint" });
    add("p", "width: 500px; transition: opacity 1s", { textContent: "wide, and it moves" });
    const small = "width: 8px; height: 8px; min-block-size: 0; padding: 0; border: 0";
    for (const ariaLabel of ["one", "two"]) add("button", small, { ariaLabel });
}"""
# What answers with no page of its own: programs are told there, files and parts of pages come from there, it leads
# elsewhere, or has the page of another address.
NO_PAGE = re.compile(
    r"/|/api/(?!docs$).*|/static/.*|/languages/.*|/(healthz|readyz|metrics|ws)|/account/passkeys/delete"
    r"|/sign-in/rescue|/chats/N/(ws|http|about/|files/.*|thumbs/.*)|/chats/long_poll/N/"
)
PANE = "document.activeElement.closest('.rooms-pane, .room-head, .log, .composer')?.classList[0] ?? ''"
MOVES = """() => [...document.querySelectorAll("*")].filter((element) => {
    const { transitionDuration, animationDuration, animationName } = getComputedStyle(element);
    return /[1-9]/.test(transitionDuration) || (animationName !== "none" && /[1-9]/.test(animationDuration));
}).map((element) => `moves: ${element.tagName} ${element.className}`)"""


@dataclass
class Judge:
    """Looks at a page in all themes, and keeps what is wrong with it."""

    page: Page
    found: list[str] = field(default_factory=list)
    themes: Sequence[Theme] = THEMES
    addresses: set[str] = field(default_factory=set)  # of the pages that were looked at

    def look(self, name: str, part: str = ":root", again: Callable[[], None] = lambda: None) -> None:
        """`again`: opens the `part` that is looked at, where another width of the window may have closed it."""
        again()
        self.addresses.add(urlsplit(self.page.url).path)
        self.page.evaluate("self.axe ?? 0") or self.page.evaluate(AXE_SCRIPT)
        width = WIDE
        for viewport, scheme, contrast, rules in self.themes:
            if viewport != width:
                self.page.set_viewport_size(viewport)
                width = viewport
                again()
            self.page.emulate_media(color_scheme=scheme, contrast=contrast, reduced_motion="reduce")
            where = f"{name}, {width['width']} px, {scheme}, {contrast}"
            self.note(where, self.page.evaluate(FIND, [part, rules]))
        self.page.set_viewport_size(ZOOMED)
        self.note(f"{name}, zoomed", [*self.page.evaluate(BEYOND), *self.page.evaluate(MOVES)])
        self.page.set_viewport_size(WIDE)

    def visit(self, *paths: str) -> None:
        for path in paths:
            answer = self.page.goto(path)
            assert answer is not None
            assert "text/html" in answer.headers["content-type"], path
            self.page.evaluate(FEW)
            self.look(f"{path} ({answer.status})")

    def note(self, where: str, what: list[str]) -> None:
        self.found += [f"{where}: {each}" for each in what]

    def has_looked_at_all(self, server: Server) -> None:
        """Of the addresses that `server` has, those with a page."""
        rules = {route.rule for route in routes(server) if route.method == "GET"}
        pages = {rule for rule in rules if not NO_PAGE.fullmatch(rule.replace("<room_id:room_id>", "N"))}
        numbered = {rule: re.sub(r"<int:\w+>", r"\\d+", rule) for rule in pages}
        patterns = {rule: re.sub(r"<[^>]+>", "[^/]+", pattern) for rule, pattern in numbered.items()}
        seen = {rule for rule in pages for path in self.addresses if re.fullmatch(patterns[rule], path)}
        assert sorted(pages - seen) == []

    def finds_nothing(self) -> None:
        assert not self.found, "\n" + "\n".join(self.found)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, post: MailServer) -> Iterator[Server]:
    """With all that it can show: mail, too."""
    folder = tmp_path_factory.mktemp("looked-at") / "instance"
    server = Server(folder, sign_up="open", **{**post.settings, "public_url": "http://localhost"}).start()
    yield server
    server.stop()


@pytest.fixture
def judge(visitor: OpenBrowser) -> Judge:
    return Judge(visitor(viewport=WIDE, reduced_motion="reduce"))


def sign_in(page: Page, who: Person) -> None:
    cookies = [
        {"name": each.name, "value": each.value, "url": who.server.url} for each in who.http.cookies.jar
    ]
    page.context.clear_cookies()
    page.context.add_cookies(cookies)


def send(ada: Member, room: int, name: str, data: bytes) -> dict[str, str]:
    answer = ada.http.post(f"/api/rooms/{room}/files", params={"name": name}, content=data)
    assert answer.status_code == 201, answer.text
    return {"id": answer.json()["id"], "alt": "The harbour from above" if name.endswith("jpg") else ""}


def furnish(room: int, ada: Member, grace: Person) -> None:
    """Every kind of row."""

    def tell(who: Person, **message: Any) -> int:
        answer = who.http.post(who.messages(room), json=message)
        assert answer.status_code == 201, answer.text
        return int(answer.json()["seq"])

    tell(grace, body="hello")
    asked = tell(
        grace,
        body="> said before\n\n- one\n- **two** _of_ [three](https://example.org)\n\n||the butler||, `x = 1`\n\n"
        "```py\n# why\nreturn 'a' + 1\n```",
    )
    tell(ada, body="see there", of=asked)
    tell(grace, body=f"@{ada.name} look", mentions=[ada.id])
    files = {"harbour.jpg": picture(), "bell.wav": sound(), "plan.pdf": b"%PDF-1.7"}
    tell(ada, body="", files=[send(ada, room, *file) for file in files.items()])
    for who, mark in ((ada, "👍"), (grace, "👍"), (grace, "🎉")):
        tell(who, kind="reaction", of=asked, body=mark)
    tell(ada, kind="delete", of=tell(ada, body="gone"))
    tell(ada, kind="edit", of=tell(ada, body="misspelt"), body="spelt")
    tell(grace, body="word " * 700)
    builds = make_token(ada, bot="Builds")
    with closing(Program(ada.server, builds["token"])) as bot:
        bot.say(room, "hello, it is built")
        bot.read(room, after=-1, wait=0)  # is there for a minute
    answer = ada.http.put(f"/api/rooms/{room}/members/{builds['person']}", json={"role": "member"})
    assert answer.status_code == 200, answer.text
    answer = ada.http.patch(f"/api/rooms/{room}", json={"topic": "What comes and goes"})
    assert answer.status_code == 200, answer.text


def test_the_judge_finds_what_is_wrong_with_a_page(judge: Judge) -> None:
    judge.page.goto("/about")
    judge.page.evaluate(WRONG)
    judge.look("about")
    for what in ("image-alt", "color-contrast", "target-size", "reaches beyond", "scrolls sideways", "moves"):
        assert any(what in each for each in judge.found), what
    assert len([each for each in judge.found if "color-contrast" in each]) == len(THEMES)


def test_axe_finds_nothing_on_any_page_in_any_theme_and_all_of_it_fits_a_window_of_320_px(
    judge: Judge, server: Server, post: MailServer
) -> None:
    page = judge.page
    judge.visit("/first/", first_path(server))
    ada, grace = administrator(server), Person(server, "grace")
    room = ada.make_room("harbour")
    furnish(room, ada, grace)
    invitation = ada.invite()
    judge.visit("/chats/", f"/chats/{room}/", invitation, "/sign-in/forgotten", "/about")
    judge.visit("/invitations/used-up", "/sign-up", "/sign-in/passkey")
    page.goto("/sign-in")
    page.get_by_label("Your name").fill("mallory")
    page.get_by_label("Password").fill("none of hers")
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("alert").first).to_be_visible()
    judge.look("signing in, refused")
    with closing(member(server, "Mary")) as mary:
        link = ada.http.post(f"/admin/people/{mary.id}", data={"do": "reset"}).text
        judge.visit(*re.findall(r"/reset/[^<\s]+", link)[:1])
        Authenticator(mary)
        Passkey(mary, usage="secondary")
        sign_in(page, half_way(mary, "/sign-in/choose"))
        judge.visit("/sign-in/choose?next=/chats/")
        page.get_by_role("button", name="A code from your authenticator").click()
        expect(page.get_by_label("Code")).to_be_visible()
        judge.look("signing in, the second step")
        judge.visit("/sign-in/recovery")
        page.context.clear_cookies()
    judge.visit("/api/docs", "/nowhere", "/search?q=hello")
    page.request.post("/guests", data={"name": "Noor"}, headers={"Origin": server.url})
    judge.visit("/guests")

    answer = grace.http.post(f"/api/rooms/{room}/messages/3/report", json={"why": "spam"})
    assert answer.status_code == 204, answer.text
    eventually(lambda: ada.http.get("/api/search", params={"q": "hello"}).json()["messages"])
    sign_in(page, ada)
    chat, about = f"/chats/{room}/", f"/chats/{room}/messages"
    judge.visit("/chats/", f"{chat}?before=4", f"{chat}details/", f"{about}/2/", f"{chat}report/2")
    judge.visit(f"{chat}details/?person={ada.id}")
    judge.visit(f"{chat}report/thanks", f"{chat}reports/", "/search", "/search?q=hello", "/search?q=nowhere")
    judge.visit("/account/", "/account/email", "/account/password", "/account/passkeys", "/account/leave")
    answer = ada.http.post("/account/email", data={"email": ADDRESS})
    judge.visit(urlsplit(re.findall(r"http\S+/email/\S+", said_in(post.next_to(ADDRESS)))[0]).path)
    judge.visit(
        "/account/verify/passkey", "/account/recovery-codes", "/account/verify", "/account/second-factor"
    )
    page.get_by_role("button", name="Set up").click()
    expect(page.get_by_label("Code")).to_be_visible()
    judge.look("second factor, being set up")
    assert ada.http.post("/api/tokens", json={"name": "backup", "scopes": ["read"]}).status_code == 201
    assert ada.http.post("/api/bans", json={"person": grace.id, "why": "sells boots"}).status_code == 204
    sections = ["people", "rooms", "invitations", "bans", "reports", "audit", "tokens", "settings"]
    judge.visit("/account/tokens", "/admin/", f"/admin/people/{ada.id}")
    judge.visit(*(f"/admin/{section}" for section in sections))
    judge.finds_nothing()
    judge.has_looked_at_all(server)


def test_axe_finds_nothing_in_a_room_whatever_is_open_or_has_happened_there(
    judge: Judge, visitor: OpenBrowser, server: Server
) -> None:
    ada, grace = administrator(server), Person(server, "grace")
    room, empty = ada.make_room("quay"), ada.make_room("empty")
    furnish(room, ada, grace)
    member(server, "Mary").close()
    page, press = judge.page, judge.page.keyboard.press
    sign_in(page, ada)
    page.route("**/room.js", lambda route: route.abort())
    judge.visit(f"/chats/{room}/")
    page.unroute_all()
    for each in (empty, room):
        page.goto(f"/chats/{each}/")
        chat = ChatPage(page, each)
        expect(chat.state).to_have_text("Live")
        if each == room:
            chat.say(BELL)
            expect(chat.failed).to_have_count(1)
            for part in KINDS:
                expect(page.locator(f"#messages .message {part}").first).to_be_attached()
            page.locator("#m2").hover()
        judge.look(f"room {each}, live")

    def opens(name: str, what: str, how: Callable[[], None]) -> None:
        """Looks at `what`, which `how` opens; Escape closes it."""

        def again() -> None:
            if not page.locator(what).is_visible():
                how()
            expect(page.locator(what)).to_be_visible()

        judge.look(name, what, again)
        press("Escape")
        expect(page.locator(what)).to_be_hidden()

    def keys(selector: str, key: str) -> Callable[[], None]:
        return lambda: (page.locator(selector).focus(), press(key))[0]

    opens("menu of a message", "#message-menu", keys("#m1", "Enter"))
    opens("reactions", "#message-menu", keys("#m1", "+"))
    opens("switcher", "#switcher", keys("#log", "ControlOrMeta+k"))
    opens("keys", "#keys", keys("#log", "?"))
    opens(
        "completions", "#completions", lambda: (chat.field.fill(""), chat.field.press_sequentially("@Mar"))[0]
    )
    opens("people", "#people", page.get_by_role("button", name="People here").click)
    grace.http.get(f"/api/rooms/{room}/messages?after=-1&wait=0")  # is there for a minute

    def of_grace() -> None:
        page.evaluate("document.getElementById('people').showPopover()")
        page.locator("#people-here a", has_text="grace").click()
        page.locator("#person-menu summary").click()

    opens("somebody who is here", "#person-menu", of_grace)
    page.evaluate("document.getElementById('people').hidePopover()")
    opens("connection", "#details", chat.state.click)
    chat.go_offline()
    expect(chat.banner).to_be_visible()
    chat.say("later")
    judge.look("offline")
    page.context.set_offline(False)
    chat.field.fill("")

    by_finger = Judge(visitor(viewport=PHONE, has_touch=True, is_mobile=True), judge.found)
    sign_in(by_finger.page, ada)
    by_finger.page.goto(f"/chats/{room}/")
    expect(by_finger.page.locator("#state")).to_have_text("Live")
    by_finger.look("by finger")

    sign_in(page, grace)
    page.goto(f"/chats/{room}/")
    expect(chat.state).to_have_text("Live")
    assert chat.field.evaluate("field => field === document.activeElement")
    answer = ada.http.post("/api/bans", json={"person": grace.id, "why": "sells boots"})
    assert answer.status_code == 204, answer.text
    expect(page.locator("main .ended h1")).to_be_focused()
    judge.look("ended")
    judge.visit("/chats/")
    judge.finds_nothing()


def test_the_focus_stays_where_it_was_whatever_comes_to_the_row_that_has_it(
    judge: Judge, server: Server
) -> None:
    ada = administrator(server)
    with closing(Person(server, "grace")) as grace:
        room = ada.make_room("focus")
        said = grace.say(room, "hello")["seq"]

        def react(mark: str) -> None:
            """Another's doing, for which the row is made anew."""
            grace.http.post(grace.messages(room), json={"kind": "reaction", "of": said, "body": mark})
            expect(row.get_by_role("button", name=mark)).to_be_visible()

        page, press = judge.page, judge.page.keyboard.press
        sign_in(page, ada)
        page.goto(f"/chats/{room}/")
        chat = ChatPage(page, room)
        expect(chat.state).to_have_text("Live")
        row = page.locator(f"#m{said}")
        row.focus()
        react("👍")
        expect(row).to_be_focused()
        row.get_by_role("link", name="More").focus()
        react("🎉")
        expect(row.get_by_role("link", name="More")).to_be_focused()
        press("Enter")
        expect(chat.menu).to_be_visible()
        react("❤️")
        press("Escape")
        expect(row).to_be_focused()
        row.get_by_role("button", name="👍").press("Enter")
        expect(row.get_by_role("button", name="👍")).to_have_attribute("aria-pressed", "true")
        expect(row.get_by_role("button", name="👍")).to_be_focused()
        row.press("Delete")
        expect(row.get_by_role("button", name="Undo")).to_be_visible()
        row.get_by_role("button", name="Undo").press("Enter")
        expect(row.get_by_text("hello", exact=True)).to_be_visible()
        expect(row).to_be_focused()
        row.press("r")
        expect(chat.field).to_be_focused()


def test_what_others_say_is_read_out_and_nothing_else_that_comes_into_the_log(
    judge: Judge, server: Server
) -> None:
    with closing(Person(server, "ada")) as ada, closing(Person(server, "grace")) as grace:
        room = ada.make_room("heard")
        for number in range(60):
            grace.say(room, f"long ago {number}")
        page = judge.page
        sign_in(page, ada)
        page.goto(f"/chats/{room}/")
        chat = ChatPage(page, room)
        expect(chat.state).to_have_text("Live")
        chat.scroll_to_top()
        expect(page.get_by_text("long ago 0", exact=True)).to_be_attached()
        chat.say("mine", BELL)
        expect(chat.failed).to_have_count(1)
        grace.say(room, "news")
        expect(chat.row("news")).to_be_attached()
        expect(chat.row("mine")).to_be_attached()
        heard = page.evaluate(
            "[...document.querySelectorAll('[role=log] .message:not([aria-live=off])')].map((row) => row.innerText)"
        )
        assert len(heard) == 2
        assert "news" in heard[0]
        assert "Not sent" in heard[1]


def test_where_colours_are_the_system_s_what_is_ones_own_or_calls_one_still_stands_out(
    judge: Judge, server: Server
) -> None:
    ada = administrator(server)
    with closing(Person(server, "grace")) as grace:
        room, other = ada.make_room("quay"), ada.make_room("pier")
        furnish(room, ada, grace)
        grace.say(other, "hello")
    with closing(member(server, "Noor")) as noor:
        noor.say(noor.http.post("/api/direct", json={"people": [ada.id]}).json()["id"], "for you alone")
    page = judge.page
    sign_in(page, ada)
    page.emulate_media(forced_colors="active")
    page.goto(f"/chats/{room}/")
    expect(ChatPage(page, room).state).to_have_text("Live")

    def edges(selector: str) -> str:
        """Of an element and of what is drawn before it."""
        read = """each => ["", "::before"].map((part) => getComputedStyle(each, part))
            .map(({ border, outline, content }) => [border, outline, content].join())"""
        return str(page.locator(selector).first.evaluate(read))

    def differ(one: str, other: str) -> bool:
        expect(page.locator(one).first).to_be_visible()
        expect(page.locator(other).first).to_be_visible()
        return edges(one) != edges(other)

    assert differ(".reaction.own", ".reaction:not(.own)")
    assert differ(".message.for-me", ".message.starts:not(.for-me)")
    assert differ(".room-link .count.for-me", ".room-link .count:not(.for-me, [hidden])")
    assert differ(".room-link[aria-current]", ".room-link:not([aria-current])")
    page.locator("#m2").focus()
    page.keyboard.press("ArrowUp")
    assert differ(".message:focus", ".message.starts:not(:focus, .for-me)")
    page.keyboard.press("Control+k")
    assert differ(".switch[aria-selected=true]", ".switch:not([aria-selected=true])")


def test_tab_goes_from_the_rooms_to_the_head_to_the_log_to_the_field(judge: Judge, server: Server) -> None:
    ada = administrator(server)
    room = ada.make_room("in order")
    page = judge.page
    sign_in(page, ada)
    page.goto(f"/chats/{room}/")
    expect(ChatPage(page, room).state).to_have_text("Live")
    page.locator("body").evaluate(
        "body => { body.tabIndex = -1; body.focus(); body.removeAttribute('tabindex') }"
    )
    passed: list[str] = []
    while (where := page.evaluate(PANE)) != "composer":
        page.keyboard.press("Tab")
        passed.append(where)
        assert len(passed) < 60, passed
    assert list(dict.fromkeys(filter(None, passed))) == ["rooms-pane", "room-head", "log"]
