"""close_to_irreversible_p95_s: seconds from closing one session until its row says IRREVERSIBLE in the database.

Method: worker and beat run, the system is otherwise idle. One session at a time is started and closed through the
services that stations use; the clock runs from the return of the closing transaction until a query (every 20 ms) finds
the entry's transaction IRREVERSIBLE. A random pause before each session spreads them over block and beat intervals.
"""

import random
import time
from argparse import Namespace
from uuid import UUID

from bench.stage import in_portal, options, perform
from dev.common.processes import port_open, wait_until
from dev.common.progress import bar
from dev.trials.portal_stack import PortalStack

POLL_S = 0.02
TIMEOUT_S = 60.0
WARM_UP = 3  # the worker's first task pays for connections, tokens and imports


def measure(stack: PortalStack, chosen: Namespace) -> list[float]:
    from dev.trials.sample_sessions import Sessions

    rng = random.Random(1)
    sessions = Sessions(rng)
    stack.worker.start()
    stack.beat.start()
    stack.worker.wait_ready(lambda: "ready." in stack.worker.log_tail() and port_open(stack.redis.port), timeout_s=60)
    samples = []
    with bar(chosen.count + WARM_UP, "closing one by one", " sessions") as progress:
        for _ in range(chosen.count + WARM_UP):
            time.sleep(rng.uniform(0.2, 1.2))
            samples.append(until_irreversible(sessions.close_one().pk))
            progress.update()
    return samples[WARM_UP:]


def until_irreversible(session_id: UUID) -> float:
    from ledger.models import ChainTransaction, LedgerEntry

    begun = time.monotonic()
    status = ChainTransaction.Status.IRREVERSIBLE
    entries = LedgerEntry.objects.filter(session_id=session_id, transaction__status=status)
    if not wait_until(entries.all().exists, TIMEOUT_S, poll_s=POLL_S):
        raise TimeoutError(f"session {session_id} was not irreversible after {TIMEOUT_S:g} s")
    return time.monotonic() - begun


if __name__ == "__main__":
    perform(options(__doc__, count=60, what="sessions", portal=True), in_portal(measure))
