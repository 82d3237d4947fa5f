"""Who is called in a text: `@` and somebody's name, which may have spaces in it. Of names of which one begins
another the longest that there is counts; names are compared as everywhere (names.py).

What stands between backticks is code, and calls nobody. Nor does an `@` behind a letter: that is an address.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache

from chatapp import names
from chatapp.text import NAME_LIMIT

SIGNS_LIMIT = 50  # of one text; those behind are only text

_CODE = re.compile(r"(?<!`)(`+)(?!`).+?(?<!`)\1(?!`)", re.DOTALL)
_SIGN = re.compile(r"(?<![\w@])@(?=[^\s@])")
# Scripts that put no space between words: there a name may end within what looks like one.
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\U00020000-\U0003ffff]"
)

key = lru_cache(4096)(names.key)


def keys(body: str) -> set[str]:
    """The keys (names.py) of all that might be a name in `body`."""
    return {key_of for calls in _calls(body) for _, key_of in calls}


def called(body: str, known: Mapping[str, str]) -> dict[str, str]:
    """By the words that stand in `body` behind an `@`, the ids of whom they call. `known`: ids by key."""
    found: dict[str, str] = {}
    for calls in _calls(body):
        words, person = next(((words, known[one]) for words, one in calls if one in known), ("", ""))
        if person:
            found[words] = person
    return found


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


def _calls(body: str) -> Iterator[list[tuple[str, str]]]:
    """For each `@` what might be the name behind it, and its key, the longest first."""
    bare = _CODE.sub(lambda code: " " * len(code[0]), body) if "`" in body else body
    for count, sign in enumerate(_SIGN.finditer(bare)):
        if count == SIGNS_LIMIT:
            return
        line = bare[sign.end() : sign.end() + NAME_LIMIT + 1].split("\n", 1)[0]
        yield [(line[:end], key(line[:end])) for end in _ends(line)]


def _ends(line: str) -> Iterable[int]:
    """Where a name that begins `line` may end, the last first."""
    for end in range(min(len(line), NAME_LIMIT), 0, -1):
        last, following = line[end - 1], line[end : end + 1]
        within = _is_word(last) and _is_word(following) and not _UNSPACED.match(last)
        if not within and not last.isspace():
            yield end


def _is_word(char: str) -> bool:
    return bool(re.match(r"\w", char))
