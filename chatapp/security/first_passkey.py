"""The passkey with which an account is made: asked for before there is the account, and kept with it.

What was asked stands, signed, in what the browser sends back; nothing of it is kept here meanwhile.
"""

import secrets
from typing import Any

import webauthn
from flask import current_app, request
from itsdangerous import BadSignature, URLSafeTimedSerializer
from webauthn.helpers import options_to_json_dict, parse_registration_credential_json

from chatapp.accounts import new_handle, spend
from chatapp.errors import BadRequest, Forbidden
from chatapp.globals import get_hub
from chatapp.journal.people_reading import FIRST_FACTOR
from chatapp.journal.people_requests import FirstPasskey
from chatapp.security.devices import device_of
from chatapp.security.passkeys import SELECTION, PasskeyOptions
from chatapp.sessions import accepted_keys

PURPOSE = "the passkey of a new account"
SECONDS = 600  # to find the key and answer


def ask(purpose: str, name: str) -> dict[str, Any]:
    """What a browser is to be asked for a passkey of a new account called `name`, as the login library's
    doors have it: `credential_options` (PublicKeyCredentialCreationOptions as JSON) and `wan_state`, which
    comes back with the answer. `purpose`: who asks, and by which door.
    """
    challenge, handle = secrets.token_urlsafe(32), new_handle()
    options = webauthn.generate_registration_options(
        rp_id=_host(),
        rp_name=get_hub().config.site_name,
        user_id=handle.encode(),
        user_name=name,
        challenge=challenge.encode(),
        authenticator_selection=SELECTION,
    )
    state = _signer().dumps([purpose, name, handle, challenge])
    return {"credential_options": options_to_json_dict(options), "wan_state": state}


def verify(purpose: str, state: str, answered: str) -> tuple[str, FirstPasskey]:
    """The name for which it was asked, and the passkey. Good once. Switches.

    Raises Forbidden where it was asked otherwise or too long ago, BadRequest for what is no answer to it.
    """
    try:
        asked_for, name, handle, challenge = _signer().loads(state, max_age=SECONDS)
    except BadSignature:
        raise Forbidden("That took too long, or was not begun here: try again") from None
    if asked_for != purpose:
        raise Forbidden("That was begun by somebody else, or with another link: try again")
    columns = _verified(challenge, answered)
    if not spend(get_hub(), f"challenge {challenge}", SECONDS):
        raise Forbidden("That was used: sign in with it, or try again")
    return name, FirstPasskey(handle, columns)


def _verified(challenge: str, answered: str) -> dict[str, Any]:
    try:
        credential = parse_registration_credential_json(answered)
        found = webauthn.verify_registration_response(
            credential=credential,
            expected_challenge=challenge.encode(),
            expected_origin=request.host_url.rstrip("/"),
            expected_rp_id=_host(),
        )
    except Exception:  # whatever a hostile answer raises in the parsers of its formats
        raise BadRequest("That passkey could not be verified: try again") from None
    return {
        "name": _called(),
        "credential_id": found.credential_id,
        "public_key": found.credential_public_key,
        "sign_count": found.sign_count,
        "backup_state": found.credential_backed_up,
        "device_type": found.credential_device_type.value,
        "transports": [each.value for each in credential.response.transports or []],
        "extensions": None,
        "usage": FIRST_FACTOR,
    }


def _called() -> str:
    """What one would call it in one's list of passkeys, where another may be given."""
    refused, name = PasskeyOptions(current_app).name_svn(device_of(request.user_agent.string))
    return "This device" if refused or not name else name


def _host() -> str:
    """To whom the passkey is given, and to nobody else: the name of this server, without its port."""
    return request.host.split(":")[0]


def _signer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(accepted_keys(current_app), salt=PURPOSE)
