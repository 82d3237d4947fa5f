"""How a page answers: with itself, or by leading to another one."""

from typing import cast

from flask import Response, redirect

from chatapp.errors import ChatError


def page(html: str, error: ChatError | None = None) -> Response:
    """The page itself; `error`: what refused its form, which gives the answer its status."""
    return Response(html, error.status, error.headers) if error else Response(html)


def lead_to(url: str) -> Response:
    """What was asked for is elsewhere, for now."""
    return cast(Response, redirect(url))


def see_other(url: str) -> Response:
    """A form has done what it should: its result is there, to be looked at (RFC 9110, section 15.4.4)."""
    return cast(Response, redirect(url, 303))
