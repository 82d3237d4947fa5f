"""`flask user …`: people with an account, from a terminal."""

from typing import Any

import click
import msgspec
from flask.cli import AppGroup

from chatapp import accounts, text
from chatapp.cli.commands import (
    as_json,
    confirm,
    minutes,
    print_json,
    print_link,
    refusals,
    seconds,
    targets,
    terms,
    why,
    yes,
)
from chatapp.globals import get_hub
from chatapp.permissions import SYSTEM
from chatapp.shell import accounts as shell
from chatapp.shell.accounts import ShellPerson
from chatapp.shell.handles import flushed

user = AppGroup("user", help="People with an account: beside a running server, or without one.")
which = click.argument("which", metavar="PERSON")


@user.command("list")
@as_json
@refusals
def list_people(as_json: bool) -> None:
    """List everybody with an account."""
    found = [each.state for each in shell.people()]
    if as_json:
        print_json([msgspec.to_builtins(each) for each in found])
        return
    for each in found:
        disabled = "  disabled" if each.disabled else ""
        click.echo(f"{each.id:<18}  {each.role:<13}  {each.name}{disabled}")


@user.command()
@click.argument("name")
@click.option("--role", type=click.Choice(accounts.ROLES), default="member", show_default=True)
@click.option("--password", help="Their password; without it, a link is printed with which they set one.")
@as_json
@refusals
def create(name: str, role: Any, password: str | None, as_json: bool) -> None:
    """Make an account."""
    made = shell.create_person(name, role, password)
    link = None if password is not None else made.reset_password()
    if as_json:
        print_json({**_fields(made), "link": link})
        return
    click.echo(f"Made {made!r}")
    if link:
        print_link(link, "A page on which they set a password, within a day.")


@user.command()
@which
@as_json
@refusals
def show(which: str, as_json: bool) -> None:
    """Show a person, and where they are signed in."""
    found = shell.person(which)
    state, sessions = found.state, found.sessions()
    if as_json:
        print_json(
            {**_fields(found), "email": found.email, "sessions": [_session(each) for each in sessions]}
        )
        return
    click.echo(f"{state.id} {state.name}" + (" (disabled)" if state.disabled else ""))
    click.echo(f"role    {state.role}")
    click.echo(f"status  {state.status or '-'}")
    if found.email is not None:
        click.echo(f"e-mail  {found.email}")
    for each in sessions:
        click.echo(f"signed in  {each.seen_at[:16].replace('T', ' ')}Z  {each.address}  {each.device}")


@user.command()
@which
@click.argument("role", type=click.Choice(accounts.ROLES))
@as_json
@refusals
def role(which: str, role: str, as_json: bool) -> None:
    """Make somebody an administrator, or a member again."""
    found = shell.person(which)
    found.role = role
    _done(found, as_json, "Changed")


@user.command()
@which
@click.argument("name")
@as_json
@refusals
def rename(which: str, name: str, as_json: bool) -> None:
    """Give somebody another name."""
    _done(shell.person(which).rename(name), as_json, "Renamed")


@user.command()
@which
@as_json
@refusals
def disable(which: str, as_json: bool) -> None:
    """Shut somebody out: they are signed out everywhere."""
    _done(shell.person(which).disable(), as_json, "Disabled")


@user.command()
@which
@as_json
@refusals
def enable(which: str, as_json: bool) -> None:
    """Let somebody sign in again."""
    _done(shell.person(which).enable(), as_json, "Enabled")


@user.command("reset-password")
@which
@as_json
@refusals
def reset_password(which: str, as_json: bool) -> None:
    """Print a link with which somebody sets a new password, once, within a day."""
    link = shell.person(which).reset_password()
    _link(link, as_json)


@user.command("reset-factor")
@which
@as_json
@refusals
def reset_factor(which: str, as_json: bool) -> None:
    """Take away the second factor of somebody who has lost it: the password is enough then."""
    _done(shell.person(which).reset_factor(), as_json, "Took the second factor away of")


@user.command("sign-out")
@which
@as_json
@refusals
def sign_out(which: str, as_json: bool) -> None:
    """End all sessions of somebody."""
    found = shell.person(which)
    ended = found.sign_out()
    if as_json:
        print_json({"ended": ended})
    else:
        click.echo(f"Ended {ended} session{'' if ended == 1 else 's'} of {found!r}")


@user.command()
@click.option("--uses", type=click.IntRange(1), default=1, show_default=True, help="How many may use it.")
@click.option("--days", type=click.IntRange(1), default=accounts.INVITATION_DAYS, show_default=True)
@click.option("--note", default="", help="What it is for.")
@click.option("--room", type=int, help="A room into which it leads, by its number.")
@as_json
@refusals
def invite(uses: int, days: int, note: str, room: int | None, as_json: bool) -> None:
    """Print a link with which people make accounts."""
    _link(shell.invite(uses, days, note, room), as_json)


@user.command()
@which
@minutes
@seconds
@why
@click.option("--network", default="", help="Also all guests who come from there, as 192.0.2.0/24.")
@yes
@refusals
def ban(which: str, minutes: int, seconds: int, why: str, network: str, yes: bool) -> None:
    """Keep somebody out of the server: a person with an account, or (by the id) a guest."""
    confirm(f"Keep {which} out of this server?", yes)
    flushed(get_hub(), lambda: accounts.ban(get_hub(), SYSTEM, which, minutes * 60 + seconds, why, network))
    click.echo(f"Banned {which}")


@user.command()
@as_json
@refusals
def bans(as_json: bool) -> None:
    """List the bans from the server that are in force."""
    found = accounts.bans(get_hub(), SYSTEM)
    if as_json:
        print_json([msgspec.to_builtins(each) for each in found])
        return
    for each in found:
        click.echo(text.escaped(f"{each.id:>4}  {each.name} ({targets(each)})  {terms(each)}"))


@user.command()
@click.argument("number", type=click.IntRange(1))
@refusals
def lift(number: int) -> None:
    """Take a ban from the server back, by its number."""
    flushed(get_hub(), lambda: accounts.lift_ban(get_hub(), SYSTEM, number))
    click.echo(f"Lifted {number}")


@user.command()
@which
@refusals
def export(which: str) -> None:
    """Print everything that is kept of somebody as JSON: a person, or (by the id) a guest."""
    print_json(accounts.export(get_hub(), which))


@user.command()
@which
@click.option(
    "--messages",
    type=click.Choice(["keep", "remove"]),
    default="keep",
    show_default=True,
    help="What they said stays as that of a removed person, or goes.",
)
@yes
@refusals
def erase(which: str, messages: str, yes: bool) -> None:
    """Take somebody out of the database for good: a person, or (by the id) a guest."""
    said = "what they said stays without their name" if messages == "keep" else "what they said goes too"
    confirm(f"Erase {which} for good ({said})?", yes)
    rooms = flushed(
        get_hub(), lambda: accounts.erase(get_hub(), SYSTEM, which, keep_messages=messages == "keep")
    )
    click.echo(f"Erased, from {rooms} room{'' if rooms == 1 else 's'}")


def _done(found: ShellPerson, as_json: bool, done: str) -> None:
    if as_json:
        print_json(_fields(found))
    else:
        click.echo(f"{done} {found!r}")


def _link(link: str, as_json: bool) -> None:
    if as_json:
        print_json({"link": link})
    else:
        print_link(link)


def _fields(found: ShellPerson) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.to_builtins(found.state)
    return fields


def _session(session: Any) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.to_builtins(session)
    del fields["key"]
    return fields
