"""A real browser, one for the whole suite."""

import os
import time
from collections.abc import Iterator
from typing import Any

import pytest
from playwright._impl.frame import Frame
from playwright.sync_api import Browser, expect, sync_playwright

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
HEADLESS = os.environ.get("CHROMIUM_HEADLESS", CHROMIUM)  # the same without windows, if there is one
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # A page that a test hands over itself has no address, and might not open a socket to this machine.
    "--disable-features=LocalNetworkAccessChecks",
]
PATIENCE = 20_000  # milliseconds: how long anything may take before a test gives up; never how long it should

# Playwright looks again after 20 ms, 50 ms, 100 ms, 100 ms, and from then on each half second, but for a time-out of
# less than two and a half seconds each 100 ms: an expectation is one of those until it is given up.
OFTEN = 2_400  # milliseconds
_expect = Frame._expect


async def _expect_often(frame: Frame, selector: Any, expression: Any, options: Any, title: Any) -> Any:
    end = time.monotonic() + options["timeout"] / 1000
    while True:
        left = (end - time.monotonic()) * 1000
        answer = await _expect(
            frame, selector, expression, {**options, "timeout": min(OFTEN, max(left, 1))}, title
        )
        if not answer.get("timedOut") or left <= OFTEN:
            return answer


Frame._expect = _expect_often  # type: ignore[method-assign]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=HEADLESS, args=ARGUMENTS)
        yield browser
        browser.close()
