"""Making an account: openly, by an invitation, or as the first administrator; with a password or a passkey.

With a password it is one form. With a passkey it is two requests of a script (static/js/passkeys.js): what
is to be asked of the browser, and its answer. Until that is verified there is no account, and an invitation
is as it was; whether the name is free and the invitation good is decided where the account is kept.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from flask import Blueprint, Response, request, url_for
from flask_security.utils import login_user
from msgspec import Struct

from chatapp import accounts, auth
from chatapp.errors import ChatError, Forbidden, SignIn, Term
from chatapp.globals import get_hub, get_identity
from chatapp.journal import people_reading, reading
from chatapp.journal.people_requests import AccountRole, Invited, Person
from chatapp.localized import gettext
from chatapp.pages.beginning import beginning
from chatapp.pages.rendering import render_template
from chatapp.pages.responses import lead_to, only_looks, page, refused, said, see_other
from chatapp.permissions import SYSTEM, Identity
from chatapp.security import first_passkey, first_start
from chatapp.security.datastore import Datastore
from chatapp.security.passwords import hash_new
from chatapp.transports import json_api

bp = Blueprint("sign_up", __name__)


class Door(NamedTuple):
    """By what somebody makes an account. `invitation`: its code."""

    title: str = Term("Make an account")
    invitation: str | None = None
    first: bool = False

    @property
    def role(self) -> AccountRole:
        return "administrator" if self.first else "member"


class Over(Forbidden):
    """By an invitation that is used up, has expired or was taken back, or by what was never one."""

    def __init__(self) -> None:
        super().__init__(Term("This invitation is used up, or its time is over: ask for another one"))


class Named(Struct):
    """Who wants an account with a passkey."""

    name: str = ""


class Answered(Struct):
    """What the browser answered: a PublicKeyCredential as JSON."""

    credential: str


# -- openly --------------------------------------------------------------------------------------------------


@bp.get("/sign-up")
def form() -> Response:
    """Where anybody may make an account, the form for it."""
    return _form(Door())


@bp.post("/sign-up")
def make() -> Response:
    """Make an account and be signed in to it."""
    return _make(_open())


@bp.post("/sign-up/passkey")
def ask() -> Response:
    """What is to be asked of the browser, for an account with a passkey."""
    return _ask(_open())


@bp.post("/sign-up/passkey/<state>")
def keep(state: str) -> Response:
    """Make the account with what the browser answered, and be signed in to it."""
    return _keep(_open(), state)


def _open() -> Door:
    if get_hub().config.sign_up != "open":
        raise Forbidden(
            Term("You need an invitation") if _by_invitation() else Term("No accounts are made here")
        )
    return Door()


def _by_invitation() -> bool:
    return get_hub().config.sign_up == "invitation"


# -- by an invitation ----------------------------------------------------------------------------------------


@bp.get("/invitations/<code>")
def invited(code: str) -> Response:
    """Who has the link of an invitation makes an account; whom it has let in before is led to the rooms."""
    return _by_link(code, _form)


@bp.post("/invitations/<code>")
def make_invited(code: str) -> Response:
    """The same, and the invitation has one use less."""
    return _by_link(code, _make)


@bp.post("/invitations/<code>/passkey")
def ask_invited(code: str) -> Response:
    """What is to be asked of the browser of who is invited. The invitation is as it was."""
    return _ask(_invitation(code))


@bp.post("/invitations/<code>/passkey/<state>")
def keep_invited(code: str, state: str) -> Response:
    """Make the account with what the browser answered, and the invitation has one use less."""
    return _keep(_invitation(code), state)


def _by_link(code: str, go_on: Callable[[Door], Response]) -> Response:
    """What a page says where the invitation is good no more: what happened, and what to do."""
    if get_identity().session and only_looks():
        return lead_to(url_for("rooms.index"))
    try:
        door = _invitation(code)
    except Over as error:
        return refused(error, lambda refusal: _over_page(refusal, code))
    return go_on(door)


def _over_page(error: ChatError, code: str) -> Response:
    """Who made the invitation is named to who has its link, as long as it is known."""
    found = _invited(code)
    by = found.by.name if found and found.by.id != SYSTEM.id else ""
    html = render_template("account/invitation_over.html", by=by, open=get_hub().config.sign_up == "open")
    return page(html, error)


def _invitation(code: str) -> Door:
    if get_hub().config.sign_up == "closed":
        raise Forbidden("No accounts are made here")
    if get_hub().journal.read(people_reading.invitation, accounts.hashed(code)) is None:
        raise Over()
    return Door(Term("You are invited"), invitation=code)


# -- the first administrator ---------------------------------------------------------------------------------


@bp.get("/first/")
def first() -> Response:
    """Where who opens a server without an administrator says the code that its start printed (`?code=`)."""
    if get_identity().session and not first_start.wanted():
        return lead_to(url_for("rooms.index"))
    code = request.args.get("code", "").strip().rpartition("/")[2]  # it stands in an address
    if not code:
        _check_unbegun()
        return _first_page()
    try:
        _first(code)
    except Forbidden as refusal:
        _check_unbegun()
        return _first_page(refusal, code)
    return lead_to(url_for("sign_up.begin", code=code))


@bp.get("/first/<code>")
def begin(code: str) -> Response:
    """Who starts the server makes the administrator's account, with the code that the log showed."""
    door = _first(code)
    if get_identity().session:  # an account that was made before there was an administrator
        return _first_page(Forbidden("You are signed in: sign out first"), code)
    return _form(door)


