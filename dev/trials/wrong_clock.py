"""A module run by a clock that is wrong: `python -m dev.trials.wrong_clock SECONDS MODULE [ARGUMENT]...` (negative:
behind).

What the portal asks for the time (`django.utils.timezone.now`, `time.time`) is wrong in this process and its children;
other machines' clocks, as the database's, are not.
"""

import runpy
import sys
import time
from datetime import timedelta


def shift(by: timedelta) -> None:
    from django.utils import timezone

    now, seconds = timezone.now, time.time
    timezone.now = lambda: now() + by
    time.time = lambda: seconds() + by.total_seconds()


if __name__ == "__main__":
    shift(timedelta(seconds=float(sys.argv[1])))
    sys.argv = sys.argv[2:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
