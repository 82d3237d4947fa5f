"""What this process knows of who people are: who is signed in with which session, for whom which token
stands, and who is banned.

Every request asks, so it is kept in memory: read when it is first asked for, and read again when who
anybody is has changed (`Server.people` counts that), in this process or in another one. That is learned of
in one of three ways, and each may come first: from this process's own commit, from the bus, and from the
sweep. From the moment when it is known nobody is answered by what was true before: who asks waits for the
reading.

Whatever was permitted to an identity of an earlier number, the journal decides again (`writing.py`).
"""

import logging
from collections import OrderedDict
from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import count
from typing import Protocol, TypeVar

import gevent
from gevent.lock import BoundedSemaphore
from msgspec import structs
from sqlalchemy import Connection

from chatapp.errors import ChatError, Draining, Forbidden, SignIn, Term
from chatapp.journal import SWEEP_SECONDS, Journal, people_reading
from chatapp.journal.people_requests import Person, SawSessions
from chatapp.journal.token_requests import Holder, SawTokens
from chatapp.permissions import NOBODY, Identity, Sanctions

KEPT = 20_000  # sessions, and as many tokens
TIDY_SWEEPS = 3  # between two looks at all connections, which end within a second of their token
SEEN_SWEEPS = 80 * TIDY_SWEEPS  # a minute: how often it is kept that a session or a token was used

T = TypeVar("T")
log = logging.getLogger(__name__)
_BANNED = Term("You are banned here")
_NO_TOKEN = Term("This token is not valid (any more)")


class Follower(Protocol):
    """Somebody who is pushed to, or waits for an answer: a connection, a request."""

    identity: Identity

    def identified(self, identity: Identity) -> None:
        """Its person is this from now on. Must not switch."""

    def dismiss(self, error: ChatError) -> None:
        """End it, and say why. Must not switch."""


