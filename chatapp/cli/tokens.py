"""`flask token …`: tokens with which programs act for people, and bots; and `flask room hook …`."""

from typing import Any

import click
import msgspec
from flask.cli import AppGroup

from chatapp import accounts, hooks, tokens
from chatapp.cli.commands import as_json, find, print_json, print_link, refusals, which
from chatapp.cli.rooms import room
from chatapp.globals import get_hub
from chatapp.permissions import SCOPES, SYSTEM
from chatapp.shell.handles import flushed

token = AppGroup("token", help="Tokens with which programs act for people, and bots.")


@token.command("list")
@as_json
@refusals
def list_tokens(as_json: bool) -> None:
    """List the tokens of everybody that are not revoked."""
    found = tokens.tokens(get_hub(), SYSTEM, everybodys=True)
    if as_json:
        print_json([msgspec.to_builtins(each) for each in found])
        return
    for each in found:
        until = f"until {_day(each.expires_at)}" if each.expires_at else "for ever"
        used = f"used {_day(each.used_at)}" if each.used_at else "never used"
        where = "" if each.rooms is None else "  rooms " + ",".join(map(str, each.rooms))
        click.echo(
            f"{each.id:>4}  {each.person_name}  {','.join(each.scopes)}  {until}, {used}  {each.name}{where}"
        )


@token.command()
@click.argument("person")
@click.option("--bot", is_flag=True, help="PERSON is a bot, made if there is none of that name.")
@click.option("--name", default="flask token create", help="What it is for.")
@click.option("--scope", "scopes", multiple=True, type=click.Choice(list(SCOPES)), default=["read", "write"])
@click.option("--room", "rooms", multiple=True, type=int, help="Only this room; may be said again.")
@click.option("--days", type=click.IntRange(0, tokens.DAYS_LIMIT), default=tokens.DAYS, show_default=True)
@as_json
@refusals
def create(
    person: str, bot: bool, name: str, scopes: Any, rooms: tuple[int, ...], days: int, as_json: bool
) -> None:
    """Make a token for PERSON, a name or an id. With --days 0 it never expires. It is shown this once."""
    hub = get_hub()
    whose = None if bot else accounts.person(hub, person)
    made = flushed(
        hub,
        lambda: tokens.make(
            hub,
            SYSTEM,
            whose,
            bot=person if bot else None,
            name=name,
            scopes=scopes,
            rooms=rooms or None,
            days=days or None,
        ),
    )
    if as_json:
        print_json(msgspec.to_builtins(made))
    else:
        click.echo(
            f"Token {made.id} of {accounts.person(hub, made.person).name}, shown this once:\n{made.token}"
        )


@token.command()
@click.argument("number", type=click.IntRange(1))
@refusals
def revoke(number: int) -> None:
    """Make a token good no longer, by its number; its sockets end."""
    flushed(get_hub(), lambda: tokens.revoke(get_hub(), SYSTEM, number))
    click.echo(f"Revoked {number}")


@room.group()
def hook() -> None:
    """Addresses at which programs post into a room, as they do into Slack."""


@hook.command("list")
@which
@as_json
@refusals
def list_hooks(which: str, as_json: bool) -> None:
    """List the hooks of a room."""
    found = hooks.hooks(get_hub(), SYSTEM, find(which).id)
    if as_json:
        print_json([msgspec.to_builtins(each) for each in found])
        return
    for each in found:
        click.echo(f"{each.id:>4}  {each.name}, made {_day(each.made_at)} by {each.by}")


@hook.command("create")
@which
@click.argument("name")
@as_json
@refusals
def create_hook(which: str, name: str, as_json: bool) -> None:
    """Make a hook that posts into a room as NAME; its address is shown this once."""
    hub = get_hub()
    made = flushed(hub, lambda: hooks.make(hub, SYSTEM, find(which).id, name))
    link = hub.config.link(made.path)
    if as_json:
        print_json({**msgspec.to_builtins(made), "link": link})
    else:
        print_link(link, f"Hook {made.id}, shown this once.")


@hook.command("revoke")
@which
@click.argument("number", type=click.IntRange(1))
@refusals
def revoke_hook(which: str, number: int) -> None:
    """Make a hook good no longer, by its number."""
    flushed(get_hub(), lambda: hooks.revoke(get_hub(), SYSTEM, find(which).id, number))
    click.echo(f"Revoked {number}")


def _day(time: str) -> str:
    return time[:16].replace("T", " ") + "Z"
