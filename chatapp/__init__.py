"""A real-time chat: one Flask application under gunicorn's gevent worker."""

import logging
from datetime import timedelta
from typing import Any

import msgspec
from flask import Flask
from flask_wtf.csrf import generate_csrf
from markupsafe import Markup, escape

from chatapp import (
    cli,
    compression,
    config,
    globals,
    instance,
    keys,
    log_lines,
    mentions,
    schema,
    security,
    serving,
    sessions,
    shell,
)
from chatapp.bus import open_bus
from chatapp.errors import SetupError
from chatapp.hub import Hub
from chatapp.journal import Journal
from chatapp.journal.databases import engine_options, listen
from chatapp.keys import Keys
from chatapp.models import db
from chatapp.pages import (
    account,
    addresses,
    admin,
    api_docs,
    details,
    errors,
    faces,
    filters,
    fragments,
    guests,
    health,
    leaving,
    metrics,
    rendering,
    rooms,
    server,
    sign_up,
)
from chatapp.pages import languages as language_pages
from chatapp.pages import message as message_pages
from chatapp.pages import reports as report_pages
from chatapp.pages import search as search_page
from chatapp.pages import tokens as token_pages
from chatapp.sessions import CookieSessions
from chatapp.transports import (
    event_stream,
    files,
    hooks,
    members,
    messages,
    moderation,
    people,
    tutorial,
    websocket,
)
from chatapp.transports import reports as reports_api
from chatapp.transports import rooms as rooms_api
from chatapp.transports import search as search_api
from chatapp.transports import tokens as tokens_api
from chatapp.version import VERSION

__all__ = ["SetupError", "__version__", "create_app", "create_doctor"]

__version__ = VERSION


def create_app(follows: bool = False) -> Flask:
    """The application, with its instance folder set up. Raises SetupError: one line that says what to do.

    `follows`: in a worker that takes the place of another one, at a server that serves already.

    `gevent.monkey.patch_all()` must have been called before anything else was imported: see wsgi.py.
    """
    settings = config.load(str(config.INSTANCE))
    app = Flask(
        __name__,
        template_folder=str(config.HOME / "templates"),
        static_folder=str(config.HOME / "static"),
        instance_path=settings.instance_path,
    )
    with instance.setting_up(settings):
        _configure(app, settings)
        db.init_app(app)
        with app.app_context():
            engine = db.engine
            listen(engine)
            schema.bring_up(app, engine, follows)
        factor_key = keys.factor_key(settings)
        bus = open_bus(settings.bus_url)
        bus.prepare()
    app.extensions[globals.EXTENSION] = Hub(
        settings,
        Journal(engine, settings.queue_limit, settings.quick_looks, settings.quick_commits),
        bus,
    )
    serving.init_app(app, settings)
    compression.init_app(app)
    security.init_app(app, settings, factor_key)
    _open_doors(app)
    return app


def create_doctor() -> Flask:
    """An application that has nothing but `flask doctor`: it looks before anything is made or brought up."""
    app = Flask(__name__)
    app.cli.add_command(cli.doctor(create_app))
    return app


def _configure(app: Flask, settings: config.Config) -> None:
    app.config.update(
        SQLALCHEMY_DATABASE_URI=settings.database_url,
        SQLALCHEMY_ENGINE_OPTIONS=engine_options(settings.database_url, settings.busy_seconds),
        SESSION_COOKIE_NAME="chatapp",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_REFRESH_EACH_REQUEST=False,  # else every poll would carry a new cookie
        PERMANENT_SESSION_LIFETIME=timedelta(days=365),
        WTF_CSRF_TIME_LIMIT=None,  # a page may stay open for weeks; the token ends with the cookie
        SOCK_SERVER_OPTIONS={
            "max_size": settings.frame_limit,
            "quick": settings.quick_frames,
            "subprotocols": {"/ws": [websocket.SUBPROTOCOL]},
        },
    )
    keys = Keys(settings)
    sessions.configure(app, keys)
    app.session_interface = CookieSessions(keys)
    _log_as_gunicorn_does(log_lines.dress(settings.log_format))


def _log_as_gunicorn_does(lines: logging.Formatter) -> None:
    log = logging.getLogger("chatapp")
    if not log.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(lines)
        log.addHandler(handler)
        log.setLevel(logging.INFO)
        log.propagate = False


def _open_doors(app: Flask) -> None:
    for door in (
        messages,
        files,
        rooms_api,
        members,
        moderation,
        reports_api,
        search_api,
        people,
        tokens_api,
        hooks,
        event_stream,
        tutorial,
        websocket,
        rooms,
        message_pages,
        details,
        guests,
        account,
        leaving,
        sign_up,
        addresses,
        report_pages,
        search_page,
        admin,
        token_pages,
        health,
        metrics,
        api_docs,
        server,
        language_pages,
    ):
        app.register_blueprint(door.bp)
    app.register_blueprint(tutorial.socket_bp)
    errors.init_app(app)
    filters.init_app(app)
    fragments.init_app(app)
    rendering.init_app(app)
    app.context_processor(_for_every_page)
    # What a page tells its scripts: Flask's encoder, in Python, takes ten times as long, and writes \uXXXX,
    # which is three times as much of Arabic and emoji.
    app.jinja_env.policies["json.dumps_function"] = lambda value: msgspec.json.encode(value).decode()
    app.jinja_env.policies["json.dumps_kwargs"] = {}
    app.add_template_filter(_words, "words")
    app.add_template_filter(faces.initial)
    app.add_template_filter(faces.tint)
    app.cli.add_command(cli.room)
    app.cli.add_command(cli.keys)
    app.cli.add_command(cli.user)
    app.cli.add_command(cli.audit)
    app.cli.add_command(cli.token)
    app.cli.add_command(cli.data)
    app.cli.add_command(cli.doctor(lambda: app))
    app.cli.add_command(cli.Migrations(app))
    app.shell_context_processor(shell.begin)


def _words(message: dict[str, Any], reader: str) -> Markup:
    """What a message, as its JSON, says, with whom it calls marked; `reader`: an id, or ""."""
    mentioned, called = message.get("mentions", ()), message.get("called", ())
    html = message.get("html") or escape(message["body"])
    return Markup(mentions.in_html(html, mentioned, called, reader))  # nosec B704  # of what was escaped or cleaned


def _for_every_page() -> dict[str, object]:
    settings, identity = globals.get_hub().config, globals.get_identity()
    return {
        "site_name": settings.site_name,
        "identity": identity if identity.known else None,
        "csrf_token": generate_csrf,
        "guests_allowed": settings.guests,
        "sign_up": settings.sign_up,
        "mail": globals.get_hub().mail.open,
        "guest_code_required": bool(settings.guest_code),
        **language_pages.for_every_page(),
    }
