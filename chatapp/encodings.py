"""How the frames of chatapp.v1 are written for each kind of pushed reader. Same content, three clothes."""

from typing import Protocol

from chatapp.message import Message, encode, sse_record, text_frame


class Encoding(Protocol):
    """`message` may be cached; `event` is any other frame, given as its type, its JSON and a cursor.

    `marked`: whether messages have their HTML. `transport`: over which they go, as figures name it.
    """

    marked: bool
    transport: str

    def message(self, message: Message, epoch: str) -> bytes: ...

    def event(self, kind: str, data: bytes, cursor: str = "") -> bytes: ...

    def heartbeat(self) -> bytes: ...

    def farewell(self, code: int, reason: str) -> bytes: ...


class WebSocketEncoding:
    """chatapp.v1: each frame a text frame of JSON."""

    marked = False
    transport = "websocket"

    def message(self, message: Message, epoch: str) -> bytes:
        return message.frame

    def event(self, kind: str, data: bytes, cursor: str = "") -> bytes:
        return text_frame(data)

    def heartbeat(self) -> bytes:
        return b"\x89\x00"  # an empty ping, RFC 6455 section 5.5.2

    def farewell(self, code: int, reason: str) -> bytes:
        reason = reason.encode()[:123].decode(errors="ignore")  # whole characters of it
        payload = code.to_bytes(2, "big") + reason.encode()
        return bytes((0x88, len(payload))) + payload  # RFC 6455 section 5.5.1


class MarkedWebSocketEncoding(WebSocketEncoding):
    """The same with `html`, for who asked for it."""

    marked = True

    def message(self, message: Message, epoch: str) -> bytes:
        return message.marked.frame


class PlainEncoding(WebSocketEncoding):
    """The tutorial's socket: texts as their bare bodies, nothing else."""

    transport = "plain_socket"

    def message(self, message: Message, epoch: str) -> bytes:
        return message.plain_frame

    def event(self, kind: str, data: bytes, cursor: str = "") -> bytes:
        return b""


class EventStreamEncoding:
    """Server-Sent Events. Before the stream ends `close` says that coming back is of no use, `going` that it
    is, which an EventSource does by itself.
    """

    marked = False
    transport = "event_stream"

    def message(self, message: Message, epoch: str) -> bytes:
        return message.record(epoch)

    def event(self, kind: str, data: bytes, cursor: str = "") -> bytes:
        return sse_record(kind, data, cursor)

    def heartbeat(self) -> bytes:
        return b":\n\n"

    def farewell(self, code: int, reason: str) -> bytes:
        return sse_record("close" if code >= 4000 else "going", encode({"code": code, "reason": reason}))


class MarkedEventStreamEncoding(EventStreamEncoding):
    """The same with `html`, for who asked for it."""

    marked = True

    def message(self, message: Message, epoch: str) -> bytes:
        return message.marked.record(epoch)


WEBSOCKET = WebSocketEncoding()
MARKED_WEBSOCKET = MarkedWebSocketEncoding()
PLAIN = PlainEncoding()
EVENT_STREAM = EventStreamEncoding()
MARKED_EVENT_STREAM = MarkedEventStreamEncoding()
