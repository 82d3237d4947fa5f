"""`/account/email`: the address that a person gives; `/email/<code>`: they confirm it; `/sign-in/forgotten`:
who has one has a link mailed for a new password. Where this server sends no mail none of that is there.
"""

from flask import Blueprint, Response, abort, url_for

from chatapp import accounts, addresses, auth
from chatapp.errors import ChatError, Forbidden, SignIn
from chatapp.globals import get_hub, get_identity
from chatapp.journal import people_reading
from chatapp.journal.people_requests import Person
from chatapp.localized import gettext
from chatapp.pages.rendering import render_template
from chatapp.pages.responses import done, lead_to, page, said
from chatapp.permissions import check
from chatapp.security import BLUEPRINT, said_lately

bp = Blueprint("addresses", __name__)


# -- one's own address ---------------------------------------------------------------------------------------


@bp.get("/account/email")
def show() -> Response:
    """The address of who is signed in, and the one that is to be confirmed yet."""
    _check_open()
    if not get_identity().session:
        return lead_to(url_for(f"{BLUEPRINT}.login", next=url_for("addresses.show")))
    _me()
    return _page() if said_lately() else _verify()


@bp.post("/account/email")
def give() -> Response:
    """Have a link mailed to an address, to confirm it."""
    auth.guard_write()
    _check_open()
    person, form = _me(), auth.checked_form("email")
    if not said_lately():
        return _verify()
    try:
        address = addresses.give(get_hub(), get_identity(), person, form["email"])
    except ChatError as error:
        return _page(error, form)
    what = gettext(
        "A link is on its way to %(address)s: open it within a day to confirm the address.", address=address
    )
    return _to("addresses.show", what)


@bp.post("/account/email/remove")
def remove() -> Response:
    """Have no address any more."""
    auth.guard_write()
    _check_open()
    person = _me()
    if not said_lately():
        return _verify()
    addresses.take_away(get_hub(), get_identity(), person)
    return _to("addresses.show", gettext("You have no e-mail address here any more."))


@bp.get("/email/<code>")
def confirm_form(code: str) -> Response:
    """Who has the link confirms the address with a button: programs that look through mails open links."""
    _check_open()
    return _confirm_page(code)


@bp.post("/email/<code>")
def confirm(code: str) -> Response:
    """It is theirs from now on."""
    auth.guard_write()
    _check_open()
    get_hub().limiter.sign_in("", auth.address())
    _, address = _wanted(code)
    try:
        addresses.confirm(get_hub(), code)
    except ChatError as error:
        return _confirm_page(code, error)
    what = gettext("%(address)s is confirmed.", address=address)
    return _to("addresses.show" if get_identity().session else f"{BLUEPRINT}.login", what)


# -- a new password ------------------------------------------------------------------------------------------


@bp.get("/sign-in/forgotten")
def forgotten_form() -> Response:
    """Who has forgotten their password says who they are."""
    _check_open()
    return _forgotten_page()


@bp.post("/sign-in/forgotten")
def forgotten() -> Response:
    """Whoever that is, and whether there is somebody: the same answer, before anything is looked up."""
    auth.guard_write()
    _check_open()
    form = auth.checked_form("who")
    try:
        addresses.forgotten(get_hub(), form["who"], auth.address())
    except ChatError as error:
        return _forgotten_page(error, form)
    what = gettext(
        "If there is such an account, and its e-mail address is confirmed, a link is on its way to it. "
        "It is good for a day."
    )
    return _to(f"{BLUEPRINT}.login", what)


# -- within --------------------------------------------------------------------------------------------------


def _check_open() -> None:
    if not get_hub().mail.open:
        abort(404)


def _me() -> Person:
    identity = get_identity()
    if not identity.session:
        raise SignIn()
    check(identity, "read")  # who is banned would be asked who they are, for ever
    return accounts.person(get_hub(), identity.id)


def _verify() -> Response:
    return lead_to(url_for(f"{BLUEPRINT}.verify", next=url_for("addresses.show")))


def _to(endpoint: str, what: str) -> Response:
    return done(url_for(endpoint), what)


def _wanted(code: str) -> tuple[Person, str]:
    found = get_hub().journal.read(people_reading.address_link, accounts.hashed(code))
    if found is None:
        raise Forbidden("This link was used, or its time is over: ask for another one")
    return found


def _page(error: ChatError | None = None, form: dict[str, str] | None = None) -> Response:
    hub, me = get_hub(), _me()
    html = render_template(
        "account/email.html",
        address=hub.journal.read(people_reading.address_of, me.id),
        wanted=hub.journal.read(people_reading.address_to_confirm, me.id),
        error=said(error),
        form=form or {},
    )
    return page(html, error)


def _confirm_page(code: str, error: ChatError | None = None) -> Response:
    person, address = _wanted(code)
    html = render_template("account/confirm_email.html", person=person, address=address, error=said(error))
    return page(html, error)


def _forgotten_page(error: ChatError | None = None, form: dict[str, str] | None = None) -> Response:
    html = render_template("account/forgotten.html", error=said(error), form=form or {})
    return page(html, error)
