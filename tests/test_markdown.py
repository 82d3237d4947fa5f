"""What is written in a message, and what is shown: the same over every transport, for who asks for it."""

import re
import resource
import subprocess
import sys
from collections.abc import Iterator
from typing import Any
from unittest import mock
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatapp import colouring, markdown, marking, mentions
from chatapp.message import Author, Message, format_time
from chatapp.turnstile import Turnstile
from tests.clients import RESUMING, Person, Reader
from tests.servers import ROOT

LINK = 'target="_blank" rel="noopener noreferrer nofollow"'
SHOWN = {
    "**bold**, __bold__, *italic* and _italic_": (
        '<p dir="auto"><strong>bold</strong>, <strong>bold</strong>, <em>italic</em> and <em>italic</em></p>'
    ),
    "~~gone~~ and `a < b`": '<p dir="auto"><s>gone</s> and <code>a &lt; b</code></p>',
    "one line\n*and* another": '<p dir="auto">one line<br><em>and</em> another</p>',
    "*one*\n\nmore": '<p dir="auto"><em>one</em></p><p dir="auto">more</p>',
    "**many   spaces**": '<p dir="auto"><strong>many   spaces</strong></p>',
    r"\*not\* italic": '<p dir="auto">*not* italic</p>',
    "> said\n> before\n\nI agree": '<blockquote dir="auto"><p>said<br>before</p></blockquote><p dir="auto">I agree</p>',
    "- one\n- two\n  1. a\n  2. b": (
        '<ul dir="auto"><li>one</li><li>two<ol><li>a</li><li>b</li></ol></li></ul>'
    ),
    "> said\nI *agree*": '<blockquote dir="auto"><p>said</p></blockquote><p dir="auto">I <em>agree</em></p>',
    "> > first\n> second\nthird": (
        '<blockquote dir="auto"><blockquote><p>first</p></blockquote><p>second</p></blockquote><p dir="auto">third</p>'
    ),
    "> ```\n> code\nmine": (
        '<blockquote dir="auto"><pre dir="ltr" tabindex="0"><code>code</code></pre></blockquote><p dir="auto">mine</p>'
    ),
    "> - said\n> so\nmine": (
        '<blockquote dir="auto"><ul><li>said</li></ul><p>so</p></blockquote><p dir="auto">mine</p>'
    ),
    "- one\n  more\n- > two\n  > lines\nand so on": (
        '<ul dir="auto"><li>one<br>more</li><li><blockquote><p>two<br>lines</p></blockquote></li></ul>'
        '<p dir="auto">and so on</p>'
    ),
    "1. one\n more\n   - two\n   of one\nafter": (
        '<ol dir="auto"><li>one<br>more<ul><li>two</li></ul>of one</li></ol><p dir="auto">after</p>'
    ),
    "3. three\n4. four": '<ol start="3" dir="auto"><li>three</li><li>four</li></ol>',
    "[the guide](https://example.org/a?b=1&c=2 \"its title\")": (
        f'<p dir="auto"><a href="https://example.org/a?b=1&amp;c=2" {LINK}>the guide</a></p>'
    ),
    "see https://example.org/__a__/b_c_, and (www.example.org).": (
        f'<p dir="auto">see <a href="https://example.org/__a__/b_c_" {LINK}>https://example.org/__a__/b_c_</a>, and '
        f'(<a href="https://www.example.org" {LINK}>www.example.org</a>).</p>'
    ),
    "<https://example.org> <ada@example.org>": (
        f'<p dir="auto"><a href="https://example.org" {LINK}>https://example.org</a> '
        f'<a href="mailto:ada@example.org" {LINK}>ada@example.org</a></p>'
    ),
    "||the *butler*||, really": (
        '<p dir="auto"><span class="spoiler" tabindex="0"><span>the <em>butler</em></span></span>, really</p>'
    ),
    "**||a||** ||https://example.org/x||": (
        '<p dir="auto"><strong><span class="spoiler" tabindex="0"><span>a</span></span></strong> '
        '<span class="spoiler" tabindex="0"><span>'
        f'<a href="https://example.org/x" {LINK}>https://example.org/x</a></span></span></p>'
    ),
    "```\n<b> *as it is*\n\n  &amp;\n```": (
        '<pre dir="ltr" tabindex="0"><code>&lt;b&gt; *as it is*\n\n  &amp;amp;</code></pre>'
    ),
    "```py\nreturn 'a' + 1  # why\n```": (
        '<pre dir="ltr" tabindex="0"><code><span class="keyword">return</span> <span class="string">\'a\'</span> + '
        '<span class="number">1</span>  <span class="comment"># why</span></code></pre>'
    ),
    "```diff\n-a\n+b\n```": (
        '<pre dir="ltr" tabindex="0"><code><span class="deleted">-a</span>\n<span class="inserted">+b</span></code></pre>'
    ),
    "```brainfuck\n+-\n```": '<pre dir="ltr" tabindex="0"><code>+-</code></pre>',
    "# no heading, <b>no tag</b> *but this*": (
        '<p dir="auto"># no heading, &lt;b&gt;no tag&lt;/b&gt; <em>but this</em></p>'
    ),
    "![no picture](https://example.org/x.png)": (
        f'<p dir="auto">!<a href="https://example.org/x.png" {LINK}>no picture</a></p>'
    ),
    "a | table\n--|--\n**1** | 2": '<p dir="auto">a | table<br>--|--<br><strong>1</strong> | 2</p>',
    "&lt;b&gt; `&amp;`": '<p dir="auto">&amp;lt;b&amp;gt; <code>&amp;amp;</code></p>',
    "مرحبا **أهلا**": '<p dir="auto">مرحبا <strong>أهلا</strong></p>',
}  # fmt: skip
AS_WRITTEN = [
    "hello", "two\n\n  lines", "README.md and main.py", "a || b || c", "2 * 3 * 4", "snake_case_name", r"C:\new_folder",
    "¯(ツ)¯", "-", "1.", ">", "* * *", "```", "||||", "**", "[](https://example.org)", "[x]() and [y]( )",  # else nothing would be left
    "[x](javascript:ran())", "[x](JAVASCRIPT:ran())", "[x](data:text/html,x)", "[x](/chats/1/)", "[x](//example.org)",
    "[x](ftp://example.org)", "http://＜img and http://a:99999999/", "<javascript:ran()>", "//example.org", "[x]: https://", "Title\n=====", "---",
    "&#106;avascript:ran()", "[" * 601, "www.a.org " * 61,
    ">" * 30 + " deep", "**" + "a" * 4000 + "**",
]  # fmt: skip
# What makes parsers slow: each is repeated.
PIECES = [
    "*a ", "_a", "**a", "*a _b ", "[", "[a](", "[a](<", "[a](b", "[]", "`a``", "`", "``a`", ">", "> a\n", "- ", "- a\n",
    " - a\n", "1. a\n", "http://a ", "http://", "http://a", "http://a/", "http://a.b/(", "www.", "www.a ", "www.a/",
    "mailto:", "mailto:a@", "||", "||a ", "||a|| ", "\\*", "<", "<a:", "<http://a", "~~a", "~", "```\n", "```py\n1\n```\n",
    "*\n", "    *a\n", "* ", "*a**b", "> a\nb\n", '[a](b "', "[a](((", "a@b.c ", "a://", "a+://", "*~~||_`[<", "||[||`",
]  # fmt: skip
CODE = ["\n", '"\\', "//", "1", "a."]
SHORT, LONG = 400, 1600
TRY_ALL = f"""
import sys
sys.path.insert(0, ".")
from chatapp import colouring, markdown
markdown.SIGNS = 100_000
for piece in {PIECES!r}:
    markdown.html((piece * 4000)[:4000])
for language in sorted(set(colouring.LANGUAGES.values())):
    for piece in {CODE!r}:
        colouring.coloured((piece * 4000)[:4000], language)
"""
CPU_SECONDS = 60  # of the machine, not of the clock; all together take under ten
TAG = re.compile(
    r'</?(?:p|br|strong|em|s|code|pre|blockquote|ul|ol|li|span)>|</a>|<ol start="\d{1,9}"(?: dir="auto")?>|'
    r'<(?:p|blockquote|ul|ol) dir="auto">|<pre dir="ltr" tabindex="0">|<span class="spoiler" tabindex="0">|'
    rf'<span class="(?:keyword|string|number|comment|inserted|deleted)">|<a href="(?:https?://|mailto:)[^"<>]*" {LINK}>'
)


