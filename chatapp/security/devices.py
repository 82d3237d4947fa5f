"""What a browser is called in the list of sessions, from its User-Agent."""

import re

from chatapp.errors import Term

# The first that is found counts: Edge and Opera say that they are Chrome, and Chrome says that it is Safari.
BROWSERS = {"Edg": "Edge", "OPR": "Opera", "Firefox": "Firefox", "Chrome": "Chrome", "Safari": "Safari"}
SYSTEMS = {
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Android": "Android",
    "Windows": "Windows",
    "Mac OS": "Mac",
    "CrOS": "ChromeOS",
    "Linux": "Linux",
}
LIMIT = 60
UNKNOWN = str(Term("An unknown client"))


def device_of(user_agent: str) -> str:
    """`Firefox on Linux`, or the beginning of what the client says it is."""
    browser = next((name for word, name in BROWSERS.items() if f"{word}/" in user_agent), "")
    system = next((name for word, name in SYSTEMS.items() if word in user_agent), "")
    if browser and system:
        return f"{browser} on {system}"
    plain = re.sub(r"[^\x20-\x7e]", "", user_agent)[:LIMIT].strip()
    return browser or system or plain or UNKNOWN
