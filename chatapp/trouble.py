"""Trouble that lasts: said when it begins, when its cause changes and when it is over, not each time."""

import logging


class Trouble:
    """`what` goes wrong, as the beginning of a line in `log`."""

    def __init__(self, log: logging.Logger, what: str) -> None:
        self._log, self._what = log, what
        self._cause = ""
        self._times = 0

    def tell(self, cause: str, times: int = 1) -> None:
        """It went wrong because of `cause`."""
        cause = " ".join(cause.split())  # some have several lines
        self._times += times
        if cause != self._cause:
            self._cause = cause
            self._log.error("%s: %s", self._what, cause)

    def over(self) -> None:
        """It went well."""
        if self._cause:
            self._log.warning("%s: that is over (count: %d)", self._what, self._times)
            self._cause, self._times = "", 0
