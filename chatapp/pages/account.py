"""`/account/`: what a person sees and changes of themselves; and a new password by a link."""

from typing import Any

from flask import Blueprint, Response, url_for

from chatapp import accounts, auth
from chatapp.errors import ChatError, Forbidden, SignIn, Term
from chatapp.globals import get_hub, get_identity
from chatapp.journal import people_reading, token_reading
from chatapp.journal.people_requests import Person
from chatapp.localized import gettext
from chatapp.pages.rendering import render_template
from chatapp.pages.responses import done, lead_to, page, said
from chatapp.security import BLUEPRINT
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
    return _changed(
        lambda hub, me, form: accounts.rename(hub, get_identity(), me, form["name"]),
        Term("Your new name is saved."),
        "name",
    )


@bp.post("/account/status")
def set_status() -> Response:
    """Say something of oneself."""
    return _changed(
        lambda hub, me, form: accounts.set_status(hub, get_identity(), me, form["status"]),
        Term("Your status is saved."),
        "status",
    )


@bp.post("/account/sessions/end")
def end_session() -> Response:
    """End one session, by its key."""
    return _changed(
        lambda hub, me, form: accounts.sign_out(hub, get_identity(), me, only=form["key"]),
        Term("That session has ended."),
        "key",
    )


@bp.post("/account/sessions/end-others")
def end_others() -> Response:
    """End all sessions but this one."""
    return _changed(
        lambda hub, me, form: accounts.sign_out(hub, get_identity(), me, but=get_identity().session),
        Term("You are signed out everywhere else."),
    )


def _changed(change: Any, what: str, *fields: str) -> Response:
    auth.guard_write()
    form = auth.checked_form(*fields)
    try:
        change(get_hub(), _me(), form)
    except ChatError as error:
        return _account_page(error, form)
    return done(url_for("account.show"), gettext(what))


def _me() -> Person:
    identity = get_identity()
    if not identity.session:
        raise SignIn()
    return accounts.person(get_hub(), identity.id)


def _account_page(error: ChatError | None = None, form: dict[str, str] | None = None) -> Response:
    hub, me = get_hub(), _me()
    row = hub.journal.read(people_reading.account, "person_id", me.id)
    if row is None:
        raise SignIn()
    html = render_template(
        "account/show.html",
        person=me,
        sessions=hub.journal.read(people_reading.sessions_of, me.id),
        this=get_identity().session,
        signs_in=people_reading.signs_in(row),
        has_password=row["password"] is not None,
        has_codes=row["tf_primary_method"] is not None,
        has_factor=people_reading.asks_more(row),
        passkeys=row["passkeys"],
        tokens=len(hub.journal.read(token_reading.tokens, me.id)),
        address=row["email"],
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
    return done(url_for(f"{BLUEPRINT}.login"), gettext("Your new password is set. Sign in with it."))


def _whose(code: str) -> Person:
    person = get_hub().journal.read(people_reading.reset_for, accounts.hashed(code))
    if person is None:
        raise Forbidden("This link was used, or its time is over: ask for another one")
    return person


def _reset_page(code: str, error: ChatError | None = None) -> Response:
    html = render_template("account/reset.html", person=_whose(code), error=said(error))
    return page(html, error)
