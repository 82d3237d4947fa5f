"""A film, made here: WebM (Matroska, RFC 9559) around frames that Pillow encodes, each by itself, as VP8 (RFC 6386)."""

import io
import struct

from PIL import Image

SIZE = (64, 48)
FRAMES = 10  # a second


def film(seconds: int, padding: int) -> bytes:
    """So long, with that many bytes a second in which nothing is shown, and a table of where each second begins."""
    head = _element("1A45DFA3", _element("4282", b"webm"), _element("4287", _number(4)))
    duration = _element("4489", struct.pack("!d", seconds * 1000))
    info = _element("1549A966", _element("2AD7B1", _number(1_000_000)), duration)
    picture = _element("E0", _element("B0", _number(SIZE[0])), _element("BA", _number(SIZE[1])))
    names = (_element("D7", _number(1)), _element("73C5", _number(1)), _element("83", _number(1)))
    tracks = _element("1654AE6B", _element("AE", *names, _element("86", b"V_VP8"), picture))
    parts = [_second(number, padding) for number in range(seconds)]
    begins = len(info) + len(tracks) + len(_places([0] * seconds))
    places = _places([begins + sum(map(len, parts[:number])) for number in range(seconds)])
    return head + _element("18538067", info, tracks, places, *parts)


def _second(number: int, padding: int) -> bytes:
    blocks = [
        _element("A3", b"\x81", _number(time * 1000 // FRAMES, 2), b"\x80", _frame(25 * time))
        for time in range(FRAMES)
    ]
    return _element(
        "1F43B675", _element("E7", _number(number * 1000)), *blocks, _element("EC", bytes(padding))
    )


def _places(begins: list[int]) -> bytes:
    at = [_element("B7", _element("F7", _number(1)), _element("F1", _number(place))) for place in begins]
    points = [_element("BB", _element("B3", _number(second * 1000)), it) for second, it in enumerate(at)]
    return _element("1C53BB6B", *points)


def _frame(shade: int) -> bytes:
    data = io.BytesIO()
    Image.new("RGB", SIZE, (shade, 90, 120)).save(data, "WEBP")  # whose pictures are key frames
    _, _, frame = data.getvalue().partition(b"VP8 ")
    return frame[4 : 4 + int.from_bytes(frame[:4], "little")]


def _element(ident: str, *parts: bytes) -> bytes:
    data = b"".join(parts)
    return bytes.fromhex(ident) + _number(1 << 56 | len(data)) + data


def _number(value: int, size: int = 8) -> bytes:
    return value.to_bytes(size, "big")
