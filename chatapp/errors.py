"""What can go wrong, in one table: problem code, HTTP status, WebSocket close code.

ChatError
 ├─ BadRequest    bad_request   400        the request itself is wrong; do not repeat it
 ├─ SignIn        sign_in       401  4401  say who you are first
 ├─ Forbidden     forbidden     403  4403  you may not; coming back does not help
 ├─ NoSuchRoom    no_such_room  404  4404  unknown, deleted or hidden: all look the same
 ├─ RoomClosed    room_closed   410        read-only; nobody may write
 ├─ TooLong       too_long      413        shorten it
 ├─ TooFast       too_fast      429  4429  again after `retry_after` seconds
 ├─ NotKept       not_kept      503        not known to be kept: again with the same client_id
 └─ Draining      draining      503  1012  this server is going: again, elsewhere or soon
SetupError        the installation is wrong: one line that says what to do
"""

from typing import ClassVar

# Close codes that no error above has. RFC 6455 section 7.4.1 and, from 4000 on, docs/protocol.md.
CLOSE_UNSUPPORTED = 1003
CLOSE_NOT_JSON = 1007


class SetupError(Exception):
    """The server cannot start as it is set up. The message is one line that says what to do."""


class Term(str):
    """A value in a refusal's sentence that is words of ours: said in the reader's language as well."""


class ChatError(Exception):
    """A refusal that the asker is told about. `str(error)` is a sentence for people, in English; in other
    languages (languages.py) it is `sentence` with `values` in its places, which are written `%(name)s`.

    The first argument of each refusal is found for the catalogues by the name of its class.

    `retry_after`: seconds to wait before asking again, or None where waiting does not help.
    """

    code: ClassVar[str]
    status: ClassVar[int]
    title: ClassVar[str]
    close: ClassVar[int] = 1011

    def __init__(self, sentence: str = "", retry_after: float | None = None, **values: object) -> None:
        self.sentence, self.values = sentence or self.title, values
        super().__init__(self.sentence % values if values else self.sentence)
        self.retry_after = retry_after

    @property
    def headers(self) -> dict[str, str]:
        """What an HTTP answer says beside its status."""
        return {} if self.retry_after is None else {"Retry-After": str(int(self.retry_after))}


class BadRequest(ChatError):
    code, status, title = "bad_request", 400, Term("That request cannot be understood")


class SignIn(ChatError):
    code, status, close, title = "sign_in", 401, 4401, Term("Say who you are first")


class Forbidden(ChatError):
    code, status, close, title = "forbidden", 403, 4403, Term("You may not do that")


class NoSuchRoom(ChatError):
    code, status, close, title = "no_such_room", 404, 4404, Term("There is no such room")


class RoomClosed(ChatError):
    code, status, title = "room_closed", 410, Term("This room is closed: it can be read, not written to")


class TooLong(ChatError):
    code, status, title = "too_long", 413, Term("That is too long")


class TooFast(ChatError):
    code, status, close, title = "too_fast", 429, 4429, Term("Too fast: wait a moment")


class NotKept(ChatError):
    code, status, title = "not_kept", 503, Term("Not known to be kept: send it again")


class Draining(ChatError):
    code, status, close, title = "draining", 503, 1012, Term("This server is going: come back in a moment")
