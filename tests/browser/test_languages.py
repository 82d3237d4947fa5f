"""A page in the language of its reader: chosen in a browser, all of it, and from the right where that is how it goes."""

import re
import shutil
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from babel.messages.catalog import Catalog
from playwright.sync_api import Page, Response, expect

from chatapp.languages import FILE, say
from tests import catalogues
from tests.browser.chat_page import ChatPage
from tests.browser.conftest import OpenBrowser, OpenPage
from tests.browser.test_accessibility import PHONE, WIDE, WIDTHS, Judge, furnish, sign_in
from tests.clients import Person
from tests.people import Member, administrator, first_path, member
from tests.servers import ROOT, Server

# Sentences with other letters: whoever sees a plain one sees what nobody can translate. Greek, whose times and units
# (CLDR) have no Latin letters either.
OTHER_LETTERS = str.maketrans(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "αβςδεφγηιξκλμνοπθρστυωψχζϑΑΒΓΔΕΦΓΗΙΞΚΛΜΝΟΠΘΡΣΤΥΩΨΧΖΘ",
)
PLAIN = re.compile(
    r"(%\(\w+\)s|<code.*?</code>|<[^>]*>|\bUTC\b|WebSocket|Server-Sent Events|CHATAPP_\w+|[./:@#*&]\w+)"
)
# What people wrote and what is the same in every language: not looked at.
SAME = """code, kbd, pre, bdi, time, script, style, template, textarea, noscript, [translate=no], [lang]:not(html),
.words.marked, .site, .topic, .key, .face, .code, .key-list dt, .file-size, .attached-state, .settings td, .settings th code"""
# Names of techniques, of commands, and ids.
TECHNICAL = r"UTC|WebSocket|Server-Sent Events|/help|has:\w+|g[0-9a-f]{16}"
FOREIGN = """([same, technical]) => {
    const known = new RegExp(technical, "g");
    const words = { test: (text) => /[A-Za-z]{2,}/.test(text.replace(known, "")) };
    const found = new Set();
    const skips = (element) => element.closest(same) || !element.checkVisibility();
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const { data, parentElement } = walker.currentNode;
        if (words.test(data) && !skips(parentElement)) found.add(data.trim());
    }
    for (const name of ["aria-label", "title", "placeholder", "alt"]) {
        for (const element of document.querySelectorAll(`body [${name}]`)) {
            const value = element.getAttribute(name);
            if (words.test(value) && !skips(element)) found.add(`${name}: ${value}`);
        }
    }
    if (words.test(document.title)) found.add(`title: ${document.title}`);
    return [...found];
}"""
NAMES = {"site": "Λιμάνι", "ada": "Άδα", "grace": "Χάρις", "room": "Αποβάθρα"}
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
RIGHT_END = """words => {
    const range = document.createRange();
    range.selectNodeContents(words);
    return Math.round(Math.max(...[...range.getClientRects()].map(each => each.right)));
}"""


# -- all of a page -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that has every sentence in other letters."""
    folder = tmp_path_factory.mktemp("foreign")
    program = folder / "program"
    for part in ("chatapp", "templates", "static"):
        shutil.copytree(ROOT / part, program / part, ignore=shutil.ignore_patterns("__pycache__"))
    for part in ("wsgi.py", "gunicorn.conf.py"):
        shutil.copy(ROOT / part, program)
    catalogues.write(in_other_letters(), program / "chatapp" / "translations" / "el" / FILE)
    server = Server(
        folder / "instance",
        language="el",
        site_name=NAMES["site"],
        sign_up="open",
        mail_url="smtp://127.0.0.1:9",
        mail_from="chat@example.org",
        public_url="http://localhost",
    )
    server.root, server.under = program, []  # a copy is not forked from what knows the original
    yield server.start()
    server.kill()