@bp.post("/first/<code>")
def make_first(code: str) -> Response:
    """The first administrator; of two who try at once, one is it."""
    return _make(_first(code))


@bp.post("/first/<code>/passkey")
def ask_first(code: str) -> Response:
    """What is to be asked of the browser of the first administrator, who there is not yet."""
    return _ask(_first(code))


@bp.post("/first/<code>/passkey/<state>")
def keep_first(code: str, state: str) -> Response:
    """The first administrator, with what the browser answered."""
    return _keep(_first(code), state)


def _first(code: str) -> Door:
    get_hub().limiter.sign_in("", auth.address())
    if not first_start.is_code(code):
        raise Forbidden("This is not the code that the server showed when it was started")
    _check_unbegun()
    return Door(Term("Make the administrator’s account"), first=True)


def _check_unbegun() -> None:
    if not first_start.wanted():
        raise Forbidden("This server has its administrator already: sign in")


def _first_page(error: ChatError | None = None, code: str = "") -> Response:
    html = render_template("account/first.html", error=said(error), form={"code": code})
    return page(html, error)


# -- by whatever door ----------------------------------------------------------------------------------------


def _make(door: Door) -> Response:
    """With a password, of a form; what is refused is said in it."""
    auth.guard_write()
    form = auth.checked_form("name", "password")
    try:
        guest = _newcomer()
        get_hub().limiter.guest(auth.address())
        name = form["name"] or (guest.name if guest else "")
        person = _sign_up(door, name, guest, password=hash_new(form["password"], name))
    except ChatError as error:
        return _form(door, error, form)
    return see_other(_enter(door, person))


def _ask(door: Door) -> Response:
    """With a passkey: what the browser is to be asked. Each account is counted here, where it begins."""
    auth.guard_write()
    name = json_api.body(Named).name
    guest = _newcomer()
    get_hub().limiter.guest(auth.address())
    name = accounts.free_name(get_hub(), name or (guest.name if guest else ""), door.role)
    return json_api.answer({"response": first_passkey.ask(_purpose(door, guest), name)})


def _keep(door: Door, state: str) -> Response:
    """With a passkey: the account, with what the browser answered."""
    auth.guard_write()
    answered = json_api.body(Answered).credential
    guest = _newcomer()
    name, passkey = first_passkey.verify(_purpose(door, guest), state, answered)
    person = _sign_up(door, name, guest, passkey=passkey)
    return json_api.answer({"response": {"post_login_url": _enter(door, person)}}, 201)


def _newcomer() -> Identity | None:
    """The guest who makes an account, if it is one. Raises Forbidden."""
    identity = get_identity()
    if identity.session:
        raise Forbidden("You are signed in: sign out first")
    if identity.role == "banned":
        raise Forbidden("You are banned here")
    return identity if identity.role == "guest" else None


def _purpose(door: Door, guest: Identity | None) -> str:
    """What a passkey was asked for: it is good by that door alone, for whom it was asked."""
    code = "first" if door.first else door.invitation or "open"
    return f"{code} {guest.id if guest else ''}"


def _sign_up(door: Door, name: str, guest: Identity | None, **way_in: Any) -> Person:
    how: dict[str, Any] = {"invitation": door.invitation, "first": door.first, "role": door.role}
    return accounts.sign_up(get_hub(), name, guest=guest, **how, **way_in)


def _enter(door: Door, person: Person) -> str:
    """Sign in who has made an account; where they begin. Raises SignIn where it was erased in that moment."""
    user = Datastore().find_user(person_id=person.id)
    if user is None:
        raise SignIn()
    login_user(user, authn_via=["registration"])
    if door.first:  # who has a server to set up
        return url_for("rooms.index")
    return _room_of(person, door.invitation)


def _room_of(person: Person, invitation: str | None) -> str:
    """Where somebody begins: in the room into which they were invited, else as everybody."""
    invited = _invited(invitation)
    if invited is not None and invited.room is not None and invited.room_name is not None:
        taken_in = get_hub().journal.read(reading.members, invited.room)
        if any(member.id == person.id for member in taken_in):
            return url_for("rooms.show", room_id=invited.room)
    return beginning(Identity(person.id, person.name, person.role))


def _invited(invitation: str | None) -> Invited | None:
    if invitation is None:
        return None
    return get_hub().journal.read(people_reading.invited, accounts.hashed(invitation))


def _form(door: Door, error: ChatError | None = None, form: dict[str, str] | None = None) -> Response:
    if get_identity().session and error is None:
        return lead_to(url_for("rooms.index"))
    html = render_template(
        "account/sign_up.html",
        title=gettext(door.title),
        first=door.first,
        possible=door != Door() or get_hub().config.sign_up == "open",
        by_invitation=_by_invitation(),
        invited=_invited(door.invitation),
        error=said(error),
        form=form or {},
    )
    return page(html, error)