@pytest.mark.parametrize("source", SHOWN)
def test_a_text_is_shown_as(source: str) -> None:
    assert markdown.html(source) == SHOWN[source]


@pytest.mark.parametrize("source", AS_WRITTEN)
def test_what_is_no_markup_is_shown_as_it_was_written(source: str) -> None:
    assert markdown.html(source) == ""


def test_where_a_text_stands_in_one_line_what_its_author_hid_is_covered() -> None:
    for source, line in {
        "**who**: ||the butler||, ||a | b||; a || b || c": "who: ▒▒▒, ▒▒▒; a || b || c",
        "a ||b ||c|| d|| e": "a ▒▒▒ e",
        "||**a** and ||b|| `c`|| d": "▒▒▒ d",
        "_waves_": "waves",
        "two\n lines,\n\n- and\n- `more` ~~of~~ them": "two lines, and more of them",
        "> what you said\n\nYes & <no>": "Yes & <no>",
        "> what ||you|| said\n> and more": "what ▒▒▒ said and more",
        "[words](https://example.org/) and https://example.org/x": "words and https://example.org/x",
        "```python\nprint('x')\n```": "print('x')",
        "خلف `nginx;` هنا": "خلف \u2066nginx;\u2069 هنا",
        "||`hidden`|| سطر:\n```\noff;\n```": "▒▒▒ سطر: \u2066off;\u2069",
        "هل @Ada **و** ada@example.org": "هل \u200e@Ada و ada@example.org",
        "هل @Ada؟ @نور": "هل \u200e@Ada؟ @نور",
        "5 * 3 * 2": "5 * 3 * 2",
        "||": "||",
        "": "",
    }.items():
        assert markdown.in_line(source, markdown.html(source)) == line
    assert markdown.in_line("**who**: ||the butler||", "") == "**who**: ▒▒▒"  # where no HTML is made of it


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.sampled_from(["||", "|", "*", "_", "`", "> ", "\n", " ", "word", "- ", "(", "\\"]), max_size=24
    )
)
def test_in_one_line_stands_no_word_that_is_hidden(pieces: list[str]) -> None:
    html = markdown.html("".join(pieces))
    tree = ElementTree.fromstring(f"<div>{html.replace('<br>', '<br/>')}</div>")
    hidden = sum("".join(spoiler.itertext()).count("word") for spoiler in outermost(tree))
    words = "".join(tree.itertext()).count("word")
    line = markdown.in_line("", html)
    assert line.count("word") <= words - hidden
    if "<blockquote" not in html:
        assert line.count("word") == words - hidden


