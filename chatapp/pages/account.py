"""`/account/`: what a person sees and changes of themselves; and making an account, by whatever door."""

from typing import Any

from flask import Blueprint, Response, render_template, request, url_for
from flask_security.utils import login_user

from chatapp import accounts, auth
from chatapp.errors import ChatError, Forbidden, SignIn, Term
from chatapp.globals import get_hub, get_identity
from chatapp.journal import people_reading, reading, token_reading
from chatapp.journal.people_requests import Invited, Person
from chatapp.localized import gettext
from chatapp.pages.responses import lead_to, page, said, see_other
from chatapp.security import BLUEPRINT, first_start
from chatapp.security.datastore import Datastore
from chatapp.security.passwords import hash_new

bp = Blueprint("account", __name__)


# -- one's own account ---------------------------------------------------------------------------------------


@bp.get("/account/")
def show() -> Response:
    """The account of who is signed in, with their sessions."""
    if not get_identity().session:
        return lead_to(url_for("security.login", next=url_for("account.show")))
    return _account_page()


@bp.post("/account/name")
def rename() -> Response:
    """Take another name."""
    return _changed(lambda hub, me, form: accounts.rename(hub, get_identity(), me, form["name"]), "name")


@bp.post("/account/status")
def set_status() -> Response:
    """Say something of oneself."""
    return _changed(
        lambda hub, me, form: accounts.set_status(hub, get_identity(), me, form["status"]), "status"
    )


@bp.post("/account/sessions/end")
def end_session() -> Response:
    """End one session, by its key."""
    return _changed(lambda hub, me, form: accounts.sign_out(hub, get_identity(), me, only=form["key"]), "key")


@bp.post("/account/sessions/end-others")
def end_others() -> Response:
    """End all sessions but this one."""
    return _changed(
        lambda hub, me, form: accounts.sign_out(hub, get_identity(), me, but=get_identity().session)
    )


def _changed(change: Any, *fields: str) -> Response:
    auth.guard_write()
    form = auth.checked_form(*fields)
    try:
        change(get_hub(), _me(), form)
    except ChatError as error:
        return _account_page(error, form)
    return see_other(url_for("account.show"))


def _me() -> Person:
    identity = get_identity()
    if not identity.session:
        raise SignIn()
    return accounts.person(get_hub(), identity.id)


def _account_page(error: ChatError | None = None, form: dict[str, str] | None = None) -> Response:
    hub, me = get_hub(), _me()
    row = hub.journal.read(people_reading.account, "person_id", me.id) or {}
    html = render_template(
        "account/show.html",
        person=me,
        sessions=hub.journal.read(people_reading.sessions_of, me.id),
        this=get_identity().session,
        has_password=row.get("password") is not None,
        has_factor=row.get("tf_primary_method") is not None,
        passkeys=row.get("passkeys", []),
        tokens=len(hub.journal.read(token_reading.tokens, me.id)),
        address=row.get("email"),
        error=said(error),
        form=form or {},
    )
    return page(html, error)


# -- making an account ---------------------------------------------------------------------------------------


@bp.get("/sign-up")
def sign_up_form() -> Response:
    """Where anybody may make an account, the form for it."""
    return _form(gettext("Make an account"))


@bp.post("/sign-up")
def sign_up() -> Response:
    """Make an account and be signed in to it."""
    if get_hub().config.sign_up != "open":
        raise Forbidden(
            Term("You need an invitation") if _by_invitation() else Term("No accounts are made here")
        )
    return _make(gettext("Make an account"))


@bp.get("/invitations/<code>")
def invited(code: str) -> Response:
    """Who has the link of an invitation makes an account."""
    _check_invitation(code)
    return _form(gettext("You are invited"), code=code)


@bp.post("/invitations/<code>")
def sign_up_invited(code: str) -> Response:
    """The same, and the invitation has one use less."""
    _check_invitation(code)
    return _make(gettext("You are invited"), code=code, invitation=code)


@bp.get("/first/")
def first() -> Response:
    """Where who opens a server without an administrator says the code that its start printed (`?code=`)."""
    code = request.args.get("code", "").strip().rpartition("/")[2]  # it stands in an address
    if not code:
        _check_unbegun()
        return _first_page()
    try:
        _check_first(code)
    except Forbidden as refusal:
        _check_unbegun()
        return _first_page(refusal, code)
    return lead_to(url_for("account.begin", code=code))


@bp.get("/first/<code>")
def begin(code: str) -> Response:
    """Who starts the server makes the administrator's account, with the code that the log showed."""
    _check_first(code)
    return _form(gettext("Make the administrator’s account"), first=True)


