"""The clock of this machine, against the database's and against the newest message."""

import time
from contextlib import closing

from sqlalchemy import Engine, text

from chatapp.doctor.finding import Findings, error, warning
from chatapp.journal.databases import is_postgres

TOLERANCE = 2.0  # seconds


def examine(engine: Engine) -> Findings:
    """Of a database with this program's tables."""
    with closing(engine.connect()) as connection:
        newest = (connection.scalar(text("SELECT max(last_at) FROM rooms")) or 0) / 1e6
        yield from judge_newest(newest, time.time())
        if is_postgres(engine):
            before = time.time()
            theirs = float(connection.scalar(text("SELECT extract(epoch FROM clock_timestamp())")) or 0)
            yield from judge_theirs(theirs, before, time.time())


def judge_newest(newest: float, now: float) -> Findings:
    """`newest`: when the newest message was kept."""
    if newest > now + TOLERANCE:
        yield error(
            "clock-behind",
            f"the newest message is {newest - now:.0f} s younger than this machine's clock",
            "the clock went back, or went ahead before: until then all that is said has that message's "
            "time, and what is to end in the meantime ends late",
            "timedatectl set-ntp true; if the clock is right now, it passes in that time",
        )


def judge_theirs(theirs: float, before: float, after: float) -> Findings:
    """`before` and `after`: this machine's time when the other one was asked, and when it had answered."""
    off = max(before - theirs, theirs - after)
    if off > TOLERANCE:
        yield warning(
            "clocks-differ",
            f"the database's clock and this machine's are {off:.0f} s apart",
            "messages have this machine's time: after a change of machines they would stand still in time",
            "timedatectl set-ntp true on both machines",
        )
