"""To search: the verb that the doors share. What the index finds is looked at again before it is shown."""

from collections.abc import Sequence

from msgspec import Struct, structs

from chatapp.errors import BadRequest
from chatapp.hub import Hub
from chatapp.journal import people_reading, search_reading
from chatapp.message import Message
from chatapp.permissions import Identity, check
from chatapp.search import (
    Found,
    Hit,
    IndexFault,
    TooSlow,
    Wanted,
    author_mark,
    entry,
    name_mark,
    parse,
    wanted,
)
from chatapp.search.query import Phrase
from chatapp.threads import in_thread

PAGE = 20
PAGE_LIMIT = 50
ROUNDS = 5  # in which the index is asked once more, where what it found is not to be shown


class Result(Struct, frozen=True):
    """A message that was found, and what the one who looks for it calls its room."""

    message: Message
    room: str


class Results(Struct, frozen=True):
    """`results`: the newest first. `cursor`: with which the older ones are asked for; None: there are none.

    `phrases`: what was looked for. `building`: the index is being made, older messages may be missing.
    """

    results: list[Result]
    cursor: int | None
    phrases: tuple[Phrase, ...]
    building: bool


def search(hub: Hub, identity: Identity, line: str, before: int | None = None, limit: int = PAGE) -> Results:
    """What `identity` may read that is as `line` says, and older than the cursor `before`. Switches.

    Raises BadRequest, SignIn, Forbidden, TooFast, NotKept.
    """
    check(identity, "read")
    hub.limiter.search(identity)
    query = parse(line)
    rooms = hub.journal.read(search_reading.readable, identity)
    if query.rooms:
        rooms = {room: name for named in query.rooms for room, name in _called(rooms, named).items()}
    authors = [_marks(hub, identity, name) for name in query.authors]
    return _newest(hub, identity, wanted(query, authors, rooms.keys()), before, limit)


def still_theirs(hub: Hub, identity: Identity, results: Sequence[Result]) -> list[Result]:
    """Those of `results` that `identity` may read now, to be asked behind all that takes its time. Switches
    for that alone. Raises SignIn, Forbidden, NotKept.
    """
    if not results:
        return []
    found = {result.message.room for result in results}
    rooms = hub.journal.read(search_reading.readable, hub.people.still(identity), found)
    return [result for result in results if result.message.room in rooms]


def _called(rooms: dict[int, str], named: str) -> dict[int, str]:
    """Those of `rooms` that have that number or, where there is none, that name."""
    digits = named.removeprefix("#")
    if digits.isascii() and digits.isdigit() and (number := int(digits[:20])) in rooms:
        return {number: rooms[number]}
    key = named.casefold()
    found = {room: name for room, name in rooms.items() if name.casefold() == key}
    if not found:
        raise BadRequest("There is no room “%(named)s” that you may read", named=named)
    return found


def _marks(hub: Hub, identity: Identity, name: str) -> tuple[str, ...]:
    """What marks the messages of whoever is called so now, or was when they wrote."""
    if name.casefold() == "me" and identity.known:
        return (author_mark(identity.id),)
    person = hub.journal.read(people_reading.person_called, name)
    return (name_mark(name), *((author_mark(person.id),) if person else ()))


def _newest(hub: Hub, identity: Identity, wanted: Wanted, before: int | None, limit: int) -> Results:
    results: list[Result] = []
    cursor, found = before, Found([])
    for _ in range(ROUNDS):
        earlier = [moment for moment in (cursor, wanted.before) if moment is not None]
        found = _find(hub, structs.replace(wanted, before=min(earlier, default=None)), limit - len(results))
        if found.hits:
            cursor = found.hits[-1].cursor
            results += _still_there(hub, identity, found.hits)
        if not found.more or len(results) >= limit:
            break
    return Results(results, cursor if found.more else None, wanted.phrases, found.behind)


def _find(hub: Hub, wanted: Wanted, limit: int) -> Found:
    try:
        return hub.index.find(wanted, limit)
    except IndexFault:  # it is not there yet, or is being made anew
        return Found([], behind=True)
    except TooSlow:
        raise BadRequest(
            "That takes too long to find here: add a rarer word, or say in which room or after which day"
        ) from None


def _still_there(hub: Hub, identity: Identity, hits: Sequence[Hit]) -> list[Result]:
    """Those of `hits` that are as they were found, in rooms that `identity` may read: as it is now."""
    identity = hub.people.still(identity)
    numbers = [(hit.entry.room, hit.entry.seq) for hit in hits]
    rooms, messages = hub.journal.read(search_reading.texts, identity, numbers)

    def same() -> list[Result]:
        return [
            Result(message, rooms[message.room])
            for hit, number in zip(hits, numbers, strict=True)
            if (message := messages.get(number)) is not None
            and (text := search_reading.text_of(message)) is not None
            and entry(text).words == hit.entry.words
        ]

    return in_thread(same)
