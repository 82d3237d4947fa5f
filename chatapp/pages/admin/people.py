"""`/admin/people`: accounts; `/admin/people/<person>`: one of them, with all that can be done to it."""

from flask import Response, abort, request, url_for

from chatapp import accounts, auth
from chatapp.errors import BadRequest, ChatError, Term
from chatapp.globals import get_hub, get_identity
from chatapp.journal import overseeing, people_reading
from chatapp.journal.people_requests import Person
from chatapp.links import link_to
from chatapp.localized import gettext
from chatapp.pages.admin.section import back_to, bp, page
from chatapp.pages.responses import lead_to
from chatapp.security import BLUEPRINT, said_lately

SHOWN = 200
GUESTS_SHOWN = 50


@bp.get("/people")
def people() -> Response:
    """Accounts by name, those that begin with `?q=`; and who came in lately as a guest."""
    hub, begins = get_hub(), request.args.get("q", "")[:100]
    found = hub.journal.read(overseeing.accounts, begins, SHOWN + 1)
    return page(
        "people",
        accounts=found[:SHOWN],
        more=len(found) > SHOWN,
        begins=begins,
        guests=hub.journal.read(overseeing.guests, GUESTS_SHOWN),
    )


@bp.get("/people/<person>")
def person(person: str) -> Response:
    """One account."""
    return _page(_found(person))


@bp.post("/people/<person>")
def change_person(person: str) -> Response:
    """Do what the button says. A link for a new password is in the answer, and nowhere else."""
    auth.guard_write()
    found, form = _found(person), auth.checked_form("do", "name", "role", "messages", "sure")
    try:
        if form["do"] == "reset":
            code = accounts.offer_reset(get_hub(), get_identity(), found)
            return _page(found, link=link_to("account.reset_form", code=code))
        if form["do"] == "erase":
            _check_other(found)
            if not said_lately():
                return lead_to(url_for(f"{BLUEPRINT}.verify", next=url_for("admin.person", person=found.id)))
            accounts.begin_to_erase(get_hub(), get_identity(), found.id, form["messages"], form["sure"])
            return back_to("people", gettext("%(name)s is erased.", name=found.name))
        what = _do(found, form)
    except ChatError as error:
        return _page(found, error, form)
    return back_to("person", gettext(what), person=found.id)


def _check_other(found: Person) -> None:
    if found.id == get_identity().id:
        raise BadRequest("Your own account is erased at /account/leave")


def _do(found: Person, form: dict[str, str]) -> str:
    """What is said of it then."""
    hub, identity = get_hub(), get_identity()
    match form["do"]:
        case "rename":
            accounts.rename(hub, identity, found, form["name"])
            return Term("The new name is saved.")
        case "role":
            accounts.set_role(hub, identity, found, form["role"])
            return Term("The role is saved.")
        case "disable":
            accounts.disable(hub, identity, found)
            return Term("They are signed out everywhere, and cannot sign in.")
        case "enable":
            accounts.enable(hub, identity, found)
            return Term("They can sign in again.")
        case "sign-out":
            accounts.sign_out(hub, identity, found)
            return Term("They are signed out everywhere.")
        case "reset-factor":
            accounts.reset_factor(hub, identity, found)
            return Term("Their second factor is taken away.")
        case _:
            raise BadRequest("That button is not known here")


def _found(person: str) -> Person:
    found = get_hub().journal.read(people_reading.person, person)
    if found is None:
        abort(404)
    return found


def _page(
    found: Person, error: ChatError | None = None, form: dict[str, str] | None = None, link: str = ""
) -> Response:
    return page(
        "people",
        "person",
        error,
        person=found,
        sessions=accounts.sessions(get_hub(), get_identity(), found),
        roles=accounts.ROLES,
        has_factor=get_hub().journal.read(people_reading.has_factor, found.id),
        form=form or {},
        link=link,
    )
