"""`/api/me`, `/api/people`, `/api/invitations`, `/api/bans`: who one is, who there is, and who may come."""

from typing import Any

from flask import Blueprint, Response, request
from msgspec import UNSET, Struct, UnsetType

from chatapp import accounts, auth
from chatapp.errors import SignIn
from chatapp.globals import get_hub, get_identity
from chatapp.journal.people_requests import Person
from chatapp.links import link_to
from chatapp.permissions import check
from chatapp.transports import json_api

bp = Blueprint("people", __name__)


class NewInvitation(Struct, frozen=True):
    uses: int = 1
    days: int = accounts.INVITATION_DAYS
    note: str = ""
    room: int | None = None


class Change(Struct, frozen=True):
    """What a request wants to have changed of a person; what is not in it stays."""

    name: object = UNSET
    status: object = UNSET
    role: str | UnsetType = UNSET
    disabled: bool | UnsetType = UNSET


class NewBan(Struct, frozen=True):
    """`seconds`: 0 is until it is lifted."""

    person: str
    seconds: int = 0
    why: str = ""
    network: str = ""


@bp.get("/api/me")
def me() -> Response:
    """Who asks, as far as that is known; 401 for nobody in particular."""
    identity = get_identity()
    check(identity, "read")
    if not identity.known:
        raise SignIn()
    fields: dict[str, Any] = {"id": identity.id, "name": identity.name, "role": identity.role}
    if not identity.guest:
        fields["status"] = accounts.person(get_hub(), identity.id).status
    return json_api.answer(fields)


@bp.get("/api/people")
def index() -> Response:
    """People with an account whose name begins with `q`, by name, at most fifty. For members."""
    found = accounts.people_like(get_hub(), get_identity(), request.args.get("q", ""))
    return json_api.answer({"people": [_plain(person) for person in found]})


@bp.patch("/api/people/<person>")
def change(person: str) -> Response:
    """Change oneself, or (administrators) anybody; the person, as it is then."""
    auth.guard_write()
    hub, identity, wanted = get_hub(), get_identity(), json_api.body(Change)
    if not identity.known:
        raise SignIn()
    check(identity, "change_self" if person == identity.id else "administer")
    found = accounts.person(hub, person)
    if wanted.name is not UNSET:
        found = accounts.rename(hub, identity, found, wanted.name)
    if wanted.status is not UNSET:
        found = accounts.set_status(hub, identity, found, wanted.status)
    if wanted.role is not UNSET:
        found = accounts.set_role(hub, identity, found, wanted.role)
    if wanted.disabled is not UNSET:
        verb = accounts.disable if wanted.disabled else accounts.enable
        found = verb(hub, identity, found)
    return json_api.answer(_plain(found))


@bp.post("/api/people/<person>/sign-out")
def sign_out(person: str) -> Response:
    """End all sessions of somebody: one's own but this, or (administrators) anybody's."""
    auth.guard_write()
    hub, identity = get_hub(), get_identity()
    if not identity.known:
        raise SignIn()
    if person != identity.id:
        check(identity, "administer")
    found = accounts.person(hub, person)
    but = identity.session if person == identity.id else None
    return json_api.answer({"ended": accounts.sign_out(hub, identity, found, but=but)})


@bp.get("/api/invitations")
def invitations() -> Response:
    """Invitations that are still good. For administrators."""
    return json_api.answer({"invitations": accounts.invitations(get_hub(), get_identity())})


@bp.post("/api/invitations")
def invite() -> Response:
    """A new invitation, 201 with its link, which is never shown again."""
    auth.guard_write()
    wanted = json_api.body(NewInvitation)
    code = accounts.invite(
        get_hub(), get_identity(), uses=wanted.uses, days=wanted.days, note=wanted.note, room=wanted.room
    )
    link = link_to("sign_up.invited", code=code)
    return json_api.answer({"link": link, "uses": wanted.uses, "days": wanted.days}, 201)


@bp.delete("/api/invitations/<int:number>")
def take_back(number: int) -> Response:
    """An invitation is good no longer; 204."""
    auth.guard_write()
    accounts.take_invitation_back(get_hub(), get_identity(), number)
    return Response(status=204)


@bp.get("/api/bans")
def bans() -> Response:
    """Bans from the whole server that nobody has lifted. For administrators."""
    return json_api.answer({"bans": accounts.bans(get_hub(), get_identity())})


@bp.post("/api/bans")
def ban() -> Response:
    """Keep somebody out of the server; 204."""
    auth.guard_write()
    wanted = json_api.body(NewBan)
    accounts.ban(get_hub(), get_identity(), wanted.person, wanted.seconds, wanted.why, wanted.network)
    return Response(status=204)


@bp.delete("/api/bans/<int:number>")
def lift(number: int) -> Response:
    """Take a ban from the server back; 204."""
    auth.guard_write()
    accounts.lift_ban(get_hub(), get_identity(), number)
    return Response(status=204)


def _plain(person: Person) -> dict[str, Any]:
    fields = {"id": person.id, "name": person.name, "role": person.role, "status": person.status}
    return fields | {mark: True for mark in ("bot", "disabled") if getattr(person, mark)}
