"""The code with which the first administrator's account is made, so that no stranger can be first.

It is made from the instance folder's key, so that all workers and each start know the same one and nobody
else does; it is good until there was an administrator once.
"""

import hmac

from flask import Flask, current_app

from chatapp.globals import get_hub
from chatapp.journal import people_reading
from chatapp.sessions import accepted_keys

PURPOSE = b"the first administrator"
BEGUN = "chatapp begun"  # in the application's extensions: there was one, which stays so


def is_code(code: str) -> bool:
    """Whether that is the code."""
    codes = [_code(key) for key in accepted_keys(current_app)]  # also one that was printed before a new key
    return any(hmac.compare_digest(code.encode(), each.encode()) for each in codes)


def path(app: Flask) -> str | None:
    """Where the account is made; None where there was an administrator once. Switches."""
    if not wanted(app):
        return None
    return f"/first/{_code(app.config['SECRET_KEY'])}"


def wanted(app: Flask | None = None) -> bool:
    """Whether there was no administrator yet, ever. Switches, until there was one."""
    known = (app or current_app).extensions
    if not known.get(BEGUN):
        known[BEGUN] = get_hub(app).journal.read(people_reading.begun)
    return not known[BEGUN]


def _code(key: str) -> str:
    return hmac.new(key.encode(), PURPOSE, "sha256").hexdigest()[:32]
