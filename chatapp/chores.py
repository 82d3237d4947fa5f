"""Chores: what each process does again and again, beside what it serves."""

import logging
from collections.abc import Callable

import gevent

from chatapp.errors import ChatError


def every(seconds: float, chore: Callable[[], object], log: logging.Logger, failed: str) -> None:
    """Do `chore` after each `seconds`, for ever, whatever became of it before. `failed`: what `log` says of a
    fault of ours. Switches.
    """
    while True:
        gevent.sleep(seconds)
        try:
            chore()
        except ChatError:  # the journal has said why; the next time tries again
            pass
        except Exception:
            log.exception(failed)
