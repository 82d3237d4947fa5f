"""The second factor: codes of an authenticator, and recovery codes. Each is good once, in all workers."""

from typing import Any
from urllib.parse import quote

from flask import session
from flask_login import current_user
from flask_security import MfRecoveryForm, Totp, TwoFactorVerifyCodeForm
from flask_security.proxies import _security
from passlib.totp import TokenError

from chatapp.accounts import spend
from chatapp.globals import get_hub
from chatapp.security.users import User

BEGUN = "factor_begun"  # in the cookie: the key, encrypted, whose code was wrong a moment ago
LONGEST_WINDOW = 600  # seconds after which the library takes no code any more, with something to spare


class Codes(Totp):
    """The library's, but that its picture stands in the page, and that a code is taken once."""

    def generate_qrcode(self, username: str, totp: str) -> str:
        """An SVG element: the policy of our pages lets no picture come out of an address of its own."""
        import qrcode  # only who sets up a second factor needs it
        import qrcode.image.svg

        image = qrcode.make(self.get_totp_uri(username, totp), image_factory=qrcode.image.svg.SvgPathImage)
        return str(image.to_string(encoding="unicode"))

    def verify_totp(  # type: ignore[override]  # people are ours
        self, token: str, totp_secret: str, user: User, window: int = 0
    ) -> bool:
        """Whether it is a code of now that nobody has used. Switches."""
        try:
            match = self._totp.verify(token, totp_secret, window=window)
        except TokenError:
            return False
        return spend(get_hub(), f"code {user.person_id} {match.counter}", LONGEST_WINDOW)


class CodeForm(TwoFactorVerifyCodeForm):
    """The library's, but that a wrong code while one sets it up does not throw the key away."""

    def validate(self, **kwargs: Any) -> bool:
        good = bool(super().validate(**kwargs))
        if self.is_setup and not good:
            session[BEGUN] = self.tf_totp_secret
        return good


class RecoveryForm(MfRecoveryForm):
    """The library's, but that a code may be written as people copy it from paper."""

    def validate(self, **kwargs: Any) -> bool:
        if isinstance(self.code.data, str):
            self.code.data = self.code.data.strip().lower()
        return bool(super().validate(**kwargs))


def setting_up() -> dict[str, Any]:
    """What the page that sets it up has beside the library's: `begun`, the key to try once more, or none.

    The library leads back to where a key is made, and an authenticator that has the first one already would
    be asked for codes of another.
    """
    secret = session.pop(BEGUN, None)
    if secret is None:
        return {"otpauth": otpauth, "begun": None}
    state = {"totp_secret": secret, "method": "authenticator", "phone": None}
    shown = _security.totp_factory.fetch_setup_values(secret, current_user)
    return {"otpauth": otpauth, "begun": {**shown, "state": _security.tf_setup_serializer.dumps(state)}}


def otpauth(issuer: str, name: str, key: str) -> str:
    """The address that an authenticator on the same device opens."""
    secret = key.replace("-", "").replace(" ", "")
    return f"otpauth://totp/{quote(issuer)}:{quote(name)}?secret={secret}&issuer={quote(issuer)}"
