"""import_sessions_per_s: sessions a second from a CSV file into the database, with their open ledger entries.

Method: the real file (data/workplace_charging_sessions.csv) is repeated with other session ids until it has the wanted
length. `manage.py import_sessions FILE` runs as a process of its own on an empty database; a sample is the number of
rows over the seconds of the whole process, its start included. Three runs, each with other ids, into one growing table.
Redis hears of the new entries; no worker runs.
"""

import csv
import subprocess
import sys
import time
from argparse import Namespace
from pathlib import Path

from bench.stage import in_portal, options, perform
from dev.common.progress import bar
from dev.parts.tpm_service import ROOT
from dev.trials.portal_stack import PortalStack

SOURCE = ROOT / "data" / "workplace_charging_sessions.csv"
RUNS = 3
SESSION_ID_STEP = 10_000_000  # larger than any id of the file


def measure(stack: PortalStack, chosen: Namespace) -> list[float]:
    from ledger.models import LedgerEntry

    samples = []
    with bar(RUNS, "importing", " files") as progress:
        for run in range(RUNS):
            path = stack.directory / f"sessions-{run}.csv"
            write_longer(path, rows=chosen.count, first_copy=1 + run * 1000)
            begun = time.monotonic()
            command = [sys.executable, "manage.py", "import_sessions", str(path), "--time-zone", "America/New_York"]
            subprocess.run(command, cwd=ROOT, env=stack.worker.env, stdout=subprocess.DEVNULL, check=True)
            samples.append(chosen.count / (time.monotonic() - begun))
            progress.update()
    if (entries := LedgerEntry.objects.count()) != RUNS * chosen.count:
        raise RuntimeError(f"expected {RUNS * chosen.count} ledger entries, got {entries}")
    return samples


def write_longer(path: Path, *, rows: int, first_copy: int) -> None:
    """Write `rows` rows of the real file, copy after copy, each with session ids of its own."""
    with SOURCE.open(newline="") as source:
        reader = csv.DictReader(source)
        real = list(reader)
        names = list(reader.fieldnames or [])
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        for number in range(rows):
            copy, row = divmod(number, len(real))
            session_id = int(real[row]["sessionId"]) + (first_copy + copy) * SESSION_ID_STEP
            writer.writerow({**real[row], "sessionId": session_id})


if __name__ == "__main__":
    perform(options(__doc__, count=50_000, what="rows of the file", portal=True), in_portal(measure))
