"""What a file is, by what is in it; its name says it only where that cannot make it any more than a download.

Only what is in SHOWN is ever shown or played in a page. All else (HTML, SVG, XML, PDF, …) is downloaded.
"""

import os
import secrets
import warnings
from typing import Final

import puremagic
from msgspec import Struct
from PIL import (
    AvifImagePlugin,
    GifImagePlugin,
    Image,
    ImageOps,
    JpegImagePlugin,
    PngImagePlugin,
    WebPImagePlugin,
)

HEAD = 8192  # bytes that are looked at
SURE = 0.4  # of 1: of puremagic's guesses those that rest on one or two bytes are less
UNKNOWN = "application/octet-stream"
# By Pillow's names. Opened with these only: it knows formats that start other programs.
PICTURES: Final = {
    plugin.format: kind
    for plugin, kind in (
        (PngImagePlugin.PngImageFile, "image/png"),
        (JpegImagePlugin.JpegImageFile, "image/jpeg"),
        (GifImagePlugin.GifImageFile, "image/gif"),
        (WebPImagePlugin.WebPImageFile, "image/webp"),
        (AvifImagePlugin.AvifImageFile, "image/avif"),
    )
}
# By the endings under which puremagic knows them, which has several names for the types of some.
PLAYED: Final = {
    ".mp3": "audio/mpeg",
    ".mpga": "audio/mpeg",
    ".ogg": "audio/ogg",
    ".oga": "audio/ogg",
    ".opus": "audio/ogg",
    ".wav": "audio/wav",
    ".m4a": "audio/mp4",
    ".flac": "audio/flac",
    ".mp4": "video/mp4",
    ".m4v": "video/mp4",
    ".webm": "video/webm",
}
SHOWN: Final = frozenset({*PICTURES.values(), *PLAYED.values()})

# Pixels of the largest picture that is decoded, in some 100 MB; JPEG is decoded at a fraction of its size.
PIXELS = 25_000_000
PIXELS_OF_JPEG = 50_000_000
# Of a JPEG, which is held whole, with two bytes for each, where it has several scans (as if progressive).
COEFFICIENTS = 3 * PIXELS_OF_JPEG
EDGE = 640  # pixels of a thumbnail, which is shown in half of them where the screen is fine
QUALITY = 80
PROFILE_LIMIT = 4096  # bytes of a colour profile that a thumbnail keeps
ORIENTATION, TURNED = 0x0112, (5, 6, 7, 8)  # Exif 2.32, 4.6.4: those that swap width and height

warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # sizes are looked at before


class Look(Struct, frozen=True):
    """What a file is. `width`, `height`: of a picture that can be shown."""

    type: str
    width: int | None = None
    height: int | None = None


def look(path: str, name: str, thumbnail: str) -> Look:
    """What the file at `path`, called `name`, is; of a picture a thumbnail is written to that path.

    Blocks, for as long as it takes to decode a picture. Raises OSError where it cannot be read or written.
    """
    with open(path, "rb") as file:
        head = file.read(HEAD)
    first = next(iter(_guesses(head)), None)
    if first is not None and first.mime_type in PICTURES.values():
        return make_thumbnail(path, thumbnail) or Look(UNKNOWN)
    if first is not None and first.extension in PLAYED:
        return Look(PLAYED[first.extension])
    named = _named(head, name)
    # Its name would make more of it than it is; and by these two a page knows what it plays.
    return Look(UNKNOWN if named in SHOWN or named.startswith(("audio/", "video/")) else named)


def make_thumbnail(path: str, target: str) -> Look | None:
    """Write a thumbnail of a picture: the right way up, and without what else is said in it (where, by which
    camera). What the picture is; None where it cannot be decoded, or is too large. Blocks.
    """
    with open(path, "rb") as file:
        try:
            image = Image.open(file, formats=tuple(PICTURES))
            jpeg = image.format in ("JPEG", "MPO")  # the second is a JPEG with more of them behind it
            kind = PICTURES["JPEG" if jpeg else image.format or ""]
            width, height = image.size
            if width * height > (PIXELS_OF_JPEG if jpeg else PIXELS):
                return None
            if isinstance(image, JpegImagePlugin.JpegImageFile) and _coefficients(image) > COEFFICIENTS:
                return None
            if image.getexif().get(ORIENTATION) in TURNED:
                width, height = height, width
            profile = image.info.get("icc_profile") or b""
            small = _upright(image)
        except Exception:  # whatever the decoders raise for what is broken: it is no picture then
            return None
    partly = f"{target}.{secrets.token_hex(8)}"
    with open(os.open(partly, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as thumbnail:
        kept = profile if len(profile) <= PROFILE_LIMIT else b""
        small.save(thumbnail, "WEBP", quality=QUALITY, exif=b"", xmp=b"", icc_profile=kept)
    os.replace(partly, target)
    return Look(kind, width, height)


def _coefficients(image: JpegImagePlugin.JpegImageFile) -> float:
    """ITU-T T.81, A.1.1: each component is sampled by its factors, of which the largest are the picture's."""
    width, height = image.size
    across, down = max(layer[1] for layer in image.layer), max(layer[2] for layer in image.layer)
    return sum(width * height * layer[1] * layer[2] / (across * down) for layer in image.layer)


def _upright(image: Image.Image) -> Image.Image:
    if (
        image.mode == "I;16"
    ):  # which Pillow does not scale, and of which it makes white what is not nearly black
        image = image.point(lambda value: value * (1 / 256)).convert("L")
        image.info.pop("transparency", None)  # a grey of the 65,536
    if image.mode in ("1", "P"):  # of these Pillow would leave out pixels rather than mix them
        image = image.convert("RGBA")
    image.thumbnail((EDGE, EDGE))
    upright = ImageOps.exif_transpose(image)
    opaque = upright.mode in ("L", "RGB", "CMYK", "YCbCr") and "transparency" not in upright.info
    return upright.convert("RGB" if opaque else "RGBA")


def _named(head: bytes, name: str) -> str:
    sure = (guess for guess in _guesses(head, name) if guess.mime_type and guess.confidence >= SURE)
    found = next(sure, None)
    if found is not None:
        return str(found.mime_type)
    return "text/plain" if _is_text(head) else UNKNOWN


def _guesses(head: bytes, name: str | None = None) -> list[puremagic.PureMagicWithConfidence]:
    try:
        return puremagic.magic_string(head, filename=name)
    except (puremagic.PureError, ValueError):
        return []


def _is_text(head: bytes) -> bool:
    try:
        words = head.decode()
    except UnicodeDecodeError as error:
        if error.start < len(head) - 4 or len(head) < HEAD:
            return False
        words = head[: error.start].decode()  # the last letter was cut
    return "\0" not in words
