"""The command `chatapp` of an installed package: `chatapp serve` is gunicorn, all else is `flask`.

In the wheel this file, wsgi.py, gunicorn.conf.py, templates/ and static/ are a package `chatapp_home`, beside
`chatapp`. For to import anything from that imports the application, which neither gunicorn's master may, nor
anybody before wsgi.py has patched the standard library.
"""

import importlib
from argparse import ArgumentParser, Namespace
from pathlib import Path

import click
from flask import Flask
from flask.cli import FlaskGroup, routes_command, shell_command
from gunicorn.app.wsgiapp import WSGIApplication

WSGI = f"{__package__}.wsgi"
CONFIGURATION = Path(__file__).parent / "gunicorn.conf.py"


def _application() -> Flask:
    app: Flask = importlib.import_module(WSGI).app
    return app


main = FlaskGroup(
    name="chatapp",
    create_app=_application,
    add_default_commands=False,  # Flask's own server is none for this application
    add_version_option=False,
    help="A real-time chat: its server, and what its administrator does. `instance` in the current folder is "
    "the server's, unless CHATAPP_INSTANCE_PATH names another.",
)
# Of what is installed, so that nothing is imported for it.
main = click.version_option(package_name="chatapp", prog_name="chatapp", message="%(prog)s %(version)s")(main)
main.add_command(routes_command)
main.add_command(shell_command)


class _Server(WSGIApplication):
    """gunicorn, where `serve` stands for the name of the application: it is started anew by the same line."""

    def init(self, parser: ArgumentParser, opts: Namespace, args: list[str]) -> None:
        opts.config = opts.config or str(CONFIGURATION)
        super().init(parser, opts, [f"{WSGI}:app", *args[1:]])


@main.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
def serve(options: tuple[str, ...]) -> None:
    """Start the server: OPTIONS are gunicorn's."""
    _Server("%(prog)s serve [OPTIONS]").run()
