"""What every answer says to a browser: what its page may load, and which other sites get to see what.

Each line is one defence (docs/security.md). What we write ourselves, as event streams, carries them too.
"""

import time
from email.utils import formatdate
from functools import cache, lru_cache

from flask import Request

# Nothing that these do not name: no frame, no plugin, no font, no picture from elsewhere.
POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self'",
    "media-src": "'self'",
    "connect-src": "'self'",  # WebSockets too: 'self' is also ws: and wss: of this host (CSP3, 6.7.2.8)
    "form-action": "'self'",
    "base-uri": "'none'",
    # No script may make markup of a text, by whatever function of the DOM.
    "require-trusted-types-for": "'script'",
    "trusted-types": "'none'",
}
HSTS = "max-age=31536000"  # a year, and of this host alone: what else the domain serves is not ours to say

CORP = "Cross-Origin-Resource-Policy"

# Pages that a browser keeps as they are while somebody is elsewhere in the same tab: with `no-store` it would
# load them anew on the way back, and what was being written would be gone.
COME_BACK_TO = frozenset({"rooms.index", "rooms.show", "rooms.show_long_polling"})
# Until somebody signs out or leaves (for good: leaving.py): the way back must not show the next one at this
# computer what they read.
LEAVES = frozenset({"security.logout", "guests.leave"})
FORGET_PAGES = {"Clear-Site-Data": '"cache"'}


def of_answer(request: Request, frame_ancestors: tuple[str, ...]) -> dict[str, str]:
    """The headers of the answer to `request`. `frame_ancestors`: the origins whose pages may frame ours.

    Pages of CHATAPP_ORIGINS read by CORS, which Cross-Origin-Resource-Policy does not concern.
    """
    headers = {
        "Content-Security-Policy": _policy(frame_ancestors),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        CORP: "same-origin",
    }
    if request.endpoint in LEAVES:
        headers |= FORGET_PAGES
    if request.is_secure:
        # A browser that is told either over plain HTTP ignores it, and says so on every page.
        headers["Strict-Transport-Security"] = HSTS
        headers["Cross-Origin-Opener-Policy"] = "same-origin"
    return headers


def of_page(request: Request) -> dict[str, str]:
    """What the page that answers `request` says to caches."""
    return {"Cache-Control": "private, no-cache" if request.endpoint in COME_BACK_TO else "no-store"}


@cache
def _policy(frame_ancestors: tuple[str, ...]) -> str:
    ancestors = " ".join(["'self'", *frame_ancestors]) if frame_ancestors else "'none'"
    return "; ".join(f"{what} {which}" for what, which in {**POLICY, "frame-ancestors": ancestors}.items())


def date_now() -> str:
    """As `Date` has it (RFC 9110, section 6.6.1)."""
    return _date(int(time.time()))


@lru_cache(1)
def _date(second: int) -> str:
    return formatdate(second, usegmt=True)
