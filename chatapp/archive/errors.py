"""Why an export or a backup is not made, or not taken."""

from collections.abc import Callable
from contextlib import AbstractContextManager

# Begins something of so many parts (its name, how many); what it gives is told how many more are done.
Progress = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]


class Refused(Exception):
    """The message is one line for whoever sits at the terminal. Nothing was changed."""
