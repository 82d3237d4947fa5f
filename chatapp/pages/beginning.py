"""Where somebody begins who has just come in."""

from flask import url_for

from chatapp import listing
from chatapp.globals import get_hub
from chatapp.permissions import Identity


def beginning(identity: Identity) -> str:
    """With all rooms; where there is but one, nobody has to choose it. Switches."""
    found = listing.rooms(get_hub(), identity)
    if len(found) != 1:
        return url_for("rooms.index")
    return url_for("rooms.show", room_id=found[0].state.id)
