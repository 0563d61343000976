"""audit_rolling_core_percent: what the audit that runs by itself takes of one core, in percent.

Method: 100,000 recorded sessions as in bench/audit.py, all compared once already. The beat's work (newest, and a slice
of everything) is done as often as in ten minutes, without waiting in between; the CPU seconds of this process and of
PostgreSQL, over the seconds that the beats would have taken. Each minute's beats are one sample.
"""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.audit import recorded
from bench.stage import plain_options, write

BEAT_S = 5
MINUTE = 60 // BEAT_S
MINUTES = 10


def cpu_s(directory: Path) -> float:
    """Of this process and of every PostgreSQL process of this directory."""
    times = os.times()
    ticks = sum(_ticks(pid) for pid in _postgres(directory))
    return times.user + times.system + ticks / os.sysconf("SC_CLK_TCK")


def _postgres(directory: Path) -> Iterator[int]:
    """The server, and whatever it started and has gone since (a parent counts its children that ended)."""
    first = int((directory / "postgres" / "data" / "postmaster.pid").read_text().splitlines()[0])
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rsplit(") ", 1)[1].split()
        except OSError:
            continue
        if int(path.parent.name) == first or int(fields[1]) == first:
            yield int(path.parent.name)


def _ticks(pid: int) -> int:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    except OSError:
        return 0
    return sum(int(fields[index]) for index in (11, 12, 13, 14))


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


def main() -> None:
    chosen = plain_options(__doc__, count=100_000, what="sessions").parse_args()
    with tempfile.TemporaryDirectory(prefix="evp-") as name:
        directory = Path(name)
        with recorded(directory, chosen.count):
            found = list(samples(directory))
    write(chosen.out, found)


if __name__ == "__main__":
    main()
