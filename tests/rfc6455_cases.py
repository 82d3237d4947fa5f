"""RFC 6455 as a table: what a client may send after the handshake, and what must come back (test_rfc6455.py runs it).

The families are those of the Autobahn test suite (1 framing to 7 closing, 9 limits), without its compression, which
is not spoken here, and with what it leaves out: masking, lengths, limits to the byte. Wherever a text is a good one it
is a JSON ping of chatapp.v1: `/ws` answers it, and the plain socket, where it is a message, gives it back whole.
"""

from dataclasses import dataclass
from typing import Any

from tests.raw_socket import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, frame_bytes

LIMIT = 65_536  # bytes of a message
PROTOCOL_ERROR, UNSUPPORTED, NOT_TEXT, TOO_LARGE = 1002, 1003, 1007, 1009
BOTH, CHATAPP, PLAIN = ("/ws", "/chats/{}/ws"), ("/ws",), ("/chats/{}/ws",)


@dataclass(frozen=True)
class Case:
    """`sent` has to be answered by exactly `texts` and `pongs`, each in order, and then by the goodbye `end`.

    `refused`: as a message of the plain socket it would be too long, or have control characters; it says so.
    """

    name: str
    sent: bytes
    texts: tuple[bytes, ...] = ()  # those of `sent` that the chat hears
    pongs: tuple[bytes, ...] = ()
    end: bytes | int | None = None  # payload of the close frame; its code; None: there is none
    doors: tuple[str, ...] = BOTH
    refused: bool = False
    hangs_up: bool = False  # the client does, when all is sent


def close(code: int = 1000, reason: bytes | str = b"") -> bytes:
    """The payload of a close frame."""
    return code.to_bytes(2, "big") + (reason.encode() if isinstance(reason, str) else reason)


def goes_on(name: str, sent: bytes, *texts: bytes, pongs: tuple[bytes, ...] = (), **more: Any) -> Case:
    """All is well, and so is the goodbye behind it."""
    return Case(name, sent + frame(close(), CLOSE), texts, pongs, close(), **more)


def fails(name: str, code: int, sent: bytes, *texts: bytes, pongs: tuple[bytes, ...] = ()) -> Case:
    """The server ends the connection with `code`."""
    return Case(name, sent, texts, pongs, code)


def parts(name: str, sent: bytes, goodbye: bytes, *texts: bytes) -> Case:
    """The client says goodbye, and the server says the same."""
    return Case(name, sent, texts, end=goodbye)


def breaks_off(name: str, sent: bytes, *texts: bytes) -> Case:
    """The client is suddenly gone, and the server has nobody left to say goodbye to."""
    return Case(name, sent, texts, hangs_up=True)


def frames(*payloads: bytes, opcode: int = TEXT, between: bytes = b"") -> bytes:
    """A message in fragments, with whole frames `between` them."""
    opcodes = [opcode] + [CONTINUATION] * (len(payloads) - 1)
    numbered = zip(opcodes, payloads, range(1, len(payloads) + 1), strict=True)
    return between.join(frame(data, code, fin=number == len(payloads)) for code, data, number in numbered)


def saying(data: bytes | str) -> bytes:
    """A JSON ping with something in it."""
    return b'{"type":"ping","x":"%b"}' % (data.encode() if isinstance(data, str) else data)


