"""PURE: session details of ChargePoint, as Palo Alto publishes them (City of Palo Alto Open Data, "Electric Vehicle
Charging Station Usage July 2011 - Dec 2020", file ChargePoint Data CY20Q4). Dates are month first, each with its zone.
`Plug In Event Id` counts for each station.
"""

from stations.imports.formats.base import Cells, Table
from stations.imports.reading import values
from stations.imports.reading.row import Place, Row
from stations.imports.reading.tokens import user
from stations.tariffs.currencies import is_currency
from stations.tariffs.pricing import minor_units

TITLE = "ChargePoint"


def _row(cells: Cells) -> Row:
    station, zone = cells.name("station"), cells["zone"]
    currency = cells["currency"].upper()
    priced = bool(cells["cost"]) and is_currency(currency)
    cost = (
        minor_units(values.number(cells["cost"], cells.column("cost"), cells.reading.mark), currency)
        if priced
        else None
    )
    site = cells["organisation"] or TITLE
    return Row(
        line=cells.line,
        number=cells.number("number"),
        station=station,
        place=Place(values.code(site, 24), site[:255], currency if priced else "", values.place_zone(zone)),
        started=values.zoned(cells.time("started"), zone, cells.column("zone")),
        stopped=values.zoned(cells.time("stopped"), cells["zone_end"] or zone, cells.column("zone_end")),
        energy_wh=cells.energy_wh("energy"),
        token=user(FORMAT.name, cells["user"]),
        cost_minor=cost,
        currency=currency if priced else "",
        evse=int(cells["port"]) if cells["port"].isdecimal() and 0 < int(cells["port"]) < 100 else 1,
        lasted=cells.clock("lasted", whole=True),
    )


FORMAT = Table(
    name="chargepoint",
    title="ChargePoint (Palo Alto)",
    prefix="chargepoint-",
    says_zone=True,
    columns={
        "station": ("Station Name",),
        "organisation": ("Org Name",),
        "started": ("Start Date",),
        "zone": ("Start Time Zone",),
        "stopped": ("End Date",),
        "zone_end": ("End Time Zone",),
        "lasted": ("Total Duration (hh:mm:ss)", "Total Duration"),
        "energy": ("Energy (kWh)",),
        "port": ("Port Number",),
        "currency": ("Currency",),
        "cost": ("Fee",),
        "number": ("Plug In Event Id",),
        "user": ("User ID",),
    },
    needed=("station", "started", "zone", "stopped", "zone_end", "energy", "number"),
    dates="MDY",
    numbers=("energy", "cost"),
    row=_row,
)
