"""Passwords: hashed with argon2id in native threads, and refused where they are common."""

from typing import Any

import zxcvbn
from flask import current_app
from flask_security import PasswordUtil
from flask_security.utils import hash_password
from gevent.lock import BoundedSemaphore
from passlib.context import CryptContext

from chatapp.errors import BadRequest, Term
from chatapp.localized import gettext
from chatapp.threads import in_thread

AT_ONCE = 2
# What OWASP's password storage cheat sheet asks of argon2id at least: KiB, passes, threads.
ARGON2 = {"argon2__memory_cost": 19_456, "argon2__time_cost": 2, "argon2__parallelism": 1}
LEAST_SCORE = 2  # of 4: somewhat guessable, 10^6 to 10^8 guesses
LOOKED_AT = 72  # characters that the estimate takes; what is longer and begins well is no worse
TOO_COMMON = Term(
    "That password is too easy to guess: several words that do not belong together make a good one"
)

_turns = BoundedSemaphore(AT_ONCE)


class HashesInThreads:
    """The library's hashing context. While a hash is computed the hub goes on, and so do the database's
    threads, which are the same ones: only AT_ONCE of them hash, or estimate how good a password is.
    """

    def __init__(self, context: CryptContext) -> None:
        self._context = context

    def hash(self, secret: str | bytes, **options: Any) -> str:
        with _turns:
            return in_thread(lambda: str(self._context.hash(secret, **options)))

    def verify(self, secret: str | bytes, hash: str) -> bool:
        with _turns:
            return in_thread(lambda: bool(self._context.verify(secret, hash)))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)


class Passwords(PasswordUtil):
    """What may be a password: 8 to 128 characters, and not one of those that are tried first."""

    def validate(self, password: str, is_register: bool, **kwargs: Any) -> tuple[list[str] | None, str]:
        refusals, normal = super().validate(password, is_register, **kwargs)
        if refusals:
            return refusals, normal
        user = kwargs.get("user")
        own = [current_app.config["SECURITY_TOTP_ISSUER"], getattr(user, "username", kwargs.get("username"))]
        known = [word for word in own if word]
        with _turns:  # it takes as long as a hash, and the interpreter's lock with it
            estimate = in_thread(lambda: zxcvbn.zxcvbn(normal[:LOOKED_AT], user_inputs=known))
        return ([gettext(TOO_COMMON)] if estimate["score"] < LEAST_SCORE else None), normal


def hash_new(password: str, name: str) -> str:
    """The hash of a new password of somebody called `name`. Switches. Raises BadRequest."""
    refusals, normal = Passwords(current_app).validate(password, True, username=name)
    if refusals:
        raise BadRequest(str(refusals[0]))
    return str(hash_password(normal))
