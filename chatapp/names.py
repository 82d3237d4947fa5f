"""When one name passes for another: names are compared by a key in which what looks alike is the same.

The key follows the skeleton of Unicode's UTS #39, section 4, with the table of the library
confusable-homoglyphs, and goes further: letters of either case count as one, and so do i, l, I, 1 and |,
which many fonts hardly tell apart. Marks above letters do count: José is not Jose.
"""

import unicodedata
from functools import lru_cache

from confusable_homoglyphs.confusables import confusables_data

LOOK_ALIKES: dict[str, list[dict[str, str]]] = confusables_data
RESERVED = ("system", "guest", "removed person")
ALSO_ALIKE = str.maketrans({"i": "1", "l": "1", "0": "o"})


def key(name: str) -> str:
    """What `name` has in common with all names that look like it."""
    shown = "".join(char for char in unicodedata.normalize("NFKC", name) if not _invisible(char))
    for _ in range(2):  # what a capital letter looks like may have a small one that looks like another yet
        shown = "".join(_prototype(char) for char in shown).casefold()
    return " ".join(shown.translate(ALSO_ALIKE).split())


def is_reserved(name: str) -> bool:
    """Whether `name` passes for one that nobody may have."""
    return key(name) in {key(reserved) for reserved in RESERVED}


@lru_cache(4096)
def _prototype(char: str) -> str:
    """One and the same for all that look like `char`: the longest (m looks like rn), of these the first."""
    alike, seen = {char}, [char]
    for each in seen:
        for other in LOOK_ALIKES.get(each, ()):
            # Characters that are written from right to left stand between marks in the table.
            text = "".join(part for part in other["c"] if not _invisible(part))
            if text and text not in alike:
                alike.add(text)
                seen.append(text)
    return min(alike, key=lambda text: (-len(text), text))


def _invisible(char: str) -> bool:
    return unicodedata.category(char) == "Cf" or "\ufe00" <= char <= "\ufe0f"
