"""The code with which the first administrator's account is made, so that no stranger can be first.

It is made from the instance folder's key, so that all workers and each start know the same one and nobody
else does; it is good until there was an administrator once.
"""

import hmac

from flask import Flask, current_app

from chatapp.globals import get_hub
from chatapp.journal import people_reading

PURPOSE = b"the first administrator"


def is_code(code: str) -> bool:
    """Whether that is the code."""
    return hmac.compare_digest(code.encode(), _code(current_app).encode())


def path(app: Flask) -> str | None:
    """Where the account is made; None where there was an administrator once. Switches."""
    if get_hub(app).journal.read(people_reading.begun):
        return None
    return f"/first/{_code(app)}"


def _code(app: Flask) -> str:
    return hmac.new(str(app.secret_key).encode(), PURPOSE, "sha256").hexdigest()[:32]
