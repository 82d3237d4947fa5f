"""The plain handshake of `/ws`, answered without Flask, for half of it: a restart brings all back at once.

What browsers send, and most programs, is a handshake that leaves nothing to decide: each header once, in the
usual words, of the page's own origin or of none. Such a one is taken here by the rules of the plain way, and
by its functions: who asks (`auth.of_session`), how often they may (`limiter.connection`), whom to believe
about addresses (`proxies.believe`). Whatever is not exactly that is left to gunicorn and flask-sock: another
spelling, a token, a query, an origin that has to be looked at, who came too often, a server that goes.

Of gunicorn this wants `headers` and what else stands in the head of its request. Where requests are logged or
counted by gunicorn it does nothing. `CHATAPP_QUICK_HANDSHAKES=no` switches it off.
"""

import logging
import re
from typing import Any

from flask import Flask
from gevent import socket
from websockets.utils import accept_key
from werkzeug.sansio.http import parse_cookie

from chatapp import auth, log_lines, proxies
from chatapp.counts import COUNTS
from chatapp.errors import ChatError
from chatapp.globals import get_hub
from chatapp.headers import date_now
from chatapp.localized import accepted
from chatapp.permissions import Identity
from chatapp.sessions import CookieSessions
from chatapp.transports.handshake import WebSocket
from chatapp.transports.hijack import take_over
from chatapp.transports.websocket import SUBPROTOCOL, Session

PATH = "/ws"
# RFC 6455 section 4.2.1, of what counts in any case: as browsers say it.
ASKED = {
    "UPGRADE": {"websocket"},
    "CONNECTION": {"upgrade", "keep-alive, upgrade"},
    "SEC-WEBSOCKET-VERSION": {"13"},
}
KEY = re.compile(r"[A-Za-z0-9+/]{21}[AQgw]==")  # 16 bytes
HOST = re.compile(r"[A-Za-z0-9.-]+(:([0-9]{1,4}|[1-5][0-9]{4}))?")  # higher ports are left to werkzeug
# With one of these it is no plain one; underscores are gunicorn's spelling of what a proxy may not send.
OTHERS = {"AUTHORIZATION", "CONTENT-LENGTH", "TRANSFER-ENCODING", "EXPECT", "SCRIPT_NAME", "PATH_INFO"}
BELIEVED = ("HOST", "X-FORWARDED-FOR", "X-FORWARDED-PROTO", "X-FORWARDED-HOST")

log = logging.getLogger(__name__)


class QuickHandshakes:
    """Of one worker that serves `app`."""

    def __init__(self, app: Flask, settings: Any) -> None:
        self._app, self._hub = app, get_hub(app)
        config = self._hub.config
        watched = settings.accesslog or settings.statsd_host or settings.max_requests
        self._on = config.quick_handshakes and not watched
        self._sessions: CookieSessions = app.session_interface  # type: ignore[assignment]
        self._cookie = self._sessions.get_cookie_name(app)
        self._size, self._quick_frames = config.frame_limit, config.quick_frames
        self._proxies = config.trusted_proxies
        self._as_believed = proxies.believe(lambda environ, _start: environ, self._proxies)

    def take(self, request: Any, client: socket.socket, address: Any) -> bool:
        """Answer gunicorn's `request`, if it is a plain handshake: True, and its reader is served behind it.

        May switch, where who asks is not known here yet. Raises OSError where the client has gone.
        """
        if not self._on or request.path != PATH or self._hub.draining.is_set():
            return False
        headers = dict(request.headers)
        if not self._is_plain(request, headers):
            return False
        environ = self._environ(request, headers, address)
        host, origin = environ["HTTP_HOST"], headers.get("ORIGIN")
        if not HOST.fullmatch(host) or origin not in (None, f"{environ['wsgi.url_scheme']}://{host}"):
            return False
        log_lines.begin(headers.get("X-REQUEST-ID", "") if self._proxies else "")
        identity = self._who_may(headers.get("COOKIE", ""), environ["REMOTE_ADDR"] or "local")
        if identity is None:
            return False
        client.sendall(_answer(headers["SEC-WEBSOCKET-KEY"]))
        COUNTS.quick_handshakes += 1
        sock = WebSocket(client.dup(), self._size, self._quick_frames)
        language = accepted(headers.get("ACCEPT-LANGUAGE", ""))
        hub = self._hub
        take_over(client, sock.socket, lambda: Session(hub, sock, identity, language).run())
        return True

    @staticmethod
    def _is_plain(request: Any, headers: dict[str, str]) -> bool:
        if request.method != "GET" or request.version != (1, 1) or request.query:
            return False
        if request.proxy_protocol_info:  # somebody else's word for whence it came
            return False
        if len(headers) != len(request.headers) or not OTHERS.isdisjoint(headers):
            return False
        if headers.get("SEC-WEBSOCKET-PROTOCOL") != SUBPROTOCOL:
            return False
        asked = all(headers.get(name, "").lower() in values for name, values in ASKED.items())
        return asked and KEY.fullmatch(headers.get("SEC-WEBSOCKET-KEY", "")) is not None

    def _environ(self, request: Any, headers: dict[str, str], address: Any) -> dict[str, Any]:
        """What of a WSGI environment says whence a request came, as far as that is believed."""
        environ = {f"HTTP_{name.replace('-', '_')}": headers[name] for name in BELIEVED if name in headers}
        environ.setdefault("HTTP_HOST", "")
        environ["wsgi.url_scheme"] = request.scheme
        environ["REMOTE_ADDR"] = address[0] if isinstance(address, tuple) else ""
        believed: dict[str, Any] = self._as_believed(environ, None)
        return believed

    def _who_may(self, cookies: str, address: str) -> Identity | None:
        """Who asks, counted; None where that has to be said otherwise than by a handshake."""
        with self._app.app_context():
            try:
                self._hub.start()
                # The cookies as Flask reads them: werkzeug.http's function fails at what is no UTF-8.
                session = self._sessions.read(self._app, parse_cookie(cookies).get(self._cookie))
                identity = auth.of_session(session, address)
                self._hub.limiter.connection(identity)
            except ChatError:
                return None
            return identity


def _answer(key: str) -> bytes:
    """RFC 6455, section 4.2.2: as `websockets` writes it."""
    return (
        f"HTTP/1.1 101 Switching Protocols\r\nDate: {date_now()}\r\n"
        "Upgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {accept_key(key)}\r\nSec-WebSocket-Protocol: {SUBPROTOCOL}\r\n"
        f"{log_lines.HEADER}: {log_lines.REQUEST.get()}\r\n\r\n"
    ).encode()
