"""Signing in and what belongs to it, by Flask-Security: passwords, passkeys, the second factor.

The library has the flows and their forms; it reads and writes people through `datastore.py`, never the
database itself. Who is signed in is decided by our own session alone (`auth.py`): what the library leaves in
the cookie lets nobody in.
"""

import base64
import hashlib
from datetime import timedelta
from typing import Any, cast

import flask_login
from flask import Flask, Response, abort, after_this_request, flash, g, redirect, request, session, url_for
from flask_security import Security, tf_disabled, user_authenticated
from flask_security.decorators import default_reauthn_handler
from flask_security.utils import check_and_update_authn_fresh, get_message, set_request_attr

from chatapp import auth, names
from chatapp.accounts import hashed, new_code, sign_out
from chatapp.config import Config
from chatapp.errors import BadRequest
from chatapp.globals import get_hub, get_identity
from chatapp.journal.people_requests import OpenSession
from chatapp.security.datastore import Datastore
from chatapp.security.devices import device_of
from chatapp.security.factors import CodeForm, Codes, RecoveryForm, setting_up
from chatapp.security.forms import NewPasskeyForm, PasskeyForm, SignInForm
from chatapp.security.messages import SAID, Catalogues
from chatapp.security.passkeys import PasskeyOptions, page_at_localhost, passkeys_work
from chatapp.security.passwords import ARGON2, HashesInThreads, Passwords
from chatapp.security.users import User

BLUEPRINT = "security"
# What the library's flows keep in the cookie that outlives signing in.
KEPT = ("_user_id", "_fresh", "_id", "fs_paa", "device")
CODE = "security.two_factor_token_validation"  # while signing in: setting one up is elsewhere
CODE_URL = "/sign-in/code"
SECOND_FACTOR = {CODE, "security.tf_select", "security.mf_recovery"}  # asked of who has said the password
# Second factors by mail and the help desk: a mailbox is no second factor to a password that it resets.
CLOSED = {"security.two_factor_rescue"}
# Writes of somebody who is signed in that say no secret.
NOTHING_TO_GUESS = {
    "security.logout",
    "security.mf_recovery_codes",
    "security.two_factor_setup",
    "security.wan_delete",
    "security.wan_register",
    "security.wan_register_response",
}
FRESH = timedelta(hours=1)  # how long after signing in one may change one's ways in without saying it again


def init_app(app: Flask, config: Config, factor_key: str) -> None:
    """Prepare `app`. `factor_key`: of the instance folder; second factors are encrypted with it."""
    app.config.update(_settings(config, factor_key))
    library = Security(
        app,
        Datastore(),
        login_form=SignInForm,
        two_factor_verify_code_form=CodeForm,
        mf_recovery_form=RecoveryForm,
        wan_register_response_form=NewPasskeyForm,
        wan_signin_response_form=PasskeyForm,
        password_util_cls=Passwords,
        webauthn_util_cls=PasskeyOptions,
        totp_cls=Codes,
    )
    library.reauthn_handler(_ask_again)
    library.i18n_domain = Catalogues(app)  # type: ignore[no-untyped-call]
    library.tf_setup_context_processor(setting_up)
    library.pwd_context = HashesInThreads(library.pwd_context)
    library.login_manager.user_loader(_load)
    library.login_manager.request_loader(lambda request: None)  # no tokens in addresses and headers
    library.login_manager.session_protection = None  # a phone's address changes; the session is ours
    library.principal.identity_loaders.clear()  # else each poll would load the person from the database
    user_authenticated.connect(_open_session, app)
    flask_login.user_logged_out.connect(_end_session, app)
    tf_disabled.connect(_factor_is_off, app)
    app.before_request(_guard)
    app.add_template_global(passkeys_work)
    app.add_template_global(page_at_localhost)


