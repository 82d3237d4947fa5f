"""What is written with marks is shown without them, to everybody alike; hidden words, long messages, copying."""

import re
from contextlib import closing
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.conftest import OpenBrowser, OpenPage
from tests.browser.transports import TRANSPORTS
from tests.clients import Person
from tests.people import member
from tests.servers import Server

WRITTEN = [
    "**bold** _italic_ ~~gone~~ `a < b` & [the guide](https://example.org/?a=1&b=2) https://example.org/x",
    "> said before\n\n- one\n- two\n  1. nested\n\n||the *butler*||\n\n```py\nreturn 'a' + 1  # why\n```",
    "nothing   but\nwords",
    "مرحبا *أهلا*\n\n- واحد\n- one\n\nin English",
]
ADDED = re.compile(r' (?:role|aria-label)="[^"]*"')  # to hidden words, by the script
LONG = "\n".join(f"line {number} *of many*" for number in range(1, 41))
COLOURS = """code => [...code.querySelectorAll("span")].map(word => getComputedStyle(word).color)
    .concat(getComputedStyle(code.closest("pre")).backgroundColor)"""


@pytest.fixture
def tom(server: Server) -> Any:
    person = Person(server, "tom")
    yield person
    person.close()


def test_markup_is_shown_alike_over_each_transport_after_a_reload_and_without_a_script(
    in_room: OpenPage, person: OpenBrowser, tom: Person, board: int
) -> None:
    pages = [in_room(f"ada {index}", **TRANSPORTS[each]) for index, each in enumerate(TRANSPORTS)]
    for body in WRITTEN:
        tom.say(board, body)
    first = pages[0]
    expect(first.words).to_have_count(len(WRITTEN))
    link = first.words.first.get_by_role("link", name="the guide")
    expect(link).to_have_attribute("href", "https://example.org/?a=1&b=2")
    expect(link).to_have_attribute("rel", "noopener noreferrer nofollow")
    expect(first.words.first).to_have_text(
        "bold italic gone a < b & the guide https://example.org/x", use_inner_text=True
    )
    expect(first.words.nth(1).locator("ul > li ol > li")).to_have_text("nested")
    expect(first.words.nth(2)).to_have_js_property("innerText", WRITTEN[2])
    directions = first.words.nth(3).evaluate(
        "words => [...words.children].map(each => each.matches(':dir(rtl)'))"
    )
    assert directions == [True, True, False]
    shown = [_html(words) for words in first.words.all()]
    for page in pages[1:]:
        expect(page.words).to_have_count(len(WRITTEN))
        assert [_html(words) for words in page.words.all()] == shown
    first.page.reload()
    expect(first.state).to_have_text("Live")
    assert [_html(words) for words in first.words.all()] == shown
    plain = person("grace", java_script_enabled=False)
    plain.goto(f"/chats/{board}/")
    assert [_html(words) for words in plain.locator("#messages .words").all()] == shown

    first.say("*mine*")  # an edit is shown as well, and what is deleted is gone
    expect(first.words.last.locator("em")).to_have_text("mine")
    said = tom.say(board, "*before*")["seq"]
    tom.http.post(tom.messages(board), json={"kind": "edit", "of": said, "body": "**after** it"})
    expect(first.words.last.locator("strong")).to_have_text("after")
    tom.http.post(tom.messages(board), json={"kind": "edit", "of": said, "body": "unmarked"})
    expect(first.words.last).to_have_js_property("innerHTML", "unmarked")
    tom.http.post(tom.messages(board), json={"kind": "delete", "of": said})
    expect(first.words.last).to_have_text("tom deleted this message")


def test_hidden_words_are_seen_by_who_presses_and_stay_so(
    in_room: OpenPage, person: OpenBrowser, tom: Person, board: int
) -> None:
    ada = in_room("ada")
    said = tom.say(board, "It was ||the [butler](https://example.org)||, with ||a rope||")["seq"]
    tom.http.post(tom.messages(board), json={"body": "no!", "of": said})
    expect(ada.rows.nth(1).locator(".quoted")).to_have_text("It was ▒▒▒, with ▒▒▒")
    hidden = ada.words.first.get_by_role("button", name="Hidden words: show")
    expect(hidden).to_have_count(2)
    expect(ada.page.get_by_text("butler")).to_be_hidden()
    hidden.first.click()
    expect(ada.page.get_by_role("link", name="butler")).to_be_visible()
    expect(hidden).to_have_count(1)
    hidden.focus()
    expect(ada.page.get_by_text("a rope")).to_be_hidden()
    hidden.press("Enter")
    expect(ada.page.get_by_text("a rope")).to_be_visible()
    tom.http.post(tom.messages(board), json={"kind": "reaction", "of": said, "body": "👍"})
    expect(ada.rows.first.locator(".reaction")).to_have_count(1)
    expect(ada.page.get_by_text("a rope")).to_be_visible()
    tom.http.post(tom.messages(board), json={"kind": "edit", "of": said, "body": "It was ||somebody else||"})
    expect(ada.page.get_by_text("somebody else")).to_be_hidden()

    tom.say(board, "and _what_ of ||this||?")
    ada.page.goto("/chats/")
    expect(ada.page.locator(f'a[href="/chats/{board}/"] .last')).to_have_text("tom: and what of ▒▒▒?")
    plain = person("grace", java_script_enabled=False)
    plain.goto(f"/chats/{board}/")
    expect(plain.get_by_text("somebody else")).to_be_hidden()
    plain.locator(".spoiler").first.click()
    expect(plain.get_by_text("somebody else")).to_be_visible()


