"""PURE: how long a charge took, as a file states it beside its times."""

from datetime import timedelta
from typing import NamedTuple


class Lasted(NamedTuple):
    """What a file says lay between start and stop; `whole`: all of it, else a part such as the charging itself."""

    seconds: float
    tolerance: float
    whole: bool
    column: str

    def fits(self, between: timedelta) -> bool:
        """Whether start and stop that lie so far apart can be those of this row."""
        apart = between.total_seconds() - self.seconds
        return apart >= -self.tolerance and (not self.whole or apart <= self.tolerance)
