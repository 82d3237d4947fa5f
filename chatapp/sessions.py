"""Who is signed in, in a signed cookie: also after the server's clock was set back, or its keys changed."""

from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, datetime
from functools import lru_cache, partial
from typing import Any

from flask import Flask, Request, request
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface
from itsdangerous import BadSignature, URLSafeTimedSerializer

from chatapp.keys import Keys

REMEMBERED = 4096  # cookies whose signature was looked at: tabs, polls and pages bring the same one each time


class CookieSessions(SecureCookieSessionInterface):
    """Flask's own, but for three rules.

    A cookie may be dated in the future; only too old ones are refused. Flask takes such a cookie for expired,
    so whoever came in before the clock was set back would be nobody.

    It is `Secure` where the request came over TLS: the same server may be reached without, and a cookie that
    browsers do not keep would let nobody in there.

    The keys are those that stand in the instance folder when the request comes.
    """

    def __init__(self, keys: Keys) -> None:
        self.keys = keys
        self._serializer: tuple[tuple[str, ...], URLSafeTimedSerializer | None] | None = None
        self._loads: Callable[[str], tuple[dict[str, Any], datetime]] = _nothing

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        return self.read(app, request.cookies.get(self.get_cookie_name(app)))

    def read(self, app: Flask, cookie: str | None) -> SecureCookieSession:
        """What the session's cookie holds; an empty session where it is none of ours, or too old."""
        if self.keys.look():
            configure(app, self.keys)
        if self.get_signing_serializer(app) is None or not cookie:
            return self.session_class()
        try:
            data, signed_at = self._loads(cookie)
        except BadSignature:
            return self.session_class()
        if datetime.now(UTC) - signed_at > app.permanent_session_lifetime:
            return self.session_class()
        return self.session_class(deepcopy(data))  # Flask changes what is in it

    def get_signing_serializer(self, app: Flask) -> URLSafeTimedSerializer | None:
        """Flask's, made once for the keys: to make one takes as long as to read a cookie."""
        if self._serializer is None or self._serializer[0] is not self.keys.all:
            serializer = super().get_signing_serializer(app)
            self._serializer = self.keys.all, serializer
            if serializer is not None:
                # What is refused is not remembered.
                self._loads = lru_cache(REMEMBERED)(partial(serializer.loads, return_timestamp=True))
        return self._serializer[1]

    def get_cookie_secure(self, app: Flask) -> bool:
        return request.is_secure


def _nothing(cookie: str) -> tuple[dict[str, Any], datetime]:
    raise BadSignature("there is no key")


def configure(app: Flask, keys: Keys) -> None:
    """Have `app` sign with the first of `keys`, and accept what the others signed."""
    current, *older = keys.all
    app.config.update(SECRET_KEY=current, SECRET_KEY_FALLBACKS=older)


def accepted_keys(app: Flask) -> list[str]:
    """The keys of `app`, the one that signs last, as itsdangerous wants them."""
    return [*app.config["SECRET_KEY_FALLBACKS"], app.config["SECRET_KEY"]]
