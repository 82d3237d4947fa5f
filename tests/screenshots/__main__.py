"""bin/screenshots: Harbour on a real server, and a picture of each of its pages."""

import argparse
import tempfile
from pathlib import Path

from playwright.sync_api import expect, sync_playwright

from tests.chromium import ARGUMENTS, HEADLESS, PATIENCE
from tests.screenshots.camera import DIRECTIONS, SCHEMES, WIDTHS, Camera
from tests.screenshots.harbour import Harbour
from tests.screenshots.scenes import SCENES
from tests.servers import ROOT, Server

FOLDER = ROOT / "docs" / "screenshots"


def main() -> None:
    known = [scene.name for scene in SCENES]
    parser = argparse.ArgumentParser(prog="bin/screenshots", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="PICTURE", help="only these: " + ", ".join(known))
    parser.add_argument(
        "--into", type=Path, default=FOLDER, metavar="FOLDER", help="default: docs/screenshots"
    )
    parser.add_argument(
        "--whole", action="store_true", help="all of a page that scrolls, not only its beginning"
    )
    asked = parser.parse_args()
    if unknown := [name for name in asked.names if name not in known]:
        parser.error(f"no picture is called {unknown[0]}; there are {', '.join(known)}")
    asked.into.mkdir(parents=True, exist_ok=True)
    expect.set_options(timeout=PATIENCE)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        server = Server(Path(folder, "instance"), site_name="Harbour", guest_files="yes", sign_up="open")
        try:
            harbour = Harbour(server)
            browser = playwright.chromium.launch(executable_path=HEADLESS, args=ARGUMENTS)
            camera = Camera(browser, harbour, asked.into, asked.whole)
            for scene in sorted(SCENES, key=lambda scene: scene.changes):
                if not asked.names or scene.name in asked.names:
                    size = sum(path.stat().st_size for path in camera.photograph(scene))
                    print(f"{scene.name}: {size // 1000} kB", flush=True)
            browser.close()
            harbour.close()
        finally:
            server.kill()
    if asked.into == FOLDER:
        (FOLDER / "README.md").write_text(index())


def index() -> str:
    """The page that shows them all."""
    head = [
        "# Every page, in pictures",
        "",
        "Made by `bin/screenshots` of what the server gives out: an installation called Harbour, 1280 and 390 pixels "
        "wide, light and dark, written from the left and from the right. A picture's name says which it is.",
    ]
    for scene in SCENES:
        head += ["", f"## {scene.title}", ""]
        for direction in DIRECTIONS:
            for scheme in SCHEMES:
                head.append(
                    " ".join(
                        f'<img alt="{scene.title}: {width}, {scheme}, {direction}" '
                        f'src="{scene.name}-{width}-{scheme}-{direction}.png" height="400">'
                        for width in WIDTHS
                    )
                )
    return "\n".join(head) + "\n"


main()