def test_hidden_words_are_hidden_in_the_menu_and_where_they_are_answered(
    in_room: OpenPage, tom: Person, board: int
) -> None:
    ada = in_room("ada")
    tom.say(board, "It was ||the butler||")
    row = ada.rows.first
    row.hover()
    row.get_by_role("link", name="More about this message").click()
    expect(ada.menu.locator(".actions-said")).to_have_text("It was ▒▒▒")
    ada.menu.get_by_role("button", name="Reply").click()
    expect(ada.page.locator("#about-other")).to_contain_text("Answering tom: It was ▒▒▒")
    assert "butler" not in ada.page.locator("#composer").inner_text()


def test_a_few_emoji_alone_are_larger_than_words_by_server_and_by_script(
    in_room: OpenPage, person: OpenBrowser, tom: Person, board: int
) -> None:
    larger = ["🎉", "👍🏽 ❤️", "👨‍👩‍👧‍👦🇩🇪⛵"]
    plain_size = ["😀😀😀😀", "well 🎉", "→", "1"]
    ada = in_room("ada")
    for body in (*larger, *plain_size):
        tom.say(board, body)
    without = person("grace", java_script_enabled=False)
    without.goto(f"/chats/{board}/")
    for words in (ada.words, without.locator("#messages .words")):
        expect(words).to_have_count(len(larger) + len(plain_size))
        sizes = words.evaluate_all("all => all.map((each) => getComputedStyle(each).fontSize)")
        assert sizes == ["32px"] * len(larger) + ["16px"] * len(plain_size)


# Beside what tests/test_markdown.py has: here the browser takes them out of the same HTML.
IN_LINE = {
    "**who**: ||the butler||, `x`": "who: ▒▒▒, x",
    "> what you said\n\nYes, _two_\nlines": "Yes, two lines",
    "- one\n- two": "one two",
    "||a ||b|| c|| d": "▒▒▒ d",
}


def test_what_is_quoted_stands_in_one_line_in_the_same_words_by_server_and_by_script(
    in_room: OpenPage, person: OpenBrowser, tom: Person, board: int
) -> None:
    ada = in_room("ada")
    for source in IN_LINE:
        tom.http.post(tom.messages(board), json={"body": "no!", "of": tom.say(board, source)["seq"]})
    expect(ada.page.locator("#messages .quoted")).to_have_text(list(IN_LINE.values()))
    plain = person("grace", java_script_enabled=False)
    plain.goto(f"/chats/{board}/")
    assert plain.locator("#messages .quoted").all_text_contents() == list(IN_LINE.values())
    assert ["||" in source for source in IN_LINE] == ["▒" in line for line in IN_LINE.values()]


def test_an_at_within_an_address_or_code_calls_nobody(
    in_room: OpenPage, tom: Person, server: Server, board: int
) -> None:
    with closing(member(server, "Grace")) as grace:
        ada = in_room("ada")
        name = grace.name.replace(" ", "")
        grace.change(grace.id, name=name).raise_for_status()
        tom.say(board, f"Write to x@{name} or x@{name}.example")
        tom.say(board, f"```\n@{name}\n```")
        tom.say(board, f"`@{name}` and <https://example.org/@{name}>")
        tom.say(board, f"Hello @{name}")
        expect(ada.rows).to_have_count(4)
        expect(ada.words.nth(3).locator(".mention")).to_have_text(f"@{name}")
        expect(ada.page.locator("#messages .mention")).to_have_count(1)
        (mentioned,) = [
            each["mentions"] for each in grace.http.get("/api/rooms").json()["rooms"] if each["id"] == board
        ]
        assert mentioned == 1


