"""A server whose people with a name that begins with a capital letter are members of the server, not guests.

So pages that only members of a server are shown can be tried without the way to an account. Their ids are
those of the guests that they would be, with a u for the g.
"""

from wsgi import app  # isort: skip  # patches first

from sqlalchemy import Connection

from chatapp import auth
from chatapp.journal import reading
from chatapp.message import Author
from chatapp.permissions import Identity

guest_of_cookie, guest = auth._guest_of_cookie, reading.guest


def _of_cookie() -> Identity | None:
    found = guest_of_cookie()
    if found is None or not found.name[0].isupper():
        return found
    return Identity("u" + found.id[1:], found.name, "member", found.address, session="s" + found.id[1:])


def _person(connection: Connection, person: str) -> Author | None:
    found = guest(connection, "g" + person[1:])
    return Author(person, found.name) if found and person.startswith("u") else found


auth._guest_of_cookie, reading.guest = _of_cookie, _person

__all__ = ["app"]
