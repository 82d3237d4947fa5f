"""Who is called in a text: `@` and somebody's name, which may have spaces in it. Of names of which one begins
another the longest that there is counts; names are compared as everywhere (names.py).

What stands between backticks or in a block of code calls nobody. Nor does an `@` behind a letter or a slash:
that is an address.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from html import escape
from html.parser import HTMLParser

from chatapp import names
from chatapp.text import NAME_LIMIT

HTML_KEPT = 200  # texts whose HTML is kept in pieces: some pages
KEYS_LIMIT = 300  # of one text: to make one takes 80 µs. What is behind is only text

_FENCE = re.compile(r"^ {0,3}(```|~~~).*?(?:^ {0,3}\1|\Z)", re.DOTALL | re.MULTILINE)
_CODE = re.compile(r"(?<!`)(`+)(?!`).+?(?<!`)\1(?!`)", re.DOTALL)
_SIGN = re.compile(r"(?<![\w@/])@(?=[^\s@])")
# Where a name may end: not within a word, but within what scripts have that put no space between words.
_END = re.compile(
    r"(?<=\S)(?:(?!(?<=\w)\w)"
    "|(?<=[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\U00020000-\U0003ffff]))"
)

Call = list[tuple[str, str]]
"""What might be the name behind one `@`, and its key, the longest first."""

key = lru_cache(4096)(names.key)


def calls(body: str) -> list[Call]:
    """What in `body` might call somebody."""
    bare = body
    for code in (_FENCE, _CODE) if "`" in body or "~~~" in body else ():
        bare = code.sub(lambda found: " " * len(found[0]), bare)
    found: list[Call] = []
    for sign in _SIGN.finditer(bare):
        if sum(map(len, found)) >= KEYS_LIMIT:
            break
        line = bare[sign.end() : sign.end() + NAME_LIMIT + 1].split("\n", 1)[0]
        ends = [end.start() for end in _END.finditer(line) if end.start() <= NAME_LIMIT]
        found.append([(line[:end], key(line[:end])) for end in reversed(ends)])
    return found


def called(found: Sequence[Call], known: Mapping[str, str]) -> dict[str, str]:
    """By the words that stand behind an `@`, the ids of whom they call. `known`: ids by key."""
    people = {}
    for call in found:
        words = next((words for words, one in call if one in known), None)
        if words is not None:
            people[words] = known[key(words)]
    return people


def pieces(body: str, mentions: Sequence[str], words: Sequence[str]) -> Iterator[tuple[str, str | None]]:
    """`body` in pieces, each with the id of whom it calls, if it calls somebody. The page's script has the
    same rule (static/js/mentions.js).

    `mentions`, `words`: as a message has them, `called` being the words.
    """
    people = dict(zip(words, mentions, strict=False))
    if not people:
        yield body, None
        return
    longest_first = sorted(people, key=len, reverse=True)
    end = 0
    for sign in _SIGN.finditer(body):
        called = next((one for one in longest_first if body.startswith(one, sign.end())), None)
        if called is None or sign.start() < end:
            continue
        if sign.start() > end:
            yield body[end : sign.start()], None
        end = sign.end() + len(called)
        yield body[sign.start() : end], people[called]
    if end < len(body):
        yield body[end:], None


def in_html(html: str, mentions: Sequence[str], words: Sequence[str], reader: str) -> str:
    """`html`, which is ours, with whom it calls marked, but not in code. `reader`: an id, or ""."""
    if not mentions:
        return html
    return "".join(
        piece if person is None else f'<bdi class="mention{" own" if person == reader else ""}">{piece}</bdi>'
        for piece, person in pieces_of_html(html, tuple(mentions), tuple(words))
    )


@lru_cache(HTML_KEPT)
def pieces_of_html(
    html: str, mentions: tuple[str, ...], words: tuple[str, ...]
) -> list[tuple[str, str | None]]:
    """The same in pieces, as `pieces`: once for all readers. Of 26 KB it takes 10 ms."""
    marking = _Marking(mentions, words)
    marking.feed(html)
    marking.close()
    return marking.out


class _Marking(HTMLParser):
    def __init__(self, mentions: Sequence[str], words: Sequence[str]) -> None:
        super().__init__(convert_charrefs=True)
        self._called = mentions, words
        self._within_code = 0
        self.out: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self._within_code += tag in ("code", "pre")
        self.out.append((self.get_starttag_text() or "", None))

    def handle_endtag(self, tag: str) -> None:
        self._within_code -= tag in ("code", "pre")
        self.out.append((f"</{tag}>", None))

    def handle_data(self, data: str) -> None:
        called = ((), ()) if self._within_code else self._called
        for piece, person in pieces(data, *called):
            self.out.append((escape(piece, quote=False), person))
