"""Somebody in a room, as its page and its details show them: who they are, and where one gets from there."""

from typing import Any

import msgspec
from flask import url_for

from chatapp import membership
from chatapp.hub import Hub
from chatapp.pages.about import About
from chatapp.permissions import Identity, may, outranks
from chatapp.room import Room

PAIR = 2  # people of a conversation in which there is nobody to go to another one with


def person_card(hub: Hub, identity: Identity, room: Room, about: About, person: str) -> dict[str, Any] | None:
    """What templates/_person.html shows of the one of this id; None where nobody of that id is in the room
    now, or a member of it. `about`: the room as `identity` sees it. Switches.
    """
    found = _found(hub, room, person)
    if found is None:
        return None
    own = person == identity.id
    other = not own and person != "guest"  # as whom all write together who have given no name
    has_account = hub.people.has_account(person)
    alone = about.kind == "direct" and len(room.rights.members) <= PAIR
    writes = not identity.guest and may(identity, "write_to_people")
    runs = about.kind != "direct" and "moderate" in about.may
    oversees = identity.role == "administrator"
    return {
        "guest": not has_account,
        **found,
        "write": other and has_account and not alone and writes,
        "said": _said_by(found["name"], room.id),
        "own": url_for("guests.show" if identity.guest else "account.show") if own else "",
        "account": url_for("admin.person", person=person) if other and has_account and oversees else "",
        "act": other and runs and outranks(identity, person, room.rights),
    }


def _found(hub: Hub, room: Room, person: str) -> dict[str, Any] | None:
    for member in membership.members_of(hub, room):
        if member.id == person:
            return {**msgspec.to_builtins(member), "part": member.role}
    return next((hub.presence.plain(who) for who in hub.presence.people(room.id) if who.id == person), None)


def _said_by(name: str, room: int) -> str:
    """Where all stands that somebody said in the room; "" for who has a name that cannot be searched for."""
    if any(mark in name for mark in '"“”„‟'):
        return ""
    fields: dict[str, Any] = {"q": f'from:"{name}" in:{room}', "in": room}
    return url_for("search.show", **fields)
