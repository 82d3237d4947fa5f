"""Scripts, style sheets and the words of scripts go out compressed (RFC 9110, section 8.4.1).

Nothing else does: where a secret stands beside what others may choose, the length would tell of it (BREACH).
"""

import os
from contextvars import copy_context

from flask import Flask, Request, Response, current_app, request
from flask_compress import Compress
from werkzeug.security import safe_join

from chatapp.threads import in_thread

ALGORITHMS = ["br", "gzip"]
SAME_FOR_ALL = {"static", "languages.words"}


def init_app(app: Flask) -> None:
    """Compress each of them once a process and version of it, in a native thread."""
    app.config.update(
        COMPRESS_REGISTER=False,  # it would look at every answer
        COMPRESS_MIMETYPES=["text/css", "text/javascript", "application/json", "image/svg+xml"],
        COMPRESS_ALGORITHM=ALGORITHMS,
        COMPRESS_BR_LEVEL=10,
        COMPRESS_STREAMS=False,
        COMPRESS_CACHE_BACKEND=_Kept,
        COMPRESS_CACHE_KEY=_version,
    )
    compress = Compress(app)
    known: set[tuple[str, str | None]] = set()  # what it keeps already

    @app.after_request
    def compressed(response: Response) -> Response:
        if request.endpoint not in SAME_FOR_ALL or response.status_code != 200:
            return response
        what = _version(request), request.accept_encodings.best_match(ALGORITHMS)
        if what in known:
            return compress_now(response)
        context = copy_context()  # the library asks for the request as well
        made = in_thread(lambda: context.run(compress_now, response))
        known.add(what)
        return made

    def compress_now(response: Response) -> Response:
        response.direct_passthrough = False
        response.make_sequence()  # else it counts as a stream
        return compress.after_request(response)


class _Kept(dict[str, bytes]):
    """As many files as there are, however their addresses are spelled, as the library wants a cache."""

    def set(self, key: str, value: bytes) -> None:
        self[key] = value


def _version(request: Request) -> str:
    if request.endpoint != "static":
        return request.path  # the version stands in it
    path = safe_join(current_app.static_folder or "", *(request.view_args or {}).values()) or ""
    return f"{path} {os.stat(path).st_mtime_ns}"
