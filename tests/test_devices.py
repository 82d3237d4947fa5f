"""What a browser is called where somebody sees their sessions."""

import pytest

from chatapp.security.devices import LIMIT, device_of

MOZILLA = "Mozilla/5.0"
WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"


@pytest.mark.parametrize(
    ("says", "is_called"),
    [
        (f"{MOZILLA} (X11; Linux x86_64) {WEBKIT} Chrome/141.0.0.0 Safari/537.36", "Chrome on Linux"),
        (f"{MOZILLA} (Windows NT 10.0; Win64; x64) {WEBKIT} Chrome/141.0 Safari/537.36 Edg/141.0", "Edge on Windows"),
        (f"{MOZILLA} (Macintosh; Intel Mac OS X 14.6; rv:143.0) Gecko/20100101 Firefox/143.0", "Firefox on Mac"),
        (f"{MOZILLA} (iPhone; CPU iPhone OS 18_6 like Mac OS X) {WEBKIT} Version/18.6 Mobile/15E148 Safari/604.1",
         "Safari on iPhone"),
        (f"{MOZILLA} (Linux; Android 10; K) {WEBKIT} Chrome/141.0.0.0 Mobile Safari/537.36", "Chrome on Android"),
        ("curl/8.14.1", "curl/8.14.1"),
        ("x" * 500, "x" * LIMIT),
        ("\x1b[2J\u202e", "[2J"),
        ("", "An unknown client"),
    ],
)  # fmt: skip
def test_a_session_is_called_after_its_browser_and_its_system(says: str, is_called: str) -> None:
    assert device_of(says) == is_called
