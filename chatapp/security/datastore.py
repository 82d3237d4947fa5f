"""Where the login library finds people and keeps what it changes of them: the journal.

Each change is a transaction of the committer's, at once; no database session is held. All of it may switch.
"""

from typing import Any

from flask_security.datastore import UserDatastore

from chatapp import letters
from chatapp.errors import Forbidden
from chatapp.globals import get_hub, get_identity
from chatapp.journal import people_reading
from chatapp.journal.people_requests import ChangeAccount, DropPasskey, KeepPasskey, TakeRecoveryCode
from chatapp.message import Author
from chatapp.names import key
from chatapp.security.users import Passkey, User


class Datastore(UserDatastore):
    """The part of the library's contract that its flows use here: people are made by `accounts.sign_up`."""

    def __init__(self) -> None:
        super().__init__(User, None, Passkey)  # type: ignore[arg-type]  # there are no roles of the library's

    def find_user(self, case_insensitive: bool = False, **kwargs: Any) -> User | None:
        ((column, value),) = kwargs.items()
        if column == "username":
            column, value = "key", key(str(value)[:100])
        row = get_hub().journal.read(people_reading.account, column, value)
        return User(**row) if row is not None and row["person_id"] else None

    def find_webauthn(self, credential_id: bytes) -> Passkey | None:
        owner = get_hub().journal.read(people_reading.passkey_owner, credential_id)
        user = self.find_user(person_id=owner) if owner else None
        passkeys: list[Any] = user.webauthn if user else []
        return next((each for each in passkeys if each.credential_id == credential_id), None)

    def create_webauthn(self, user: User, **columns: Any) -> None:  # type: ignore[override]
        columns["transports"] = [str(each.value) for each in columns.get("transports") or []]
        columns["device_type"] = getattr(columns["device_type"], "value", columns["device_type"])
        get_hub().journal.ask(KeepPasskey(user.person_id, columns, **_asked_by(user.person_id)))

    def put(self, model: User | Passkey) -> User | Passkey:
        """Keep what has changed. Where the uniquifier has, it is by a new password: the person is signed out
        everywhere, and the library signs in again where it was changed.
        """
        if isinstance(model, Passkey):
            columns = {name: getattr(model, name) for name in Passkey.COLUMNS}
            get_hub().journal.ask(KeepPasskey(model.owner, columns, model.id, **_asked_by(model.owner)))
            return model
        changes = model.changes()
        if changes:
            ends = "fs_uniquifier" in changes
            by = Author(model.person_id, model.username)
            asked_by = _asked_by(model.person_id)
            get_hub().journal.ask(ChangeAccount(model.person_id, changes, ends, by=by, **asked_by))
            model.stored.update(changes)
            if isinstance(model.mf_recovery_codes, list):
                model.stored["mf_recovery_codes"] = list(model.mf_recovery_codes)
            if ends:
                letters.tell(get_hub(), model.person_id, "new password")
            if "tf_primary_method" in changes and changes["tf_primary_method"] is None:
                letters.tell(get_hub(), model.person_id, "factor")
        return model

    def mf_delete_recovery_code(self, user: User, idx: int) -> bool:  # type: ignore[override]
        """Use a recovery code up. Raises Forbidden where somebody else has done so in this moment."""
        codes: list[str] = user.mf_recovery_codes or []
        code = codes.pop(idx)
        user.stored["mf_recovery_codes"] = list(codes)
        if not get_hub().journal.ask(TakeRecoveryCode(user.person_id, code)):
            raise Forbidden("That code was used")
        return True

    def delete(self, model: Passkey) -> None:
        get_hub().journal.ask(DropPasskey(model.owner, model.id, **_asked_by(model.owner)))
        if model.usage == people_reading.SECOND_FACTOR:
            letters.tell(get_hub(), model.owner, "factor")

    def commit(self) -> None:
        """All is kept already."""


def _asked_by(person: str) -> dict[str, Any]:
    """For whom the journal decides again: who is signed in and changes what is theirs. Who is only about to
    sign in was let in by nothing that could be withdrawn.
    """
    identity = get_identity()
    if identity.session and identity.id == person:
        return {"identity": identity, "verb": "read"}
    return {}