def test_a_long_message_is_folded_until_somebody_wants_all_of_it(
    in_room: OpenPage, person: OpenBrowser, tom: Person, board: int
) -> None:
    ada = in_room("ada")
    said = tom.say(board, f"{LONG} [end](https://example.org)")["seq"]
    tom.say(board, LONG[:200])
    row, button = ada.rows.first, ada.page.get_by_role("button", name="Show all")
    expect(button).to_have_count(1)
    folded = row.bounding_box()
    top = row.evaluate("row => row.getBoundingClientRect().top")
    button.click()
    opened = row.bounding_box()
    assert folded is not None
    assert opened is not None
    assert opened["height"] > folded["height"] + 300
    assert abs(row.evaluate("row => row.getBoundingClientRect().top") - top) < 2
    tom.http.post(tom.messages(board), json={"kind": "reaction", "of": said, "body": "👍"})
    expect(row.locator(".reaction")).to_have_count(1)
    less = row.get_by_role("button", name="Show less")
    expect(less).to_have_attribute("aria-expanded", "true")
    less.click()
    expect(row).to_have_class(re.compile("folded"))
    row.get_by_role("link", name="end").focus()  # as by Tab: what has the focus is seen
    expect(row).not_to_have_class(re.compile("folded"))
    plain = person("grace", java_script_enabled=False)
    plain.goto(f"/chats/{board}/")
    words = plain.locator("#messages .words").first.bounding_box()
    assert words is not None
    assert words["height"] > 40 * 20
    expect(plain.locator(".unfold")).to_have_count(0)


def test_a_message_that_an_edit_makes_long_is_folded_too(in_room: OpenPage, tom: Person, board: int) -> None:
    ada = in_room("ada")
    said = tom.say(board, "**short**")["seq"]
    expect(ada.rows).to_have_count(1)
    tom.http.post(tom.messages(board), json={"kind": "edit", "of": said, "body": f"{LONG} **end**"})
    expect(ada.rows.locator(".edited")).to_be_visible()
    expect(ada.page.get_by_role("button", name="Show all")).to_be_visible()
    words = ada.words.first.bounding_box()
    assert words is not None
    assert words["height"] <= 24 * 16


def test_what_is_copied_are_the_words_and_who_said_them(in_room: OpenPage, tom: Person, board: int) -> None:
    ada = in_room("ada", permissions=["clipboard-read", "clipboard-write"])
    first = tom.say(board, "**Look:**\n\n- one\n- two\n\n```\nx = 1\n\ny = 2\n```")["seq"]
    second = tom.say(board, "and `this`")["seq"]
    for said in (first, second):
        tom.http.post(tom.messages(board), json={"kind": "reaction", "of": said, "body": "👍"})
    tom.http.post(tom.messages(board), json={"kind": "edit", "of": second, "body": "and `that`"})
    tom.say(board, LONG)
    expect(ada.page.get_by_role("button", name="Show all")).to_be_visible()
    expect(ada.rows.nth(1).locator(".edited")).to_be_visible()
    ada.page.evaluate("() => getSelection().selectAllChildren(document.getElementById('messages'))")
    ada.page.keyboard.press("Control+C")
    copied = ada.page.evaluate("() => navigator.clipboard.readText()").replace("\r", "")
    assert [line.strip() for line in copied.split("\n") if line.strip()][:8] == [
        "tom", "Look:", "one", "two", "x = 1", "y = 2", "and that", "line 1 of many",
    ]  # fmt: skip
    assert copied.rstrip().endswith("line 40 of many")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_code_keeps_to_its_block_and_its_colours_can_be_read(
    scheme: str, in_room: OpenPage, tom: Person, board: int
) -> None:
    ada = in_room("ada", viewport={"width": 390, "height": 800}, color_scheme=scheme)
    tom.say(board, f"```py\nreturn 'a' + 1  # {'long ' * 35}\n```\n```diff\n- a\n+ b\n```")
    block = ada.page.locator("#messages pre").first
    assert block.evaluate("block => block.scrollWidth - block.clientWidth") > 500
    assert ada.log.evaluate("log => log.scrollWidth - log.clientWidth") == 0
    for code in ada.page.locator("#messages pre code").all():
        *words, ground = [_luminance(colour) for colour in code.evaluate(COLOURS)]
        assert words
        assert min((max(word, ground) + 0.05) / (min(word, ground) + 0.05) for word in words) >= 5.5


def _html(words: Locator) -> str:
    return ADDED.sub("", words.inner_html())


def _luminance(colour: str) -> float:
    """As WCAG 2.2 defines it, of a colour written `rgb(1, 2, 3)`."""
    parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
