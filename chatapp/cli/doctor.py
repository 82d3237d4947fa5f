"""`flask doctor`: what is wrong with this installation, and what to do about it."""

import sys
from collections.abc import Callable, Iterator

import click
import msgspec
from flask import Flask

from chatapp.cli.commands import as_json, print_json
from chatapp.doctor import Examination, Finding, examine
from chatapp.doctor.visit import visit
from chatapp.errors import ChatError
from chatapp.globals import get_hub

UNSAFE = {"setting", "other-user", "schema-behind", "schema-ahead", "foreign-database", "database-unusable"}


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
    @as_json
    def command(url: str | None, patience: float | None, as_json: bool) -> None:
        """Look for what is wrong with this installation, and say what to do about it.

        With the server's own settings, also while it runs. With --url one message goes over each transport,
        in a private room that is removed again. The exit status is 1 if anything is an error.
        """
        done = examine()
        if url is not None and not UNSAFE & {finding.name for finding in done.findings}:
            with application().app_context():
                done.look(url, _visit(url, patience))
        if as_json:
            print_json(msgspec.to_builtins(done))
        else:
            _tell(done)
        sys.exit(1 if any(finding.level == "error" for finding in done.findings) else 0)

    return command


def _visit(url: str, patience: float | None) -> Iterator[Finding]:
    try:
        yield from visit(get_hub(), url, patience)
    except ValueError as wrong:
        raise click.BadParameter(str(wrong), param_hint="--url") from None
    except ChatError as refusal:
        raise click.ClickException(str(refusal)) from None


def _tell(done: Examination) -> None:
    click.echo(f"Looked at {', '.join(done.looked_at)}" + (f" of {done.of}" if done.of else ""))
    for finding in done.findings:
        click.echo(f"\n{finding.level}: {finding.what}\n  why: {finding.why}\n  do:  {finding.do}")
    if not done.findings:
        click.echo("Nothing is wrong.")
