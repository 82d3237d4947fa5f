"""What the commands share: how they name a room, ask, refuse and print."""

from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from typing import Any, TypeVar

import click
import msgspec

from chatapp import text
from chatapp.errors import ChatError, NoSuchRoom
from chatapp.globals import get_hub
from chatapp.journal.requests import AuditLine, RoomState, Sanction
from chatapp.shell import handles as shell
from chatapp.shell.handles import ShellRoom

F = TypeVar("F", bound=Callable[..., Any])

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
minutes = click.option("--minutes", type=click.IntRange(0), default=0, help="For how long (0: until lifted).")
seconds = click.option(
    "--seconds", type=click.IntRange(0), default=0, help="The same in seconds; both add up."
)
why = click.option("--why", default="", help="The reason, for the audit log.")
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


def find(which: str) -> ShellRoom:
    """The room of that number or, where there is none, of that name."""
    if which.isascii() and which.isdigit() and len(which) < 20:
        with suppress(NoSuchRoom):
            return shell.room(int(which))
    return shell.room(which)


def targets(sanction: Sanction) -> str:
    """Whom and what a time-out or a ban is of."""
    browser = "their browser" if sanction.device else None
    return ", ".join(filter(None, (sanction.person, browser, sanction.network)))


def terms(sanction: Sanction) -> str:
    """How long it holds, by whom and why."""
    until = f"until {sanction.until[:16].replace('T', ' ')}Z" if sanction.until else "for good"
    reason = f": {sanction.reason}" if sanction.reason else ""
    return f"{until}, by {sanction.by}{reason}"


def as_line(entry: AuditLine, where: str = "") -> str:
    """When, where, who, what, whom (an id, or what it was about) and why."""
    place = f"{where:<9}  " if where else ""
    whom = f" [{entry.whom}]" if entry.whom else ""
    why = f" ({entry.why})" if entry.why else ""
    at = f"{entry.at[:19].replace('T', ' ')}Z"
    return text.escaped(f"{at}  {place}{entry.who} {entry.what}{whom}{why}")


def confirm(question: str, yes: bool) -> None:
    if not yes:
        click.confirm(question, abort=True)


def change(found: ShellRoom, change: Callable[[], object], as_json: bool, done: str, already: str) -> None:
    """Do it and say so, or say that it is so `already`."""
    before = found.state
    change()
    after = found.state
    same = (before.name, before.topic, before.closed) == (after.name, after.topic, after.closed)
    done_with(found, as_json, already if same else done)


def done_with(found: ShellRoom, as_json: bool, done: str) -> None:
    if as_json:
        print_json(fields_of(found))
    else:
        click.echo(f"{done} {found!r}")


def fields_of(found: ShellRoom) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.to_builtins(found.state)
    return fields


def print_link(link: str, said: str = "") -> None:
    """What a link is for, and in a line of its own the link: half of one where the server is not told its
    address.
    """
    half = (
        ""
        if get_hub().config.public_url
        else "Put your server's address in front, or set CHATAPP_PUBLIC_URL:"
    )
    for line in filter(None, (" ".join(filter(None, (said, half))), link)):
        click.echo(line)


def print_json(value: Any) -> None:
    click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2))


def name_of(state: RoomState) -> str:
    return state.name + (" (closed)" if state.closed else "")
