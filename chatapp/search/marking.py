"""Where in a text the words stand that were looked for."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from chatapp.search.query import Phrase
from chatapp.search.words import Word, placed

SHOWN = 280  # characters of a text
BEFORE = 80  # of these in front of the first word that was found


class Piece(NamedTuple):
    text: str
    found: bool


def excerpt(text: str, phrases: Sequence[Phrase]) -> list[Piece]:
    """A part of `text` in which there is something of `phrases`, in pieces: all of a short one."""
    places = _merged(_places(list(placed(text)), phrases))
    start = max(0, places[0][0] - BEFORE) if places and len(text) > SHOWN else 0
    start = _at_a_space(text, start) if start else 0
    end = min(start + SHOWN, len(text))
    pieces = [Piece("…", False)] if start else []
    at = start
    for begin, over in places:
        if begin >= end:
            break
        pieces += [Piece(text[at:begin], False), Piece(text[begin : min(over, end)], True)]
        at = min(over, end)
    pieces.append(Piece(text[at:end] + ("…" if end < len(text) else ""), False))
    return [piece for piece in pieces if piece.text]


def _places(words: list[Word], phrases: Sequence[Phrase]) -> Iterator[tuple[int, int]]:
    for phrase in phrases:
        size = len(phrase.words)
        for first in range(len(words) - size + 1):
            those = words[first : first + size]
            if _is(those, phrase):
                yield those[0].start, those[-1].end


def _is(words: list[Word], phrase: Phrase) -> bool:
    *before, last = phrase.words
    if any(word.text != wanted for word, wanted in zip(words, before, strict=False)):
        return False
    return words[-1].text.startswith(last) if phrase.open else words[-1].text == last


def _merged(places: Iterator[tuple[int, int]]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for start, end in sorted(places):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found


def _at_a_space(text: str, start: int) -> int:
    """The beginning of a word near `start`, where there is one."""
    space = text.find(" ", start, start + BEFORE // 2)
    return start if space < 0 else space + 1