def sized(size: int) -> bytes:
    """A JSON ping of `size` bytes, none of them like its neighbours."""
    return saying((b"abcdefghijklmnopqrstuvwxyz0123456789-" * (size // 37 + 1))[: size - len(saying(b""))])


def bytewise(data: bytes) -> list[bytes]:
    return [bytes([byte]) for byte in data]


frame = frame_bytes
HELLO = saying("hello")
HALF = len(HELLO) // 2
STILL_THERE = frame("still there?", PING)  # behind what fails the connection nothing is answered
TEN = tuple(b"number %d" % number for number in range(10))

# -- 1 framing: sizes, lengths, masks -------------------------------------------------------------------

FRAMING = [
    goes_on("text of 15 bytes", frame('{"type":"ping"}'), b'{"type":"ping"}'),
    *(goes_on(f"text of {size} bytes", frame(sized(size)), sized(size)) for size in (124, 125, 126, 127, 128, 3999)),
    *(
        goes_on(f"text of {size} bytes", frame(sized(size)), sized(size), refused=True)
        for size in (65_535, 65_536)
    ),
    goes_on("text of 4,000 characters, nearly all of them emoji", frame(saying("😀" * 3978)), saying("😀" * 3978)),
    Case("empty text is no JSON", frame(""), end=NOT_TEXT, doors=CHATAPP),
    goes_on("empty text is no message", frame(""), b"", doors=PLAIN, refused=True),
    *(
        fails(f"binary of {size} bytes", UNSUPPORTED, frame(b"\xfe" * size, BINARY))
        for size in (0, 1, 125, 126, 127, 128, 65_535, 65_536)
    ),
    fails("binary that would be a text", UNSUPPORTED, frame(HELLO, BINARY)),
    fails("binary, and a ping behind it", UNSUPPORTED, frame(b"\x00", BINARY) + STILL_THERE),
    fails("a text, then binary", UNSUPPORTED, frame(HELLO) + frame(b"\x00", BINARY), HELLO),
    goes_on("a hundred texts at once", frame(HELLO) * 100, *[HELLO] * 100),
    *(
        goes_on(f"masked with {key.hex()}", frame(HELLO, key=key) + frame(b"\x00\xff", PING, key=key), HELLO,
                pongs=(b"\x00\xff",))
        for key in (b"\x00\x00\x00\x00", b"\xff\xff\xff\xff", b"\x80\x00\x00\x01", b"\x7b\x7b\x22\x22")
    ),
    *(
        fails(f"unmasked {name}", PROTOCOL_ERROR, frame(data, opcode, key=b"") + STILL_THERE)
        for name, data, opcode in (
            ("text", HELLO, TEXT), ("text of 126 bytes", sized(126), TEXT), ("empty text", b"", TEXT),
            ("binary", b"\x00", BINARY), ("continuation", b"", CONTINUATION), ("ping", b"", PING),
            ("pong", b"", PONG), ("goodbye", close(), CLOSE),
        )
    ),
    fails("a masked text, then an unmasked one", PROTOCOL_ERROR, frame(HELLO) + frame(HELLO, key=b""), HELLO),
    fails("unmasked fragment", PROTOCOL_ERROR, frame(HELLO, fin=False) + frame("", CONTINUATION, key=b"")),
    # Section 5.2 has the sender use as few bytes as there may be; of the receiver it says nothing.
    *(
        goes_on(f"{size} bytes, the length in {8 * width} bits", frame(sized(size), length=head), sized(size))
        for size, width, head in (
            (25, 2, b"\x7e\x00\x19"), (25, 8, b"\x7f" + b"\x00" * 7 + b"\x19"), (125, 2, b"\x7e\x00\x7d"),
            (125, 8, b"\x7f" + b"\x00" * 7 + b"\x7d"), (126, 8, b"\x7f" + b"\x00" * 7 + b"\x7e"),
            (3999, 8, b"\x7f" + b"\x00" * 6 + b"\x0f\x9f"),
        )
    ),
    goes_on("ping of 5 bytes, the length in 16 bits", frame("hello", PING, length=b"\x7e\x00\x05"), pongs=(b"hello",)),
    goes_on("ping of nothing, the length in 64 bits", frame("", PING, length=b"\x7f" + b"\x00" * 8), pongs=(b"",)),
]  # fmt: skip

# -- 2 pings and pongs ----------------------------------------------------------------------------------

PINGS = [
    *(
        goes_on(f"ping of {len(data)} bytes", frame(data, PING), pongs=(data,))
        for data in (b"", b"a", b"ab", b"abc", b"abcd", b"abcde", b"x" * 124, b"y" * 125)
    ),
    goes_on("ping of bytes that are no UTF-8", frame(b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff", PING),
            pongs=(b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff",)),
    *(fails(f"ping of {size} bytes", PROTOCOL_ERROR, frame(b"x" * size, PING)) for size in (126, 127, 65_535)),
    goes_on("ten pings", b"".join(frame(data, PING) for data in TEN), pongs=TEN),
    goes_on("ping, text, ping", frame("1", PING) + frame(HELLO) + frame("2", PING), HELLO, pongs=(b"1", b"2")),
    goes_on("unsolicited pong of nothing", frame("", PONG)),
    goes_on("unsolicited pong of 125 bytes", frame(b"x" * 125, PONG)),
    goes_on("unsolicited pong, then a ping", frame("so", PONG) + frame("and", PING), pongs=(b"and",)),
    goes_on("ten unsolicited pongs and a text", frame("so", PONG) * 10 + frame(HELLO), HELLO),
    fails("pong of 126 bytes", PROTOCOL_ERROR, frame(b"x" * 126, PONG)),
]  # fmt: skip

# -- 3 reserved bits ------------------------------------------------------------------------------------

RESERVED_BITS = [
    *(
        fails(f"a text, then one with reserved bits {bits:03b}", PROTOCOL_ERROR,
              frame(HELLO) + frame(HELLO, rsv=bits) + STILL_THERE, HELLO)
        for bits in range(1, 8)
    ),
    *(fails(f"ping with reserved bits {bits:03b}", PROTOCOL_ERROR, frame("", PING, rsv=bits)) for bits in range(1, 8)),
    *(fails(f"goodbye with reserved bit {bits:03b}", PROTOCOL_ERROR, frame(close(), CLOSE, rsv=bits))
      for bits in (1, 2, 4)),
    *(fails(f"continuation with reserved bit {bits:03b}", PROTOCOL_ERROR,
            frame(HELLO, fin=False) + frame("", CONTINUATION, rsv=bits)) for bits in (1, 2, 4)),
    fails("pong with a reserved bit", PROTOCOL_ERROR, frame("", PONG, rsv=1)),
    fails("binary with a reserved bit", PROTOCOL_ERROR, frame(b"\x00", BINARY, rsv=1)),
    fails("a text as permessage-deflate would have it", PROTOCOL_ERROR, frame(b"\xf2H\xcd\xc9\xc9\x07\x00", rsv=4)),
]  # fmt: skip

# -- 4 reserved opcodes ---------------------------------------------------------------------------------

RESERVED_OPCODES = [
    case
    for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)
    for case in (
        fails(f"opcode {opcode}", PROTOCOL_ERROR, frame("", opcode)),
        fails(f"a text, then opcode {opcode} with something in it", PROTOCOL_ERROR,
              frame(HELLO) + frame("what?", opcode) + STILL_THERE, HELLO),
    )
] + [fails("opcode 3 within a message", PROTOCOL_ERROR, frame(HELLO, fin=False) + frame("", 3))]  # fmt: skip

# -- 5 fragments ----------------------------------------------------------------------------------------

FRAGMENTS = [
    goes_on("text in two fragments", frames(HELLO[:HALF], HELLO[HALF:]), HELLO),
    goes_on("text in fragments of a byte", frames(*bytewise(HELLO)), HELLO),
    goes_on("text with empty fragments around it", frames(b"", HELLO, b""), HELLO),
    goes_on("text with an empty fragment within", frames(HELLO[:HALF], b"", HELLO[HALF:]), HELLO),
    goes_on("text with a thousand empty fragments", frames(HELLO[:HALF], *[b""] * 1000, HELLO[HALF:]), HELLO),
    Case("empty fragments only are no JSON", frames(b"", b"", b""), end=NOT_TEXT, doors=CHATAPP),
    goes_on("empty fragments only are no message", frames(b"", b"", b""), b"", doors=PLAIN, refused=True),
    goes_on("two texts in fragments", frames(HELLO[:HALF], HELLO[HALF:]) * 2, HELLO, HELLO),
    goes_on("a text in fragments, then a whole one", frames(HELLO[:HALF], HELLO[HALF:]) + frame(HELLO), HELLO, HELLO),
    goes_on("ping between fragments", frames(HELLO[:HALF], HELLO[HALF:], between=frame("now", PING)), HELLO,
            pongs=(b"now",)),
    goes_on("ping between all of ten fragments", frames(HELLO, *[b""] * 9, between=frame("now", PING)), HELLO,
            pongs=(b"now",) * 9),
    goes_on("pong between fragments", frames(HELLO[:HALF], HELLO[HALF:], between=frame("now", PONG)), HELLO),
    parts("goodbye between fragments", frames(HELLO[:HALF], HELLO[HALF:], between=frame(close(1001, "so"), CLOSE)),
          close(1001, "so")),
    fails("empty goodbye of one byte between fragments", PROTOCOL_ERROR,
          frames(HELLO[:HALF], HELLO[HALF:], between=frame(b"\x03", CLOSE))),
    *(
        fails(f"fragmented {name}", PROTOCOL_ERROR, frame(data, opcode, fin=False) + frame("", CONTINUATION))
        for name, data, opcode in (("ping", b"a", PING), ("pong", b"a", PONG), ("goodbye", close(), CLOSE))
    ),
    fails("fragmented ping within a text", PROTOCOL_ERROR, frames(HELLO, b"", between=frame("", PING, fin=False))),
    fails("first fragment of an empty ping", PROTOCOL_ERROR, frame("", PING, fin=False)),
    fails("continuation of nothing", PROTOCOL_ERROR, frame("", CONTINUATION)),
    fails("unfinished continuation of nothing", PROTOCOL_ERROR, frame("more", CONTINUATION, fin=False)),
    fails("continuation of a text that was whole", PROTOCOL_ERROR, frame(HELLO) + frame("more", CONTINUATION), HELLO),
    fails("continuation of a text that was completed", PROTOCOL_ERROR,
          frames(HELLO, b"") + frame("more", CONTINUATION) + STILL_THERE, HELLO),
    fails("continuation of a ping", PROTOCOL_ERROR, frame("1", PING) + frame("2", CONTINUATION), pongs=(b"1",)),
    fails("whole text within a text", PROTOCOL_ERROR, frame(HELLO, fin=False) + frame(HELLO) + STILL_THERE),
    fails("unfinished text within a text", PROTOCOL_ERROR, frame(HELLO, fin=False) * 2),
    fails("binary within a text", PROTOCOL_ERROR, frame(HELLO, fin=False) + frame(b"\x00", BINARY)),
    fails("first fragment of binary", UNSUPPORTED, frame(b"\x00", BINARY, fin=False) + STILL_THERE),
    fails("empty first fragment of binary", UNSUPPORTED, frame(b"", BINARY, fin=False)),
    fails("binary in two fragments", UNSUPPORTED, frames(b"\x00", b"\x01", opcode=BINARY)),
]  # fmt: skip

# -- 6 UTF-8 --------------------------------------------------------------------------------------------

TEXTS = {
    "Greek": "κόσμε",
    "many scripts": "Grüße, Привет, 你好, שלום, नमस्ते, 👩‍👩‍👧, ﷽",
    **{f"U+{code:04X}": chr(code) for code in (0x7FF, 0x800, 0xD7FF, 0xE000, 0xFEFF, 0xFFFD, 0xFFFE, 0xFFFF,
                                               0x10000, 0x1F600, 0xFFFFF, 0x10FFFF)},
    "all noncharacters": "".join(chr(plane << 16 | last) for plane in range(17) for last in (0xFFFE, 0xFFFF)),
}  # fmt: skip
NO_TEXTS = {
    "a continuation byte": "80",
    "the last continuation byte": "bf",
    "four continuation bytes": "80 bf 80 bf",
    "all continuation bytes": " ".join(f"{byte:x}" for byte in range(0x80, 0xC0)),
    "first bytes of two": "c2 20 df 20",
    "first bytes of three": "e0 20 ef 20",
    "first bytes of four": "f0 20 f4 20",
    "first byte of five": "f8 20",
    "first byte of six": "fc 20",
    "two bytes less one": "df",
    "three bytes less one": "ef bf",
    "four bytes less one": "f0 90 80",
    "four bytes less two": "f3 a0",
    "FE": "fe",
    "FF": "ff",
    "a byte order mark of UTF-16": "fe ff",
    "Latin-1": "67 72 fc 6e",
    "overlong slash of two": "c0 af",
    "overlong slash of three": "e0 80 af",
    "overlong slash of four": "f0 80 80 af",
    "overlong slash of five": "f8 80 80 80 af",
    "overlong slash of six": "fc 80 80 80 80 af",
    "longest overlong of two": "c1 bf",
    "longest overlong of three": "e0 9f bf",
    "longest overlong of four": "f0 8f bf bf",
    "overlong NUL of two": "c0 80",
    "overlong NUL of three": "e0 80 80",
    "U+D800": "ed a0 80",
    "U+DB7F": "ed ad bf",
    "U+DBFF": "ed af bf",
    "U+DC00": "ed b0 80",
    "U+DFFF": "ed bf bf",
    "a pair of surrogates": "ed a0 bd ed b8 80",
    "U+110000": "f4 90 80 80",
    "U+140000": "f5 80 80 80",
    "U+1FFFFF": "f7 bf bf bf",
    "five bytes": "f8 88 80 80 80",
    "six bytes": "fc 84 80 80 80 80",
}


def _texts() -> list[Case]:
    cases = []
    for name, text in TEXTS.items():
        whole, half = saying(text), len(saying("")) - 2 + len(text.encode()) // 2
        cases += [
            goes_on(f"{name}", frame(whole), whole),
            goes_on(f"{name}, a fragment for each byte", frames(*bytewise(whole)), whole),
            goes_on(f"{name}, cut by a ping", frames(whole[:half], whole[half:], between=frame("", PING)), whole,
                    pongs=(b"",)),
        ]  # fmt: skip
    for name, digits in NO_TEXTS.items():
        whole, half = saying(bytes.fromhex(digits)), len(saying("")) - 2 + (len(digits) + 1) // 6
        cases += [
            fails(f"{name}", NOT_TEXT, frame(whole) + STILL_THERE),
            fails(f"{name}, in fragments", NOT_TEXT, frames(whole[:half], whole[half:]) + STILL_THERE),
        ]
    return cases


CUT = "κόσμε".encode()[:-1]
UTF_8 = [
    *_texts(),
    goes_on("U+007F", frame(saying("\x7f")), saying("\x7f"), refused=True),
    goes_on("U+0080", frame(saying("\x80")), saying("\x80"), refused=True),
    fails("a text that ends within a character", NOT_TEXT, frame(CUT) + STILL_THERE),
    fails("fragments that end within a character", NOT_TEXT, frames(CUT[:-1], CUT[-1:])),
    fails("fragments that end within a character and with nothing", NOT_TEXT, frames(CUT, b"")),
    fails(
        "a character begun in one text and ended in the next", NOT_TEXT, frame(CUT) + frame("ε".encode()[1:])
    ),
    fails("a good text, then a bad one", NOT_TEXT, frame(HELLO) + frame(b"\xff"), HELLO),
    fails("a bad text, then a good one", NOT_TEXT, frame(b"\xff") + frame(HELLO)),
    fails("a bad text, then a goodbye", NOT_TEXT, frame(b"\xff") + frame(close(), CLOSE)),
]

# -- 7 closing ------------------------------------------------------------------------------------------

VALID = (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4429, 4999)
INVALID = (0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 5001, 32_768, 65_535)
REASON = "κ" * 61 + "!"  # 123 bytes, the longest there is

CLOSING = [
    parts("without a code", frame("", CLOSE), b""),
    fails("of one byte", PROTOCOL_ERROR, frame(b"\x03", CLOSE)),
    *(parts(f"{code}", frame(close(code), CLOSE), close(code)) for code in VALID),
    *(parts(f"{code} with a reason", frame(close(code, "so long"), CLOSE), close(code, "so long"))
      for code in (1000, 1001, 3000, 4999)),
    *(fails(f"{code}", PROTOCOL_ERROR, frame(close(code), CLOSE)) for code in INVALID),
    fails("1005 with a reason", PROTOCOL_ERROR, frame(close(1005, "so long"), CLOSE)),
    parts("with the longest reason", frame(close(1000, REASON), CLOSE), close(1000, REASON)),
    fails("with a reason that is too long", PROTOCOL_ERROR, frame(close(1000, REASON + "!"), CLOSE)),
    fails("with a reason of 65,000 bytes", PROTOCOL_ERROR, frame(close(1000, "x" * 65_000), CLOSE)),
    *(
        fails(f"with a reason that is no UTF-8: {name}", NOT_TEXT, frame(close(1000, bytes.fromhex(digits)), CLOSE))
        for name, digits in (("FF", "ff"), ("overlong", "c0 af"), ("a surrogate", "ed a0 80"), ("cut", "ce ba cf"))
    ),
    parts("after a text", frame(HELLO) + frame(close(), CLOSE), close(), HELLO),
    parts("twice", frame(close(1001), CLOSE) + frame(close(1000), CLOSE), close(1001)),
    parts("then a ping", frame(close(), CLOSE) + STILL_THERE, close()),
    parts("then a text", frame(close(), CLOSE) + frame(HELLO), close()),
    parts("then a frame that is none", frame(close(), CLOSE) + frame("", 15, rsv=7, key=b""), close()),
    parts("then 64 KiB of anything", frame(close(), CLOSE) + b"\xff" * 65_536, close()),
    fails("after a failure", PROTOCOL_ERROR, frame("", 3) + frame(close(), CLOSE)),
    breaks_off("never, and nothing else either", b""),
    breaks_off("never, after a text", frame(HELLO), HELLO),
    breaks_off("never, within the head of a frame", frame(HELLO)[:1]),
    breaks_off("never, within a length", frame(sized(65_536))[:5]),
    breaks_off("never, within a mask", frame(HELLO)[:4]),
    breaks_off("never, within a text", frame(HELLO)[:-1]),
    breaks_off("never, between fragments", frame(HELLO, fin=False)),
    breaks_off("never, within a goodbye", frame(close(), CLOSE)[:-1]),
]  # fmt: skip

# -- 9 limits -------------------------------------------------------------------------------------------

FULL = sized(LIMIT)
LIMITS = [
    fails("one byte more than the limit", TOO_LARGE, frame(sized(LIMIT + 1)) + STILL_THERE),
    fails("125 bytes more", TOO_LARGE, frame(sized(LIMIT + 125)) + STILL_THERE),
    fails("126 bytes more", TOO_LARGE, frame(sized(LIMIT + 126)) + STILL_THERE),
    fails("too much, and no UTF-8", TOO_LARGE, frame(b"\xff" * (LIMIT + 1))),
    *(
        fails(f"only the head of a frame of {size} bytes", TOO_LARGE, frame(b"", length=b"\x7f" + size.to_bytes(8)))
        for size in (LIMIT + 126, 2**31, 2**32, 2**63 - 1, 2**63, 2**64 - 1)
    ),
    fails("only the head of a large ping", TOO_LARGE, frame(b"", PING, length=b"\x7f" + (2**32).to_bytes(8))),
    *(
        goes_on(f"the limit in {count} fragments",
                frames(*[FULL[at : at + LIMIT // count] for at in range(0, LIMIT, LIMIT // count)]), FULL, refused=True)
        for count in (2, 16, 1024)
    ),
    goes_on("the limit and an empty fragment", frames(FULL, b""), FULL, refused=True),
    *(
        fails(f"one byte more than the limit in {count} fragments", TOO_LARGE,
              frames(*[FULL[at : at + LIMIT // count] for at in range(0, LIMIT, LIMIT // count)], b" ") + STILL_THERE)
        for count in (1, 2, 16, 1024)
    ),
    fails("more than the limit, unfinished", TOO_LARGE, frame(FULL, fin=False) + frame(" ", CONTINUATION, fin=False)),
    fails("the limit twice in one message", TOO_LARGE, frames(FULL, FULL)),
    goes_on("the limit twice", frame(FULL) * 2, FULL, FULL, refused=True),
    goes_on("a ping within a message of the limit", frames(FULL, b"", between=frame("x" * 125, PING)), FULL,
            pongs=(b"x" * 125,), refused=True),
    parts("a goodbye within a message of the limit", frame(FULL, fin=False) + frame(close(1000, REASON), CLOSE),
          close(1000, REASON)),
    fails("a ping of 126 bytes within a message of the limit", TOO_LARGE,
          frame(FULL, fin=False) + frame("x" * 126, PING)),
]  # fmt: skip

FAMILIES = {
    "framing": FRAMING,
    "pings": PINGS,
    "reserved bits": RESERVED_BITS,
    "reserved opcodes": RESERVED_OPCODES,
    "fragments": FRAGMENTS,
    "UTF-8": UTF_8,
    "closing": CLOSING,
    "limits": LIMITS,
}
