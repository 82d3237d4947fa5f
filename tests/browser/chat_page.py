"""A room's page in the words of the tests."""

from playwright.sync_api import Locator, Page, Route, expect

from tests.clients import eventually

# Has the page ask whether its line is alive, and closes the socket over which it asks, if it is one.
CLOSE_SOCKET = """() => new Promise((done) => {
    const { send } = WebSocket.prototype;
    let asks = null;
    WebSocket.prototype.send = function () { asks = this };
    dispatchEvent(new Event("offline"));
    WebSocket.prototype.send = send;
    if (!asks) return done();
    asks.addEventListener("close", done);
    asks.close();
})"""


class ChatPage:
    def __init__(self, page: Page, room: int) -> None:
        self.page, self.room = page, room
        self.field = page.get_by_role("textbox", name="Message")
        self.send = page.get_by_role("button", name="Send", exact=True)
        self.state = page.locator("#state")
        self.banner = page.locator("#banner")
        self.rows = page.locator("#messages > .message")
        self.words = page.locator("#messages > .message .words")
        self.pending = page.locator("#messages > .message.pending")
        self.failed = page.locator("#messages > .message:has(.failed)")
        self.notices = page.locator("#messages > .notice")
        self.jump = page.locator("#jump")
        self.log = page.locator("#log")
        self.menu = page.locator("#message-menu")

    def say(self, *bodies: str) -> None:
        for body in bodies:
            self.field.fill(body)
            self.field.press("Enter")

    def another_tab(self, script: str = "", path: str = "/chats/{}/") -> "ChatPage":
        """The same room for the same person; returns when it is live."""
        page = self.page.context.new_page()
        if script:
            page.add_init_script(script)
        page.goto(path.format(self.room))
        tab = ChatPage(page, self.room)
        expect(tab.state).to_have_text("Live")
        return tab

    def row(self, body: str) -> Locator:
        return self.rows.filter(has=self.page.get_by_text(body, exact=True))

    def about(self, body: str) -> Locator:
        """The open menu of the message."""
        row = self.row(body)
        row.hover()
        row.get_by_role("link", name="More about this message").click()
        expect(self.menu).to_be_visible()
        return self.menu

    def shows(self, *bodies: str) -> None:
        """Exactly these texts, in this order, all of them kept."""
        expect(self.words).to_have_text(list(bodies))
        expect(self.pending).to_have_count(0)
        expect(self.failed).to_have_count(0)

    def is_live_over(self, transport: str) -> None:
        self.state.click()
        expect(self.page.locator("#details-title")).to_have_text(f"Live over {transport}")
        self.state.click()

    def go_offline(self) -> None:
        """Without a socket: as long as one is open, the browser keeps a processor busy with having no network.

        (That a page notices by itself that its socket is dead: test_unsent.py.)
        """
        self.page.evaluate(CLOSE_SOCKET)
        self.page.context.set_offline(True)

    def scroll_to_top(self) -> None:
        self.log.evaluate("log => { log.scrollTop = -log.scrollHeight }")

    def scroll_up(self, pixels: int) -> None:
        self.log.evaluate("(log, pixels) => { log.scrollTop -= pixels }", pixels)

    def hide(self, hidden: bool = True) -> None:
        """As if another tab were in front; a headless browser has all its pages in front."""
        self.page.evaluate(
            """hidden => {
                Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
                document.dispatchEvent(new Event("visibilitychange"));
            }""",
            hidden,
        )


class HeldRequests:
    """Requests of a page that wait until they are let go."""

    def __init__(self, page: Page, pattern: str) -> None:
        self._page, self._pattern, self.routes = page, pattern, list[Route]()
        page.route(pattern, lambda route: self.routes.append(route))

    def first(self) -> Route:
        # Playwright hears of requests only while it is called: sleeping alone would wait for nothing.
        eventually(lambda: self._page.evaluate("true") and self.routes, "a request is held")
        return self.routes[0]

    def end(self) -> None:
        """Hold no more, and let those go that are held."""
        for route in self.routes:
            route.continue_()
        self._page.unroute(self._pattern)  # lets those go that came meanwhile
