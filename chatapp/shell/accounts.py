"""A person with an account as the administrator handles them, and how to get at one."""

from chatapp import accounts
from chatapp.globals import get_hub
from chatapp.hub import Hub
from chatapp.journal import people_reading
from chatapp.journal.people_requests import AccountRole, Person, SessionLine
from chatapp.permissions import SYSTEM
from chatapp.security.passwords import hash_new
from chatapp.shell.handles import flushed

VERBS = """\
What can be done with a person:

person.name, .role, .status   as they are now
person.email                  their e-mail address, if they have confirmed one
person.rename(name)           give them another name
person.role = "administrator" or "member"
person.disable(), .enable()   shut them out, and let them in again
person.sessions()             where they are signed in
person.sign_out()             end all their sessions
person.reset_password()       a link with which they set a new password, good for a day
person.reset_factor()         take away a second factor that is lost
person.ban(why="…")           keep them out of the server; see also flask user bans
"""


class ShellPerson:
    """A person as the administrator handles them. What it shows is read anew each time."""

    def __init__(self, hub: Hub, person_id: str) -> None:
        self._hub = hub
        self.id = person_id
        self.__doc__ = VERBS  # what help(person("ada")) shows

    def __repr__(self) -> str:
        found = self.state
        disabled = ", disabled" if found.disabled else ""
        return f"<Person {found.id} {found.name!r}, {found.role}{disabled}>"

    @property
    def state(self) -> Person:
        """The person as the database has them now."""
        return accounts.person(self._hub, self.id)

    @property
    def name(self) -> str:
        return self.state.name

    @property
    def status(self) -> str:
        return self.state.status

    @property
    def email(self) -> str | None:
        """Their address, None where they have none that is confirmed."""
        return self._hub.journal.read(people_reading.address_of, self.id)

    @property
    def role(self) -> str:
        """`member` or `administrator`."""
        return self.state.role

    @role.setter
    def role(self, role: str) -> None:
        flushed(self._hub, lambda: accounts.set_role(self._hub, SYSTEM, self.state, role))

    def rename(self, name: str) -> "ShellPerson":
        """Give them another name; it shows at once."""
        flushed(self._hub, lambda: accounts.rename(self._hub, SYSTEM, self.state, name))
        return self

    def disable(self) -> "ShellPerson":
        """Shut them out; they are signed out everywhere."""
        flushed(self._hub, lambda: accounts.disable(self._hub, SYSTEM, self.state))
        return self

    def enable(self) -> "ShellPerson":
        """Let them sign in again."""
        flushed(self._hub, lambda: accounts.enable(self._hub, SYSTEM, self.state))
        return self

    def sessions(self) -> list[SessionLine]:
        """Where they are signed in, the session used last first."""
        return accounts.sessions(self._hub, SYSTEM, self.state)

    def sign_out(self) -> int:
        """End all their sessions, and their sockets in all workers; how many there were."""
        return flushed(self._hub, lambda: accounts.sign_out(self._hub, SYSTEM, self.state))

    def reset_password(self) -> str:
        """The link to a page on which they set a new password, once, within a day: its path, where
        CHATAPP_PUBLIC_URL is not set.
        """
        code = flushed(self._hub, lambda: accounts.offer_reset(self._hub, SYSTEM, self.state))
        return self._hub.config.link(f"/reset/{code}")

    def reset_factor(self) -> "ShellPerson":
        """Take their second factor away, and its recovery codes; passkeys stay."""
        flushed(self._hub, lambda: accounts.reset_factor(self._hub, SYSTEM, self.state))
        return self

    def ban(self, seconds: int = 0, why: str = "") -> "ShellPerson":
        """Keep them out of the server, for `seconds` (0: until it is lifted)."""
        flushed(self._hub, lambda: accounts.ban(self._hub, SYSTEM, self.id, seconds, why))
        return self


class Everybody(list[ShellPerson]):
    """People that show as lines at the prompt."""

    def __repr__(self) -> str:
        return "\n".join(map(repr, self)) or "Nobody has an account yet: create_person(name) makes one"


def people() -> Everybody:
    """Everybody with an account, by name."""
    hub = get_hub()
    return Everybody(ShellPerson(hub, found.id) for found in hub.journal.read(people_reading.people))


def person(which: str) -> ShellPerson:
    """The person of that id or name. Raises BadRequest."""
    hub = get_hub()
    return ShellPerson(hub, accounts.person(hub, which).id)


def create_person(name: str, role: AccountRole = "member", password: str | None = None) -> ShellPerson:
    """Make an account; without a password, `reset_password()` gives a link with which one is set."""
    hub = get_hub()
    hashed = hash_new(password, name) if password is not None else None
    made = flushed(hub, lambda: accounts.sign_up(hub, name, password=hashed, role=role, by=SYSTEM))
    return ShellPerson(hub, made.id)


def invite(
    uses: int = 1, days: int = accounts.INVITATION_DAYS, note: str = "", room: int | None = None
) -> str:
    """The link to a page on which people make accounts, `uses` of them, within `days`: its path, where
    CHATAPP_PUBLIC_URL is not set.
    """
    hub = get_hub()
    code = flushed(hub, lambda: accounts.invite(hub, SYSTEM, uses=uses, days=days, note=note, room=room))
    return hub.config.link(f"/invitations/{code}")