def in_other_letters() -> Catalog:
    catalog = Catalog(locale="el", charset="utf-8")
    for message in catalogues.template():
        if message.id:
            ids = message.id if isinstance(message.id, tuple) else (message.id,)
            said = tuple(turned(each) for each in ids)
            catalog.add(message.id, said if len(said) > 1 else said[0], locations=message.locations)
    return catalog


def turned(sentence: str) -> str:
    return "".join(
        part if index % 2 else part.translate(OTHER_LETTERS)
        for index, part in enumerate(PLAIN.split(sentence))
    )


class Reader:
    """Looks at pages for what is in no language but English."""

    def __init__(self, page: Page) -> None:
        self.page, self.found = page, dict[str, list[str]]()
        self.missing: list[str] = []  # what pages ask for and is not there
        page.on("response", self._answered)

    def _answered(self, answer: Response) -> None:
        if answer.status >= 400 and answer.request.resource_type in ("script", "stylesheet", "image"):
            self.missing.append(answer.url)

    def look(self, where: str) -> None:
        if found := self.page.evaluate(FOREIGN, [SAME, TECHNICAL]):
            self.found[where] = found

    def visit(self, *paths: str) -> None:
        for path in paths:
            self.page.goto(path)
            expect(self.page.locator("html")).to_have_attribute("lang", "el")
            self.look(path)

    def finds_nothing(self) -> None:
        assert not self.found, "\n".join(f"{where}: {words}" for where, words in self.found.items())
        assert not self.missing


def test_no_page_says_anything_that_cannot_be_translated(visitor: OpenBrowser, foreign: Server) -> None:
    reader = Reader(visitor(foreign, viewport=WIDE, locale="el"))
    page = reader.page
    reader.visit("/first/", first_path(foreign), "/chats/", "/sign-up", "/sign-in", "/sign-in/forgotten")
    ada = Member(foreign, NAMES["ada"])
    assert ada.sign_up(first_path(foreign)).status_code == 303
    foreign.administrator = ada
    with closing(Person(foreign, NAMES["grace"])) as grace:
        room = ada.make_room(NAMES["room"])
        assert ada.http.patch("/api/rooms/1", json={"name": "Αίθουσα", "topic": ""}).is_success
        for said in ("καλημέρα", "καλησπέρα"):
            grace.say(room, said)
        ada.http.post(ada.messages(room), json={"kind": "delete", "of": ada.say(room, "όχι")["seq"]})
        ada.http.post(ada.messages(room), json={"body": "ναι", "of": 1})
        assert grace.http.post(f"/api/rooms/{room}/messages/1/report", json={"why": "Ω"}).status_code != 204
        assert ada.http.post(f"/api/rooms/{room}/messages/2/report", json={"why": "Ω"}).status_code == 204
        assert ada.http.post(
            f"/api/rooms/{room}/sanctions", json={"kind": "timeout", "person": grace.id, "seconds": 600}
        ).is_success
        assert ada.http.post(f"/api/rooms/{room}/hooks", json={"name": "Ωμέγα"}).is_success
        assert ada.http.post("/api/tokens", json={"name": "Ψ", "scopes": ["read", "write"]}).is_success
        assert ada.http.post("/api/invitations", json={"note": "Φ"}).is_success
        chat = f"/chats/{room}"
        reader.visit(f"{chat}/", "/nowhere", "/search?q=κάτι", "/about", "/chats/999/")
        sign_in(page, ada)
        reader.visit(
            "/chats/", f"{chat}/details/", f"{chat}/messages/1/", f"{chat}/report/2", f"{chat}/report/thanks"
        )
        reader.visit(
            f"{chat}/reports/",
            "/search",
            "/search?q=καλημέρα",
            '/search?q="α',
            "/account/",
            "/account/tokens",
            "/account/leave",
        )
        reader.visit("/account/email", "/account/password", "/account/passkeys", "/account/recovery-codes")
        reader.visit("/account/second-factor", "/account/verify")
        sections = ("", "people", "rooms", "invitations", "bans", "tokens", "reports", "audit", "settings")
        reader.visit(*(f"/admin/{section}" for section in sections), f"/admin/people/{ada.id}")
        assert ada.http.post("/api/bans", json={"person": grace.id, "why": "Ω"}).status_code == 204
        reader.visit("/admin/bans")
        page.goto("/api/docs")  # in English
        sign_in(page, grace)
        reader.visit(f"{chat}/")
    reader.finds_nothing()


