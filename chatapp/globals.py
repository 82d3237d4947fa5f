"""What a request is about: the hub of this process, and who is asking.

Functions rather than proxies as `flask.request` is: subscribers keep what they return beyond the request.
"""

from typing import cast

from flask import Flask, current_app, g

from chatapp.hub import Hub
from chatapp.permissions import Identity

EXTENSION = "chatapp"


def get_hub(app: Flask | None = None) -> Hub:
    """The hub of `app`, by default of the current one."""
    return cast(Hub, (app or current_app).extensions[EXTENSION])


def get_identity() -> Identity:
    """Who asks. Known within a request, after `auth.identify`."""
    return cast(Identity, g.asking)  # Flask-Principal has g.identity
