"""Texts of a few emoji alone, which are shown larger. static/js/markup.js has the same grammar."""

import re

# One of them: two letters of a flag, or pictures that are joined.
_PICTURE = (
    "(?:[\U0001f300-\U0001faff\U0001f004\U0001f0cf\U0001f18e\U0001f191-\U0001f19a\u231a\u231b\u23e9-\u23ec\u23f0\u23f3"
    "\u2614\u2615\u2648-\u2653\u267f\u2693\u26a1\u26bd\u26be\u26c4\u26c5\u26d4\u26ea\u26f2\u26f3\u26f5\u26fa\u26fd\u2705"
    "\u270a\u270b\u2728\u274c\u274e\u2753-\u2755\u2757\u2795-\u2797\u2b1b\u2b1c\u2b50\u2b55]\ufe0f?"
    "|[\u203c-\u3299]\ufe0f)[\U0001f3fb-\U0001f3ff]?"
)
ONE = f"(?:[\U0001f1e6-\U0001f1ff]{{2}}|{_PICTURE}(?:\u200d{_PICTURE})*)"
FEW = re.compile(rf"{ONE}(?:\s?{ONE}){{0,2}}\Z")


def are_few(body: str) -> bool:
    """Whether a text is one to three emoji and nothing else: it is shown larger."""
    return FEW.match(body.strip()) is not None
