"""Our own CSV, as history, statements and the archive "My data" write it (portal/session/csv.py), in any language:
every session keeps its UUID, so a file of this very portal doubles nothing.
"""

import uuid

from common import strict_json
from common.csv_files import as_written
from stations.errors import ImportRowError
from stations.imports.formats.base import Cells, Table
from stations.imports.reading import values
from stations.imports.reading.row import Place, Row
from stations.metering.received import SignedText, signed_said
from stations.tariffs.currencies import is_currency

SIGNED_MAX = 1024 * 1024  # bytes of a cell
STATES = ("COMPLETED", "INVALID")


def _row(cells: Cells) -> Row:
    try:
        session = str(uuid.UUID(cells["session"]))
    except ValueError as error:
        raise ImportRowError("a UUID", values.shown(cells["session"]), field=cells.column("session")) from error
    status = cells["status"]
    if status not in STATES:
        raise ImportRowError(" or ".join(STATES), values.shown(status), field=cells.column("status"))
    if cells["energy"].startswith("-"):
        raise ImportRowError(
            "a charge, not a credit: credit the session itself", "a credit", field=cells.column("energy")
        )
    billed = status == "COMPLETED"
    site = as_written(cells.name("site"))
    currency = cells["currency"]
    if billed and cells["cost"] and not is_currency(currency):
        raise ImportRowError("a currency of ISO 4217", values.shown(currency), field=cells.column("currency"))
    return Row(
        line=cells.line,
        number=as_written(cells.name("number", values.NUMBER_MAX)),
        station=as_written(cells.name("station", 48)),
        place=Place(values.code(site, 36), site, currency, cells["zone"]),
        started=cells.instant("started"),
        stopped=cells.instant("stopped"),
        energy_wh=cells.units("energy", digits=0) if billed else None,
        cost_minor=cells.units("cost", digits=0) if billed and cells["cost"] else None,
        currency=currency if billed and cells["cost"] else "",
        evse=cells.units("evse", digits=0),
        connector=cells.units("connector", digits=0),
        session=session,
        flags=tuple(cells["flags"].split()),
        signed=_signed(cells),
    )


def _signed(cells: Cells) -> tuple[SignedText, ...]:
    """What the meter signed, as the record has it: a JSON list of texts with what is told of each."""
    if not (text := as_written(cells["signed"])):
        return ()
    column = cells.column("signed")
    try:
        told = strict_json.loads(text.encode(), most=SIGNED_MAX)
        return tuple(signed_said(one) for one in told)
    except (ValueError, AttributeError, TypeError) as error:
        raise ImportRowError("a JSON list of signed meter values", values.shown(text), field=column) from error


FORMAT = Table(
    name="evportal",
    title="EVPortal",
    says_zone=True,
    columns={
        "session": ("session_id",),
        "started": ("started_at",),
        "stopped": ("stopped_at",),
        "zone": ("time_zone",),
        "site": ("site",),
        "station": ("station",),
        "evse": ("evse_id",),
        "connector": ("connector_id",),
        "number": ("transaction_id",),
        "energy": ("energy_wh",),
        "cost": ("cost_minor",),
        "currency": ("currency",),
        "status": ("status",),
        "flags": ("flags",),
        "signed": ("signed_meter_values",),
    },
    needed=("session", "started", "stopped", "zone", "site", "station", "number", "energy", "status"),
    ordered="",
    other_dates=(),
    numbers=(),
    row=_row,
)
