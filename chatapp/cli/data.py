"""`flask data …`: everything that the server keeps, elsewhere: exports and backups."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click
from flask.cli import AppGroup
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from chatapp.archive import exporting, importing
from chatapp.archive.errors import Refused
from chatapp.config import Config
from chatapp.errors import SetupError
from chatapp.globals import get_hub
from chatapp.models import db
from chatapp.uploads import Uploads

data = AppGroup("data", help="Move what the server keeps to another one, and back it up.")
LOST = "{} of the files were lost or damaged before, among them {}: what named them is there without them"


@data.command("export")
@click.argument("file", type=click.Path(dir_okay=False))
def export(file: str) -> None:
    """Write all that there is into FILE: also while the server runs. It has all secrets in it."""
    with _refusals():
        lost = exporting.export(*_here(), file, progress)
    _warn(lost)
    click.echo(f"Wrote {file}")


@data.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
def take_in(file: str) -> None:
    """Take in what `flask data export` wrote, into an empty database. The server must not run."""
    with _refusals():
        lost = importing.take_in(*_here(), file, progress)
    _warn(lost)
    click.echo(f"Took in {file}")


@contextmanager
def progress(name: str, parts: int) -> Iterator[Callable[[int], None]]:
    """Shows on stderr how far it is: a bar in a terminal, else a line at its beginning."""
    if not parts:
        yield lambda _: None
        return
    with click.progressbar(length=parts, label=f"{name:<14}", file=sys.stderr, show_pos=True) as bar:
        yield bar.update


@contextmanager
def _refusals() -> Iterator[None]:
    """Say in one line, with exit status 1, what was refused or cannot be done."""
    try:
        yield
    except (Refused, SetupError) as error:
        raise click.ClickException(str(error)) from None
    except OSError as error:
        raise click.ClickException(f"{error.filename or 'the disk'}: {error.strerror}") from None
    except SQLAlchemyError as error:
        raise click.ClickException(f"the database: {getattr(error, 'orig', None) or error}") from None


def _here() -> tuple[Config, Engine, Uploads]:
    hub = get_hub()
    return hub.config, db.engine, hub.uploads


def _warn(lost: list[str]) -> None:
    if lost:
        click.echo(LOST.format(len(lost), lost[0]), err=True)
