"""What somebody looks for, read from the line that they typed (docs/search.md)."""

import re
from datetime import UTC, datetime

from msgspec import Struct

from chatapp.errors import BadRequest
from chatapp.message import DAY_MICROSECONDS
from chatapp.search.words import is_unspaced, placed

LINE_LIMIT = 300  # code points
TERMS_LIMIT = 20
BEGINNINGS_LIMIT = 5
LEAST_BEGINNING = 3  # letters before a *: all words that begin so are gone through
SAMPLES = {
    "from": "ada",
    "in": "Lobby",
    "has": "link",
    "before": "2026-11-30",
    "after": "2026-11-23",
}
KINDS = ("link", "file")

_QUOTES = str.maketrans({"“": '"', "”": '"', "„": '"', "‟": '"'})  # as telephones write them
_TERM = re.compile(
    r'(?:(?P<operator>from|in|has|before|after):(?:"(?P<quoted>[^"]*)"|(?P<bare>[^\s"]*))'
    r'|"(?P<phrase>[^"]*)"|(?P<chunk>[^\s"]+))',
    re.IGNORECASE,
)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class Phrase(Struct, frozen=True):
    """Words that stand one behind the other; `open`: the last one may go on."""

    words: tuple[str, ...]
    open: bool = False


class Query(Struct, frozen=True):
    """`phrases`: all of them. `authors`, `rooms`: any of those, as they were typed. `kinds`: all of them.

    `after`, `before`: microseconds since 1970; from the first on, and before the second.
    """

    phrases: tuple[Phrase, ...] = ()
    authors: tuple[str, ...] = ()
    rooms: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    after: int | None = None
    before: int | None = None


def everywhere(line: str) -> tuple[str, bool]:
    """`line` without what says in which rooms, and whether it said that."""
    terms = list(_TERM.finditer(line.translate(_QUOTES)))
    others = [term[0] for term in terms if (term["operator"] or "").lower() != "in"]
    return " ".join(others), len(others) < len(terms)


def with_beginning(line: str) -> str | None:
    """`line` with its last word as the beginning of one, for who typed half a word; None where it is none."""
    terms = list(_TERM.finditer(line.translate(_QUOTES)))
    last = terms[-1]["chunk"] if terms else None
    if not last or last.endswith("*") or is_unspaced(last[-1]):
        return None
    end = terms[-1].end()
    wider = f"{line[:end]}*{line[end:]}"
    try:
        return wider if parse(wider).phrases[-1].open else None
    except BadRequest:
        return None


def parse(line: str) -> Query:
    """Raises BadRequest for what asks for nothing, or cannot be understood; it says what to write."""
    if len(line) > LINE_LIMIT:
        raise BadRequest("A search has at most %(limit)s characters", limit=LINE_LIMIT)
    line = line.translate(_QUOTES)
    if line.count('"') % 2:
        raise BadRequest('A quotation mark has no other end: write "some words"')
    found = list(_TERM.finditer(line))
    if len(found) > TERMS_LIMIT:
        raise BadRequest("A search has at most %(limit)s words and conditions", limit=TERMS_LIMIT)
    phrases: list[Phrase] = []
    said: dict[str, list[str]] = {"from": [], "in": [], "has": [], "before": [], "after": []}
    for term in found:
        if term["operator"]:
            said[term["operator"].lower()].append(_value(term))
        else:
            phrases += _phrase(term)
    if sum(phrase.open for phrase in phrases) > BEGINNINGS_LIMIT:
        raise BadRequest("A search has at most %(limit)s beginnings of words", limit=BEGINNINGS_LIMIT)
    query = Query(
        tuple(phrases),
        tuple(said["from"]),
        tuple(said["in"]),
        tuple(map(_kind, said["has"])),
        max((_day("after", value) for value in said["after"]), default=None),
        min((_day("before", value) for value in said["before"]), default=None),
    )
    if not (query.phrases or query.authors or query.rooms or query.kinds):
        raise BadRequest("Give a word to look for, or from:, in: or has:")
    if query.after is not None and query.before is not None and query.after >= query.before:
        raise BadRequest("No day is after the first of these and before the second")
    return query


def _value(term: re.Match[str]) -> str:
    operator = term["operator"].lower()
    value = (term["bare"] if term["quoted"] is None else term["quoted"]).strip()
    if not value:
        raise BadRequest(
            "%(operator)s: wants something behind it, as in %(operator)s:%(sample)s",
            operator=operator,
            sample=SAMPLES[operator],
        )
    return value


def _phrase(term: re.Match[str]) -> list[Phrase]:
    """The words of one piece of the line, if there are any: in quotation marks, or without a space."""
    text = term["chunk"] if term["phrase"] is None else term["phrase"]
    found = list(placed(text))
    if not found:
        return []
    begun = term["chunk"] is not None and text.endswith("*")
    if begun and len(found[-1].text) < LEAST_BEGINNING and not is_unspaced(found[-1].text):
        raise BadRequest(
            "%(text)s: a beginning of a word has at least %(least)s letters",
            text=text,
            least=LEAST_BEGINNING,
        )
    words = [word.text for word in found]
    if is_unspaced(words[-1]):
        # Of a run its last character is kept as well, but what is looked for may end within a run.
        alone = len(words) == 1 or not is_unspaced(words[-2]) or found[-2].end != found[-1].end
        return [Phrase(tuple(words), open=True)] if alone else [Phrase(tuple(words[:-1]))]
    return [Phrase(tuple(words), open=begun)]


def _kind(value: str) -> str:
    if value.lower() not in KINDS:
        raise BadRequest("has:%(value)s is nothing to look for: write has:link or has:file", value=value)
    return value.lower()


def _day(operator: str, value: str) -> int:
    """The beginning of that day, UTC."""
    try:
        if not _DATE.fullmatch(value):
            raise ValueError(value)
        day = datetime.fromisoformat(value).replace(tzinfo=UTC)
    except ValueError:
        raise BadRequest(
            "%(operator)s:%(value)s is no day: write %(operator)s:%(sample)s",
            operator=operator,
            value=value,
            sample=SAMPLES[operator],
        ) from None
    days = day.toordinal() - datetime(1970, 1, 1).toordinal()
    return max(0, days * DAY_MICROSECONDS)
