"""What may be written in a message, and how it is shown: a subset of Markdown as HTML (docs/writing.md).

Parsed by markdown-it-py and cleaned by nh3, which alone decides what comes out. Nothing in here switches.
What a text costs grows with its length, and the length of its HTML is bounded by it.
"""

import logging
import re
from collections.abc import Iterable, Sequence
from html import unescape
from typing import Any, Literal

import nh3
from linkify_it import LinkifyIt
from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.renderer import RendererHTML
from markdown_it.rules_block import StateBlock
from markdown_it.rules_inline import StateInline, link, linkify
from markdown_it.rules_inline.state_inline import Delimiter
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

from chatapp import colouring

LIMIT = 4_000  # characters; a longer text is shown as it was written
SIGNS = 600  # and one with more of what may be markup, which costs some 25 µs each; usual code has 250,
LINK_SIGNS = 10  # where a link counts for so many
NESTING = 20  # quotes and lists within each other, two levels for each list
GROWTH = 8  # times the length of a text that its HTML may have,
SPARE = 100  # and so many characters more

_CLEANER = nh3.Cleaner(
    tags={"p", "br", "strong", "em", "s", "code", "pre", "blockquote", "ul", "ol", "li", "a", "span"},
    attributes={"*": set(), "a": {"href"}, "ol": {"start"}},
    tag_attribute_values={
        **{tag: {"dir": {"auto"}} for tag in ("p", "blockquote", "ul", "ol")},
        "pre": {"dir": {"ltr"}, "tabindex": {"0"}},
        "span": {"tabindex": {"0"}},
    },
    allowed_classes={"span": {"spoiler", *(name for _, name in colouring.KINDS)}},
    set_tag_attribute_values={"a": {"target": "_blank"}},
    link_rel="noopener noreferrer nofollow",
    url_schemes={"http", "https", "mailto"},
    url_relative="deny",
)
# One of these is in every text that has markup; most texts have none.
_SIGN = re.compile(r"[*_`~|\[\\<]")
_LINE = re.compile(r"^[ \t]*(?:[-+>]|[0-9]{1,9}[.)])", re.MULTILINE)
_ANY_SIGN = re.compile(r"[*_`~|\[\\<\n:]")
_ANY_LINK = re.compile(r"://|www\.|mailto:|\]\(")
_LINK = re.compile(r"https?://|mailto:", re.IGNORECASE)
_NOWHERE = re.compile(r"\(\s*\)")
_SCHEME = re.compile(r"(?:^|[^a-z0-9.+-])https?$", re.IGNORECASE)
_SPOILER = re.compile(r"\|\|(?=\S)[^|]+(?:\|[^|]+)*(?<=\S)\|\|")
_COVER = "▒▒▒"
# Of what _CLEANER gives out.
_PIECE = re.compile(r'<(/?)([a-z]+)( class="spoiler")?(?: href="([^"]*)")?[^>]*>|([^<]+)')
_SCHEMES = ("", "http://", "https://", "mailto:")
_RIGHT_TO_LEFT = re.compile(r"[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
_CALL = re.compile(r"(?<!\w)@(?=[A-Za-z\u00c0-\u024f])")
# LEFT-TO-RIGHT ISOLATE, POP DIRECTIONAL ISOLATE, LEFT-TO-RIGHT MARK (UAX 9)
_CODE_BEGINS, _CODE_ENDS, _FROM_THE_LEFT = "\u2066", "\u2069", "\u200e"
_BREAKING = frozenset({"p", "br", "pre", "blockquote", "ul", "ol", "li"})

log = logging.getLogger(__name__)


def may_have_markup(source: str) -> bool:
    """Whether `html` has to look closer. Cheap."""
    return len(source) <= LIMIT and (
        _SIGN.search(source) is not None
        or "://" in source
        or "www." in source
        or "mailto:" in source
        or _LINE.match(source) is not None
        or ("\n" in source and _LINE.search(source) is not None)
    )


def html(source: str) -> str:
    """`source` as HTML; nothing where it has no markup, or too much: then it is shown as it was written.

    Never raises: readers get a message that the libraries cannot cope with like any other.
    """
    if not may_have_markup(source) or _signs(source) > SIGNS:
        return ""
    try:
        made = _CLEANER.clean(_render(source))
    except Exception:
        log.exception("a message is shown without its markup")
        return ""
    return made if len(made) <= longest_html(len(source)) else ""


def longest_html(length: int) -> int:
    """How many characters the HTML of a text of `length` characters may have."""
    return GROWTH * length + SPARE


def in_line(source: str, html: str, *, whole: bool = False) -> str:
    """The words of a text for a place that has one line for them: without its markup, what its author has
    hidden covered, and of what it quotes nothing, where it says something itself; among words from the right
    code and who is called read as they are written. `html`: as made of `source`. static/js/markup.js has the
    same rule.

    `whole`: with what it quotes, and where its links lead, as they can be searched for; but nothing of a link
    with words that its author has hidden.
    """
    if not html:
        return _one_line(_SPOILER.sub(_COVER, source) if "||" in source else source)
    isolates = _RIGHT_TO_LEFT.search(html) is not None
    said: list[str] = []
    quoted: list[str] = []
    spans = quotes = 0  # how many deep within a spoiler, and within quotes
    address, begun = "", 0  # of a link, and where its words begin
    for end, tag, spoiler, href, text in _PIECE.findall(html):
        into = quoted if quotes and not whole else said
        if tag == "span":
            if spoiler and not spans:
                into.append(_COVER)
            if spans or spoiler:
                spans += -1 if end else 1
        elif tag == "a" and whole and not spans:
            words = into[begun:]
            if end and _COVER not in words and not _says("".join(words), address):
                into.append(f" ({address})")
            address, begun = unescape(href), len(into)
        elif tag in _BREAKING:
            into.append(" ")
            if tag == "blockquote":
                quotes += -1 if end else 1
        elif tag == "code" and isolates and not spans:
            into.append(_CODE_ENDS if end else _CODE_BEGINS)
        elif not spans:
            into.append(unescape(text))
    return _one_line("".join(said)) or _one_line("".join(quoted))


def _says(words: str, address: str) -> bool:
    """Whether the words of a link are its address, as people write it."""
    return any(
        address in (made, _MARKDOWN.normalizeLink(made)) for made in (each + words for each in _SCHEMES)
    )


def _one_line(words: str) -> str:
    line = " ".join(words.split())
    return _CALL.sub(f"{_FROM_THE_LEFT}@", line) if "@" in line and _RIGHT_TO_LEFT.search(line) else line


def _signs(source: str) -> int:
    return len(_ANY_SIGN.findall(source)) + LINK_SIGNS * len(_ANY_LINK.findall(source))


def _render(source: str) -> str:
    tokens = _MARKDOWN.parse(source)
    if not _has_markup(tokens) or not _shows_all(tokens):
        return ""
    for token in tokens:
        if token.level == 0 and token.nesting == 1:
            token.attrSet("dir", "auto")  # what is within keeps to the side of the whole
    made: str = _MARKDOWN.renderer.render(tokens, _MARKDOWN.options, {"coloured": True})
    if len(made) <= longest_html(len(source)):
        return made
    return str(_MARKDOWN.renderer.render(tokens, _MARKDOWN.options, {}))


def _has_markup(tokens: Sequence[Token]) -> bool:
    """Whether anything would look otherwise than the text as it was written."""
    return any(
        token.type not in ("paragraph_open", "paragraph_close", "inline")
        or any(child.type not in ("text", "softbreak", "hardbreak") for child in token.children or ())
        or _words(child.content for child in token.children or ()) != _words([token.content])
        for token in tokens
    )


def _words(pieces: Iterable[str]) -> str:
    """Without the spaces, which are shown as they are only where there is no markup."""
    return "".join("".join(pieces).split())


def _shows_all(tokens: Sequence[Token]) -> bool:
    """Whether there are words to see, and none that are nested too deep to be parsed."""
    pieces = (piece for token in tokens for piece in token.children or [token])
    return any(piece.content.strip() for piece in pieces) and all(
        token.level < NESTING - 1 for token in tokens
    )


class _Renderer(RendererHTML):
    """A method for each kind of token that is not simply its tag. No spaces between tags: they would show."""

    def renderToken(  # noqa: N802  # the library's name
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType
    ) -> str:
        return super().renderToken(tokens, idx, options, env).strip("\n")

    def softbreak(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        return "<br>"

    hardbreak = softbreak

    def spoiler_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        return '<span class="spoiler" tabindex="0"><span>'

    def spoiler_close(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        return "</span></span>"

    def fence(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        token = tokens[idx]
        code, language = token.content.removesuffix("\n"), token.info.strip().partition(" ")[0]
        words = colouring.coloured(code, language.lower()) if env.get("coloured") else ""
        return f'<pre dir="ltr" tabindex="0"><code>{words or escapeHtml(code)}</code></pre>'


class _Links(LinkifyIt):  # type: ignore[misc]  # it has no annotations
    """Bare links: those that begin with http, https, www or mailto. `main.py` is more often a file."""

    def __init__(self) -> None:
        super().__init__(options={"fuzzy_link": False, "fuzzy_email": False})
        for schema in ("ftp:", "//"):
            self.add(schema, None)
        self.add("www.", {"validate": self._validate_www})

    def _validate_www(self, text: str, pos: int) -> int:
        start = pos - len("www.")
        if start and not text[start - 1].isspace() and text[start - 1] not in "([":
            return 0  # or each "www." in a chain of them would be followed to its end
        return max(0, self.test_schema_at(f"//{text[start:]}", "http:", 0) - len("//www."))

    def normalize(self, match: Any) -> None:
        super().normalize(match)
        if match.schema == "www.":
            match.url = f"https://{match.url}"

    def test_schema_at(self, text: str, name: str, position: int) -> int:
        """How long the address at `position` is: it ends where a spoiler may."""
        bars = text.find("||", position)
        length: int = super().test_schema_at(text if bars < 0 else text[:bars], name, position)
        return length


class _Markdown(MarkdownIt):
    """CommonMark, as far as it is for talking, with strikethrough, bare links and spoilers."""

    def __init__(self) -> None:
        options = {"breaks": True, "linkify": True, "maxNesting": NESTING}
        super().__init__("zero", options, renderer_cls=_Renderer)
        self.linkify = _Links()
        self.enable(
            [
                *("blockquote", "fence", "list", "linkify", "newline", "escape", "backticks"),
                *("strikethrough", "emphasis", "link", "autolink"),
            ]
        )
        self.block.ruler.push("quote_end", _ends_quote, {"alt": ["blockquote"]})
        self.block.ruler.push("list_end", _ends_list, {"alt": ["paragraph"]})
        self.inline.add_terminator_char("|")
        self.inline.ruler.at("link", _link)
        self.inline.ruler.at("linkify", _bare_link)
        self.inline.ruler.before("emphasis", "spoiler", _spoiler_marks)
        self.inline.ruler2.before("emphasis", "spoiler", _pair_spoiler_marks)

    def validateLink(self, url: str) -> bool:  # noqa: N802  # the library's name
        made = f'<a href="{escapeHtml(url)}"></a>'
        return _LINK.match(url) is not None and ' href="' in _CLEANER.clean(made)  # or it would lead nowhere

    def normalizeLinkText(self, link: str) -> str:  # noqa: N802  # the library's name
        return link  # as it was written: what is decoded may look like another address


# CommonMark takes a line that follows a quote or a list for a part of it, whatever it begins with: what
# somebody answers would be said by whom they quote. These rules only end what is there, when asked silently.


def _ends_quote(state: StateBlock, line: int, end: int, silent: bool) -> bool:
    """A line without `>`."""
    return silent


def _ends_list(state: StateBlock, line: int, end: int, silent: bool) -> bool:
    """A line that stands no further in than the list's own mark."""
    indent = state.sCount[line]
    return silent and indent < state.blkIndent and indent <= state.listIndent


def _link(state: StateInline, silent: bool) -> bool:
    """The library's rule, but that `[words]()`, which leads nowhere, is no link."""
    if state.src[state.pos] != "[":
        return False
    end = state.md.helpers.parseLinkLabel(state, state.pos, True)
    return _NOWHERE.match(state.src, end + 1) is None and link(state, silent)


def _bare_link(state: StateInline, silent: bool) -> bool:
    """The library's rule, which reads all that was before `://`, where it may be a link that we show."""
    return _SCHEME.search(state.pending[-6:]) is not None and linkify(state, silent)


def _spoiler_marks(state: StateInline, silent: bool) -> bool:
    """Take two bars as what may open or close a spoiler; whether they do is known at the end of the line."""
    if silent or not state.src.startswith("||", state.pos):
        return False
    found = state.scanDelims(state.pos, True)
    for _ in range(found.length // 2):
        state.push("text", "", 0).content = "||"
        state.delimiters.append(
            Delimiter(ord("|"), 0, len(state.tokens) - 1, -1, found.can_open, found.can_close)
        )
    state.pos += found.length // 2 * 2
    return True


def _pair_spoiler_marks(state: StateInline) -> None:
    for delimiters in (state.delimiters, *(meta["delimiters"] for meta in state.tokens_meta if meta)):
        for mark in delimiters:
            if mark.marker == ord("|") and mark.end >= 0:
                _turn(state.tokens[mark.token], "spoiler_open", 1)
                _turn(state.tokens[delimiters[mark.end].token], "spoiler_close", -1)


def _turn(token: Token, kind: str, nesting: Literal[-1, 1]) -> None:
    token.type, token.nesting, token.content = kind, nesting, ""


_MARKDOWN = _Markdown()
