"""The commands of `flask`, one file for each group."""

from chatapp.cli import moderation as moderation  # adds its commands to those of rooms
from chatapp.cli.audit import audit
from chatapp.cli.data import data
from chatapp.cli.doctor import doctor
from chatapp.cli.keys import keys
from chatapp.cli.migrations import Migrations
from chatapp.cli.people import user
from chatapp.cli.rooms import room
from chatapp.cli.tokens import token

__all__ = ["Migrations", "audit", "data", "doctor", "keys", "room", "token", "user"]
