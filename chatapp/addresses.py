"""The verbs on people's e-mail addresses, where this server sends mail: giving one, confirming it with a
mailed link, taking it away; and a link for a new password, by mail.

An address counts once it is confirmed, and belongs to one account. What is answered does not depend on
whether somebody else has it, or on who there is: whatever does is done afterwards, and goes by mail.
"""

from chatapp import letters, names, text
from chatapp.accounts import RESET_SECONDS, hashed, in_seconds, new_code, offer_reset
from chatapp.errors import BadRequest, TooFast
from chatapp.hub import Hub
from chatapp.journal import people_reading
from chatapp.journal.people_requests import ConfirmAddress, DropAddress, OfferAddress, Person
from chatapp.mail import Mail
from chatapp.message import Author
from chatapp.permissions import SYSTEM, Identity, Verb, check


def give(hub: Hub, identity: Identity, person: Person, address: object) -> str:
    """Have a link mailed with which `person`, who is `identity`, confirms that it is theirs; the address as
    it will be kept. Raises BadRequest, TooFast.
    """
    check(identity, "read")
    address = text.mail_address(address)
    hub.limiter.sign_in(f"address {person.id}", identity.address)
    code = new_code()
    until = in_seconds(RESET_SECONDS)
    hub.journal.ask(OfferAddress(hashed(code), person.id, address, until, identity=identity, verb="read"))
    hub.mail.send(lambda: _confirmation(hub, person, address, code))
    return address


def confirm(hub: Hub, code: str) -> Person:
    """It is theirs. Raises Forbidden where the link is good no longer, BadRequest where the address became
    somebody else's meanwhile.
    """
    confirmed: tuple[Person, str | None] = hub.journal.ask(ConfirmAddress(hashed(code)))
    person, before = confirmed
    if before is not None:
        letters.tell_at(hub, before, person, "address")
    return person


def take_away(hub: Hub, identity: Identity, person: Person) -> None:
    """`person` has none any more, nor is one about to be confirmed."""
    verb: Verb = "read" if identity.id == person.id else "administer"
    check(identity, verb)
    request = DropAddress(person.id, Author.of(identity), identity=identity, verb=verb)
    before: str | None = hub.journal.ask(request)
    if before is not None:
        letters.tell_at(hub, before, person, "no address")


def forgotten(hub: Hub, name_or_address: str, address: str) -> None:
    """Mail a link for a new password to whoever is called or reached so, if they have an address that is
    confirmed. `address`: where the request came from. Raises TooFast.

    Nothing of that is done before this returns, so neither words nor time tell who there is.
    """
    given = name_or_address.strip()[: text.ADDRESS_LIMIT]
    hub.limiter.sign_in(f"forgotten {names.key(given)}", address)
    hub.mail.send(lambda: _new_password(hub, given))


def _confirmation(hub: Hub, person: Person, address: str, code: str) -> Mail:
    owner = hub.journal.read(people_reading.person_reached, address)
    if owner is not None and owner.id != person.id:
        return letters.taken(hub, address, person, owner.name)
    return letters.confirmation(hub, address, person, code)


def _new_password(hub: Hub, given: str) -> Mail | None:
    try:
        owner = hub.journal.read(people_reading.person_reached, text.mail_address(given))
    except BadRequest:
        owner = None
    person = owner or hub.journal.read(people_reading.person_called, given)
    if person is None or person.disabled:
        return None
    # Not to where it was asked to go, but to where they said that they are.
    address = hub.journal.read(people_reading.address_of, person.id)
    if address is None:
        return None
    try:
        hub.limiter.mail(person.id)  # they may be asked for by name and by address
    except TooFast:
        return None
    return letters.new_password(hub, address, person, offer_reset(hub, SYSTEM, person))