def test_no_script_says_anything_that_cannot_be_translated(visitor: OpenBrowser, foreign: Server) -> None:
    ada = administrator_called(foreign)
    with closing(Person(foreign, NAMES["grace"] + " β")) as grace, closing(grace.socket()) as here:
        room = ada.make_room(NAMES["room"] + " β")
        here.join(room)
        grace.say(room, "λόγος\n" * 40)
        reader = Reader(visitor(foreign, viewport=WIDE, locale="el"))
        page, press = reader.page, reader.page.keyboard.press
        sign_in(page, ada)
        page.goto(f"/chats/{room}/")
        state = page.locator("#state")
        expect(state).to_have_text(turned("Live"))
        reader.look("live")
        field = page.locator("#composer textarea")
        for key in ("Enter", "+"):
            page.locator("#m1").focus()
            press(key)
            expect(page.locator("#message-menu")).to_be_visible()
            reader.look(f"menu, {key}")
            press("Escape")
        page.locator("#m1").focus()
        press("r")
        reader.look("answering")
        press("Escape")
        for key, what in (("ControlOrMeta+k", "#switcher"), ("?", "#keys")):
            page.locator("#log").focus()
            press(key)
            expect(page.locator(what)).to_be_visible()
            reader.look(what)
            press("Escape")
        page.locator(".people-button").click()
        reader.look("people")
        page.locator(".people-button").click()
        state.click()
        reader.look("connection")
        state.click()
        for begun in ("/", "@", ":sm"):
            field.press_sequentially(begun)
            if begun != ":sm":
                expect(page.locator("#completions")).to_be_visible()
                reader.look(f"completing {begun}")
            field.fill("")
        field.fill("λ" * 3_900)
        reader.look("counting")
        for said in ("/ουδέν", "/kick ουδείς", "bell: \x07".replace("bell", "λ")):
            field.fill(said)
            field.press("Enter")
            reader.look(said)
        expect(page.locator(".failed")).to_have_count(1)
        reader.look("refused")
        grace.http.post(f"/api/rooms/{room}/typing", json={})
        ada.http.post(f"/api/rooms/{room}/sanctions", json={"kind": "kick", "person": grace.id, "seconds": 0})
        ChatPage(page, room).go_offline()
        expect(page.locator("#banner")).to_be_visible()
        field.fill("αργότερα")
        field.press("Enter")
        reader.look("offline")
        page.context.set_offline(False)
        expect(state).to_have_text(turned("Live"))
        page.goto(f"/chats/{room}/#m77777")
        reader.look("no such message")
        sign_in(page, grace)
        page.goto(f"/chats/{room}/")
        expect(state).to_have_text(turned("Live"))
        assert ada.http.post("/api/bans", json={"person": grace.id, "why": "Ω"}).status_code == 204
        expect(page.locator("main .ended h1")).to_be_focused()
        reader.look("ended")
        reader.finds_nothing()


def administrator_called(server: Server) -> Member:
    if server.administrator is None:
        ada = Member(server, NAMES["ada"])
        assert ada.sign_up(first_path(server)).status_code == 303
        server.administrator = ada
    found: Member = server.administrator
    return found


# -- in a browser --------------------------------------------------------------------------------------------


