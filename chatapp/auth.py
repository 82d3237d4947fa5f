"""From a request to an Identity, and whether a write may be what it says it is (Origin, CSRF).

Rules: docs/protocol.md, "Who asks".
"""

import hmac
import logging
import secrets
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from flask import current_app, g, request, session
from flask_wtf.csrf import validate_csrf
from msgspec import structs
from wtforms import ValidationError

from chatapp.accounts import hashed
from chatapp.errors import BadRequest, Forbidden, SignIn
from chatapp.globals import get_hub
from chatapp.journal.requests import NoteGuest
from chatapp.permissions import Identity, check
from chatapp.sessions import accepted_keys
from chatapp.text import person_name
from chatapp.tokens import is_token

log = logging.getLogger(__name__)

CSRF_HEADER, CSRF_HEADER_OF_OTHERS = "X-CSRF-Token", "X-CSRFToken"  # the second is Django's and Flask-WTF's
CSRF_FIELD = "csrf_token"
FIELDS_LIMIT = 100  # of a form
# Answered whoever asks, also while it cannot be read who that is. A hook is who has its address.
FOR_EVERYBODY = {
    "static",
    "languages.words",
    "health.alive",
    "health.ready",
    "metrics.metrics",
    "hooks.receive",
}
SESSION = "session"  # in the cookie: the secret of the session under which somebody is signed in


def identify() -> None:
    """Put the identity of this request into `g`. Raises SignIn for a token that is not valid.

    A socket is not refused here: a browser cannot read the status of a refused handshake, so it is accepted
    as somebody who may do nothing, and closed with the code that says why.
    """
    g.origin_listed = _origin_is_listed()
    g.asking = Identity("", "", "anonymous", address())  # for the page that says what is refused below
    if request.endpoint in FOR_EVERYBODY:
        return
    if "Authorization" in request.headers:
        bearer = _bearer(request.headers["Authorization"])
        if bearer is not None:
            g.asking = bearer
        elif request.url_rule is None or not request.url_rule.websocket:
            raise SignIn("This token is not valid (any more)")
    else:
        g.asking = nobody(address()) if g.origin_listed else of_session(session, address())


def of_session(session: Mapping[str, Any], address: str) -> Identity:
    """Whom a session's cookie names; where it names nobody, somebody without a name. `address`: of who asks.

    Wants Flask's application, and no request. Switches where they are not known here yet. Raises NotKept.
    """
    return _signed_in(session, address) or _guest_of(session, address) or nobody(address)


def become_guest(name: object, code: object) -> Identity:
    """Make a guest and put them into the cookie. Switches. Raises Forbidden, BadRequest, TooFast, NotKept.

    Who comes back under the same name because another word is asked now is the same person: their messages
    stay theirs, and what their browser had not sent yet goes out.
    """
    config = get_hub().config
    if not config.guests:
        raise Forbidden("Guests are not welcome here")
    if SESSION in session and _asks_by_session():
        raise Forbidden("You are signed in: sign out first")
    name = person_name(name)
    get_hub().limiter.guest(address())
    given = code if isinstance(code, str) else ""
    if config.guest_code and not given:
        raise Forbidden('Guests are asked for a word here: send it as "code"')
    if config.guest_code and not secrets.compare_digest(given.strip().encode(), config.guest_code.encode()):
        raise Forbidden("That is not the word asked of guests")
    person_id = session["person"]["id"] if former_name() == name else f"g{secrets.token_hex(8)}"
    device = session.get("device") or secrets.token_hex(8)  # the same browser, under whatever name
    identity = get_hub().people.guest(Identity(person_id, name, "guest", address(), device))
    if identity is None:
        raise Forbidden("You have an account: sign in")
    check(identity, "read")
    get_hub().journal.ask(NoteGuest(person_id, name, device, address(), identity))
    session.clear()  # a new person, a new CSRF token
    session.permanent = True
    session["device"] = device
    session["person"] = {"id": identity.id, "name": identity.name}
    session["word"] = _word(config.guest_code, current_app.config["SECRET_KEY"])
    g.asking = identity
    return identity


def leave_as_guest() -> None:
    """Have the browser forget which guest it is, and end their other pages; its bans stay."""
    identity = g.asking
    if identity.role != "guest":
        raise BadRequest("Only guests leave so: who has an account signs out")
    forget_who()
    get_hub().guest_left(identity.id)


def forget_who() -> None:
    """Have the browser forget who it is, and not which browser: the bans that hold with it stay."""
    device = session.get("device")
    session.clear()
    g.pop("csrf_token", None)
    if device is not None:
        session.permanent = True
        session["device"] = device


def former_name() -> str:
    """The name of who came in before another word was asked; of anybody else an empty one."""
    person = session.get("person")
    if not person or _asks_as_guest() or get_hub().people.erased(person["id"]):
        return ""
    return str(person["name"])


def guard_write(*, listed_origins: bool = False) -> None:
    """Refuse a write that another site may have caused. Raises Forbidden.

    `listed_origins`: whether pages of CHATAPP_ORIGINS may write here (then without the cookie's identity).
    """
    origin = request.headers.get("Origin")
    if origin is not None:
        if not (_same_origin(origin) or (listed_origins and g.origin_listed)):
            _refuse_origin(origin)
    elif "Authorization" not in request.headers and ("person" in session or SESSION in session):
        token = request.headers.get(CSRF_HEADER) or request.headers.get(CSRF_HEADER_OF_OTHERS)
        token = token or request.form.get(CSRF_FIELD)
        try:
            validate_csrf(token, accepted_keys(current_app))
        except ValidationError:
            raise Forbidden(
                "That page is too old, or not ours: load it again (a program sends Origin, or %(header)s)",
                header=CSRF_HEADER,
            ) from None


