"""audit_rolling_core_percent: what the audit that runs by itself takes of one core, in percent.

Method: 100,000 recorded sessions as in audit.py, all compared once already. The beat's work (newest, and a slice
of everything) is done as often as in ten minutes, without waiting in between; the CPU seconds of this process and of
PostgreSQL, over the seconds that the beats would have taken. Each minute's beats are one sample.
"""

import os
from argparse import Namespace
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil

from bench.ledger.audit import recorded
from bench.stage import options, perform

BEAT_S = 5
MINUTE = 60 // BEAT_S
MINUTES = 10


def cpu_s(directory: Path) -> float:
    """Of this process and of every PostgreSQL process of this directory, also of those that have ended since."""
    server = psutil.Process(int((directory / "postgres" / "data" / "postmaster.pid").read_text().splitlines()[0]))
    found = psutil.Process().cpu_times()
    seconds = found.user + found.system
    for process in (server, *server.children()):
        with suppress(psutil.NoSuchProcess):
            seconds += sum(process.cpu_times()[:4])  # its own, and those of the children that it had
    return seconds


def samples(directory: Path) -> Iterator[float]:
    from django.conf import settings
    from django.utils import timezone

    from ledger.audit import watch
    from ledger.models import AuditRun, LedgerEntry

    settings.LEDGER_NODES = [os.environ["EVPORTAL_LEDGER_NODES"]]
    LedgerEntry.objects.update(checked_at=timezone.now())
    watch.watch()  # connections, what is read once
    for _ in range(MINUTES):
        begun = cpu_s(directory)
        for _ in range(MINUTE):
            watch.watch()
        yield 100 * (cpu_s(directory) - begun) / 60
    run = AuditRun.objects.get(kind=AuditRun.Kind.ROLLING)
    if not run.is_clean or run.done < MINUTES * MINUTE * watch.SLICE_LEAST:
        raise RuntimeError(f"expected a pass that goes on and finds nothing: {run.done} compared, {run.counts}")


def measure(chosen: Namespace, directory: Path) -> list[float]:
    with recorded(directory, chosen.count):
        return list(samples(directory))


if __name__ == "__main__":
    perform(options(__doc__, count=100_000, what="sessions"), measure)
