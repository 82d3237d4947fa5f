"""The words of a text, as they are kept and as they are looked for: the same rule on both sides.

A word is a run of letters and digits with the marks on them, in small letters, without accents and the
points of Arabic and Hebrew. Where a script has no spaces between words, the words are the overlapping pieces
of two characters of a run, and its last character: what is looked for may stand anywhere in it. (SQLite's
trigrams would find no word of two Chinese characters.) A picture is a word of its own.
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
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
# A word with the marks on it (Unicode's general category M, with letters between them), or a picture.
SPACED = re.compile(
    r"[^\W_](?:(?!_)[\w"
    "\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u05bf\u05c1-\u05c7\u0610-\u061a\u0640\u064b-\u065f\u0670"
    "\u06d6-\u06ed\u0711-\u07f3\u0816-\u085b\u0898-\u0963\u0981-\u09e3\u09fe-\u0a75\u0a81-\u0ae3\u0afa-\u0b63"
    "\u0b82-\u0bd7\u0c00-\u0c63\u0c81-\u0cf3\u0d00-\u0d63\u0d81-\u0df3\u0f18-\u0f39\u0f3e-\u0f84\u0f86-\u0fbc"
    "\u135d-\u135f\u1712-\u1773\u180b-\u193b\u1a17-\u1a1b\u1a55-\u1a7f\u1ab0-\u1b44\u1b6b-\u1b73\u1b80-\u1bf3"
    "\u1c24-\u1c37\u1cd0-\u1dff\u20d0-\u20f0\u2d7f-\u2dff\ua66f-\ua67d\ua69e-\ua6f1\ua802-\ua827\ua880-\ua8c5"
    "\ua8e0-\ua8f1\ua8ff-\ua92d\ua947-\ua953\ua980-\ua9c0\ua9e5-\uaa4d\uaa7b-\uaac1\uaaeb-\uaaf6\uabe3-\uabed"
    "\ufe00-\ufe0f\ufe20-\ufe2f\U00010a01-\U00010a3f\U00011000-\U00011fff])*"
    "|(?P<picture>[\u2190-\u21ff\u2300-\u23ff\u2500-\u27bf\u2900-\u297f\u2b00-\u2bff\U0001f000-\U0001faff])"
)
# Of ASCII: letters made small, digits as they are, and a space for anything else.
ASCII_WORDS = bytes(ord(chr(byte).lower()) if chr(byte).isalnum() else 32 for byte in range(128)).ljust(256)
PICTURE = "\ue010"  # for private use: in no word of a text


class Word(NamedTuple):
    """A word, and where it stands in the text."""

    text: str
    start: int
    end: int


def words(text: str) -> list[str]:
    """All words of `text`, in order."""
    if text.isascii():
        return text.encode().translate(ASCII_WORDS).decode().split()
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
    for found in SPACED.finditer(text, start, end):
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
