"""`POST /api/rooms/<id>/files` takes a file, `/chats/<id>/files/…` and `/chats/<id>/thumbs/…` give it out."""

import os
from typing import IO, Any, cast

from flask import Blueprint, Response, abort, request
from werkzeug.http import parse_range_header
from werkzeug.utils import send_file
from werkzeug.wsgi import FileWrapper

from chatapp import auth, file_types, files
from chatapp.errors import BadRequest
from chatapp.file_types import SHOWN, UNKNOWN
from chatapp.globals import get_hub, get_identity
from chatapp.journal.file_statements import Stored
from chatapp.transports import json_api
from chatapp.transports.uploading import MULTIPART, PIECE, Intake, expect
from chatapp.uploads import Uploads

SENT_PIECE = 131_072  # bytes read from the disk at a time: so much each download has in memory
# Whatever a browser makes of it, it runs nothing, loads nothing and stands in no frame.
POLICY = "sandbox; default-src 'none'; frame-ancestors 'none'"

bp = Blueprint("files", __name__)


@bp.post("/api/rooms/<room_id:room_id>/files")
def send(room_id: int) -> Response:
    """Keep a file for a message to come: the one file of a form, or the body, called `name`; 201 with it."""
    files.admit(get_hub(), get_identity(), room_id)
    intake = expect(room_id)
    auth.guard_write()
    if request.mimetype == MULTIPART:
        request.files  # noqa: B018  # to look at them is to take them in
    else:
        _take_body(intake)
    kept = intake.keep()
    if not kept:
        raise BadRequest("There is no file in that form")
    return json_api.answer(kept[0], 201)


def _take_body(intake: Intake) -> None:
    arriving = intake.open(request.args.get("name"))
    while piece := request.stream.read(PIECE):
        arriving.write(piece)


@bp.get("/chats/<room_id:room_id>/files/<file>/<name>")
def show(room_id: int, file: str, name: str) -> Response:
    """A file, for who may read a message that has it. `name` is for whoever reads the address."""
    found = _found(room_id, file)
    try:
        return _sent(get_hub().uploads.content(found.digest), found, found.type)
    except FileNotFoundError:  # as in a database that was restored without its files
        abort(404)


@bp.get("/chats/<room_id:room_id>/thumbs/<file>")
def show_thumbnail(room_id: int, file: str) -> Response:
    """The thumbnail of a picture; made anew where it is missing."""
    found, uploads = _found(room_id, file), get_hub().uploads
    if found.width is None:
        abort(404)
    content, thumbnail = uploads.content(found.digest), uploads.thumbnail(found.digest)
    try:
        if not uploads.off_hub(lambda: os.path.exists(thumbnail)):
            _make_thumbnail(content, thumbnail)
        return _sent(thumbnail, found, "image/webp")
    except FileNotFoundError:
        abort(404)


def _make_thumbnail(content: str, thumbnail: str) -> None:
    """Raises FileNotFoundError where there is no content, or it is not whole any more."""
    hub = get_hub()
    hub.uploads.off_hub(lambda: os.stat(content))
    with hub.decoding:
        hub.uploads.write(lambda: file_types.make_thumbnail(content, thumbnail))


def _found(room_id: int, file: str) -> Stored:
    found = files.find(get_hub(), get_identity(), room_id, file)
    if found is None:
        abort(404)
    return found


def _sent(path: str, file: Stored, kind: str) -> Response:
    """The content at `path`, or the part of it that is asked for. Raises FileNotFoundError."""
    content = _OnDisk(get_hub().uploads, path)
    inline = kind in SHOWN
    answer = send_file(
        cast(IO[bytes], content),
        {},
        mimetype=kind if inline else UNKNOWN,
        as_attachment=not inline,
        download_name=file.name,
        conditional=False,
        etag=f"{file.digest}-{kind}",
        response_class=Response,
    )
    answer.response = FileWrapper(cast(IO[bytes], content), SENT_PIECE)
    answer.content_length = content.size
    answer.cache_control.private = True  # and looked at anew each time: it may be deleted by then
    answer.headers["Content-Security-Policy"] = POLICY
    answer.make_conditional(_environ(), accept_ranges=True, complete_length=content.size)
    return cast(Response, answer)


def _environ() -> dict[str, Any]:
    """The request's, without a range of another unit, or of several parts: those give the whole (RFC 9110,
    section 14.2), where Werkzeug would refuse them.
    """
    range_ = parse_range_header(request.headers.get("Range"))
    if range_ is not None and range_.units == "bytes" and len(range_.ranges) == 1:
        return request.environ
    return {key: value for key, value in request.environ.items() if key != "HTTP_RANGE"}


class _OnDisk:
    """A file that is read off the hub: gevent's own way of sending one reads it on the hub, disk and all.

    Opened for each piece: however many are on their way, to readers however slow, none of them holds a file
    open, of which a process may have few beside its connections. What has a hash for a name never changes.
    Made and read: switches.
    """

    def __init__(self, uploads: Uploads, path: str) -> None:
        self._uploads, self._path = uploads, path
        self._at = 0
        self.size = uploads.off_hub(lambda: os.stat(path).st_size)

    def read(self, size: int) -> bytes:
        def job() -> bytes:
            with open(self._path, "rb", buffering=0) as file:
                file.seek(self._at)
                return file.read(size)

        data = self._uploads.off_hub(job)
        self._at += len(data)
        return data

    def seekable(self) -> bool:
        return True

    def seek(self, position: int) -> int:
        self._at = position
        return position

    def tell(self) -> int:
        return self._at
