"""People and their passkeys as the login library handles them."""

from datetime import UTC, datetime
from typing import Any

from flask_security import UserMixin, WebAuthnMixin

from chatapp.errors import Term
from chatapp.journal.people_reading import signs_in
from chatapp.journal.people_requests import Person
from chatapp.localized import gettext

DISABLED = Term("This account is disabled")


class Passkey(WebAuthnMixin):
    """A WebAuthn credential, with the attributes that the library sets and reads."""

    COLUMNS = ("sign_count", "backup_state", "device_type")  # what may change

    def __init__(self, **columns: Any) -> None:
        self.user_id: int = columns["user_id"]
        self.id: int = columns["id"]
        self.name = columns["name"]
        self.credential_id = columns["credential_id"]
        self.public_key = columns["public_key"]
        self.sign_count = columns["sign_count"]
        self.transports = columns["transports"]
        self.backup_state = columns["backup_state"]
        self.device_type = columns["device_type"]
        self.extensions = columns["extensions"]
        self.usage = columns["usage"]
        self.lastuse_datetime = datetime.fromtimestamp(columns["used_at"] // 1_000_000, UTC)
        self.owner: str = columns["owner"]  # a person's id


class User(UserMixin):
    """Somebody with an account, as a row of `users` says."""

    # The library looks at the class for what it may use.
    fs_uniquifier = ""
    fs_webauthn_user_handle = ""
    password: str | None = None
    COLUMNS = (
        "password",
        "fs_uniquifier",
        "fs_webauthn_user_handle",
        "tf_primary_method",
        "tf_totp_secret",
        "mf_recovery_codes",
    )

    def __init__(self, **row: Any) -> None:
        self._row = row
        self.id: int = row["id"]
        self.person = Person(row["person_id"], row["name"], row["role"], row["status"], row["disabled"])
        self.stored = {name: row[name] for name in self.COLUMNS}
        for name, value in self.stored.items():
            # A list is changed in place by the library, and has to differ then from what is stored.
            setattr(self, name, list(value) if isinstance(value, list) else value)
        self.tf_phone_number = None
        self.roles = []
        self.webauthn = [Passkey(owner=self.person_id, **columns) for columns in row["passkeys"]]

    @property
    def person_id(self) -> str:
        return self.person.id

    @property
    def username(self) -> str:  # type: ignore[override]
        """What one signs in with, and what authenticators show."""
        return self.person.name

    @property
    def email(self) -> str:  # type: ignore[override]
        """There is none. The library compares it to tell two people apart, so it is the id."""
        return self.person.id

    @property
    def active(self) -> bool:  # type: ignore[override]
        return not self.person.disabled

    def is_locked(self, form_error: list[str] | None = None) -> bool:
        # The library's passkey form notes that an account is disabled, and goes on all the same.
        if not self.active and form_error is not None:
            form_error.append(gettext(DISABLED))
        return not self.active

    def needs(self, passkey: str) -> bool:
        """Whether the passkey of that name is the only way to sign in."""
        (id,) = [each.id for each in self.webauthn if each.name == passkey]
        return signs_in(self._row) and not signs_in(self._row, but=id)

    def changes(self) -> dict[str, Any]:
        """The columns that differ from what is stored."""
        now = {name: getattr(self, name) for name in self.COLUMNS}
        return {name: value for name, value in now.items() if value != self.stored[name]}
