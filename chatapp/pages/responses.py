"""How a page answers: with itself, or by leading to another one."""

from collections.abc import Callable
from typing import cast

from flask import Response, flash, g, redirect, request, session

from chatapp import localized
from chatapp.errors import ChatError, NoSuchRoom

FLASHED = "_flashes"  # what Flask calls it in the cookie
ONCE = "shown_once"  # in the cookie, from a form to the page that shows what it made


def page(html: bytes, error: ChatError | None = None) -> Response:
    """The page itself; `error`: what refused its form, which gives the answer its status."""
    return Response(html, error.status, error.headers) if error else Response(html)


def said(error: ChatError | None) -> str | None:
    """What refused a form, in the reader's language."""
    return localized.refusal(error) if error else None


def lead_to(url: str) -> Response:
    """What was asked for is elsewhere, for now."""
    return cast(Response, redirect(url))


def only_looks() -> bool:
    """Whether nothing is to be done but to show: HEAD is GET without the answer's body (RFC 9110, 9.3.2)."""
    return request.method in ("GET", "HEAD")


def for_people() -> bool:
    """Whether a browser asks for a page: it says that it takes HTML, and this is no door for programs."""
    programs = (
        request.path.startswith("/api/") or request.path.endswith(("/http", "/ws")) or request.path == "/ws"
    )
    return not programs and "text/html" in request.headers.get("Accept", "")


def refused(error: ChatError, page: Callable[[ChatError], Response]) -> Response:
    """The page of the form, if the room is still theirs to see; programs get the problem."""
    if not for_people() or isinstance(error, NoSuchRoom):
        raise error
    return page(error)


def see_other(url: str) -> Response:
    """A form has done what it should: its result is there, to be looked at (RFC 9110, section 15.4.4)."""
    return cast(Response, redirect(url, 303))


def done(url: str, said: str, part: str = "info") -> Response:
    """The same, and the page there says so once, in its `part`. A script has its own words for it."""
    if for_people():
        flash(said, part)
    return see_other(url)


def showing(url: str, secret: str) -> Response:
    """A form has made `secret`, which the page at `url` shows once: to load that anew makes no other. On the
    way it is in the cookie, where no log and no script sees it.
    """
    session[ONCE] = secret
    return see_other(url)


def shown_once() -> str:
    """What the form that led here has made, or ""."""
    return session.pop(ONCE, "") if _is_shown() else ""


def flashed(part: str = "") -> list[tuple[str, str]]:
    """What forms have done, as (part, words), of one part or of all; for a page that shows it, which sets
    `says_what_is_done`. Said once to people: what a script or HEAD fetches of the page takes nothing away.
    """
    if "flashed" not in g:
        g.flashed = session.get(FLASHED, [])
        if g.flashed and _is_shown():
            del session[FLASHED]
    return [(of, said) for of, said in g.flashed if part in ("", of)]


def _is_shown() -> bool:
    """Whether somebody looks at the answer: neither a script does, nor a browser that may need it later."""
    fetched = "X-Requested-With" in request.headers or "Sec-Purpose" in request.headers
    return request.method in ("GET", "POST") and not fetched
