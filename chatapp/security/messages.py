"""What the login library says on our pages, by its own names: so it is said in the reader's language too."""

from typing import Final

from babel.support import NullTranslations
from flask_security.babel import FsDomain

from chatapp import languages, localized
from chatapp.errors import Term

SAID: Final[dict[str, tuple[str, str]]] = {
    "GENERIC_AUTHN_FAILED": (Term("That name and password do not match"), "error"),
    "API_ERROR": (Term("Input not appropriate for requested API"), "error"),
    "UNAUTHORIZED": (Term("You do not have permission to view this resource."), "error"),
    "UNAUTHENTICATED": (Term("You must sign in to view this resource."), "info"),
    "REAUTHENTICATION_REQUIRED": (Term("You must reauthenticate to access this endpoint"), "info"),
    "REAUTHENTICATION_SUCCESSFUL": (Term("Thank you: you may go on."), "info"),
    "LOGIN": (Term("Please log in to access this page."), "info"),
    "REFRESH": (Term("Please reauthenticate to access this page."), "info"),
    "ANONYMOUS_USER_REQUIRED": (Term("You can only access this endpoint when not logged in."), "error"),
    "DISABLED_ACCOUNT": (Term("Account is disabled."), "error"),
    "USER_DOES_NOT_EXIST": (Term("Specified user does not exist"), "error"),
    "INVALID_INPUT": (Term("Value entered is not valid for the field"), "error"),
    "INVALID_CODE": (Term("That code is not good. Each is good once: wait for the next one"), "error"),
    "INVALID_RECOVERY_CODE": (Term("That recovery code is not good. Each is good once"), "error"),
    "NO_RECOVERY_CODES_SETUP": (Term("No recovery codes generated yet"), "info"),
    "INVALID_PASSWORD": (Term("That is not your password"), "error"),
    "PASSWORD_NOT_PROVIDED": (Term("Password not provided"), "error"),
    "PASSWORD_INVALID_LENGTH": (Term("Password must be at least %(length)s characters"), "error"),
    "PASSWORD_IS_THE_SAME": (
        Term("Your new password must be different than your previous password."),
        "error",
    ),
    "PASSWORD_CHANGE": (Term("Your new password is set."), "success"),
    "RETYPE_PASSWORD_MISMATCH": (Term("Passwords do not match"), "error"),
    "CODE_HAS_BEEN_SENT": (Term("Code has been sent."), "info"),
    "TWO_FACTOR_INVALID_TOKEN": (
        Term("That code is not good. Each is good once: wait for the next one"),
        "error",
    ),
    "TWO_FACTOR_LOGIN_SUCCESSFUL": (Term("Your code has been confirmed"), "success"),
    "TWO_FACTOR_CHANGE_METHOD_SUCCESSFUL": (
        Term("Your second factor is on."),
        "success",
    ),
    "TWO_FACTOR_PERMISSION_DENIED": (
        Term("Say your name and password once more: that was too long ago, or begun anew in another window."),
        "error",
    ),
    "TWO_FACTOR_METHOD_NOT_AVAILABLE": (Term("Marked method is not valid"), "error"),
    "TWO_FACTOR_DISABLED": (Term("Your second factor is off."), "success"),
    "TWO_FACTOR_SETUP_EXPIRED": (
        Term("Setup must be completed within %(within)s. Please start over."),
        "error",
    ),
    "WEBAUTHN_EXPIRED": (
        Term("Passkey operations must be completed within %(within)s. Please start over."),
        "error",
    ),
    "WEBAUTHN_NAME_REQUIRED": (Term("Nickname for new passkey is required."), "error"),
    "WEBAUTHN_NAME_INUSE": (
        Term("You have a passkey called %(name)s already: choose another name."),
        "error",
    ),
    "WEBAUTHN_NAME_NOT_FOUND": (Term("%(name)s not registered with current user."), "error"),
    "WEBAUTHN_NAME_DISALLOWED_CHARACTERS": (
        Term("Passkey nicknames can contain only letters, numbers, and limited punctuation."),
        "error",
    ),
    "WEBAUTHN_CREDENTIAL_DELETED": (Term("The passkey %(name)s is gone."), "info"),
    "WEBAUTHN_REGISTER_SUCCESSFUL": (Term("The passkey %(name)s is added."), "info"),
    "WEBAUTHN_CREDENTIAL_ID_INUSE": (Term("Passkey already registered."), "error"),
    "WEBAUTHN_UNKNOWN_CREDENTIAL_ID": (Term("Unregistered passkey."), "error"),
    "WEBAUTHN_ORPHAN_CREDENTIAL_ID": (Term("Passkey doesn’t belong to any user."), "error"),
    "WEBAUTHN_NO_VERIFY": (Term("Could not verify passkey: %(cause)s."), "error"),
    "WEBAUTHN_CREDENTIAL_WRONG_USAGE": (
        Term("Passkey not registered for this use (first or secondary)"),
        "error",
    ),
    "WEBAUTHN_MISMATCH_USER_HANDLE": (Term("Credential user handle didn’t match"), "error"),
}


class Catalogues(FsDomain):
    """The library looks its words up where we do."""

    def get_translations(self) -> NullTranslations:
        return languages.translations(localized.language())
