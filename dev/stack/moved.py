"""The demo's copy of the real sessions, moved so that the last one ends yesterday: a portal without a charge of this
year shows little.

The data set of data/ is not touched. The copy keeps its dates and costs in columns of their own (`createdPublished`,
`endedPublished`, `dollarsPublished`), its name says what was done, and each session names the import of that file.
Where the data set says 0 dollars, the copy has the demo's price. It is made once: recorded sessions do not move.
"""

import csv
import io
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

from dev.common.files import replace

PRICE_PER_KWH = Decimal("0.32")
FORMAT = "%Y-%m-%d %H:%M:%S"
CENT = Decimal("0.01")
COPIED = ("sessionId", "kwhTotal", "chargeTimeHrs", "userId", "stationId", "locationId", "facilityType")
CHANGED = ("created", "ended", "dollars")


def moved_copy(source: Path, folder: Path, *, yesterday: date, zone: ZoneInfo) -> Path:
    """Write the copy into `folder`; returns its path, whose name says by how many days it was moved."""
    with source.open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    days = yesterday - max(_local(row["ended"]).date() for row in rows)
    text = io.StringIO()
    writer = csv.DictWriter(text, [*COPIED, *CHANGED, *(f"{name}Published" for name in CHANGED)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(_moved(row, days, zone) for row in rows)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{source.stem} moved by {days.days} days, priced.csv"
    replace(path, text.getvalue())
    return path


def _moved(row: dict[str, str], days: timedelta, zone: ZoneInfo) -> dict[str, str]:
    """Whole days on the site's clock; the charge lasts as long as it did, also where clocks are changed meanwhile."""
    begun = (_local(row["created"]) + days).replace(tzinfo=zone).timestamp()  # an hour that is left out: the next one
    ended = begun + float(row["chargeTimeHrs"]) * 3600
    priced = (Decimal(row["kwhTotal"]) * PRICE_PER_KWH).quantize(CENT, ROUND_HALF_UP)
    changed = {
        "created": f"{datetime.fromtimestamp(begun, zone):{FORMAT}}",
        "ended": f"{datetime.fromtimestamp(round(ended), zone):{FORMAT}}",
        "dollars": row["dollars"] if Decimal(row["dollars"]) else str(priced),
    }
    kept = {f"{name}Published": row[name] for name in CHANGED}
    return {name: row[name] for name in COPIED} | changed | kept


def _local(text: str) -> datetime:
    """The data set writes 0014 and 0015 for 2014 and 2015."""
    return datetime.strptime(f"20{text[2:]}", FORMAT)
