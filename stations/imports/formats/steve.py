"""PURE: transactions that SteVe exports as CSV (steve-community/steve 3.4 to 3.8, TransactionRepositoryImpl). Meter
values are Wh; the times are those of its database and name no zone. `Stop Reason` and `Stop Event Actor` came later.
"""

from stations.errors import ImportRowError
from stations.imports.formats.base import Cells, Table
from stations.imports.reading.row import Place, Row
from stations.imports.reading.tokens import card

TITLE = "SteVe"


def _row(cells: Cells) -> Row:
    if not cells["stopped"]:
        raise ImportRowError("a charge that has ended", "none", field=cells.column("stopped"))
    start, stop = (cells.units(name, digits=0) for name in ("meter_start", "meter_stop"))
    if stop < start:
        raise ImportRowError(f"at least {start}, the value at the start", f"{stop}", field=cells.column("meter_stop"))
    return Row(
        line=cells.line,
        number=cells.number("number"),
        station=cells.name("station"),
        place=Place("", TITLE),
        started=cells.time("started"),
        stopped=cells.time("stopped"),
        energy_wh=stop - start,
        meter_start_wh=start,
        meter_stop_wh=stop,
        token=card(cells["token"], cells.column("token")),
        evse=cells.units("connector", digits=0) or 1,
        stop_reason=cells["reason"][:20],
    )


FORMAT = Table(
    name="steve",
    title=TITLE,
    prefix="steve-",
    columns={
        "number": ("Transaction ID",),
        "station": ("ChargeBox ID",),
        "connector": ("Connector ID",),
        "token": ("OCPP ID Tag",),
        "started": ("Start Timestamp", "Start Date/Time"),
        "meter_start": ("Start Value",),
        "stopped": ("Stop Timestamp", "Stop Date/Time"),
        "meter_stop": ("Stop Value",),
        "reason": ("Stop Reason",),
    },
    needed=("number", "station", "connector", "token", "started", "meter_start", "stopped", "meter_stop"),
    numbers=(),
    row=_row,
)
