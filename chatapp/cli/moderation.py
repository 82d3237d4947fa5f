"""`flask room …`, the commands about people in a room: its settings, members, sanctions and audit log."""

from typing import Any

import click
import msgspec

from chatapp import text
from chatapp.cli.commands import (
    as_json,
    as_line,
    done_with,
    find,
    minutes,
    print_json,
    refusals,
    seconds,
    targets,
    terms,
    which,
    why,
)
from chatapp.cli.rooms import room
from chatapp.permissions import RANKS

name = click.argument("name")


@room.command("set")
@which
@click.option("--kind", type=click.Choice(["public", "private"]), help="Who may come in.")
@click.option("--posting", type=click.Choice(["everyone", "members", "moderators"]), help="Who may write.")
@click.option("--guests/--no-guests", default=None, help="Whether guests may come in.")
@click.option("--pace", type=click.IntRange(0), help="Seconds between two messages of one person; 0: none.")
@click.option("--keep-days", type=click.IntRange(0), help="Days that messages are kept; 0: for ever.")
@click.option("--keep-messages", type=click.IntRange(0), help="How many messages are kept; 0: all.")
@as_json
@refusals
def set_room(
    which: str,
    kind: Any,
    posting: Any,
    guests: bool | None,
    pace: int | None,
    keep_days: int | None,
    keep_messages: int | None,
    as_json: bool,
) -> None:
    """Change who may do what in a room, and how long it keeps messages."""
    found = find(which)
    if kind is not None:
        found.kind = kind
    if posting is not None:
        found.posting = posting
    if guests is not None:
        found.guests = guests
    if pace is not None:
        found.pace = pace
    if keep_days is not None or keep_messages is not None:
        state = found.state
        days = state.keep_days if keep_days is None else keep_days or None
        messages = state.keep_messages if keep_messages is None else keep_messages or None
        found.keep(days, messages)
    done_with(found, as_json, "Changed")


@room.command()
@which
@as_json
@refusals
def members(which: str, as_json: bool) -> None:
    """List a room's members, owners first."""
    found = find(which).members()
    if as_json:
        print_json([msgspec.to_builtins(member) for member in found])
        return
    for member in found:
        click.echo(text.escaped(f"{member.id:<18}  {member.role:<9}  {member.name}"))


@room.command("take-in")
@which
@click.argument("person")
@click.option("--role", type=click.Choice(list(RANKS)), help="Their part; without it, who has one keeps it.")
@as_json
@refusals
def take_in(which: str, person: str, role: Any, as_json: bool) -> None:
    """Make PERSON, a name or an id, a member of a room, or give them another part in it."""
    found = find(which)
    part = f"{'an' if role == 'owner' else 'a'} {role or 'member'}"
    if found.take_in(person, role) is not None:
        said = f"{person} is {part} now of"
    else:
        said = f"{person} is {part} already of" if role else f"{person} has a part already in"
    done_with(found, as_json, said)


@room.command()
@which
@click.argument("person")
@why
@as_json
@refusals
def remove(which: str, person: str, why: str, as_json: bool) -> None:
    """End the membership of PERSON, a name or an id."""
    found = find(which)
    found.remove(person, why)
    done_with(found, as_json, f"Removed {person} from")


@room.command()
@which
@name
@minutes
@seconds
@why
@click.option("--network", default="", help="Also all guests who come from there, as 192.0.2.0/24.")
@as_json
@refusals
def ban(which: str, name: str, minutes: int, seconds: int, why: str, network: str, as_json: bool) -> None:
    """Keep everybody called NAME out of a room; of guests, their browser."""
    found = find(which)
    found.ban(name, minutes * 60 + seconds, why, network)
    done_with(found, as_json, f"Banned {name} from")


@room.command()
@which
@name
@minutes
@seconds
@why
@as_json
@refusals
def timeout(which: str, name: str, minutes: int, seconds: int, why: str, as_json: bool) -> None:
    """Let everybody called NAME only read in a room."""
    found = find(which)
    found.time_out(name, minutes * 60 + seconds, why)
    done_with(found, as_json, f"{name} may only read in")


@room.command()
@which
@as_json
@refusals
def sanctions(which: str, as_json: bool) -> None:
    """List the time-outs and bans in force in a room."""
    found = find(which).sanctions()
    if as_json:
        print_json([msgspec.to_builtins(sanction) for sanction in found])
        return
    for each in found:
        line = f"{each.id:>4}  {each.kind:<7}  {each.name} ({targets(each)})  {terms(each)}"
        click.echo(text.escaped(line))


@room.command()
@which
@click.argument("sanction", type=click.IntRange(1))
@as_json
@refusals
def lift(which: str, sanction: int, as_json: bool) -> None:
    """Take a time-out or a ban back, by its number."""
    found = find(which)
    found.lift(sanction)
    done_with(found, as_json, "Lifted in")


@room.command()
@which
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 1000))
@as_json
@refusals
def audit(which: str, limit: int, as_json: bool) -> None:
    """Show who did what in a room, the newest first."""
    entries = find(which).audit(limit)
    if as_json:
        print_json([msgspec.to_builtins(entry) for entry in entries])
        return
    for entry in entries:
        click.echo(as_line(entry))