def outermost(tree: ElementTree.Element) -> Iterator[ElementTree.Element]:
    """The spoilers that are in no other one."""
    for child in tree:
        if child.get("class") == "spoiler":
            yield child
        else:
            yield from outermost(child)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from([*PIECES, "a", "b", " ", "\n", "]", ")", "||", "<b>", "&lt;", '"', "'", "\u202e"]), max_size=30))  # fmt: skip
def test_whatever_is_written_becomes_nothing_but_the_tags_that_are_allowed(pieces: list[str]) -> None:
    source = "".join(pieces)
    html = markdown.html(source)
    words = TAG.sub("", html)
    assert "<" not in words
    assert ">" not in words
    assert len(html) <= markdown.longest_html(len(source))


@pytest.mark.parametrize("piece", PIECES)
def test_work_grows_with_the_length_of_a_text_and_not_with_its_square(
    piece: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(markdown, "SIGNS", LONG * markdown.LINK_SIGNS)
    markdown.html(piece * 4)  # what is made once is not counted
    short, long = (_steps((piece * length)[:length]) for length in (SHORT, LONG))
    assert long <= 6 * short


def _steps(source: str) -> int:
    """How many functions are called for `source`."""
    count = 0

    def called(_frame: Any, event: str, _argument: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(called)
    try:
        markdown.html(source)
    finally:
        sys.setprofile(None)
    return count


def test_nothing_keeps_an_expression_of_the_libraries_busy() -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))

    done = subprocess.run(
        [sys.executable, "-c", TRY_ALL], cwd=ROOT, capture_output=True, text=True, preexec_fn=limit
    )
    assert done.returncode == 0, done.stderr


def test_code_whose_colours_take_long_or_would_be_too_much_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    code = "1 " * 500
    plain = f'<pre dir="ltr" tabindex="0"><code>{code}</code></pre>'
    assert markdown.html(f"```py\n{code}\n```") == plain
    monkeypatch.setattr(colouring, "SECONDS", -1)
    assert markdown.html("```py\nreturn 1\n```") == '<pre dir="ltr" tabindex="0"><code>return 1</code></pre>'


def test_code_with_a_line_that_nobody_reads_is_not_coloured() -> None:
    """One expression of Bash's takes the cube of the length of a line behind `<<`, and cannot be interrupted."""
    line = '"' + "x" * (colouring.LONGEST_LINE - 2) + '"'
    assert "<span" in colouring.coloured(f"{line}\n{line}", "bash")
    assert colouring.coloured(f"{line}x", "bash") == ""


def test_whom_a_text_calls_is_found_in_its_html_once_for_all_readers(monkeypatch: pytest.MonkeyPatch) -> None:
    message = Message(
        1, 1, "text", Author("u1", "ada"), format_time(1), "**hi** @grace", mentions=["u2"], called=["grace"]
    )
    marking.fitting(Turnstile(), [message], html=True, for_page=True)
    monkeypatch.setattr(mentions, "_Marking", None)  # not again
    for reader, own in (("u1", ""), ("u2", " own")):
        shown = mentions.in_html(str(message.marked.html), ["u2"], ["grace"], reader)
        assert f'<bdi class="mention{own}">@grace</bdi>' in shown


