"""The keys that sign cookies and encrypt second factors: who may read them, who could guess them."""

import os
import stat

from chatapp import keys
from chatapp.config import Config
from chatapp.doctor.finding import Findings, error
from chatapp.errors import SetupError

LEAST_DIFFERENT = 8  # characters; of 64 random hexadecimal ones there are fewer once in 10^13 keys
NEW = {
    keys.NAME: "flask keys rotate --forget",
    keys.FACTORS: "remove it and restart the server: who has a second factor has to set it up anew",
}


def examine(config: Config) -> Findings:
    for name in keys.NAMES:
        path = config.path(name)
        if os.path.exists(path):
            yield from _readers(path)
            yield from _strength(path, name)


def _readers(path: str) -> Findings:
    if stat.S_IMODE(os.stat(path).st_mode) & (stat.S_IRWXG | stat.S_IRWXO):
        yield error(
            "key-readable",
            f"other users of this machine may read {path}",
            "who has the keys can be anybody on this server",
            f"chmod 600 {path}; if anybody may have read it, {NEW[keys.NAME]}",
        )


def _strength(path: str, name: str) -> Findings:
    try:
        weak = min(len(set(key)) for key in keys.read(path)) < LEAST_DIFFERENT
        said = f"a key in {path} can be guessed: it has hardly any different characters"
    except SetupError:
        weak, said = True, f"a key in {path} is too short: at least {keys.LEAST} characters"
    except OSError as refused:
        weak, said = True, f"{path} cannot be read ({refused.strerror})"
    if weak:
        yield error("weak-key", said, "who guesses it can be anybody on this server", NEW[name])
