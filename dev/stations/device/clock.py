"""A station's clock, which may run faster than the world's, stand still until it is told, or be wrong."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

NEAR_S = 2.0  # a clock so near the CSMS's is not set: it would go backwards now and then


class Clock:
    """Seconds since 1970, as the station believes; `error` is by how much what it writes is off.

    `speed` 60 lets a minute pass in a second, from `start` on. With 0 it stands still, and only `advance` moves it.
    """

    def __init__(self, start: datetime | None = None, speed: float = 1.0) -> None:
        self.speed = speed
        self.error = timedelta()
        self.zone = True  # without it times are written without any
        self._follows = speed == 1.0 and start is None
        self._base = start.timestamp() if start else time.time()
        self._since = time.monotonic()

    def now(self) -> float:
        """What time it is to the station."""
        return self._base + (time.monotonic() - self._since) * self.speed

    def advance(self, seconds: float) -> None:
        """Let so much time pass at once."""
        self._base += seconds

    def adopt(self, text: str) -> None:
        """Set it by what the CSMS says; a clock that tests move does not listen."""
        told = read_time(text)
        if self._follows and not self.error and abs(told - self.now()) > NEAR_S:
            self._base, self._since = told, time.monotonic()

    def wrong(self, *, hours: float = 0.0, at: datetime | None = None, zone: bool = True) -> None:
        """From now on it is off by hours, or began to count `at` (1970, say), or writes no zone."""
        self.error = timedelta(hours=hours) if at is None else timedelta(seconds=at.timestamp() - self.now())
        self.zone = zone

    def text(self, moment: float | None = None) -> str:
        """A moment, or now, as this station writes it, to the millisecond."""
        shown = datetime.fromtimestamp(self.now() if moment is None else moment, UTC) + self.error
        written = shown.isoformat(timespec="milliseconds")[: -len("+00:00")]
        return written + ("Z" if self.zone else "")

    async def sleep(self, seconds: float) -> None:
        """Wait until so much time has passed on this clock; one that stands still waits as long by the world's."""
        await asyncio.sleep(seconds / (self.speed or 1.0))


def read_time(text: str) -> float:
    """A time that a CSMS wrote; without zone it is UTC."""
    read = datetime.fromisoformat(text)
    return (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()