def test_somebody_chooses_arabic_and_reads_it_from_the_right_with_its_plurals_and_times(
    in_room: OpenPage, server: Server
) -> None:
    ada = in_room("ada", locale="en-GB")
    page = ada.page
    page.goto("/about")
    page.get_by_label("Language").select_option("العربية")
    page.get_by_role("button", name="Choose").click()
    expect(page.locator("html")).to_have_attribute("dir", "rtl")
    expect(page.get_by_label("اللغة")).to_have_value("ar")
    page.goto(f"/chats/{ada.room}/")
    expect(ada.state).to_have_text("مباشر")
    send, field = page.locator(".send").bounding_box(), page.locator("#composer").bounding_box()
    assert send
    assert field
    assert send["x"] < field["x"] + field["width"] / 2
    with closing(Person(server, "grace")) as grace:
        for number in range(30):
            grace.say(ada.room, f"line {number}")
        ada.scroll_to_top()
        for number, said in ((1, "رسالة جديدة"), (2, "رسالتان جديدتان"), (3, "3 رسائل جديدة")):
            grace.say(ada.room, f"news {number}")
            expect(ada.jump).to_have_text(said)
    with closing(Person(server, "salma")) as salma:
        ends = []
        for body in ("مرحبا", "مرحبا **جدا**"):
            seq = salma.say(ada.room, body)["seq"]
            words = page.locator(f"#m{seq} .words")
            expect(words).to_have_text(body.replace("*", ""))
            ends.append(words.evaluate(RIGHT_END))
        assert ends[0] == ends[1], "what has markup begins at the right, too"
    expect(page.locator(".day time").last).to_have_text(re.compile(r"^اليوم، "))


def test_what_others_do_is_told_in_the_readers_language_while_it_happens(
    visitor: OpenBrowser, server: Server
) -> None:
    boss = administrator(server)
    with closing(Person(server, "grace")) as grace:
        room = boss.make_room("told")
        page = visitor(locale="de-DE")
        sign_in(page, grace)
        page.goto(f"/chats/{room}/")
        chat = ChatPage(page, room)
        expect(chat.state).to_have_text("Live")
        assert boss.http.patch(f"/api/rooms/{room}", json={"slow_seconds": 600}).is_success
        expect(chat.notices.last.locator(".words")).to_have_text(
            "hat eine Pause von 600 Sekunden zwischen Nachrichten eingestellt"
        )
        expect(page.locator("#about")).to_contain_text("Von jeder Person eine Nachricht in 10 Minuten")
        page.locator("#composer textarea").fill("λ: \x07")
        page.locator("#composer textarea").press("Enter")
        expect(page.locator(".failed .reason-words")).to_have_text(
            "Nicht gesendet: Eine Nachricht hat keine Steuerzeichen außer Zeilenumbruch und Tabulator"
        )


def test_axe_finds_nothing_in_arabic_and_all_of_it_fits(visitor: OpenBrowser, server: Server) -> None:
    ada = administrator(server)
    with closing(Person(server, "grace")) as grace:
        room = ada.make_room("harbour")
        furnish(room, ada, grace)
        # No colour depends on the language.
        judge = Judge(visitor(viewport=WIDE, reduced_motion="reduce", locale="ar"), themes=WIDTHS)
        page = judge.page
        judge.visit("/chats/", "/sign-in", "/about")
        sign_in(page, ada)
        judge.visit(
            "/chats/",
            f"/chats/{room}/details/",
            "/account/",
            "/search?q=hello",
            "/admin/people",
            "/admin/audit",
        )
        page.goto(f"/chats/{room}/")
        expect(page.locator("#state")).to_have_text(say("ar", "Live"))
        judge.look("room, live")
        page.set_viewport_size(PHONE)
        judge.finds_nothing()


