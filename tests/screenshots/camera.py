"""A browser that photographs: two widths, two schemes, two directions of writing: English and Arabic."""

import io
from collections.abc import Iterator
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page

from tests.screenshots.harbour import NOW, Harbour
from tests.screenshots.scenes import Scene

WIDTHS = {
    "wide": {"viewport": {"width": 1280, "height": 800}},
    "narrow": {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True},
}
SCHEMES = ("light", "dark")
LOCALES = {"ltr": "en-GB", "rtl": "ar"}
DIRECTIONS = tuple(LOCALES)
# Colours of a picture's palette: with fewer, faces and emoji are no longer of theirs.
COMMON, OTHERS = 48, 32
# A page that nobody looks at reads nothing, so that what is unread stays so.
UNSEEN = 'Object.defineProperty(document, "hidden", { get: () => true });'
DRAWN = """() => document.fonts.ready.then(() => Promise.all(
    [...document.images].filter((image) => image.checkVisibility()).map((image) => image.decode())
))"""


class Camera:
    def __init__(self, browser: Browser, harbour: Harbour, folder: Path, whole: bool = False) -> None:
        """`whole`: of pages that scroll all, not only what is in view."""
        self._browser, self._harbour, self._folder, self._whole = browser, harbour, folder, whole

    def photograph(self, scene: Scene) -> Iterator[Path]:
        self._harbour.set_clock(NOW)  # it went on meanwhile
        scene.before(self._harbour)
        for direction in DIRECTIONS:
            for width, size in WIDTHS.items():
                context = self._context(scene.who, direction, **size)
                page = context.new_page()
                self._enter(page, scene, direction)
                for scheme in SCHEMES:
                    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
                    path = self._folder / f"{scene.name}-{width}-{scheme}-{direction}.png"
                    path.write_bytes(small(page.screenshot(full_page=self._whole, animations="disabled")))
                    yield path
                context.close()
                scene.after(self._harbour)

    @property
    def _url(self) -> str:
        """By a name, as people do: passkeys need one."""
        return f"http://localhost:{self._harbour.server.port}"

    def _context(self, who: str, direction: str, **size: object) -> BrowserContext:
        context = self._browser.new_context(
            base_url=self._url,
            locale=LOCALES[direction],
            timezone_id="UTC",
            reduced_motion="reduce",
            **size,  # type: ignore[arg-type]
        )
        if who:
            cookies = self._harbour.people[who].http.cookies.items()
            context.add_cookies([{"name": name, "value": value, "url": self._url} for name, value in cookies])
        context.add_init_script(UNSEEN)
        context.clock.set_fixed_time(NOW)
        return context

    def _enter(self, page: Page, scene: Scene, direction: str) -> None:
        harbour = self._harbour
        names = {
            **harbour.rooms,
            **harbour.seqs,
            **harbour.links,
            "talk": harbour.rooms["arabic" if direction == "rtl" else "release"],
            "grace": harbour.people["grace"].id,
        }
        page.goto(scene.path.format_map(names))
        scene.act(page, harbour)
        page.evaluate(DRAWN)


def small(png: bytes) -> bytes:
    """The picture with few colours: its commonest as they are, and as many again for all others."""
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    counted = picture.getcolors(picture.width * picture.height)
    assert counted is not None
    colours = [colour for _, colour in sorted(counted, reverse=True)]
    palette, others = colours[:COMMON], colours[COMMON:]
    if others:
        strip = Image.new("RGB", (len(others), 1))
        strip.putdata(others)
        mixed = strip.quantize(OTHERS, Image.Quantize.MEDIANCUT).convert("RGB")
        found = dict(zip(others, mixed.getdata(), strict=True))
        palette += sorted(set(found.values()))
        places = {colour: place for place, colour in reversed(list(enumerate(palette)))}
        places |= {colour: places[mixture] for colour, mixture in found.items()}
    else:
        places = {colour: place for place, colour in enumerate(palette)}
    # Not by Pillow's own look-up, which takes colours that are close to each other for one.
    painted = Image.new("P", picture.size)
    painted.putpalette([part for colour in palette for part in colour])
    painted.putdata([places[colour] for colour in picture.getdata()])
    data = io.BytesIO()
    painted.save(data, "PNG", optimize=True)
    return data.getvalue()
