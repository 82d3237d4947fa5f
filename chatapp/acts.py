"""What somebody did, as notices and the audit log keep it: sentences of ours, in English and without their
subject, who is beside them. So they are read in any language; `%(name)s` is whom or what it was about.

The first that fits is it. Who says something else there says it here too: tests/test_languages.py looks.
"""

import re

from chatapp import languages
from chatapp.errors import Term

# What stands in the places of these names; in any other, words.
_GROUPS = {
    "time": r"\d+ (?:days?|hours?|minutes?|seconds?|s)",
    "number": r"\d+",
    "count": r"\d+",
    "uses": r"\d+",
}
_TIME = re.compile(r"(\d+) (day|hour|minute|s)\w*")

# In the logs of rooms, and in the audit log.
NOTICES = (
    Term("became a member"),
    Term("left"),
    Term("came in as an administrator of this server"),
    Term("removed the topic"),
    Term("set the topic: %(name)s"),
    Term("named this room %(name)s"),
    Term("closed this room"),
    Term("closed this room to guests"),
    Term("opened this room"),
    Term("made this room public"),
    Term("made this room private"),
    Term("let guests in"),
    Term("let everyone write here"),
    Term("let members write here"),
    Term("let moderators write here"),
    Term("set a pause of %(time)s between messages"),
    Term("ended the pause between messages"),
    Term("keeps %(time)s and at most %(count)s messages of this room"),
    Term("keeps %(count)s messages of this room"),
    Term("keeps all messages of this room"),
    Term("keeps %(time)s of this room"),
    Term("let the hook %(name)s write here"),
    Term("revoked the hook %(name)s"),
    Term("took %(name)s in"),
    Term("made %(name)s a member"),
    Term("made %(name)s a moderator"),
    Term("made %(name)s an owner"),
    Term("removed %(name)s"),
    Term("timed %(name)s out for %(time)s"),
    Term("timed %(name)s out"),
    Term("let %(name)s only read for %(time)s"),  # as this and the next were said before
    Term("let %(name)s only read"),
    Term("banned %(name)s for %(time)s"),
    Term("let %(name)s write again"),
    Term("let %(name)s in again"),
    Term("banned %(name)s"),
)
# In the audit log alone; before those above, for whom a name may be more.
ACTS = (
    Term("took the second factor of %(name)s away"),
    Term("took invitation %(number)s back"),
    Term("took an e-mail address away"),
    Term("set an e-mail address"),
    Term("set a new password"),
    Term("set a new password with a link"),
    Term("made a link for a new password"),
    Term("made invitation %(number)s for %(uses)s"),
    Term("made a public room"),
    Term("made a private room"),
    Term("cleared the room"),
    Term("had everybody read the room anew"),
    Term("deleted the room"),
    Term("made an account: %(name)s (member)"),
    Term("made an account: %(name)s (administrator)"),
    Term("made token %(number)s for %(name)s: %(scopes)s"),
    Term("revoked token %(number)s"),
    Term("erased an account"),
    Term("erased their own account"),
    Term("is no bot any more: tokens made before the first way to sign in were revoked"),
    Term("is called %(name)s now"),
    Term("made %(name)s member"),
    Term("made %(name)s administrator"),
    Term("disabled %(name)s"),
    Term("enabled %(name)s"),
    Term("signed %(name)s out"),
    Term("banned %(name)s from the server for %(time)s, and all guests from %(network)s"),
    Term("banned %(name)s from the server, and all guests from %(network)s"),
    Term("banned %(name)s from the server for %(time)s"),
    Term("banned %(name)s from the server"),
    Term("let %(name)s into the server again"),
    Term("deleted #%(number)s of %(name)s"),
    Term("brought back #%(number)s of %(name)s"),
    Term("settled the report of #%(number)s of %(name)s: dismissed"),
    Term("settled the report of #%(number)s of %(name)s: deleted"),
    Term("settled the report of #%(number)s of %(name)s: timed out"),
    Term("settled the report of #%(number)s of %(name)s: banned"),
)


def _pattern(sentences: tuple[str, ...]) -> re.Pattern[str]:
    """What fits one of them: each is a group, called after its place among them, as those in it are."""
    return re.compile(
        "|".join(f"(?P<_{number}>{_source(each, number)})" for number, each in enumerate(sentences)),
        re.DOTALL,
    )


def _source(sentence: str, number: int) -> str:
    parts = languages.PLACE.split(sentence)
    return "".join(
        f"(?P<{part}_{number}>{_GROUPS.get(part, '.+')})" if place % 2 else re.escape(part)
        for place, part in enumerate(parts)
    )


_AUDITED = (*ACTS, *NOTICES)
_PATTERNS = [_pattern(NOTICES), _pattern(_AUDITED)]


def noticed(language: str, said: str) -> str:
    """What a notice says, in `language`, where it is known; else as it was kept."""
    return said if language == languages.SOURCE else _in(language, said, NOTICES, _PATTERNS[0])


def audited(language: str, said: str) -> str:
    """The same of what stands in the audit log."""
    return _in(language, said, _AUDITED, _PATTERNS[1])


def _in(language: str, said: str, sentences: tuple[str, ...], pattern: re.Pattern[str]) -> str:
    found = pattern.fullmatch(said)
    if found is None:
        return said
    number = next(each for each in range(len(sentences)) if found[f"_{each}"] is not None)
    values = {name: found[f"{name}_{number}"] for name in languages.PLACE.findall(sentences[number])}
    if time := _TIME.fullmatch(values.get("time", "")):
        values["time"] = languages.time(language, int(time[1]), time[2].replace("s", "second"))
    if uses := values.get("uses"):
        values["uses"] = languages.plural(language, "%(num)s use", "%(num)s uses", int(uses))
    if scopes := values.get("scopes"):
        values["scopes"] = languages.listed(
            language, [languages.say(language, scope) for scope in scopes.split(", ")]
        )
    return languages.say(language, sentences[number], values)
