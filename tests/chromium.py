"""A real browser, one for the whole suite."""

import os
from collections.abc import Iterator

import pytest
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


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=HEADLESS, args=ARGUMENTS)
        yield browser
        browser.close()