@bp.post("/first/<code>")
def make_first(code: str) -> Response:
    """The first administrator; of two who try at once, one is it."""
    _check_first(code)
    return _make(gettext("Make the administrator’s account"), first=True, role="administrator")


def _by_invitation() -> bool:
    return get_hub().config.sign_up == "invitation"


def _check_invitation(code: str) -> None:
    if get_hub().config.sign_up == "closed":
        raise Forbidden("No accounts are made here")
    if get_hub().journal.read(people_reading.invitation, accounts.hashed(code)) is None:
        raise Forbidden("This invitation is used up, or its time is over: ask for another one")


def _check_first(code: str) -> None:
    get_hub().limiter.sign_in("", auth.address())
    if not first_start.is_code(code):
        raise Forbidden("This is not the code that the server showed when it was started")
    _check_unbegun()


def _check_unbegun() -> None:
    if not first_start.wanted():
        raise Forbidden("This server has its administrator already: sign in")


def _first_page(error: ChatError | None = None, code: str = "") -> Response:
    html = render_template("account/first.html", error=said(error), form={"code": code})
    return page(html, error)


def _make(title: str, code: str | None = None, first: bool = False, **how: Any) -> Response:
    auth.guard_write()
    hub, identity = get_hub(), get_identity()
    form = auth.checked_form("name", "password", "with")
    try:
        if identity.session:
            raise Forbidden("You are signed in: sign out first")
        if identity.role == "banned":
            raise Forbidden("You are banned here")
        hub.limiter.guest(auth.address())
        guest = identity if identity.role == "guest" else None
        name = form["name"] or (guest.name if guest else "")
        hashed = _hash(form, name)
        person = accounts.sign_up(hub, name, password=hashed, guest=guest, first=first, **how)
    except ChatError as error:
        return _form(title, code, first, error, form)
    sign_in(person, "password" if hashed else "registration")
    wanted = _room_of(person, code) if hashed else url_for("security.wan_register")
    return see_other(wanted)


def _invited(code: str) -> Invited | None:
    return get_hub().journal.read(people_reading.invited, accounts.hashed(code))


def _room_of(person: Person, invitation: str | None) -> str:
    """Where somebody begins: in the room into which they were invited, or with all rooms."""
    invited = _invited(invitation) if invitation is not None else None
    if invited is None or invited.room is None or invited.room_name is None:
        return url_for("rooms.index")
    taken_in = get_hub().journal.read(reading.members, invited.room)
    if all(member.id != person.id for member in taken_in):
        return url_for("rooms.index")
    return url_for("rooms.show", room_id=invited.room)


def sign_in(person: Person, by: str) -> None:
    """Who makes an account is signed in to it. Raises SignIn where it was erased in the same moment."""
    user = Datastore().find_user(person_id=person.id)
    if user is None:
        raise SignIn()
    login_user(user, authn_via=[by])


def _hash(form: dict[str, str], name: str) -> str | None:
    """The hash of the password, None for who wants to sign in with a passkey. Raises BadRequest."""
    if form["with"] == "passkey":
        return None
    return hash_new(form["password"], name)


def _form(
    title: str,
    code: str | None = None,
    first: bool = False,
    error: ChatError | None = None,
    form: dict[str, str] | None = None,
) -> Response:
    if get_identity().session and error is None:
        return lead_to(url_for("rooms.index"))
    possible = code is not None or first or get_hub().config.sign_up == "open"
    invited = _invited(code) if code is not None and not first else None
    html = render_template(
        "account/sign_up.html",
        title=title,
        first=first,
        possible=possible,
        by_invitation=_by_invitation(),
        invited=invited,
        error=said(error),
        form=form or {},
    )
    return page(html, error)


# -- a new password by a link --------------------------------------------------------------------------------


@bp.get("/reset/<code>")
def reset_form(code: str) -> Response:
    """Who has the link sets a new password."""
    return _reset_page(code)


@bp.post("/reset/<code>")
def reset(code: str) -> Response:
    """Set it; one signs in with it then, with the second factor if there is one."""
    auth.guard_write()
    get_hub().limiter.sign_in("", auth.address())
    person = _whose(code)
    form = auth.checked_form("password")
    try:
        accounts.reset(get_hub(), code, hash_new(form["password"], person.name))
    except ChatError as error:
        return _reset_page(code, error)
    return see_other(url_for(f"{BLUEPRINT}.login"))


def _whose(code: str) -> Person:
    person = get_hub().journal.read(people_reading.reset_for, accounts.hashed(code))
    if person is None:
        raise Forbidden("This link was used, or its time is over: ask for another one")
    return person


def _reset_page(code: str, error: ChatError | None = None) -> Response:
    html = render_template("account/reset.html", person=_whose(code), error=said(error))
    return page(html, error)
