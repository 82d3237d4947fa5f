"""`/about`: what runs here, how it is used by keyboard, and what becomes of what people say."""

from flask import Blueprint, Response

from chatapp import localized
from chatapp.globals import get_hub
from chatapp.pages.rendering import render_template
from chatapp.pages.responses import page
from chatapp.transports.websocket import SUBPROTOCOL
from chatapp.version import VERSION

bp = Blueprint("server", __name__)


@bp.get("/about")
def show() -> Response:
    """Version, protocol, keys, privacy."""
    config = get_hub().config
    return page(
        render_template(
            "server.html",
            version=VERSION,
            protocol=SUBPROTOCOL,
            undo=localized.duration(config.undo_seconds) if config.undo_seconds else None,
            mails=config.mail_server is not None,
        )
    )
