"""The sentences about somebody that notices and the audit log keep, and how their name is taken out of them.

Each is a whole sentence of ours (accounts.py, membership.py, moderation.py, the statements) in which the name
has its place, so whatever stands there is the name, in any script and with any words in it.
"""

import re

REPORT_SETTLED = "settled the report of #"

_TIME = r" for \d+ (?:days?|hours?|minutes?|seconds)"
_SCOPE = "(?:read|write|manage)"
# Before the name, the name, behind it. The first that fits is it.
_SENTENCES = [
    re.compile(sentence, re.DOTALL)
    for sentence in (
        "(took the second factor of )(.+)( away)",
        "(took )(.+)( in)",
        "(is called )(.+)( now)",
        r"(made an account: )(.+)( \((?:member|administrator)\))",
        rf"(made token \d+ for )(.+?)(: {_SCOPE}(?:, {_SCOPE})*)",
        "(made )(.+?)( (?:a member|a moderator|an owner|member|administrator))",
        "(disabled |enabled |removed )(.+)()",
        "(signed )(.+)( out)",
        f"(timed )(.+?)( out(?:{_TIME})?)",
        f"(let )(.+?)( only read(?:{_TIME})?)",  # as the same was said before
        "(let )(.+)( (?:in|into the server|write) again)",
        r"(deleted #\d+ of )(.+)()",
        r"(brought back #\d+ of )(.+)()",
        rf"({REPORT_SETTLED}\d+ of )(.+)(: (?:dismissed|deleted|timed out|banned))",
        f"(banned )(.+)( from the server(?:{_TIME})?)",
        f"(banned )(.+)( from the server(?:{_TIME})?, and all guests from )[0-9a-f.:/]+",
        f"(banned )(.+?)((?:{_TIME})?)",
    )
]
# What has whom it is about (a room, what an invitation is for) in the place of a person.
_ABOUT_NOBODY = re.compile(
    r"made a \w+ room|(cleared|deleted) the room|had everybody read the room anew|made invitation \d+ for \d+"
)


def name_in(said: str) -> str | None:
    """The name that has its place in a sentence, if any has."""
    found = _found(said)
    return found[2] if found else None


def without_name(said: str, name: str) -> str:
    """The sentence with `name` in the place of the one in it, and without the network that goes with it."""
    found = _found(said)
    if found is None:
        return said
    return found[1] + name + found[3] + ("a network" if found.end(3) < len(said) else "")


def about_nobody(said: str) -> bool:
    """Whether an act is not about a person, whatever it seems to be about."""
    return _ABOUT_NOBODY.fullmatch(said) is not None


def _found(said: str) -> re.Match[str] | None:
    return next((found for sentence in _SENTENCES if (found := sentence.fullmatch(said))), None)
