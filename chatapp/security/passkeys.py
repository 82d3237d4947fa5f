"""What is asked of passkeys."""

from flask_security import UserMixin, WebauthnUtil
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)


class PasskeyOptions(WebauthnUtil):
    """Any authenticator will do, in the device or beside it, that finds the account by itself."""

    def authenticator_selection(self, user: UserMixin, usage: str) -> AuthenticatorSelectionCriteria:
        return AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED,
            user_verification=UserVerificationRequirement.PREFERRED
            if usage == "first"
            else UserVerificationRequirement.DISCOURAGED,
        )
