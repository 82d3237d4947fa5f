"""Faces: the first letter of a name on one of eight tints. static/js/faces.js has the same two rules."""

from functools import lru_cache

ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"
TINTS = 8


def initial(name: str) -> str:
    """The first letter of a name, the same wherever the face stands."""
    return name.strip()[:1].upper() or "?"


@lru_cache(maxsize=10_000)
def tint(person: str) -> int:
    """The number of the tint of a person's id."""
    weighed = ((2 * place + 1) * (ALPHABET.find(char) + 1) for place, char in enumerate(person.lower()))
    return sum(weighed) % TINTS
