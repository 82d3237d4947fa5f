"""`flask keys …`: the keys that sign cookies."""

import click
from flask.cli import AppGroup

from chatapp import instance
from chatapp import keys as secret_keys
from chatapp.cli.commands import confirm, refusals, yes
from chatapp.globals import get_hub

keys = AppGroup("keys", help="The keys that sign cookies and CSRF tokens.")


@keys.command()
@click.option("--forget", is_flag=True, help="Accept no older key any more: everybody is signed out.")
@yes
@refusals
def rotate(forget: bool, yes: bool) -> None:
    """Make a new key, which signs from now on, also in running servers. Nobody is signed out."""
    if forget:
        confirm("Sign everybody out? Guests come back as somebody else.", yes)
    config = get_hub().config
    with instance.setting_up(config):
        older = secret_keys.rotate(config, forget=forget)
    if forget:
        click.echo("A new key signs, and no other is accepted: everybody is signed out.")
        click.echo("Sockets that are open stay so until the server is restarted (or SIGHUP to its master).")
    else:
        click.echo(f"A new key signs; {older} older {'key is' if older == 1 else 'keys are'} still accepted.")
