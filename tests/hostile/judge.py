"""Who looks at pages with the policy off, and what is said there to see whether anything of it runs."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.chromium import PATIENCE
from tests.servers import Server

# Gets out of every place that a page of ours has, in one piece; and in pieces that are short enough for a name.
EVERYWHERE = "x onfocus=ran() autofocus tabindex=1 '\"></script></title></textarea><img src=x onerror=ran()>"
NAMES = {
    "a text or an attribute": "x'\"></script><img src=x onerror=ran()>",
    "an attribute without quotes": "x onfocus=ran() autofocus tabindex=1 x=",
    "a text field or a title": "</textarea></title><svg onload=ran()>",
}
# What no page of ours has of its own accord, and what no room has, nor the list of them.
MADE_BY_WORDS = (
    "img[src='x'], [onerror], [onload], [onfocus], [autofocus][tabindex='1'],"
    "script:not([src]):not([type='application/json'])"
)
STRANGERS = (
    "img, svg [onload], svg script, math, iframe, details:not(.ours), b, s:not(.marked *),"
    "script:not([src]):not([type='application/json']),"
    "[onerror], [onload], [onfocus], [ontoggle], [autofocus], a[href^='javascript'],"
    ".marked a:not([href^='https://'], [href^='http://'], [href^='mailto:']), .marked [style], .marked [id]"
)


class Judge:
    """A browser with the policy off. Whatever runs in its pages tells of itself."""

    def __init__(self, context: BrowserContext) -> None:
        self.context = context
        self.ran: list[bool] = []
        context.set_default_timeout(PATIENCE)
        context.expose_binding("ran", lambda _source, *_: self.ran.append(True))
        context.on("dialog", lambda dialog: (self.ran.append(True), dialog.dismiss()))

    def open(self, path: str) -> Page:
        page = self.context.new_page()
        page.goto(path)
        return page

    def check(self, page: Page, strangers: str = STRANGERS) -> None:
        """Nothing ran on `page`, and nothing is there that somebody else made."""
        expect(page.locator(strangers), page.url).to_have_count(0)
        page.evaluate("() => new Promise(done => setTimeout(done))")  # what was put in has had its turn
        assert self.ran == [], page.url


@pytest.fixture
def judge(browser: Browser, server: Server) -> Iterator[Judge]:
    context = browser.new_context(base_url=server.url, bypass_csp=True)
    yield Judge(context)
    context.close()


def submit(page: Page, path: str, fields: dict[str, str]) -> None:
    """Send a form as a browser does, and wait for the page that answers it."""
    with page.expect_navigation():
        page.evaluate(
            """([path, fields]) => {
                const form = Object.assign(document.createElement("form"), { method: "post", action: path });
                for (const [name, value] of Object.entries(fields)) {
                    form.append(Object.assign(document.createElement("textarea"), { name, value }));
                }
                document.body.append(form);
                form.submit();
            }""",
            [path, fields],
        )