def _settings(config: Config, factor_key: str) -> dict[str, Any]:
    digest = hashlib.sha256(factor_key.encode()).digest()
    own = {
        "STATIC_FOLDER": None,
        "CLI_USERS_NAME": None,
        "CLI_ROLES_NAME": None,
        "USER_IDENTITY_ATTRIBUTES": [{"username": {"mapper": lambda name: name}}],
        "API_ENABLED_METHODS": ["session"],
        "RETURN_GENERIC_RESPONSES": True,
        **{f"MSG_{name}": said for name, said in SAID.items()},
        "PASSWORD_SCHEMES": ["argon2"],
        "PASSWORD_SINGLE_HASH": {"argon2"},
        "PASSWORD_HASH_PASSLIB_OPTIONS": ARGON2,
        "CHANGEABLE": True,
        **dict.fromkeys(("SEND_PASSWORD_CHANGE_EMAIL", "TWO_FACTOR_RESCUE_EMAIL"), False),  # we do that
        "TWO_FACTOR": True,
        "TWO_FACTOR_ENABLED_METHODS": ["authenticator"],
        "TOTP_SECRETS": {"1": digest.hex()},
        # A colon ends an issuer in an authenticator's address.
        "TOTP_ISSUER": config.site_name.replace(":", " "),
        "MULTI_FACTOR_RECOVERY_CODES": True,
        "MULTI_FACTOR_RECOVERY_CODES_N": 8,
        "MULTI_FACTOR_RECOVERY_CODES_KEYS": [base64.urlsafe_b64encode(digest)],
        "WEBAUTHN": True,
        "WAN_RP_NAME": config.site_name,
        "WAN_ALLOW_USER_HINTS": False,  # else it could be asked who has a passkey
        "FRESHNESS": FRESH,
        "FRESHNESS_GRACE_PERIOD": timedelta(0),
        "LOGIN_URL": "/sign-in",
        "LOGOUT_URL": "/sign-out",
        "POST_LOGIN_VIEW": "/chats/",
        "POST_LOGOUT_VIEW": "/chats/",
        "CHANGE_URL": "/account/password",
        "POST_CHANGE_VIEW": "/account/",
        "VERIFY_URL": "/account/verify",
        "POST_VERIFY_VIEW": "/account/",
        "TWO_FACTOR_SETUP_URL": "/account/second-factor",
        "TWO_FACTOR_POST_SETUP_VIEW": "/account/recovery-codes",
        "TWO_FACTOR_TOKEN_VALIDATION_URL": CODE_URL,
        "TWO_FACTOR_SELECT_URL": "/sign-in/choose",
        "TWO_FACTOR_RESCUE_URL": "/sign-in/rescue",
        "MULTI_FACTOR_RECOVERY_URL": "/sign-in/recovery",
        "MULTI_FACTOR_RECOVERY_CODES_URL": "/account/recovery-codes",
        "WAN_REGISTER_URL": "/account/passkeys",
        "WAN_POST_REGISTER_VIEW": "/account/passkeys",
        "WAN_DELETE_URL": "/account/passkeys/delete",
        "WAN_SIGNIN_URL": "/sign-in/passkey",
        "WAN_VERIFY_URL": "/account/verify/passkey",
    }
    settings = {f"SECURITY_{name}": value for name, value in own.items()}
    # Whether a write may be what it says it is, is ours to decide for every door (auth.guard_write).
    return {**settings, "WTF_CSRF_ENABLED": False, "REMEMBER_COOKIE_NAME": "unused"}


def said_lately() -> bool:
    """Whether who is signed in has said who they are within FRESH, as the library asks it before it changes
    somebody's ways in. Switches.
    """
    known = flask_login.current_user.is_authenticated  # loads what the next line looks at
    return bool(known and check_and_update_authn_fresh(FRESH, timedelta(0)))


def _load(user_id: str) -> User | None:
    """The person of this request, for the library: who our session says it is, and nobody else."""
    identity = get_identity()
    if identity.role not in ("member", "administrator") or not identity.session:
        return None
    user = Datastore().find_user(person_id=identity.id)
    if user is None or user.fs_uniquifier != user_id:
        return None
    set_request_attr("fs_authn_via", "session")
    set_request_attr("fs_paa", session.get("fs_paa", 0))
    return user