def test_in_arabic_what_is_written_from_the_left_keeps_its_place_and_its_order(
    person: OpenBrowser, board: int
) -> None:
    page = person("ada", locale="ar", viewport=WIDE)
    page.goto(f"/chats/{board}/")
    ada = ChatPage(page, board)
    expect(ada.state).to_have_text(say("ar", "Live"))
    ada.go_offline()
    field = page.locator("#composer textarea")
    field.fill("Thursday stands, then.")
    field.press("Enter")
    expect(ada.pending).to_have_count(1)
    waiting = ada.words.last.evaluate(RIGHT_END)
    page.context.set_offline(False)
    expect(ada.pending).to_have_count(0)
    assert ada.words.last.evaluate(RIGHT_END) == waiting, "what becomes of it moves no words"
    page.keyboard.press("Control+/")
    keys = page.locator("#keys kbd")
    expect(keys.first).to_be_visible()
    chord = [each.bounding_box() for each in keys.all()[:2]]
    assert chord[0]
    assert chord[1]
    assert chord[0]["x"] < chord[1]["x"], "Ctrl stands before its letter"
    page.goto(f"/chats/{board}/messages/1/")
    for empty in page.locator("[dir=auto]:is(input, textarea)").all():
        if empty.input_value() == "":
            assert empty.evaluate("field => getComputedStyle(field).direction") == "rtl"


def test_in_arabic_what_has_no_letter_yet_is_written_where_arabic_begins(
    person: OpenBrowser, board: int
) -> None:
    """It jumped to the other side of the field, away from the names that are offered, and back with the first letter."""
    page = person("ada", locale="ar", viewport=WIDE)
    page.goto(f"/chats/{board}/")
    expect(ChatPage(page, board).state).to_have_text(say("ar", "Live"))
    field = page.locator("#composer textarea")
    for words, direction in (("@", "rtl"), ("@ada", "ltr"), ("@عمر", "rtl"), ("12:30", "rtl"), ("", "rtl")):
        field.fill(words)
        expect(field).to_have_css("direction", direction)


def test_in_arabic_a_browser_stands_before_the_system_that_it_runs_on(
    visitor: OpenBrowser, server: Server
) -> None:
    """Its name has Latin letters, and would have the sentence run from the left: "Linux on Firefox"."""
    with closing(member(server, "Grace")) as grace:
        page = visitor(locale="ar", viewport=WIDE, user_agent=FIREFOX)
        page.goto("/sign-in")
        page.locator("#username").fill(grace.name)
        page.locator("#password").fill(grace.password)
        page.keyboard.press("Enter")
        expect(page.get_by_role("link", name=say("ar", "Account"))).to_be_visible()
        page.goto("/account/")
        device = page.locator(".line bdi", has_text="Firefox")
        expect(device).to_contain_text("Linux")
        expect(device).to_have_css("direction", "rtl")


def test_the_menu_of_a_message_stands_at_the_side_where_lines_end(in_room: OpenPage) -> None:
    ada = in_room("ada")
    ada.say("hello")
    expect(ada.pending).to_have_count(0)
    page = ada.page
    page.set_viewport_size({"width": 1000, "height": 700})

    def sides() -> tuple[dict[str, Any], dict[str, Any]]:
        row = ada.rows.first
        row.hover()
        row.locator(".tools .more").click()
        expect(ada.menu).to_be_visible()
        opener, menu = row.locator(".tools .more").bounding_box(), ada.menu.bounding_box()
        assert opener
        assert menu
        page.keyboard.press("Escape")
        return opener, menu  # type: ignore[return-value]

    opener, menu = sides()
    assert abs((menu["x"] + menu["width"]) - (opener["x"] + opener["width"])) < 2
    page.context.add_cookies([{"name": "chatapp_language", "value": "ar", "url": page.url}])
    page.reload()
    expect(ada.state).to_have_text("مباشر")
    opener, menu = sides()
    assert abs(menu["x"] - opener["x"]) < 2


def test_pages_that_need_no_words_load_none(in_room: OpenPage, server: Server) -> None:
    ada = in_room("ada", locale="en-US")
    loaded = ada.page.evaluate("performance.getEntriesByType('resource').map(({ name }) => name)")
    assert [name for name in loaded if "/languages/" in name] == []
    assert any(name.endswith("/i18n.js") for name in loaded)
