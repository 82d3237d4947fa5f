"""Requests that bring files: taken to the disk piece by piece as they come, in bounded memory.

Werkzeug's parser takes a form apart; where a file begins in it, it asks for something to write to.
"""

from contextlib import ExitStack
from io import BytesIO
from typing import IO, Any, cast

import flask
import gevent
from flask import g
from gunicorn.http.errors import NoMoreData, ParseException

from chatapp import files
from chatapp.errors import BadRequest, ChatError, TooLong
from chatapp.globals import get_hub, get_identity
from chatapp.message import File
from chatapp.posting import FILES_LIMIT
from chatapp.transports.waiting import ClientGone
from chatapp.uploads import Arriving

MULTIPART = "multipart/form-data"
PIECE = 65_536  # bytes that are read at a time; each has `request_seconds` to come
REFUSED_LIMIT = 1_048_576  # bytes of a refused file that are read for the sake of what comes behind it
# The doors, and how many files come in one request.
MOST = {"files.send": 1, "rooms.say": FILES_LIMIT}


def streams(request: flask.Request) -> bool:
    """Whether the body of `request` is read by its door, piece by piece."""
    brings = request.endpoint == "files.send" or request.mimetype == MULTIPART
    return request.endpoint in MOST and brings and get_hub().config.file_limit > 0


def prepare(request: flask.Request) -> None:
    """Bound what `request` may bring. Raises TooLong."""
    config = get_hub().config
    # Beside the files, what any request may have.
    most = MOST[request.endpoint or ""] * config.file_limit + config.request_limit
    if (request.content_length or 0) > most:
        raise TooLong("A file has at most %(limit)s bytes", limit=config.file_limit)
    request.max_content_length = most
    length = request.content_length
    request.environ["wsgi.input"] = _Coming(request.environ["wsgi.input"], length, config.request_seconds)


class Intake:
    """The files of one request to send something to a room.

    Nothing of a file is written before its sender is admitted. What refuses that is raised by `keep`: the
    rest of a form is read all the same if it is small, so that its page can be shown with the words in it.
    """

    def __init__(self, room_id: int) -> None:
        self._room_id = room_id
        self._admission: files.Admission | None = None
        self._refusal: ChatError | None = None
        self._arrived: list[tuple[Arriving, str | None]] = []
        self.kept: list[File] = []  # what `keep` has kept, also where it was refused half-way
        self._cleanup = ExitStack()

    def open(self, name: str | None) -> Arriving:
        """What a file called `name` is written to. Switches. Raises the ChatError that refuses it."""
        hub, identity = get_hub(), get_identity()
        if self._admission is None:
            self._admission = files.admit(hub, identity, self._room_id)
            self._cleanup.enter_context(hub.limiter.arriving(identity))
        hub.limiter.file(identity)
        if len(self._arrived) >= MOST[flask.request.endpoint or ""]:
            raise BadRequest("Too many files at once")
        arriving = hub.uploads.arriving(hub.config.file_limit)
        self._cleanup.callback(arriving.close)
        self._arrived.append((arriving, name))
        return arriving

    def open_part(self, name: str | None) -> "Arriving | _Nowhere":
        """The same for a part of a form: a refusal waits until the form was read."""
        if not name or self._refusal is not None:
            return _Nowhere(self._refusal)
        try:
            return self.open(name)
        except ChatError as refusal:
            self._refusal = refusal
            return _Nowhere(refusal)

    def keep(self) -> list[File]:
        """Keep what has come. Switches. Raises the ChatError that refuses any of it."""
        if self._refusal is not None:
            raise self._refusal
        hub, identity = get_hub(), get_identity()
        for arrived, name in self._arrived:
            self.kept.append(files.keep(hub, identity, cast(files.Admission, self._admission), arrived, name))
        return self.kept

    def close(self) -> None:
        """Let go of what is not kept. Switches."""
        self._cleanup.close()


class Request(flask.Request):
    """A request whose door may have made an Intake, `g.intake`, before it looks at the form."""

    def _get_file_stream(
        self,
        total_content_length: int | None,
        content_type: str | None,
        filename: str | None = None,
        content_length: int | None = None,
    ) -> IO[bytes]:
        if "intake" not in g:  # a body that was read already, of bounded size
            return BytesIO()
        return cast(IO[bytes], g.intake.open_part(filename))


def expect(room_id: int) -> Intake:
    """What takes the files of this request; its door calls this before anything looks at the form."""
    intake: Intake = Intake(room_id)
    if streams(flask.request):
        g.intake = intake
    return intake


def forget(_error: BaseException | None) -> None:
    """The request is over."""
    if "intake" in g:
        g.intake.close()


class _Coming:
    """A body as it comes over the line. Switches. Raises BadRequest where it is cut off or takes too long."""

    def __init__(self, stream: Any, length: int | None, seconds: float) -> None:
        self._stream, self._length, self._seconds = stream, length, seconds
        self._come = 0

    def read(self, size: int) -> bytes:
        try:
            with gevent.Timeout(self._seconds, BadRequest("The body took too long to arrive")):
                data: bytes = self._stream.read(min(size, PIECE))
        except (NoMoreData, ParseException):  # an end in the middle of a chunk, or chunks that are none
            raise BadRequest("The body was cut off, or its chunks are not well-formed") from None
        except OSError:
            raise ClientGone from None
        self._come += len(data)
        if not data and self._length is not None and self._come < self._length:
            get_hub().check_open()  # a server that goes has cut it off itself
            raise BadRequest("The body was cut off")
        return data


class _Nowhere:
    """Takes the place of a file that is refused, up to REFUSED_LIMIT bytes of it, or (None) of no file."""

    def __init__(self, refusal: ChatError | None) -> None:
        self._refusal = refusal or BadRequest("A file has a name")
        self._left = REFUSED_LIMIT if refusal else 0

    def write(self, data: bytes) -> int:
        self._left -= len(data)
        if self._left < 0:
            raise self._refusal
        return len(data)

    def seek(self, _position: int) -> int:
        return 0

    def close(self) -> None:
        pass
