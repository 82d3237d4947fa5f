"""What the HTTP doors of the API share: bodies in, JSON out, errors as problems (RFC 9457)."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

import msgspec
from flask import Response, request

from chatapp import languages
from chatapp.errors import BadRequest, ChatError
from chatapp.localized import language_of_program
from chatapp.message import Message

T = TypeVar("T")

# Nothing here may be kept by a cache or held back by a proxy.
LIVE_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


def body(kind: type[T]) -> T:
    """The request's body as `kind`. Raises BadRequest; unknown fields are ignored."""
    if request.mimetype != "application/json":
        raise BadRequest("Send JSON, with Content-Type: application/json")
    try:
        return msgspec.json.decode(request.get_data(), type=kind)
    except msgspec.ValidationError as error:
        raise BadRequest(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadRequest("The body is not JSON") from None


def answer(value: object, status: int = 200) -> Response:
    """`value` as a JSON response."""
    return raw(value if isinstance(value, bytes) else msgspec.json.encode(value), status)


def raw(data: bytes, status: int = 200) -> Response:
    """JSON that is already encoded as a response."""
    return Response(data, status, mimetype="application/json")


def wants_html() -> bool:
    """Whether the request asks for messages as they are shown: `?html=1`. Raises BadRequest."""
    said = request.args.get("html", "0")
    if said not in ("0", "1"):
        raise BadRequest("html is 1, for messages with their HTML, or 0")
    return said == "1"


def patience(seconds: float) -> float:
    """For how long of `seconds` this request waits for news. HEAD does not: who sends it wants no news, and
    clients give up on it soon.
    """
    return 0 if request.method == "HEAD" else seconds


def batch(
    messages: Sequence[Message],
    cursor: int,
    epoch: str,
    names: Mapping[str, str],
    *,
    reset: bool = False,
    html: bool = False,
) -> bytes:
    """A batch of messages, from each message's own JSON. `names`: of authors who had another one before."""
    shown = [message.marked for message in messages] if html else messages
    head = b'{"messages":[' + b",".join([message.json for message in shown])
    tail = b'],"cursor":%d,"epoch":%s' % (cursor, msgspec.json.encode(epoch))
    told = b',"names":' + msgspec.json.encode(names) if names else b""
    return head + tail + told + (b',"reset":true}' if reset else b"}")


def problem(
    code: str, status: int, title: str, detail: str, headers: dict[str, str] | None = None
) -> Response:
    """An error as `application/problem+json`, with its sentences as the request asks for them."""
    said = [languages.say(language_of_program(), each) for each in (title, detail)]
    fields = {"type": "about:blank", "title": said[0], "status": status, "code": code, "detail": said[1]}
    data = msgspec.json.encode(fields)
    return Response(data, status, headers, content_type="application/problem+json")


def refusal(error: ChatError) -> Response:
    """The problem that `error` is."""
    detail = languages.refusal(language_of_program(), error)
    return problem(error.code, error.status, error.title, detail, error.headers)
