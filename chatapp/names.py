"""When one name passes for another: names are compared by a key in which what looks alike is the same.

The key follows the skeleton of Unicode's UTS #39, section 4, with the table of the library
confusable-homoglyphs, and goes further: letters of either case count as one, and so do i, l, I, 1 and |,
which many fonts hardly tell apart; small capitals are the letters that they look like; spaces, of which some
are as wide as a hair, and what shows as nothing do not count. Marks above letters do: José is not Jose.
"""

import re
import unicodedata
from functools import lru_cache

from confusable_homoglyphs.confusables import confusables_data

LOOK_ALIKES: dict[str, list[dict[str, str]]] = confusables_data
RESERVED = ("system", "guest", "removed person")
OFFICES = ("administrator", "admin", "moderator")
ALSO_ALIKE = str.maketrans({"i": "1", "l": "1", "0": "o"})
SMALL_CAPITAL = re.compile("LATIN LETTER SMALL CAPITAL ([A-Z])")
NOTHING = re.compile("C[cfs]|Z.")  # general categories
# What shows as nothing though it is no format character: Default_Ignorable_Code_Point in Unicode's
# DerivedCoreProperties.txt, and the blank of braille.
BLANK = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2065\u2800\u3164\ufe00-\ufe0f\uffa0\ufff0-\ufff8"
    "\U000e0000-\U000e0fff]"
)


def key(name: str) -> str:
    """What `name` has in common with all names that look like it."""
    shown = visible(unicodedata.normalize("NFKD", name))
    for _ in range(2):  # what a capital letter looks like may have a small one that looks like another yet
        shown = "".join(_prototype(char) for char in shown).casefold()
    shown = unicodedata.normalize("NFD", shown.translate(ALSO_ALIKE)).replace("vv", "w")
    # The dot above i and j is there already, and a mark on the same mark is not seen.
    shown = re.sub("(?<=[1j])\u0307", "", shown)
    return "".join(char for char, before in zip(shown, " " + shown, strict=False) if not _again(char, before))


def visible(text: str) -> str:
    """`text` without what shows as nothing, and without spaces."""
    return "".join(char for char in BLANK.sub("", text) if not NOTHING.fullmatch(unicodedata.category(char)))


def is_reserved(name: str, *, offices: bool = True) -> bool:
    """Whether `name` passes for one that nobody may have; with `offices`, also for that of an office."""
    return key(name) in _reserved(offices)


@lru_cache(2)
def _reserved(offices: bool) -> set[str]:
    return {key(reserved) for reserved in (*RESERVED, *(OFFICES if offices else ()))}


@lru_cache(4096)
def _prototype(char: str) -> str:
    """One and the same for all that look like `char`: the longest (m looks like rn), of these the first."""
    if found := SMALL_CAPITAL.fullmatch(unicodedata.name(char, "")):
        char = found[1]
    alike, seen = {char}, [char]
    for each in seen:
        for other in LOOK_ALIKES.get(each, ()):
            # Characters that are written from right to left stand between marks in the table.
            text = visible(other["c"])
            if text and text not in alike:
                alike.add(text)
                seen.append(text)
    return min(alike, key=lambda text: (-len(text), text))


def _again(char: str, before: str) -> bool:
    return char == before and unicodedata.combining(char) != 0
