"""The words of a text, as they are kept and as they are looked for: the same rule on both sides.

A word is a run of letters and digits with the marks on them, in small letters, without accents and the
points of Arabic and Hebrew. Where a script has no spaces between words, the words are the overlapping pieces
of two characters of a run, and its last character: what is looked for may stand anywhere in it. (SQLite's
trigrams would find no word of two Chinese characters.) A picture is a word of its own.
"""

import re
import sys
import unicodedata
from collections.abc import Iterator
from functools import cache, lru_cache
from typing import NamedTuple

# Scripts without spaces between words, and Korean, which joins what others write as words of their own: Thai,
# Lao, Burmese, Khmer, kana, Hangul, Han (with its sign for repetition), half-width kana.
UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf"
    "\u4e00-\u9fff\uac00-\ud7a3\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff]+"
)
# Accents of Latin, Greek and Cyrillic; the points of Hebrew; the signs and the lengthening of Arabic. Other
# marks are more than that: without its vowels a word of Hindi would be another one.
POINTS = re.compile("[\u0300-\u036f\u0591-\u05c7\u0640\u064b-\u065f\u0670\u06d6-\u06ed]")
ASCII_WORD = re.compile("[a-z0-9]+")
PICTURE = "\ue010"  # for private use: in no word of a text


class Word(NamedTuple):
    """A word, and where it stands in the text."""

    text: str
    start: int
    end: int


def words(text: str) -> list[str]:
    """All words of `text`, in order."""
    if text.isascii():
        return ASCII_WORD.findall(text.lower())
    return [word.text for word in placed(text)]


def placed(text: str) -> Iterator[Word]:
    """The same with their places."""
    end = 0
    for run in UNSPACED.finditer(text):
        yield from _spaced(text, end, run.start())
        yield from _pieces(run[0], run.start())
        end = run.end()
    yield from _spaced(text, end, len(text))


def is_unspaced(word: str) -> bool:
    """Whether it is a piece of a script without spaces."""
    return UNSPACED.match(word) is not None


def _spaced(text: str, start: int, end: int) -> Iterator[Word]:
    for found in _spaced_word().finditer(text, start, end):
        picture = found.lastgroup == "picture"
        yield Word(f"{PICTURE}{ord(found[0]):x}" if picture else _plain(found[0]), *found.span())


def _pieces(run: str, start: int) -> Iterator[Word]:
    plain, end = _folded(run), start + len(run)
    # Where the plain form has another length, all that is known is that they stand in the run.
    exact = len(plain) == len(run)
    for at in range(len(plain)):
        begin = start + at
        yield Word(plain[at : at + 2], *((begin, min(begin + 2, end)) if exact else (start, end)))


@lru_cache(10_000)
def _plain(word: str) -> str:
    return word.lower() if word.isascii() else _folded(word)


def _folded(word: str) -> str:
    """One form for all that is the same word: in whichever case, width and composition it is written."""
    bare = POINTS.sub("", unicodedata.normalize("NFKD", word.casefold()))
    return unicodedata.normalize("NFKC", bare).casefold()


@cache
def _spaced_word() -> re.Pattern[str]:
    """Made on first use: it takes a walk through Unicode."""
    marks, pictures = _ranges("Mn", "Mc", "Me"), _ranges("So")
    return re.compile(rf"[^\W_]+(?:[{marks}]+[^\W_]*)*|(?P<picture>[{pictures}])")


def _ranges(*categories: str) -> str:
    """The characters of those general categories beyond ASCII, as the inside of a class."""
    found: list[list[int]] = []
    for code in range(0x80, min(0x20000, sys.maxunicode)):
        if unicodedata.category(chr(code)) in categories:
            if found and found[-1][1] == code - 1:
                found[-1][1] = code
            else:
                found.append([code, code])
    return "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in found)
