"""What mails say, and to whom they go. Nobody's words stand in a header: names are in the text alone."""

from contextlib import suppress
from typing import Final, Literal

from chatapp.errors import ChatError
from chatapp.hub import Hub
from chatapp.journal import people_reading
from chatapp.mail import Mail

Change = Literal["new password", "factor", "address", "no address"]
SAID: Final[dict[Change, str]] = {
    "new password": "has a new password, and is signed out everywhere else.",
    "factor": "has a second factor less than before.",
    "address": "has another e-mail address now. From here on mails go to that one.",
    "no address": "has no e-mail address any more. This is the last mail about it.",
}
NOTHING = "If that was not you, do nothing: nothing comes of it."


def tell(hub: Hub, person: str, change: Change) -> None:
    """Let somebody (by their id) know of a change to their account that they may not have made, if they have
    an address. To be called when it is kept: it stays so, also where nobody can be told. Switches.
    """
    if not hub.mail.open:
        return
    with suppress(ChatError):  # the journal has said why
        found = hub.journal.read(people_reading.person, person)
        address = hub.journal.read(people_reading.address_of, person)
        if found is not None and address is not None:
            tell_at(hub, address, found.name, change)


def tell_at(hub: Hub, address: str, name: str, change: Change) -> None:
    """The same to an address that was theirs until now. Never switches."""
    body = f"""\
Your account on {hub.config.site_name},

  {name}

{SAID[change]}

If that was you, all is well. If not, somebody else may have your password or your device. Set a new password:

  {hub.config.link("/account/password")}

If you cannot sign in any more, ask whoever runs {hub.config.site_name} for help.
"""
    hub.mail.send(lambda: Mail(address, f"Your account on {_site(hub)} was changed", body))


def confirmation(hub: Hub, address: str, name: str, code: str) -> Mail:
    """To confirm that it is the address of somebody called `name`."""
    body = f"""\
Somebody who is signed in on {hub.config.site_name} as

  {name}

says that this is their address. If that was you, confirm it on this page, within a day:

  {hub.config.link(f"/email/{code}")}

{NOTHING}
"""
    return Mail(address, f"Your e-mail address on {_site(hub)}", body)


def taken(hub: Hub, address: str, name: str, owner: str) -> Mail:
    """The same, where it is the address of somebody called `owner` already."""
    body = f"""\
Somebody who is signed in on {hub.config.site_name} as

  {name}

says that this is their address. It belongs to another account already, and an address belongs to one only:

  {owner}

If that was you, take it away there first, and then give it here. {NOTHING}
"""
    return Mail(address, f"Your e-mail address on {_site(hub)}", body)


def new_password(hub: Hub, address: str, name: str, code: str) -> Mail:
    """A link with which somebody called `name` sets a new password."""
    body = f"""\
Somebody says that they have forgotten the password of your account on {hub.config.site_name},

  {name}

If that was you, set a new one on this page, once, within a day:

  {hub.config.link(f"/reset/{code}")}

{NOTHING}
"""
    return Mail(address, f"A new password on {_site(hub)}", body)


def _site(hub: Hub) -> str:
    return " ".join(hub.config.site_name.split())  # one line, as a header is
