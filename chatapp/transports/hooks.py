"""`/hooks/<id>/<secret>`, which takes what Slack's incoming webhooks take; and `/api/rooms/<id>/hooks`."""

import msgspec
from flask import Blueprint, Response, request
from msgspec import Struct

from chatapp import auth, hooks
from chatapp.errors import BadRequest, ChatError
from chatapp.globals import get_hub, get_identity
from chatapp.transports import json_api

bp = Blueprint("hooks", __name__)

# What Slack's callers know these refusals as; the status is ours.
WORDS = {
    "bad_request": "invalid_payload",
    "no_such_room": "no_service",
    "room_closed": "channel_is_archived",
    "too_long": "msg_too_long",
    "too_fast": "rate_limited",
    "forbidden": "action_prohibited",
    "sign_in": "action_prohibited",
}


class NewHook(Struct, frozen=True):
    name: str


class Payload(Struct, frozen=True):
    """What Slack's callers send, as far as it is looked at."""

    text: str


@bp.post("/hooks/<int:hook>/<secret>")
def receive(hook: int, secret: str) -> Response:
    """Post `text` into the hook's room; `ok`, or a word that says why not."""
    try:
        get_hub().check_open()
        payload = _payload()
        if payload.get("text") in (None, ""):
            return _said("no_text", 400)
        hooks.post(get_hub(), hook, secret, payload["text"], auth.address())
    except ChatError as error:
        answer = _said(WORDS.get(error.code, error.code), error.status)
        answer.headers.update(error.headers)
        return answer
    return _said("ok", 200)


def _payload() -> dict[str, object]:
    """The JSON object that is the body, or stands in the form's field `payload`. Raises BadRequest."""
    form = request.mimetype in ("application/x-www-form-urlencoded", "multipart/form-data")
    # curl's -d sends JSON as a form, unless it is told otherwise: Slack takes it, too.
    data = auth.checked_form("payload")["payload"] if form else ""
    try:
        payload = msgspec.json.decode(data or request.get_data())
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadRequest("That is not JSON") from None
    if not isinstance(payload, dict):
        raise BadRequest("A payload is a JSON object")
    return payload


def _said(word: str, status: int) -> Response:
    return Response(word, status, mimetype="text/plain")


@bp.get("/api/rooms/<room_id:room_id>/hooks")
def index(room_id: int) -> Response:
    """The hooks of a room, the newest first, without their secrets."""
    return json_api.answer({"hooks": hooks.hooks(get_hub(), get_identity(), room_id)})


@bp.post("/api/rooms/<room_id:room_id>/hooks")
def make(room_id: int) -> Response:
    """Make a hook; 201 with its address, which is never shown again."""
    auth.guard_write()
    made = hooks.make(get_hub(), get_identity(), room_id, json_api.body(NewHook).name)
    return json_api.answer({"id": made.id, "name": made.name, "url": made.address(request.url_root)}, 201)


@bp.delete("/api/rooms/<room_id:room_id>/hooks/<int:hook>")
def revoke(room_id: int, hook: int) -> Response:
    """A hook is good no longer; the notice."""
    auth.guard_write()
    return json_api.raw(hooks.revoke(get_hub(), get_identity(), room_id, hook).json)