def guard_handshake() -> None:
    """Refuse a WebSocket that another site's page opens (there is no CORS for sockets). Raises Forbidden."""
    origin = request.headers.get("Origin")
    if origin is not None and not (_same_origin(origin) or g.origin_listed):
        _refuse_origin(origin)


def address() -> str:
    """Where the request came from, as far as the trusted proxies say."""
    return request.remote_addr or "local"


def _bearer(field: str) -> Identity | None:
    scheme, _, token = field.partition(" ")
    if scheme.lower() != "bearer" or not is_token(token.strip()):
        return None
    return get_hub().people.bearer(hashed(token.strip()), address())


def _asks_by_session() -> bool:
    return not g.origin_listed and _signed_in(session, address()) is not None


def _asks_as_guest() -> bool:
    return not g.origin_listed and _guest_of(session, address()) is not None


def _guest_of(session: Mapping[str, Any], address: str) -> Identity | None:
    person = session.get("person")
    config = get_hub().config
    if not person or not config.guests:
        return None
    if config.guest_code and not _is_word(str(session.get("word", "")), config.guest_code):
        return None  # came in before there was a word, or with another one
    guest = Identity(person["id"], person["name"], "guest", address, session.get("device", ""))
    return get_hub().people.guest(guest)


def _signed_in(session: Mapping[str, Any], address: str) -> Identity | None:
    secret = session.get(SESSION)
    if not isinstance(secret, str):
        return None
    return get_hub().people.signed_in(hashed(secret), address)


def local_path(path: str) -> str:
    """`path` if it leads to a page of this site, else the rooms."""
    # A browser takes a backslash for a slash, and drops tabs and line breaks before it looks.
    own = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if own else "/chats/"


def _is_word(said: str, code: str) -> bool:
    words = (_word(code, key).encode() for key in accepted_keys(current_app))
    return any(hmac.compare_digest(said.encode(), word) for word in words)


def _word(code: str, key: str) -> str:
    """What a cookie remembers of the guests' word: enough to see that it is still the same one."""
    return hmac.new(key.encode(), code.encode(), "sha256").hexdigest()[:16] if code else ""


def nobody(address: str) -> Identity:
    """Somebody without a name at `address`, whatever cookie came along."""
    hub = get_hub()
    visitor = Identity("", "", "visitor", address)
    if not hub.config.doors_open:
        return structs.replace(visitor, role="anonymous")
    return hub.people.guest(visitor) or visitor


def _origin_is_listed() -> bool:
    origin = request.headers.get("Origin")
    return origin is not None and origin in get_hub().config.origins and not _same_origin(origin)


def _same_origin(origin: str) -> bool:
    given = _origin_parts(origin)
    return given is not None and given == _origin_parts(request.host_url)


def _origin_parts(url: str) -> tuple[str, str, int] | None:
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}[parts.scheme]
    except (ValueError, KeyError):
        return None
    return parts.scheme, (parts.hostname or "").lower(), port


def _refuse_origin(origin: str) -> None:
    log.warning(
        "refused: Origin %.200r does not match %.200r (CHATAPP_TRUSTED_PROXIES?)",
        origin,
        request.host_url.rstrip("/"),
    )
    raise Forbidden("That came from a page of another site")


def checked_form(*fields: str) -> dict[str, str]:
    """The form's `fields`, empty where they are missing. Raises BadRequest for what is not UTF-8.

    Werkzeug's own parser passes bytes that are no UTF-8 on as something that nobody wrote.
    """
    try:
        given = _urlencoded() if request.mimetype == "application/x-www-form-urlencoded" else request.form
    except ValueError:
        raise BadRequest("The form is not UTF-8, or has too many fields") from None
    values = {field: given.get(field, "") for field in fields}
    replaced = "\ufffd" in "".join(values.values()) and "\ufffd".encode() not in request.get_data()
    if replaced and given is request.form:
        raise BadRequest("The form is not UTF-8")
    # Browsers make CR LF of a line break in a form.
    return {field: value.replace("\r\n", "\n") for field, value in values.items()}


def checked_numbers(field: str) -> list[int]:
    """The numbers of all boxes called `field` that are ticked in a form. Raises BadRequest."""
    given = checked_boxes(field)
    if not all(value.isascii() and value.isdigit() and len(value) < 16 for value in given):
        raise BadRequest("%(field)s: whole numbers", field=field)
    return [int(value) for value in given]


def checked_boxes(field: str) -> list[str]:
    """The values of all boxes called `field` that are ticked in a form. Raises BadRequest."""
    try:
        urlencoded = request.mimetype == "application/x-www-form-urlencoded"
        pairs = _pairs() if urlencoded else request.form.items(multi=True)
    except ValueError:
        raise BadRequest("The form is not UTF-8, or has too many fields") from None
    return [value for name, value in pairs if name == field]


def _urlencoded() -> dict[str, str]:
    return dict(reversed(_pairs()))  # of a field that is given twice the first one counts


def _pairs() -> list[tuple[str, str]]:
    return parse_qsl(
        request.get_data().decode(), keep_blank_values=True, errors="strict", max_num_fields=FIELDS_LIMIT
    )
