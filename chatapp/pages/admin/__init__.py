"""`/admin/`: what who runs the server sees and does, one file for each section. Without JavaScript."""

from chatapp.pages.admin import audit as audit  # each adds its pages
from chatapp.pages.admin import bans as bans
from chatapp.pages.admin import invitations as invitations
from chatapp.pages.admin import overview as overview
from chatapp.pages.admin import people as people
from chatapp.pages.admin import reports as reports
from chatapp.pages.admin import rooms as rooms
from chatapp.pages.admin import settings as settings
from chatapp.pages.admin import tokens as tokens
from chatapp.pages.admin.section import bp

__all__ = ["bp"]