def _open_session(app: Flask, user: User, **_: Any) -> None:
    """Somebody has signed in, with all factors: give the cookie a new session, and nothing of the old one."""
    secret = new_code()
    device = device_of(request.user_agent.string)
    get_hub().journal.ask(OpenSession(hashed(secret), user.person_id, device, auth.address()))
    kept = {name: session[name] for name in KEPT if name in session}
    session.clear()  # with the guest's name, if any, and the CSRF token
    g.pop("csrf_token", None)
    session.update(kept)
    session.permanent = True
    session[auth.SESSION] = secret
    if request.endpoint == CODE:
        after_this_request(_nothing_to_say)


def _nothing_to_say(response: Response) -> Response:
    """Who is in sees it. What the library says of it, a room's page would leave for some later page."""
    session.pop("_flashes", None)
    return response


def _ask_again(within: timedelta, grace: timedelta) -> Any:
    """The page that is led to says why it asks; the library would have it say so a second time."""
    waiting = session.get("_flashes")
    answer = default_reauthn_handler(within, grace)  # type: ignore[no-untyped-call]
    _nothing_to_say(answer)
    if waiting:  # what a form has done, and no page has said yet
        session["_flashes"] = waiting
    return answer


def _factor_is_off(app: Flask, **_: Any) -> None:
    """The library leads to the recovery codes, as if there were something whose place they could take."""

    @after_this_request
    def to_account(response: Response) -> Response:
        if response.location:
            response.location = url_for("account.show")
        return response


def _end_session(app: Flask, user: User, **_: Any) -> None:
    identity = get_identity()
    hub = get_hub()
    if identity.session:
        sign_out(hub, identity, user.person, only=identity.session)
    auth.forget_who()


def _guard() -> Response | None:
    """Before each of the library's views: where it leads, whence it comes, and how often."""
    if request.blueprint != BLUEPRINT:
        return None
    for given in (request.args.get("next"), request.form.get("next")):
        if given and auth.local_path(given) != given:
            raise BadRequest("next is a path of this site")
    if request.method == "POST":
        auth.guard_write()
    if request.endpoint in CLOSED:
        abort(404)
    if request.method == "OPTIONS":
        return None  # the same for everybody: Flask has the answer
    _given()  # refused before the library looks at it
    if request.endpoint in SECOND_FACTOR and (elsewhere := _not_asked()):
        return elsewhere
    # By the library's word: whoever is banned is nobody to it, and would be led to and fro.
    is_in = flask_login.current_user.is_authenticated
    if request.endpoint == "security.login" and request.method != "POST" and is_in:
        return _led(_wanted())
    if request.method == "POST" and request.endpoint not in NOTHING_TO_GUESS:
        get_hub().limiter.sign_in(_account(), auth.address())
    return None


def _not_asked() -> Response | None:
    """Where somebody is led whom no second factor is asked of, with what they came for.

    The library would sign out whoever comes here signed in: to follow a link would be enough. And it forgets
    where one was going when the password is to be said once more.
    """
    if get_identity().session:
        return _led(_wanted())
    if "tf_user_id" in session or request.is_json:
        return None
    flash(*get_message("TWO_FACTOR_PERMISSION_DENIED"))
    return _led(url_for("security.login", next=_wanted()))


def _led(url: str) -> Response:
    return cast(Response, redirect(url))


def _wanted() -> str:
    """Where somebody was going who was led here."""
    return request.args.get("next") or url_for("rooms.index")


def _given() -> dict[str, Any]:
    """The fields of this request. Raises BadRequest.

    The library takes the first of a list, and a list of pairs for an object; what attempts are counted by has
    to be what it reads.
    """
    if not request.is_json:
        return request.form.to_dict()  # of a field that is given twice the first one counts, there as here
    given = request.get_json(silent=True) if request.content_length else {}
    if not isinstance(given, dict) or any(isinstance(value, list | dict) for value in given.values()):
        raise BadRequest("That is no JSON object of texts")
    return given


def _account() -> str:
    """Whose secrets this request may be guessing at: a name, or (with @ before it) who it is known to be."""
    identity = get_identity()
    if identity.session:
        return f"@{identity.id}"
    if "tf_user_id" in session and request.endpoint != "security.login":
        return f"@{session['tf_user_id']}"
    name = _given().get("username")
    key = names.key(name[:100]) if isinstance(name, str) else ""
    return f"={key}" if key else ""
