"""People's faces: initials on one of eight tints. static/js/faces.js has the same two rules."""

from functools import lru_cache

ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"
TINTS = 8


def initials(name: str, letters: int = 1) -> str:
    """One letter, or two (`letters`) where the name has two words."""
    words = name.split()
    first = words[0][0] if words else "?"
    # Letters without a case join their neighbours (Arabic) or are words (Han): one of them is enough.
    last = words[-1][0] if letters == 2 and len(words) > 1 else ""
    return first.upper() + (last.upper() if last.upper() != last.lower() else "")


@lru_cache(maxsize=10_000)
def tint(person: str) -> int:
    """The number of the tint of a person's id."""
    weighed = ((2 * place + 1) * (ALPHABET.find(char) + 1) for place, char in enumerate(person.lower()))
    return sum(weighed) % TINTS
