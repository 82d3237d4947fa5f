"""How long from a key to one's own message on the screen, and from the wire to another's; what becomes of the
frames when sixty messages a second come in.

Exit status: 0, the aims are met; 1, they are not; 2, a message did not show, or it cannot be run.
"""

import argparse
import http.client
import json
import os
import statistics
import sys
import threading
import time
import uuid
from collections.abc import Sequence

import rig
from playwright.sync_api import Page, sync_playwright

AIM_MS = 50.0
LONG_FRAME_MS = 50.0
PATIENCE_MS = 10_000
BROWSERS = ("/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome")
# Nothing may wait for a screen that is not there.
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]

# Notes when a message comes over the wire, when Enter is pressed, and when a row of its words is painted: the
# frame that shows it has ended by the time a task that was begun in it runs.
WATCH = """
window.seen = new Map();
window.came = new Map();
window.pressed = new Map();
window.frames = [];
const Socket = window.WebSocket;
window.WebSocket = class extends Socket {
  constructor(...given) {
    super(...given);
    this.addEventListener("message", ({ data }) => {
      const at = performance.now();
      const frame = JSON.parse(data);
      if (frame.type === "message" && frame.kind === "text") came.set(frame.body, at);
    });
  }
};
addEventListener("keydown", (event) => {
  if (event.key === "Enter") pressed.set(event.target.value, event.timeStamp);
}, { capture: true });
addEventListener("DOMContentLoaded", () => {
  new MutationObserver((changes) => {
    const words = changes.flatMap(({ addedNodes }) => [...addedNodes])
      .flatMap((node) => [...(node.querySelectorAll?.(".words") ?? [])]).map((each) => each.textContent);
    if (!words.length) return;
    requestAnimationFrame(() => {
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = () => {
        const at = performance.now();
        for (const each of words) if (!seen.has(each)) seen.set(each, at);
      };
      port2.postMessage(null);
    });
  }).observe(document.getElementById("messages"), { childList: true, subtree: true });
});
new PerformanceObserver((list) => {
  for (const { startTime, duration } of list.getEntries()) frames.push({ startTime, duration });
}).observe({ type: "long-animation-frame" });
"""


class Speaker:
    """Somebody who writes by POST, each time over the same connection."""

    def __init__(self, server: rig.Running) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        origin = f"http://127.0.0.1:{server.port}"
        cookie = rig.guest(server, "speaker")
        self._headers = {"Content-Type": "application/json", "Cookie": cookie, "Origin": origin}

    def say(self, body: str) -> None:
        draft = json.dumps({"body": body, "client_id": uuid.uuid4().hex})
        path = f"/api/rooms/{rig.ROOM}/messages"
        self._connection.request("POST", path, draft.encode(), self._headers)
        answer = self._connection.getresponse()
        said = answer.read()
        if answer.status != 201:
            raise rig.RigError(f"POST answered {answer.status}: {said[:200]!r}")


def main() -> int:
    options = _options()
    server_core, browser_core = rig.prepare()
    os.sched_setaffinity(0, {browser_core})
    with rig.chatapp(server_core) as server, sync_playwright() as playwright:
        speaker = Speaker(server)
        for number in range(options.messages):
            speaker.say(f"message {number} of those that were there before")
        browser = playwright.chromium.launch(executable_path=_browser(options.browser), args=ARGUMENTS)
        page = _open(browser.new_context(base_url=f"http://127.0.0.1:{server.port}").new_page(), server)
        _scroll_through(page)
        own = [_own(page, f"mine, number {number}") for number in range(options.times)]
        others = [_others(page, speaker, f"theirs, number {number}") for number in range(options.times)]
        long_frames, shown = _stream(page, speaker, options.rate, options.seconds)
        browser.close()
    print(
        f"{options.messages:,} messages in the room; ms (median, 95th percentile, worst of {options.times})"
    )
    met = [_tell("key to paint of one's own message", own), _tell("wire to paint of another's", others)]
    said = ", ".join(f"{each:.0f}" for each in long_frames) or "none"
    print(
        f"{options.rate} messages a second for {options.seconds} s, {shown} shown: "
        f"frames over {LONG_FRAME_MS:.0f} ms: {said}"
    )
    return 0 if all(met) and not long_frames else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--messages", type=int, default=10_000, help="that are there before")
    parser.add_argument("--times", type=int, default=200, help="how often each is measured")
    parser.add_argument("--rate", type=int, default=60, help="messages a second")
    parser.add_argument("--seconds", type=int, default=10, help="of them")
    parser.add_argument("--browser", help="path of Chromium")
    return parser.parse_args()


