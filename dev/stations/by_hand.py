"""The same station for tests that are not async, as those that look into the database: it lives in a thread.

with by_hand(url, "CP-1", credential, "2.0.1") as cp:
    cp.start("35897499")
"""

import asyncio
import inspect
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

from dev.stations.charger import Charger, charger

CALL_S = 60.0


class ByHand:
    """A Charger whose methods return what they would return when awaited."""

    def __init__(self, hand: Charger, loop: asyncio.AbstractEventLoop) -> None:
        self.hand, self.loop = hand, loop

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.hand, name)
        if not inspect.ismethod(found):
            return found
        return lambda *given, **named: self.done(found, *given, **named)

    def done(self, what: Any, *given: Any, **named: Any) -> Any:
        """Do something in the station's thread, such as `cp.done(cp.station.call, "Heartbeat", {})`."""

        async def called() -> Any:
            returned = what(*given, **named)
            return await returned if inspect.isawaitable(returned) else returned

        return asyncio.run_coroutine_threadsafe(called(), self.loop).result(CALL_S)


@contextmanager
def by_hand(*given: Any, **told: Any) -> Iterator[ByHand]:
    """What `charger` takes; raises what it raises."""
    ready: Future[tuple[Charger, asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def live() -> None:
        ended = asyncio.Event()
        try:
            async with charger(*given, **told) as one:
                ready.set_result((one, asyncio.get_running_loop(), ended))
                await ended.wait()
        except Exception as error:  # whatever it is, the test is told of it
            if ready.done():
                raise
            ready.set_exception(error)

    thread = threading.Thread(target=lambda: asyncio.run(live()), daemon=True)
    thread.start()
    one, loop, ended = ready.result(CALL_S)
    try:
        yield ByHand(one, loop)
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join(CALL_S)
