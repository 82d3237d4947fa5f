"""`flask data …`: everything that the server keeps, elsewhere: exports and backups."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from flask.cli import AppGroup
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from chatapp.archive import backup as backups
from chatapp.archive import exporting, importing, restoring
from chatapp.archive.errors import Refused
from chatapp.cli.commands import confirm, yes
from chatapp.config import Config
from chatapp.errors import SetupError
from chatapp.globals import get_hub
from chatapp.models import db
from chatapp.uploads import Uploads

data = AppGroup("data", help="Move what the server keeps to another one, and back it up.")
COUNTED = ("rooms", "messages", "users", "files")
LOST = "{} of the files were lost or damaged before, among them {}: what named them is there without them"


@data.command("export")
@click.argument("file", type=click.Path(dir_okay=False))
def export(file: str) -> None:
    """Write all that there is into one file.

    Also while the server runs. Whoever has FILE has all secrets that are kept.
    """
    with _refusals():
        lost = exporting.export(*_here(), file, progress)
    _warn(lost)
    click.echo(f"Wrote {file}")


@data.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
def take_in(file: str) -> None:
    """Take in an export, with an empty database.

    All of it or nothing. The server must not run.
    """
    with _refusals():
        lost = importing.take_in(*_here(), file, progress)
    _warn(lost)
    click.echo(f"Took in {file}")


@data.command()
@click.argument("folder", type=click.Path(file_okay=False))
def backup(folder: str) -> None:
    """Copy database, files and keys.

    Also while the server runs. Whoever has FOLDER, which is made, has all secrets that are kept.
    """
    with _refusals():
        lost = backups.back_up(*_here(), folder, progress)
    _warn(lost)
    click.echo(f"Backed up into {folder}")


@data.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--anyway", is_flag=True, help="Also what is not whole.")
@yes
def restore(folder: Path, anyway: bool, yes: bool) -> None:
    """Put a backup in the place of what is here.

    That is kept beside it. Every reader starts over. The server must not run.
    """
    config, engine, _ = _here()
    with _refusals():
        restoring.check(config, engine, folder)
        confirm(f"Put the backup {folder} in the place of what is here?", yes)
        kept = restoring.restore(config, engine, folder, anyway, progress)
    for path in kept:
        click.echo(f"What was there is now {path}")
    click.echo(f"Restored {folder}")


@data.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
def verify(folder: Path) -> None:
    """Look whether a backup is whole.

    Restores it into a temporary folder. The exit status is 1 if anything is wrong with it.
    """
    with _refusals():
        found, wrong = restoring.verify(folder, progress)
    counts = ", ".join(f"{found.rows.get(name, 0)} {name}" for name in COUNTED)
    click.echo(f"Of {found.at}, schema {found.schema}: {counts}")
    for each in wrong:
        click.echo(each, err=True)
    if wrong:
        raise click.ClickException(f"{folder} is not whole")
    click.echo("It is whole: no number is missing in any room, no file, and nothing was changed.")


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
