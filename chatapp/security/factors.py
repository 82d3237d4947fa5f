"""The second factor: codes of an authenticator, each good once."""

from urllib.parse import quote

from flask_security import Totp, UserMixin
from passlib.totp import TotpMatch

COUNTERS_KEPT = 10_000


class Codes(Totp):
    """The library's, but that its picture stands in the page, and that a code is taken once.

    Which codes were taken is known to the worker that took them; they are good for a minute or two.
    """

    _last: dict[int, int] = {}  # noqa: RUF012  # of this process

    def generate_qrcode(self, username: str, totp: str) -> str:
        """An SVG element: the policy of our pages lets no picture come out of an address of its own."""
        import qrcode  # only who sets up a second factor needs it
        import qrcode.image.svg

        image = qrcode.make(self.get_totp_uri(username, totp), image_factory=qrcode.image.svg.SvgPathImage)
        return str(image.to_string(encoding="unicode"))

    def get_last_counter(self, user: UserMixin) -> int | None:
        return self._last.get(user.id)

    def set_last_counter(self, user: UserMixin, tmatch: TotpMatch) -> None:
        self._last.pop(user.id, None)
        self._last[user.id] = tmatch.counter
        while len(self._last) > COUNTERS_KEPT:
            del self._last[next(iter(self._last))]


def otpauth(issuer: str, name: str, key: str) -> str:
    """The address that an authenticator on the same device opens."""
    secret = key.replace("-", "").replace(" ", "")
    return f"otpauth://totp/{quote(issuer)}:{quote(name)}?secret={secret}&issuer={quote(issuer)}"
