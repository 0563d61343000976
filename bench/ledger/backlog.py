"""backlog_100k_s: seconds until 100,000 closed sessions with open ledger entries are all IRREVERSIBLE.

Method: the sessions are closed in bulk, 1,000 a database transaction, while no worker runs (not counted). The clock
runs from starting the Celery worker (2 processes, as `make demo` has) and beat until the last row says IRREVERSIBLE:
their start, batching, sealing, signing by swtpm over REST, sending, confirming. One run is one sample. Afterwards the
contract's own count must be the number of sessions.
"""

import random
import time
from argparse import Namespace

from bench.stage import in_portal, options, perform
from dev.common.progress import bar
from dev.trials.portal_stack import PortalStack

POLL_S = 0.25
TIMEOUT_S = 1200.0


def measure(stack: PortalStack, chosen: Namespace) -> list[float]:
    from dev.trials.sample_sessions import Sessions
    from ledger.chain.node import chain

    with bar(chosen.count, "closing", " sessions") as progress:
        for closed in Sessions(random.Random(1), stations=100, tokens=2000).close_many(chosen.count):
            progress.update(closed)
    begun = time.monotonic()
    stack.worker.start()
    stack.beat.start()
    with bar(chosen.count, "irreversible", " sessions") as progress:
        while (done := recorded(chosen.count)) < chosen.count:
            progress.update(done - progress.n)
            if time.monotonic() - begun > TIMEOUT_S:
                raise TimeoutError(f"{done} of {chosen.count} sessions after {TIMEOUT_S:g} s; see {stack.worker.log}")
            time.sleep(POLL_S)
        seconds = time.monotonic() - begun
        progress.update(chosen.count - progress.n)
    count = chain().state().count
    if count != chosen.count:
        raise RuntimeError(f"expected {chosen.count} rows on the chain, got {count}")
    return [seconds]


def recorded(total: int) -> int:
    """About how many entries are irreversible: exactly `total` when all are. Counting rows would take the CPU."""
    from django.conf import settings

    from ledger.models import ChainTransaction, LedgerEntry

    status = ChainTransaction.Status
    unfinished = ChainTransaction.objects.filter(status__in=ChainTransaction.UNFINISHED)
    if not unfinished.exists() and not LedgerEntry.objects.exclude(transaction__status=status.IRREVERSIBLE).exists():
        return total
    done = ChainTransaction.objects.filter(status=status.IRREVERSIBLE).count() * settings.LEDGER_BATCH_MAX
    return min(done, total - 1)


if __name__ == "__main__":
    perform(options(__doc__, count=100_000, what="sessions", portal=True), in_portal(measure))