class People:
    """`followers()`: all who are pushed to; `on_renamed(person)`, `on_status(person)`: somebody has a new
    name, or says something else of themselves; `on_erased()`: `erased` holds for more people. None of them
    may switch.
    """

    def __init__(
        self,
        journal: Journal,
        followers: Callable[[], Iterable[Follower]],
        on_renamed: Callable[[Person], None],
        on_status: Callable[[Person], None],
        on_erased: Callable[[], None],
    ) -> None:
        self._journal, self._followers = journal, followers
        self._on_renamed, self._on_status, self._on_erased = on_renamed, on_status, on_erased
        self.number = -1  # up to which changes are known here
        self._wanted = 0  # and up to which there are some
        self._reading = BoundedSemaphore(1)
        self._sessions: OrderedDict[str, Person | None] = OrderedDict()
        self._holders: OrderedDict[str, Holder | None] = OrderedDict()
        self._once_guests: set[str] = set()
        self._erased: set[str] = set()  # hashes of ids
        self._bans: Sanctions = NOBODY
        self._seen: set[str] = set()
        self._used: set[str] = set()  # tokens of which it is not kept yet
        self._used_at: dict[str, int] = {}  # in which sweep it was kept of tokens last
        self.renamed: dict[str, str] = {}  # the names of those who had another one before
        self.statuses: dict[str, str] = {}  # of those who say something of themselves

    # -- who asks ----------------------------------------------------------------------------------

    def signed_in(self, key: str, address: str) -> Identity | None:
        """Who is signed in with the session `key`. Switches when it is not known here. Raises NotKept."""
        self._catch_up()
        if key not in self._sessions:
            self._load(key, people_reading.person_of_session, self._sessions)
        self._sessions.move_to_end(key)
        person = self._sessions[key]
        if person is None or person.disabled:
            return None
        self._seen.add(key)
        identity = Identity(
            person.id, person.name, person.role, address, session=key, language=person.language or ""
        )
        return self._admitted(identity)

    def bearer(self, key: str, address: str) -> Identity | None:
        """Whom the token `key` stands for. Switches when it is not known here. Raises NotKept."""
        self._catch_up()
        if key not in self._holders:
            self._load(key, people_reading.holder_of_token, self._holders)
        found = self._holders[key]
        if found is None:
            del self._holders[key]  # who tries many puts none out of memory that is good
            return None
        self._holders.move_to_end(key)
        person = found.person
        identity = Identity(
            person.id,
            person.name,
            person.role,
            address,
            token=key,
            scopes=found.scopes,
            rooms=found.rooms,
            expires_at=found.expires_at,
            bot=person.bot,
        )
        if person.disabled or identity.expired:
            return None
        self._used.add(key)
        return self._admitted(identity)

    def guest(self, identity: Identity) -> Identity | None:
        """`identity`, a guest or nobody in particular, as it is now; None for who has an account since, or
        was erased.
        """
        self._catch_up()
        if identity.id in self._once_guests or self.erased(identity.id):
            return None
        return self._admitted(identity)

    def has_account(self, person: str) -> bool:
        """Whether that is the id of an account, as far as this is known: a guest who made one kept it."""
        return not person.startswith("g") or person in self._once_guests

    def erased(self, person: str) -> bool:
        """Whether that is the id of somebody who was taken out of the database, as far as this is known."""
        return bool(self._erased) and people_reading.erasure(person) in self._erased

    def still(self, identity: Identity) -> Identity:
        """`identity`, of a request that waited, as it is now. May switch. Raises what ends connections:
        SignIn, Forbidden, Draining.
        """
        self._catch_up()
        if identity.expired:
            raise SignIn(_NO_TOKEN)
        if identity.people == self.number or identity.role in ("banned", "anonymous"):
            return identity
        if identity.session:
            now = self.signed_in(identity.session, identity.address)
        elif identity.token:
            now = self.bearer(identity.token, identity.address)
        elif identity.role in ("guest", "visitor"):
            now = self.guest(identity)
        else:
            found = self._journal.read(people_reading.identity_now, identity)
            now = structs.replace(found, people=self.number)
        if now is None:
            raise self._gone(identity)
        if now.role == "banned":
            raise Forbidden(_BANNED)
        return now

    def banned_until(self, identity: Identity) -> int:
        """When the ban of `identity` ends, in microseconds since 1970; 0: when it is lifted."""
        if not (identity.session or identity.token):  # as which their browser and their address count
            identity = structs.replace(identity, role="guest")
        return self._bans.until(identity) or 0

    def name_now(self, person: str, name: str) -> str:
        """What somebody is called who wrote as `name`."""
        return self.renamed.get(person, name)

    def names_now(self, people: Iterable[str]) -> dict[str, str]:
        """By id, the names of those among `people` who had another one before."""
        return {person: self.renamed[person] for person in people if person in self.renamed}

    # -- what changes ------------------------------------------------------------------------------

    def moved(self, number: int) -> None:
        """Who somebody is has changed for the `number`th time. Never switches."""
        if number > self._wanted:
            self._wanted = number
            gevent.spawn(self._catch_up_quietly)

    def sweep(self) -> None:
        """Find what nobody told of, every SWEEP_SECONDS for ever; and keep which sessions are used."""
        gevent.spawn(self._catch_up_quietly)  # whatever becomes of it, the sweep goes on
        version: int | None = None
        for sweep in count(1):
            gevent.sleep(SWEEP_SECONDS)
            try:
                seen, version = version, self._journal.version()
                if version is None or version != seen:
                    self.moved(self._journal.read(people_reading.number))
                if sweep % TIDY_SWEEPS == 0:
                    self._end_expired()
                    self._keep_used(sweep)
                if sweep % SEEN_SWEEPS == 0:
                    self._keep_seen()
            except ChatError:  # the journal has said why
                version = None
            except Exception:
                version = None
                log.exception("the sweep of people failed")

    # -- within ------------------------------------------------------------------------------------

    def _admitted(self, identity: Identity) -> Identity:
        if self._bans.meet(identity):
            identity = structs.replace(identity, role="banned")
        return structs.replace(identity, people=self.number)

    def _catch_up_quietly(self) -> None:
        with suppress(ChatError):  # the journal has said why; whoever asks next tries again
            self._catch_up()

    def _catch_up(self) -> None:
        """Read what has changed, if anything has. Switches then. Raises NotKept."""
        while self.number < self._wanted or self.number < 0:
            with self._reading:
                if self.number < self._wanted or self.number < 0:
                    self._read()

    def _read(self) -> None:
        since = self.number
        if since < 0:
            since = self._journal.read(people_reading.number)
            # What changes from here on is read twice, which does no harm.
            self.renamed = {each.id: each.name for each in self._journal.read(people_reading.renamed)}
            self.statuses = {each.id: each.status for each in self._journal.read(people_reading.with_status)}
            self._once_guests.update(self._journal.read(people_reading.once_guests))
            self._erased.update(self._journal.read(people_reading.erasures))
        news = self._journal.read(people_reading.news, since)
        changed = {person.id: person for person in news.changed}
        # From here on nothing switches: what is known changes for everybody at once.
        self.number, self._bans = news.number, news.bans
        self._wanted = max(self._wanted, news.number)
        self._once_guests.update(id for id in changed if id.startswith("g"))
        self._erased.update(news.erased)
        if news.erased:
            self.renamed = {id: name for id, name in self.renamed.items() if not self.erased(id)}
            self.statuses = {id: status for id, status in self.statuses.items() if not self.erased(id)}
        for key in news.ended:
            self._sessions.pop(key, None)
            self._holders.pop(key, None)
        for key, person in self._sessions.items():
            if person is not None and person.id in changed:
                self._sessions[key] = changed[person.id]
        for key, holder in self._holders.items():
            if holder is not None and holder.person.id in changed:
                self._holders[key] = structs.replace(holder, person=changed[holder.person.id])
        for person in news.renamed:
            self.renamed[person.id] = person.name
        said = [person for person in news.changed if self.statuses.get(person.id, "") != person.status]
        for person in said:
            self.statuses[person.id] = person.status
            if not person.status:
                del self.statuses[person.id]
        ended = set(news.ended)
        for follower in self._followers():
            try:
                if news.erased and self.erased(follower.identity.id):
                    follower.dismiss(self._gone(follower.identity))
                else:
                    self._look_at(follower, changed, ended)
            except Exception:
                log.exception("somebody's connection could not be told who they are")
        for person in news.renamed:
            self._on_renamed(person)
        for person in said:
            self._on_status(person)
        if news.erased:
            self._on_erased()

    def _look_at(self, follower: Follower, changed: dict[str, Person], ended: set[str]) -> None:
        identity = follower.identity
        person = changed.get(identity.id)
        signed_in = identity.role in ("member", "administrator")
        disabled = signed_in and person is not None and person.disabled
        guest_no_more = identity.role == "guest" and identity.id in self._once_guests
        over = bool({identity.session, identity.token} & ended)
        if disabled or over or guest_no_more:
            follower.dismiss(self._gone(identity))
            return
        if signed_in and person is not None:
            identity = structs.replace(
                identity, name=person.name, role=person.role, language=person.language or ""
            )
        identity = self._admitted(identity)
        if identity.role == "banned":
            follower.dismiss(Forbidden(_BANNED))
        else:
            follower.identified(identity)

    def _gone(self, identity: Identity) -> ChatError:
        """What is said to who was `identity`, and is it no more."""
        if self.erased(identity.id):
            return SignIn("You are not known here any more")
        if identity.token:
            return SignIn(_NO_TOKEN)
        if identity.role == "guest" and identity.id in self._once_guests:
            return Draining("You have an account now: come back with it")
        return SignIn("You are not signed in any more")

    def _load(
        self,
        key: str,
        question: Callable[[Connection, str], tuple[int, T | None]],
        known: OrderedDict[str, T | None],
    ) -> None:
        """Put into `known` what `question` answers about `key`, with the number that it is of."""
        number, found = -1, None
        while number < self.number:  # what was read while others learned more may be old
            number, found = self._journal.read(question, key)
        self._wanted = max(self._wanted, number)
        known[key] = found
        if number > self.number:
            # Others changed meanwhile. This one is as new as can be; what is read now does it no harm.
            self._catch_up()
            known.setdefault(key, None)
        while len(known) > KEPT:
            known.popitem(last=False)

    def _end_expired(self) -> None:
        for follower in list(self._followers()):
            if follower.identity.expired:
                follower.dismiss(SignIn(_NO_TOKEN))

    def _keep_seen(self) -> None:
        keys, self._seen = tuple(self._seen), set()
        keys += tuple({each.identity.session for each in self._followers() if each.identity.session})
        for start in range(0, len(keys), 500):
            self._journal.submit(SawSessions(keys[start : start + 500]), lambda answer: None)

    def _keep_used(self, sweep: int) -> None:
        """Keep which tokens are used: soon, but of each of them at most once in SEEN_SWEEPS."""
        if sweep % SEEN_SWEEPS == 0:
            self._used.update(each.identity.token for each in self._followers() if each.identity.token)
        self._used_at = {key: at for key, at in self._used_at.items() if sweep - at < SEEN_SWEEPS}
        due = tuple(self._used - self._used_at.keys())[:500]
        if due:
            self._used.difference_update(due)
            self._used_at.update(dict.fromkeys(due, sweep))
            self._journal.submit(SawTokens(due), lambda answer: None)
