"""The messages of a page as rows of its list.

Days and groups follow the rule that static/js/groups.js has too: a row starts a group unless the row before
it is a text of the same author and name that still has its words, on the same day, at most GROUP_MINUTES
before. What `/me` says always does: it goes on from the name.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

GROUP_MINUTES = 5
DEED = re.compile(r"_(?:[^_\n]|(?<=[^\W_])_(?=[^\W_]))+_\Z")  # a text that `/me` has made

Plain = dict[str, Any]  # a message as its JSON
Reaction = tuple[str, list[str], bool]


@dataclass(frozen=True, slots=True)
class Row:
    """A text or a notice, and what is shown with it.

    `starts_day`, `starts`: whether a day, whether a group begins with it. `quoted`: what it answers, where
    that is on the page. `reactions`: of each the mark, the names, and whether the viewer is one of them.
    `deleted_by`: a name, or "". `deleted_by_viewer`: whether that is the viewer.
    """

    message: Plain
    starts_day: bool
    starts: bool
    quoted: Plain | None
    reactions: list[Reaction]
    deleted_by: str
    deleted_by_viewer: bool = False


def rows(messages: Sequence[Plain], viewer: str) -> Iterator[Row]:
    """The rows of `messages`, oldest first; `viewer`: an author's id, or ""."""
    by_seq = {message["seq"]: message for message in messages}
    about = defaultdict(list)
    for message in messages:
        if message.get("of"):
            about[message["of"]].append(message)
    before: Plain | None = None
    for message in messages:
        if message["kind"] not in ("text", "notice"):
            continue
        said = about.get(message["seq"], ())
        deleter = next((each["author"] for each in reversed(said) if each["kind"] == "delete"), None)
        yield Row(
            message,
            starts_day=before is None or message["at"][:10] != before["at"][:10],
            starts=_starts_group(message, before),
            quoted=by_seq.get(message.get("of")),
            reactions=standing(said, viewer) if said else [],
            deleted_by=deleter["name"] if deleter else "",
            deleted_by_viewer=deleter is not None and deleter["id"] == viewer != "",
        )
        before = message


def _starts_group(message: Plain, before: Plain | None) -> bool:
    if before is None or before["kind"] != "text" or before.get("deleted_at"):
        return True
    if DEED.match(message["body"]):
        return True
    author, other = message["author"], before["author"]
    if author["id"] != other["id"] or author["name"] != other["name"]:
        return True
    at, earlier = message["at"], before["at"]
    return at[:16] != earlier[:16] and (
        at[:10] != earlier[:10] or _minute(at) - _minute(earlier) > GROUP_MINUTES
    )


def _minute(at: str) -> int:
    return int(at[11:13]) * 60 + int(at[14:16])


def standing(said: Sequence[Plain], viewer: str) -> list[Reaction]:
    """The reactions that stand, of what was `said` about a text: the newest word of each person on each mark
    decides.
    """
    stands: dict[tuple[str, str], bool] = {}
    names: dict[str, str] = {}
    for change in said:
        author = change["author"]
        names.setdefault(author["id"], author["name"])
        if change["kind"] == "reaction":
            stands[change["body"], author["id"]] = not change.get("remove")
    by_mark = defaultdict(list)
    for (mark, person), standing in stands.items():
        if standing:
            by_mark[mark].append(person)
    return [(mark, [names[one] for one in people], viewer in people) for mark, people in by_mark.items()]
