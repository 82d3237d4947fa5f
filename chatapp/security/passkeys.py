"""What is asked of passkeys, and where they work."""

from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import urlsplit

from flask import request
from flask_security import UserMixin, WebauthnUtil
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

# Any authenticator will do, in the device or beside it, that finds the account by itself.
SELECTION = AuthenticatorSelectionCriteria(
    resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.PREFERRED
)
# Behind a password any will do, also a plain security key that keeps nothing and asks for nothing.
SELECTION_AS_SECOND_FACTOR = AuthenticatorSelectionCriteria(
    resident_key=ResidentKeyRequirement.DISCOURAGED, user_verification=UserVerificationRequirement.DISCOURAGED
)


class PasskeyOptions(WebauthnUtil):
    def authenticator_selection(self, user: UserMixin, usage: str) -> AuthenticatorSelectionCriteria:
        return SELECTION if usage == "first" else SELECTION_AS_SECOND_FACTOR


def passkeys_work() -> bool:
    """Whether a passkey may be given to the server as this request calls it: a name, not an IP address
    (WebAuthn, 5.1.3: an effective domain). Whether the browser is asked over TLS, it knows itself.
    """
    return _address() is None


def page_at_localhost() -> str | None:
    """The address of this page with a name under which passkeys work, where this machine was called by a
    number.
    """
    address = _address()
    if address is None or not address.is_loopback:
        return None
    parts = urlsplit(request.url)
    host = "localhost" if parts.port is None else f"localhost:{parts.port}"
    return parts._replace(netloc=host).geturl()


def _address() -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(urlsplit(request.host_url).hostname or "")
    except ValueError:
        return None
