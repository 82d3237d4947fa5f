"""What mails say, and to whom they go. Nobody's words stand in a header: names are in the text alone.

They are in the language that their person has chosen, else in that of the server.
"""

from contextlib import suppress
from typing import Any, Final, Literal

from chatapp import languages
from chatapp.errors import ChatError, Term
from chatapp.hub import Hub
from chatapp.journal import people_reading
from chatapp.journal.people_requests import Person
from chatapp.mail import Mail

Change = Literal["new password", "factor", "address", "no address"]
SAID: Final[dict[Change, str]] = {
    "new password": Term("has a new password, and is signed out everywhere else."),
    "factor": Term("has a second factor less than before."),
    "address": Term("has another e-mail address now. From here on mails go to that one."),
    "no address": Term("has no e-mail address any more. This is the last mail about it."),
}
ERASED = Term("""\
Your account on %(site)s,

  %(name)s

was erased. Nobody can bring it back, and this is the last mail about it.

If you did not ask for that, ask whoever runs %(site)s why.
""")
NOTHING = Term("If that was not you, do nothing: nothing comes of it.")
CHANGED = Term("""\
Your account on %(site)s,

  %(name)s

%(said)s

If that was you, all is well. If not, somebody else may have your password or your device. Set a new password:

  %(link)s

If you cannot sign in any more, ask whoever runs %(site)s for help.
""")
CONFIRM = Term("""\
Somebody who is signed in on %(site)s as

  %(name)s

says that this is their address. If that was you, confirm it on this page, within a day:

  %(link)s

%(nothing)s
""")
TAKEN = Term("""\
Somebody who is signed in on %(site)s as

  %(name)s

says that this is their address. It belongs to another account already, and an address belongs to one only:

  %(owner)s

If that was you, take it away there first, and then give it here. %(nothing)s
""")
FORGOTTEN = Term("""\
Somebody says that they have forgotten the password of your account on %(site)s,

  %(name)s

If that was you, set a new one on this page, once, within a day:

  %(link)s

%(nothing)s
""")


def tell(hub: Hub, person: str, change: Change) -> None:
    """Let somebody (by their id) know of a change to their account that they may not have made, if they have
    an address. To be called when it is kept: it stays so, also where nobody can be told. Switches.
    """
    if reached := reach(hub, person):
        tell_at(hub, *reached, change)


def reach(hub: Hub, person: str) -> tuple[str, Person] | None:
    """The address of somebody (by their id), and who that is, if mails go out and they have one. Switches."""
    if not hub.mail.open:
        return None
    with suppress(ChatError):  # the journal has said why
        found = hub.journal.read(people_reading.person, person)
        address = hub.journal.read(people_reading.address_of, person)
        if found is not None and address is not None:
            return address, found
    return None


def tell_at(hub: Hub, address: str, person: Person, change: Change) -> None:
    """The same to an address that was theirs until now. Never switches."""
    values = {"said": Term(SAID[change]), "link": _link(hub, "/account/password")}
    subject = Term("Your account on %(site)s was changed")
    hub.mail.send(lambda: _mail(hub, address, person, subject, CHANGED, values))


def tell_erased(hub: Hub, address: str, person: Person) -> None:
    """Let somebody know who had that address that their account is erased. Never switches."""
    subject = Term("Your account on %(site)s was erased")
    hub.mail.send(lambda: _mail(hub, address, person, subject, ERASED, {}))


def confirmation(hub: Hub, address: str, person: Person, code: str) -> Mail:
    """To confirm that it is the address of `person`."""
    values = {"link": _link(hub, f"/email/{code}")}
    return _mail(hub, address, person, Term("Your e-mail address on %(site)s"), CONFIRM, values)


def taken(hub: Hub, address: str, person: Person, owner: str) -> Mail:
    """The same, where it is the address of somebody called `owner` already."""
    return _mail(hub, address, person, Term("Your e-mail address on %(site)s"), TAKEN, {"owner": owner})


def new_password(hub: Hub, address: str, person: Person, code: str) -> Mail:
    """A link with which `person` sets a new password."""
    values = {"link": _link(hub, f"/reset/{code}")}
    return _mail(hub, address, person, Term("A new password on %(site)s"), FORGOTTEN, values)


def _mail(hub: Hub, address: str, person: Person, subject: str, body: str, values: dict[str, Any]) -> Mail:
    language = person.language or hub.config.language
    site = " ".join(hub.config.site_name.split())  # one line, as a header is
    given = {"site": hub.config.site_name, "name": person.name, "nothing": NOTHING, **values}
    return Mail(
        address, languages.say(language, subject, {"site": site}), languages.say(language, body, given)
    )


def _link(hub: Hub, path: str) -> languages.Verbatim:
    return languages.Verbatim(hub.config.link(path))
