"""`flask audit`: who did what, in all rooms and on the server."""

import click
import msgspec

from chatapp import auditing
from chatapp.cli.commands import as_json, as_line, print_json, refusals
from chatapp.globals import get_hub
from chatapp.permissions import SYSTEM


@click.command()
@click.option("--room", type=int, help="Of one room, by its number.")
@click.option("--about", default="", help="Words that stand in what was done, by whom, to whom, or in why.")
@click.option("--before", type=int, help="Older ones than the entry of this number.")
@click.option(
    "--limit", default=auditing.PAGE, show_default=True, type=click.IntRange(1, auditing.PAGE_LIMIT)
)
@as_json
@refusals
def audit(room: int | None, about: str, before: int | None, limit: int, as_json: bool) -> None:
    """Show who did what, the newest first."""
    entries = auditing.entries(get_hub(), SYSTEM, about=about, room=room, before=before, limit=limit)
    if as_json:
        print_json([msgspec.to_builtins(entry) for entry in entries])
        return
    for entry in entries:
        where = f"room {entry.room}" if entry.room is not None else "server"
        click.echo(f"{entry.id:>6}  {as_line(entry, where)}")
