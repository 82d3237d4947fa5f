"""`flask room …`: the verbs of the shell on rooms, as commands."""

import click
import msgspec
from flask.cli import AppGroup

from chatapp import text
from chatapp.cli.commands import (
    as_json,
    change,
    confirm,
    done_with,
    fields_of,
    find,
    name_of,
    print_json,
    refusals,
    which,
    why,
    yes,
)
from chatapp.shell import handles as shell
from chatapp.shell.handles import line

room = AppGroup("room", help="Run the rooms: beside a running server, or without one.")


@room.command("list")
@as_json
@refusals
def list_rooms(as_json: bool) -> None:
    """List all rooms, each with the number of its newest message and its kind: public, private or direct."""
    found = shell.rooms()
    if as_json:
        print_json([fields_of(each) for each in found])
        return
    states = [each.state for each in found]
    rows = [("room", "newest", "kind", "name", "topic")]
    rows += [
        (str(state.id), f"#{state.last_seq}", state.kind, name_of(state), state.topic) for state in states
    ]
    width = max(len(row[3]) for row in rows)
    for number, newest, kind, name, topic in rows:
        click.echo(f"{number:>4}  {newest:<9}  {kind:<7}  {name:<{width}}  {topic}".rstrip())


@room.command()
@click.argument("name")
@click.option("--topic", default="", help="What the room is about.")
@as_json
@refusals
def create(name: str, topic: str, as_json: bool) -> None:
    """Make a room."""
    done_with(shell.create_room(name, topic), as_json, "Made")


@room.command()
@which
@click.option(
    "--messages", default=10, show_default=True, type=click.IntRange(0, 1000), help="How many to show."
)
@as_json
@refusals
def show(which: str, messages: int, as_json: bool) -> None:
    """Show a room, who is there, and its newest messages."""
    found = find(which)
    history = found.history(messages) if messages else []
    if as_json:
        people = [msgspec.to_builtins(who) for who in found.people()]
        history_fields = [msgspec.to_builtins(message) for message in history]
        print_json({**fields_of(found), "people": people, "messages": history_fields})
        return
    state = found.state
    click.echo(f"{state.id} {name_of(state)}")
    click.echo(f"kind    {state.kind}")
    click.echo(f"topic   {state.topic or '-'}")
    click.echo(f"newest  #{state.last_seq}, epoch {state.epoch}")
    click.echo(f"here    {', '.join(who.name for who in found.people()) or 'nobody'}")
    for message in history:
        click.echo(line(message))


@room.command()
@which
@click.argument("text")
@as_json
@refusals
def post(which: str, text: str, as_json: bool) -> None:
    """Say something in a room, as "system"."""
    message = find(which).post(text)
    if as_json:
        print_json(msgspec.to_builtins(message))
    else:
        click.echo(f"Kept as #{message.seq}")


@room.command()
@which
@click.argument("name")
@as_json
@refusals
def rename(which: str, name: str, as_json: bool) -> None:
    """Give a room another name."""
    found = find(which)
    change(found, lambda: found.rename(name), as_json, "Renamed", "Already called so:")


@room.command()
@which
@click.argument("topic")
@as_json
@refusals
def topic(which: str, topic: str, as_json: bool) -> None:
    """Give a room another topic; "" removes it."""
    found = find(which)
    change(found, lambda: setattr(found, "topic", topic), as_json, "Changed", "Already the topic of")


@room.command()
@which
@as_json
@refusals
def close(which: str, as_json: bool) -> None:
    """Make a room read-only."""
    found = find(which)
    change(found, found.close, as_json, "Closed", "Already closed:")


@room.command("open")
@which
@as_json
@refusals
def reopen(which: str, as_json: bool) -> None:
    """Let people write in a closed room again."""
    found = find(which)
    change(found, found.open, as_json, "Opened", "Already open:")


@room.command()
@which
@yes
@as_json
@refusals
def clear(which: str, yes: bool, as_json: bool) -> None:
    """Remove all messages of a room for good."""
    found = find(which)
    confirm(f"Remove all messages of {found!r} for good?", yes)
    done_with(found.clear(), as_json, "Cleared")


@room.command("new-epoch")
@click.argument("which", metavar="ROOM", required=False)
@click.option("--all", "every", is_flag=True, help="Of all rooms.")
@refusals
def new_epoch(which: str | None, every: bool) -> None:
    """Have every reader of a room start over: where the database lost what they may have seen."""
    if every == (which is not None):
        raise click.UsageError("Name a room, or give --all.")
    found = shell.rooms() if which is None else [find(which)]
    for each in found:
        each.new_epoch()
    click.echo(f"A new epoch: {len(found)} room{'' if len(found) == 1 else 's'}")


@room.command()
@which
@click.argument("name")
@why
@as_json
@refusals
def kick(which: str, name: str, why: str, as_json: bool) -> None:
    """Send everybody called NAME out of a room; they may come back."""
    people = find(which).kick(name, why)
    if as_json:
        print_json({"removed": people})
    else:
        click.echo(f"Removed {name}" + (f" ({len(people)} people)" if len(people) > 1 else ""))


@room.command()
@which
@click.argument("seq", type=click.IntRange(1), required=False)
@why
@yes
@refusals
def delete(which: str, seq: int | None, why: str, yes: bool) -> None:
    """Delete a room for good, or one message of it: SEQ."""
    found = find(which)
    if seq is not None:
        doomed = found.deletable(seq)  # a number that is none is said before it is asked
        confirm(f"Delete #{seq} of {found!r} ({doomed.told})?", yes)
        found.delete(seq, why)
        click.echo(f"Deleted #{seq}")
        return
    confirm(f"Delete {found!r} and its messages for good?", yes)
    shell.delete_room(found)
    click.echo("Deleted")


@room.command()
@which
@click.argument("seq", type=click.IntRange(1))
@refusals
def restore(which: str, seq: int) -> None:
    """Bring a message back that a moderator deleted: SEQ."""
    found = find(which)
    found.restore(seq)
    click.echo(f"Brought #{seq} back: {text.escaped(found.text(seq).told)}")


@room.command()
@refusals
def prune() -> None:
    """Remove now what rooms do not keep (a running server does so once a minute)."""
    count = shell.prune()
    click.echo(f"Pruned {count} room{'' if count == 1 else 's'}")
