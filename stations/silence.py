"""PURE: how long may a station be silent before somebody should look?

Three times as long as it usually is, at least a quarter of an hour, at most a week. Usual is its longest silence, and
forgets by a sixteenth each time it is heard: a station that was away for a day is soon measured by its everyday again,
and one that reports only when somebody charges is not called silent each night.
"""

from datetime import datetime, timedelta

TIMES = 3
FORGETS = 16
AT_LEAST, AT_MOST = timedelta(minutes=15), timedelta(days=7)
SILENT_AFTER = timedelta(hours=24)  # while nothing is known of its usual silence


def usual_s(before_s: int | None, silence: timedelta) -> int:
    """The usual silence in seconds, after one more of this length."""
    now_s = max(int(silence.total_seconds()), 0)
    return max(now_s, before_s - before_s // FORGETS) if before_s else now_s


def expected_by(heard_at: datetime, usual: int | None) -> datetime:
    """When a station that was heard at that moment should have been heard again."""
    if usual is None:
        return heard_at + SILENT_AFTER
    return heard_at + min(max(TIMES * timedelta(seconds=usual), AT_LEAST), AT_MOST)
