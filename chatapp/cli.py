"""`flask room …`: the verbs of the shell as commands, and `flask db …`, loaded when it is asked for."""

from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from typing import Any, TypeVar

import click
import msgspec
from flask import Flask
from flask.cli import AppGroup

from chatapp import schema, shell
from chatapp.errors import ChatError, NoSuchRoom
from chatapp.journal.requests import RoomState
from chatapp.shell import ShellRoom

F = TypeVar("F", bound=Callable[..., Any])

room = AppGroup("room", help="Run the rooms: beside a running server, or without one.")

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
yes = click.option("--yes", is_flag=True, help="Do not ask.")


which = click.argument("which", metavar="ROOM")


def refusals(command: F) -> F:
    """Say what was refused in one line, with exit status 1."""

    @wraps(command)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except ChatError as error:
            raise click.ClickException(str(error)) from None

    return guarded  # type: ignore[return-value]


@room.command("list")
@as_json
@refusals
def list_rooms(as_json: bool) -> None:
    """List all rooms, each with the number of its newest message."""
    found = shell.rooms()
    if as_json:
        _print_json([_fields(each) for each in found])
        return
    states = [each.state for each in found]
    rows = [("room", "newest", "name", "topic")]
    rows += [(str(state.id), f"#{state.last_seq}", _name(state), state.topic) for state in states]
    width = max(len(row[2]) for row in rows)
    for number, newest, name, topic in rows:
        click.echo(f"{number:>4}  {newest:<9}  {name:<{width}}  {topic}".rstrip())


@room.command()
@click.argument("name")
@click.option("--topic", default="", help="What the room is about.")
@as_json
@refusals
def create(name: str, topic: str, as_json: bool) -> None:
    """Make a room."""
    _done(shell.create_room(name, topic), as_json, "Made")


@room.command()
@which
@click.option(
    "--messages", default=10, show_default=True, type=click.IntRange(0, 1000), help="How many to show."
)
@as_json
@refusals
def show(which: str, messages: int, as_json: bool) -> None:
    """Show a room, who is there, and its newest messages."""
    found = _room(which)
    history = found.history(messages) if messages else []
    if as_json:
        people = [msgspec.to_builtins(who) for who in found.people()]
        history_fields = [msgspec.to_builtins(message) for message in history]
        _print_json({**_fields(found), "people": people, "messages": history_fields})
        return
    state = found.state
    click.echo(f"{state.id} {_name(state)}")
    click.echo(f"topic   {state.topic or '-'}")
    click.echo(f"newest  #{state.last_seq}, epoch {state.epoch}")
    click.echo(f"here    {', '.join(who.name for who in found.people()) or 'nobody'}")
    for message in history:
        click.echo(shell.line(message))


@room.command()
@which
@click.argument("text")
@as_json
@refusals
def post(which: str, text: str, as_json: bool) -> None:
    """Say something in a room, as "system"."""
    message = _room(which).post(text)
    if as_json:
        _print_json(msgspec.to_builtins(message))
    else:
        click.echo(f"Kept as #{message.seq}")


@room.command()
@which
@click.argument("name")
@as_json
@refusals
def rename(which: str, name: str, as_json: bool) -> None:
    """Give a room another name."""
    found = _room(which)
    _change(found, lambda: found.rename(name), as_json, "Renamed", "Already called so:")


@room.command()
@which
@click.argument("topic")
@as_json
@refusals
def topic(which: str, topic: str, as_json: bool) -> None:
    """Give a room another topic; "" removes it."""
    found = _room(which)
    _change(found, lambda: setattr(found, "topic", topic), as_json, "Changed", "Already the topic of")


@room.command()
@which
@as_json
@refusals
def close(which: str, as_json: bool) -> None:
    """Make a room read-only."""
    found = _room(which)
    _change(found, found.close, as_json, "Closed", "Already closed:")


@room.command("open")
@which
@as_json
@refusals
def reopen(which: str, as_json: bool) -> None:
    """Let people write in a closed room again."""
    found = _room(which)
    _change(found, found.open, as_json, "Opened", "Already open:")


@room.command()
@which
@yes
@as_json
@refusals
def clear(which: str, yes: bool, as_json: bool) -> None:
    """Remove all messages of a room for good."""
    found = _room(which)
    _confirm(f"Remove all messages of {found!r} for good?", yes)
    _done(found.clear(), as_json, "Cleared")


@room.command()
@which
@click.argument("name")
@as_json
@refusals
def kick(which: str, name: str, as_json: bool) -> None:
    """Send everybody called NAME out of a room; they may come back."""
    people = _room(which).kick(name)
    if as_json:
        _print_json({"removed": people})
    else:
        click.echo(f"Removed {name}" + (f" ({len(people)} people)" if len(people) > 1 else ""))


@room.command()
@which
@click.argument("seq", type=click.IntRange(1), required=False)
@yes
@refusals
def delete(which: str, seq: int | None, yes: bool) -> None:
    """Delete a room for good, or one message of it: SEQ."""
    found = _room(which)
    if seq is not None:
        doomed = found.text(seq)  # a number that is none is said before it is asked
        _confirm(f"Delete #{seq} of {found!r} for good ({doomed.told})?", yes)
        found.delete(seq)
        click.echo(f"Deleted #{seq}")
        return
    _confirm(f"Delete {found!r} and its messages for good?", yes)
    shell.delete_room(found)
    click.echo("Deleted")


class Migrations(click.Command):
    """`flask db …`, which is Flask-Migrate's. Alembic takes 0.2 s to import: only when asked."""

    def __init__(self, app: Flask) -> None:
        super().__init__("db", help="Bring the database's schema up or down.")
        self._app = app

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        schema.enable_migrations(self._app)
        return self._app.cli.commands["db"].make_context(*args, **kwargs)  # now it is Flask-Migrate's


def _room(which: str) -> ShellRoom:
    """The room of that number or, where there is none, of that name."""
    if which.isascii() and which.isdigit() and len(which) < 20:
        with suppress(NoSuchRoom):
            return shell.room(int(which))
    return shell.room(which)


def _confirm(question: str, yes: bool) -> None:
    if not yes:
        click.confirm(question, abort=True)


def _change(found: ShellRoom, change: Callable[[], object], as_json: bool, done: str, already: str) -> None:
    """Do it and say so, or say that it is so `already`."""
    before = found.state
    change()
    after = found.state
    same = (before.name, before.topic, before.closed) == (after.name, after.topic, after.closed)
    _done(found, as_json, already if same else done)


def _done(found: ShellRoom, as_json: bool, done: str) -> None:
    if as_json:
        _print_json(_fields(found))
    else:
        click.echo(f"{done} {found!r}")


def _fields(found: ShellRoom) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.to_builtins(found.state)
    return fields


def _print_json(value: Any) -> None:
    click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2))


def _name(state: RoomState) -> str:
    return state.name + (" (closed)" if state.closed else "")