def test_a_fault_of_a_library_leaves_a_text_as_it_was_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(markdown, "_render", lambda source: 1 / 0)
    assert markdown.html("**bold**") == ""


def test_html_of_many_messages_is_made_in_turns_with_everybody_else_and_of_each_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(marking, "TURN_SECONDS", -1)  # a turn after each
    turnstile = mock.Mock()
    messages = [
        Message(1, seq, "text", Author("u1", "ada"), format_time(seq), "**one**") for seq in (1, 2, 3)
    ]
    marking.mark(turnstile, messages)
    assert turnstile.pass_through.call_count == 3
    monkeypatch.setattr(markdown, "html", lambda source: "made again")
    marking.mark(turnstile, messages)
    assert {message.marked.html for message in messages} == {'<p dir="auto"><strong>one</strong></p>'}


# -- over the wire --------------------------------------------------------------------------------------


@pytest.mark.parametrize("transport", RESUMING, ids=lambda reader: reader.name)
def test_who_asks_gets_html_with_each_text_live_late_and_from_history(
    transport: type[Reader], ada: Person, grace: Person, board: int
) -> None:
    live = transport(grace, board, after=-1, html=True)
    without = transport(grace, board, after=-1)
    written = ada.http.post(f"{ada.messages(board)}?html=1", json={"body": "**one**"}).json()
    ada.say(board, "plain")
    for reader in (live, without):
        reader.wait_for(2)  # as it was first
    edit = {"kind": "edit", "of": written["seq"], "body": "*two*"}
    edited = ada.http.post(f"{ada.messages(board)}?html=1", json=edit).json()
    ada.http.post(ada.messages(board), json={"kind": "reaction", "of": written["seq"], "body": "**"})
    assert written["html"] == markdown.html("**one**")
    assert edited["html"] == markdown.html("*two*")
    assert [each.get("html") for each in live.wait_for(4)] == [written["html"], None, edited["html"], None]
    assert not any("html" in each for each in without.wait_for(4))

    late = transport(grace, board, after=0, html=True)
    newest = [edited["html"], None, edited["html"], None]  # an edited text is served in its newest form
    assert [each.get("html") for each in late.wait_for(4)] == newest
    history = grace.read(board, before=99, html=1)["messages"]
    assert history == late.messages
    assert [{**each, "html": None} for each in grace.read(board, before=99)["messages"]] == [
        {**each, "html": None} for each in history
    ]
    ada.http.post(ada.messages(board), json={"kind": "delete", "of": written["seq"]})
    assert not any("html" in each for each in grace.read(board, after=0, html=1)["messages"])
    for reader in (live, without, late):
        reader.close()


def test_one_socket_has_html_of_the_rooms_for_which_it_asked(ada: Person, board: int) -> None:
    other = ada.make_room("other")
    socket = ada.socket()
    socket.join(board, html=True)
    socket.join(other)
    for room in (board, other):
        ada.say(room, "**hello**")
        socket.expect(lambda frame, room=room: frame["type"] == "message" and frame["room"] == room)
    assert ["html" in frame for frame in socket.of("message")] == [True, False]
    socket.join(board, after=-1)  # joined again without asking
    ada.say(board, "**again**")
    assert "html" not in socket.expect(lambda frame: frame.get("body") == "**again**")
    socket.close()


def test_who_asks_for_it_otherwise_is_told_how_and_nothing_is_kept(ada: Person, board: int) -> None:
    for answer in (
        ada.http.get(ada.messages(board), params={"html": "yes"}),
        ada.http.get(f"/api/rooms/{board}/stream", params={"html": ""}),
        ada.http.post(f"{ada.messages(board)}?html=true", json={"body": "**one**"}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")
    assert ada.read(board, after=0)["messages"] == []


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("> the rope\n\nAye **captain**", "the rope Aye captain"),
        ("see [the chart](https://harbour.example/map)", "see the chart (https://harbour.example/map)"),
        ("see https://harbour.example/map and mail@harbour.example", None),
        (
            "see https://harbour.example/küste?nach=Köln and <https://häfen.example/>",
            "see https://harbour.example/küste?nach=Köln and https://häfen.example/",
        ),
        ("[https://a.example/ü](https://b.example/ü)", "https://a.example/ü (https://b.example/%C3%BC)"),
        ("[||c||](https://d.example) [e ||f||](https://g.example)", "▒▒▒ e ▒▒▒"),
        ("> [a](https://b.example)\n\n||[c](https://d.example)|| **e**", "a (https://b.example) ▒▒▒ e"),
    ],
)
def test_a_line_for_who_searches_has_all_words_but_those_that_are_hidden(
    source: str, line: str | None
) -> None:
    assert markdown.in_line(source, markdown.html(source), whole=True) == (line or source)