def _browser(given: str | None) -> str:
    found = given or next((path for path in BROWSERS if os.path.exists(path)), None)
    if found is None:
        raise rig.RigError("there is no Chromium: name it with --browser")
    return found


def _open(page: Page, server: rig.Running) -> Page:
    origin = f"http://127.0.0.1:{server.port}"
    page.request.post("/guests", data={"name": "reader"}, headers={"Origin": origin})
    page.add_init_script(WATCH)
    page.goto(f"/chats/{rig.ROOM}/")
    page.locator("#state", has_text="Live").wait_for()
    return page


def _scroll_through(page: Page) -> None:
    """As who has read far back and come down again: as many rows are on the page as there ever are."""
    for _ in range(12):
        page.evaluate("document.getElementById('log').scrollTop = -1e9")
        page.wait_for_timeout(150)
    page.locator("#jump").click()
    page.locator("#messages > .message").last.wait_for()
    page.wait_for_timeout(500)


def _own(page: Page, words: str) -> float:
    page.locator("#composer textarea").fill(words)
    page.keyboard.press("Enter")
    _until_seen(page, words)
    return float(page.evaluate("words => seen.get(words) - pressed.get(words)", words))


def _others(page: Page, speaker: Speaker, words: str) -> float:
    speaker.say(words)
    _until_seen(page, words)
    return float(page.evaluate("words => seen.get(words) - came.get(words)", words))


def _stream(page: Page, speaker: Speaker, rate: int, seconds: int) -> tuple[list[float], int]:
    """The durations of frames that took too long while messages came in, and how many showed."""
    since = page.evaluate("performance.now()")
    count = rate * seconds
    failed: list[BaseException] = []

    def speak() -> None:
        begun = time.monotonic()
        try:
            for number in range(count):
                time.sleep(max(0.0, begun + number / rate - time.monotonic()))
                speaker.say(f"one of many, number {number}")
        except BaseException as error:
            failed.append(error)

    speaking = threading.Thread(target=speak)
    speaking.start()
    speaking.join()
    if failed:
        raise failed[0]
    _until_seen(page, f"one of many, number {count - 1}")
    shown = page.evaluate("[...seen.keys()].filter(words => words.startsWith('one of many')).length")
    if shown != count:
        raise rig.RigError(f"of {count} messages {shown} showed")
    found = page.evaluate(
        "since => frames.filter(({startTime}) => startTime >= since).map(({duration}) => duration)", since
    )
    return [each for each in found if each > LONG_FRAME_MS], shown


def _until_seen(page: Page, words: str) -> None:
    deadline = time.monotonic() + PATIENCE_MS / 1000
    while not page.evaluate("words => seen.has(words)", words):
        if time.monotonic() > deadline:
            raise rig.RigError(f"did not show: {words!r}")
        time.sleep(0.005)


def _tell(what: str, taken: Sequence[float]) -> bool:
    at_95 = statistics.quantiles(taken, n=20)[-1]
    print(f"{what:40} {statistics.median(taken):6.1f} {at_95:6.1f} {max(taken):6.1f}   aim: p95 {AIM_MS:.0f}")
    return at_95 <= AIM_MS


if __name__ == "__main__":
    try:
        sys.exit(main())
    except rig.RigError as error:
        print(f"chatapp: {error}", file=sys.stderr)
        sys.exit(2)
