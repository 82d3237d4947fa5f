"""`flask db …`, loaded when it is asked for."""

from typing import Any

import click
from flask import Flask

from chatapp import schema


class Migrations(click.Command):
    """`flask db …`, which is Flask-Migrate's. Alembic takes 0.2 s to import: only when asked."""

    def __init__(self, app: Flask) -> None:
        super().__init__("db", help="Bring the database's schema up or down.")
        self._app = app

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        schema.enable_migrations(self._app)
        return self._app.cli.commands["db"].make_context(*args, **kwargs)  # now it is Flask-Migrate's
