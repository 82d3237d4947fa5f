"""From a request to an Identity, and whether a write may be what it says it is (Origin, CSRF).

Rules: docs/protocol.md, "Who asks".
"""

import logging
import secrets
from urllib.parse import urlsplit

from flask import g, request, session
from flask_wtf.csrf import validate_csrf
from wtforms import ValidationError

from chatapp.errors import BadRequest, Forbidden, SignIn
from chatapp.globals import get_hub
from chatapp.permissions import Identity
from chatapp.text import person_name

log = logging.getLogger(__name__)

CSRF_HEADER = "X-CSRF-Token"
CSRF_FIELD = "csrf_token"


def identify() -> None:
    """Put the identity of this request into `g`. Raises SignIn for a token that is not valid."""
    g.origin_listed = _origin_is_listed()
    g.identity = _nobody()
    if "Authorization" in request.headers:
        raise SignIn("This token is not valid")
    g.identity = _guest_of_cookie() or g.identity


def become_guest(name: object, code: object) -> Identity:
    """Make a guest and put them into the cookie. Raises Forbidden, BadRequest, TooFast."""
    config = get_hub().config
    if not config.guests:
        raise Forbidden("Guests are not welcome here")
    name = person_name(name)
    get_hub().limiter.newcomer(address())
    given = code if isinstance(code, str) else ""
    if config.guest_code and not secrets.compare_digest(given.strip().encode(), config.guest_code.encode()):
        raise Forbidden("That is not the word asked of guests")
    identity = Identity(f"g{secrets.token_hex(8)}", name, "guest", address())
    session.clear()  # a new person, a new CSRF token
    session.permanent = True
    session["person"] = {"id": identity.id, "name": identity.name}
    g.identity = identity
    return identity


def guard_write(*, listed_origins: bool = False) -> None:
    """Refuse a write that another site may have caused. Raises Forbidden.

    `listed_origins`: whether pages of CHATAPP_ORIGINS may write here (then without the cookie's identity).
    """
    origin = request.headers.get("Origin")
    if origin is not None:
        if not (_same_origin(origin) or (listed_origins and g.origin_listed)):
            _refuse_origin(origin)
    elif "person" in session:
        token = request.headers.get(CSRF_HEADER) or request.form.get(CSRF_FIELD)
        try:
            validate_csrf(token)
        except ValidationError as error:
            raise Forbidden(f"{error} Load the page again, or send {CSRF_HEADER}.") from None


def guard_handshake() -> None:
    """Refuse a WebSocket that another site's page opens (there is no CORS for sockets). Raises Forbidden."""
    origin = request.headers.get("Origin")
    if origin is not None and not (_same_origin(origin) or g.origin_listed):
        _refuse_origin(origin)


def address() -> str:
    """Where the request came from, as far as the trusted proxies say."""
    return request.remote_addr or "local"


def _guest_of_cookie() -> Identity | None:
    person = session.get("person")
    if not person or not get_hub().config.guests or g.origin_listed:
        return None
    return Identity(person["id"], person["name"], "guest", address())


def _nobody() -> Identity:
    return Identity("", "", "visitor" if get_hub().config.doors_open else "anonymous", address())


def _origin_is_listed() -> bool:
    origin = request.headers.get("Origin")
    return origin is not None and origin in get_hub().config.origins and not _same_origin(origin)


def _same_origin(origin: str) -> bool:
    return _origin_parts(origin) == _origin_parts(request.host_url)


def _origin_parts(url: str) -> tuple[str, str, int] | None:
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}[parts.scheme]
    except (ValueError, KeyError):
        return None
    return parts.scheme, (parts.hostname or "").lower(), port


def _refuse_origin(origin: str) -> None:
    log.warning(
        "refused: Origin %.200r does not match %.200r (CHATAPP_TRUSTED_PROXIES?)", origin, request.host_url
    )
    raise Forbidden("That came from a page of another site")


def checked_form(*fields: str) -> dict[str, str]:
    """The form's `fields`, strictly UTF-8. Raises BadRequest where bytes would have been replaced."""
    raw = request.get_data().upper()
    values = {}
    for field in fields:
        value = request.form.get(field, "")
        if "\ufffd" in value and b"%EF%BF%BD" not in raw and "\ufffd".encode() not in raw:
            raise BadRequest(f"The field {field} is not UTF-8")
        values[field] = value.replace("\r\n", "\n")  # what browsers make of a line break in a form
    return values
