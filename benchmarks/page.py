"""How long from a key to one's own message on the screen, and from the wire to another's; what becomes of the
frames when sixty messages a second come in; what the same browser needs where there is next to nothing to do.

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
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import rig
from playwright.sync_api import Browser, Page, sync_playwright
from playwright.sync_api import Error as BrowserError

AIM_MS = 50.0
LONG_FRAME_MS = 50.0
PATIENCE_MS = 10_000
FILLING = 20  # messages at once, until the page has as many rows as it ever has
TRACED = 20  # of each, for what they cost
BROWSERS = ("/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome")
# Nothing may wait for a screen that is not there.
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
# The empty page comes from here and not over the wire, but may have a line to the server all the same.
ARGUMENTS.append("--disable-features=LocalNetworkAccessChecks")

# Notes when a message comes over the wire, when Enter is pressed, and when a row of its words is painted: the
# frame that shows it has ended by the time a task that was begun in it runs. Who waits for words is told,
# since asking again and again would be work for the same core.
WATCH = """
window.seen = new Map();
window.came = new Map();
window.pressed = new Map();
window.frames = [];
const waiting = new Map();
window.whenSeen = (words) => new Promise((tell) => seen.has(words) ? tell() : waiting.set(words, tell));
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
        for (const each of words) {
          if (!seen.has(each)) seen.set(each, at);
          waiting.get(each)?.();
          waiting.delete(each);
        }
      };
      port2.postMessage(null);
    });
  }).observe(document.getElementById("messages"), { childList: true, subtree: true });
});
new PerformanceObserver((list) => {
  for (const { startTime, duration } of list.getEntries()) frames.push({ startTime, duration });
}).observe({ type: "long-animation-frame" });
"""

# One row, without styles, that shows the newest message: less than that no page can do on this machine.
FLOOR = """<!doctype html><meta charset="utf-8"><title>Floor</title>
<p id="state">Connecting</p>
<ol id="messages"><li></li></ol>
<form id="composer"><textarea></textarea></form>
<script type="module">
const [row] = document.getElementById("messages").children;
function show(body) {
  const line = document.createElement("p");
  line.append(Object.assign(document.createElement("span"), { className: "words", textContent: body }));
  row.replaceChildren(line);
}
document.querySelector("textarea").addEventListener("keydown", (event) => {
  if (event.key !== "Enter") return;
  event.preventDefault();
  show(event.target.value);
  event.target.value = "";
});
const socket = new WebSocket(`ws://${location.host}/ws`, "chatapp.v1");
socket.onopen = () => socket.send(JSON.stringify({ type: "join", room: ROOM, after: -1 }));
socket.onmessage = ({ data }) => {
  const frame = JSON.parse(data);
  if (frame.type === "joined") document.getElementById("state").textContent = "Live";
  if (frame.type === "message") requestAnimationFrame(() => show(frame.body));
};
</script>
"""

# What a trace of Chromium calls the parts of its work on a page.
WORK = {
    "v8.callFunction": "script",
    "FunctionCall": "script",
    "EventDispatch": "script",
    "FireAnimationFrame": "script",
    "UpdateLayoutTree": "styles",
    "Layout": "layout",
    "PrePaint": "paint",
    "Paint": "paint",
    "Layerize": "paint",
    "Commit": "paint",
}
PARTS = ("script", "styles", "layout", "paint")
CATEGORIES = ["devtools.timeline", "disabled-by-default-devtools.timeline", "toplevel", "v8"]


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


@dataclass
class Measured:
    """Milliseconds."""

    own: list[float] = field(default_factory=list)
    others: list[float] = field(default_factory=list)
    long_frames: list[float] = field(default_factory=list)


def main() -> int:
    options = _options()
    server_core, browser_core = rig.prepare()
    os.sched_setaffinity(0, {browser_core})
    floor, room = Measured(), Measured()
    with rig.chatapp(server_core) as server, sync_playwright() as playwright:
        speaker = Speaker(server)
        for number in range(options.messages):
            speaker.say(f"message {number} of those that were there before")
        browser = playwright.chromium.launch(executable_path=_browser(options.browser), args=ARGUMENTS)
        # The floor before and after: a slow minute of the machine shows in it, too.
        halves = options.times - options.times // 2, options.times // 2
        _measure(_open(browser, server, "/floor"), speaker, floor, halves[0], options)
        page = _open(browser, server, f"/chats/{rig.ROOM}/")
        rows = _fill(page, speaker)
        nodes = page.evaluate("document.querySelectorAll('*').length")
        costs = _costs(browser, page, speaker, options.trace)
        _measure(page, speaker, room, options.times, options)
        _measure(_open(browser, server, "/floor"), speaker, floor, halves[1], options)
        browser.close()
    print(f"{options.messages:,} messages in the room, {rows} rows and {nodes:,} elements on the page")
    print(f"ms: median, 95th percentile, worst of {options.times}; an empty page with one row beside")
    met = [
        _tell("key to paint of one's own message", room.own, floor.own),
        _tell("wire to paint of another's", room.others, floor.others),
    ]
    print(f"{options.rate} messages a second for {options.seconds} s, all shown; ms of longer frames:")
    for what, each in (("room", room), ("empty page", floor)):
        said = ", ".join(f"{frame:.0f}" for frame in each.long_frames) or "none"
        print(f"  {what}: over {LONG_FRAME_MS:.0f}: {said}")
    print(f"CPU of the page's main thread for a message, ms, traced: {', '.join(PARTS)}, and all")
    for what, parts in costs.items():
        print(f"  {what:38} {' '.join(f'{parts[part]:6.1f}' for part in (*PARTS, 'all'))}")
    return 0 if all(met) and not room.long_frames else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--messages", type=int, default=10_000, help="that are there before")
    parser.add_argument("--times", type=int, default=200, help="how often each is measured")
    parser.add_argument("--rate", type=int, default=60, help="messages a second")
    parser.add_argument("--seconds", type=int, default=10, help="of them")
    parser.add_argument("--browser", help="path of Chromium")
    parser.add_argument("--trace", type=Path, help=f"where to put the performance trace of {TRACED} of each")
    return parser.parse_args()


def _browser(given: str | None) -> str:
    found = given or next((path for path in BROWSERS if os.path.exists(path)), None)
    if found is None:
        raise rig.RigError("there is no Chromium: name it with --browser")
    return found


def _open(browser: Browser, server: rig.Running, path: str) -> Page:
    origin = f"http://127.0.0.1:{server.port}"
    page = browser.new_context(base_url=origin).new_page()
    page.route("**/floor", lambda route: route.fulfill(body=_floor(), content_type="text/html"))
    page.request.post("/guests", data={"name": "reader"}, headers={"Origin": origin})
    page.add_init_script(WATCH)
    page.goto(path)
    page.locator("#state", has_text="Live").wait_for()
    return page


def _floor() -> str:
    return FLOOR.replace("ROOM", str(rig.ROOM))


def _fill(page: Page, speaker: Speaker) -> int:
    """Say things until rows go as others come; how many there were at most."""
    most = 0
    while True:
        for number in range(FILLING):
            speaker.say(words := f"one more row, number {most + number}")
        _until_seen(page, words)
        rows = page.locator("#messages > .message").count()
        if rows <= most:
            return most
        most = rows


def _measure(
    page: Page, speaker: Speaker, measured: Measured, times: int, options: argparse.Namespace
) -> None:
    """Measure on the page, and close it."""
    name = uuid.uuid4().hex[:6]
    for number in range(times):
        measured.own.append(_own(page, f"mine {name}, number {number}"))
        measured.others.append(_others(page, speaker, f"theirs {name}, number {number}"))
    measured.long_frames += _stream(page, speaker, options.rate, options.seconds)
    page.context.close()


def _own(page: Page, words: str) -> float:
    page.locator("#composer textarea").fill(words)
    page.keyboard.press("Enter")
    _until_seen(page, words)
    return float(page.evaluate("words => seen.get(words) - pressed.get(words)", words))


def _others(page: Page, speaker: Speaker, words: str) -> float:
    speaker.say(words)
    _until_seen(page, words)
    return float(page.evaluate("words => seen.get(words) - came.get(words)", words))


def _stream(page: Page, speaker: Speaker, rate: int, seconds: int) -> list[float]:
    """The durations of frames that took too long while messages came in, each of which showed."""
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
    return [each for each in found if each > LONG_FRAME_MS]


def _costs(browser: Browser, page: Page, speaker: Speaker, keep: Path | None) -> dict[str, dict[str, float]]:
    """What one message costs, by the parts of the work. Tracing costs as well: these are for comparing."""
    acts: dict[str, Callable[[str], float]] = {
        "one's own (with filling the field)": lambda words: _own(page, words),
        "another's": lambda words: _others(page, speaker, words),
    }
    costs = {}
    for what, act in acts.items():
        browser.start_tracing(page=page, categories=CATEGORIES)
        for number in range(TRACED):
            act(f"traced, {what}, number {number}")
        trace = browser.stop_tracing()
        if keep:
            keep.with_stem(f"{keep.stem}-{what.split()[0].partition(chr(39))[0]}").write_bytes(trace)
        costs[what] = _parts(json.loads(trace)["traceEvents"])
    return costs


def _parts(events: list[dict[str, Any]]) -> dict[str, float]:
    """CPU of main threads for a message, ms. What is called within a part is not counted to it as well."""
    main = {
        (each["pid"], each["tid"])
        for each in events
        if each["name"] == "thread_name" and each["args"]["name"] == "CrRendererMain"
    }
    parts: dict[str, float] = defaultdict(float)
    for thread in main:
        done = [each for each in events if (each["pid"], each["tid"]) == thread and "tdur" in each]
        open_: list[dict[str, Any]] = []
        for each in sorted(done, key=lambda each: (each["ts"], -each["dur"])):
            if each["name"] == "RunTask":
                parts["all"] += each["tdur"]
            if each["name"] not in WORK:
                continue
            while open_ and open_[-1]["ts"] + open_[-1]["dur"] <= each["ts"]:
                open_.pop()
            if open_:
                parts[WORK[open_[-1]["name"]]] -= each["tdur"]
            parts[WORK[each["name"]]] += each["tdur"]
            open_.append(each)
    return defaultdict(float, {part: spent / 1000 / TRACED for part, spent in parts.items()})


def _until_seen(page: Page, words: str) -> None:
    within = "new Promise((_, fail) => setTimeout(fail, ms))"
    try:
        page.evaluate(f"([words, ms]) => Promise.race([whenSeen(words), {within}])", [words, PATIENCE_MS])
    except BrowserError as error:
        raise rig.RigError(f"did not show: {words!r}") from error


def _tell(what: str, taken: Sequence[float], floor: Sequence[float]) -> bool:
    at_95 = _at_95(taken)
    print(
        f"  {what:34} {statistics.median(taken):6.1f} {at_95:6.1f} {max(taken):6.1f}"
        f" | {statistics.median(floor):6.1f} {_at_95(floor):6.1f} {max(floor):6.1f}   aim: p95 {AIM_MS:.0f}"
    )
    return at_95 <= AIM_MS


def _at_95(taken: Sequence[float]) -> float:
    return statistics.quantiles(taken, n=20)[-1]


if __name__ == "__main__":
    try:
        sys.exit(main())
    except rig.RigError as error:
        print(f"chatapp: {error}", file=sys.stderr)
        sys.exit(2)
