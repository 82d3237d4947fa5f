"""Who is signed in, in a signed cookie, also after the server's clock was set back."""

from datetime import UTC, datetime

from flask import Flask, Request
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface
from itsdangerous import BadSignature


class CookieSessions(SecureCookieSessionInterface):
    """Flask's own, but for one rule: a cookie may be dated in the future. Only too old ones are refused.

    Flask takes such a cookie for expired, so whoever came in before the clock was set back would be nobody.
    """

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        serializer = self.get_signing_serializer(app)
        cookie = request.cookies.get(self.get_cookie_name(app))
        if serializer is None or not cookie:
            return self.session_class()
        try:
            data, signed_at = serializer.loads(cookie, return_timestamp=True)
        except BadSignature:
            return self.session_class()
        if datetime.now(UTC) - signed_at > app.permanent_session_lifetime:
            return self.session_class()
        return self.session_class(data)
