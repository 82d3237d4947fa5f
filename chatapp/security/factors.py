"""The second factor: codes of an authenticator, and recovery codes. Each is good once, in all workers."""

from urllib.parse import quote

from flask_security import Totp
from passlib.totp import TokenError

from chatapp.accounts import spend
from chatapp.globals import get_hub
from chatapp.security.users import User

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


def otpauth(issuer: str, name: str, key: str) -> str:
    """The address that an authenticator on the same device opens."""
    secret = key.replace("-", "").replace(" ", "")
    return f"otpauth://totp/{quote(issuer)}:{quote(name)}?secret={secret}&issuer={quote(issuer)}"
