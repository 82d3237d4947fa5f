"""`flask doctor`: what is wrong with this installation, and what to do about it."""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import click
import msgspec
from flask import Flask

from chatapp.cli.commands import as_json, print_json
from chatapp.errors import ChatError, SetupError
from chatapp.globals import get_hub

if TYPE_CHECKING:  # no worker ever loads it
    from chatapp.doctor import Examination
    from chatapp.doctor.visit.address import Address

HEAR_SECONDS = 5.0  # it takes milliseconds


def doctor(application: Callable[[], Flask]) -> click.Command:
    """The command. `application`: makes that of this installation, once it was looked at: that brings the
    database up, or fails.
    """

    @click.command("doctor")
    @click.option("--url", help="Also come in at this address, as people do: https://chat.example.org.")
    @click.option(
        "--patience",
        type=click.FloatRange(0),
        help="With --url: seconds in which nothing is said.  [default: the server's heartbeat and 5]",
    )
    @click.option(
        "--hear",
        type=click.FloatRange(0, min_open=True),
        default=HEAR_SECONDS,
        show_default=True,
        help="With --url: seconds until what was said and has not come is held back.",
    )
    @as_json
    def command(url: str | None, patience: float | None, hear: float, as_json: bool) -> None:
        """Look for what is wrong with this installation, and say what to do about it.

        With the server's own settings, also while it runs. With --url one message goes over each transport,
        in a private room that is removed again. The exit status is 1 if anything is an error.
        """
        from chatapp.doctor import examine
        from chatapp.doctor.visit.address import Address

        try:
            address = None if url is None else Address(url)
        except ValueError as wrong:
            raise click.BadParameter(str(wrong), param_hint="--url") from None
        done = examine()
        if address is not None:
            _visit(done, application, address, patience, hear)
        if as_json:
            print_json(msgspec.to_builtins(done))
        else:
            _tell(done)
        sys.exit(1 if any(finding.level == "error" for finding in done.findings) else 0)

    return command


def _visit(
    done: "Examination",
    application: Callable[[], Flask],
    address: "Address",
    patience: float | None,
    hear: float,
) -> None:
    from chatapp.doctor.finding import error
    from chatapp.doctor.visit import visit

    if done.ready:
        try:
            with application().app_context():
                done.look(address.origin, visit(get_hub(), address, patience, hear))
            return
        except (ChatError, SetupError) as refusal:
            cause, do = str(refusal), "mend that, and visit once more"
    else:
        cause = "there is no installation here that could be visited without making or changing anything"
        do = (
            "first what is wrong here; or start the server; or call this in its folder, as its user, with "
            "its settings (CHATAPP_INSTANCE_PATH)"
        )
    what, why = f"{address.origin} was not visited: {cause}", "what people meet on their way is not known"
    done.findings.append(error("not-visited", what, why, do))


def _tell(done: "Examination") -> None:
    click.echo(f"Looked at {', '.join(done.looked_at)}" + (f" of {done.of}" if done.of else ""))
    for finding in done.findings:
        click.echo(f"\n{finding.level}: {finding.what}\n  why: {finding.why}\n  do:  {finding.do}")
    if not done.findings:
        click.echo("Nothing is wrong.")
